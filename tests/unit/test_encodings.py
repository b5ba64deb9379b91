"""A secret is found in a text in whatever way somebody who quotes it has written it."""

import base64
import html
import json
import re
import string
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.secrets import HIDDEN, Redactor

Writing = Callable[[str], str]
EDGE = "\ue000"
"""Stands around the secret and in none."""
SECRET = 's3cr&t"<K>/+=é zz%canary'
SECRETS = st.text(st.characters(exclude_characters=EDGE, exclude_categories=["Cs"]), min_size=3)


def redacted(secret: str, text: str) -> str:
    """The text, by one who knows the secret."""
    redactor = Redactor()
    redactor.add(secret)
    return redactor.redact(text)


def in_json(text: str) -> str:
    """ASCII only, and so with halves of characters."""
    return json.dumps(text)[1:-1]


def in_json_of_php(text: str) -> str:
    """With the slashes escaped."""
    return in_json(text).replace("/", "\\/")


def in_json_of_others(text: str) -> str:
    """In UTF-8."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def in_python(text: str) -> str:
    """As in a repr."""
    return repr(text)[1:-1]


def in_entities(text: str) -> str:
    """Each character by its number, in one of two ways."""
    return "".join(f"&#{ord(each)};" if ord(each) % 2 else f"&#X{ord(each):x};" for each in text)


def in_page(text: str) -> str:
    """As frameworks escape it."""
    return html.escape(text).replace("/", "&#x2F;").replace("=", "&equals;")


def in_address(text: str) -> str:
    """With everything escaped."""
    return quote(text, safe="")


def in_address_of_net(text: str) -> str:
    """In lower-case hex."""
    return re.sub("%..", lambda match: match[0].lower(), in_address(text))


def plain(text: str) -> str:
    """As it is."""
    return text


WRITINGS: list[Writing] = [plain, in_json, in_json_of_php, in_json_of_others, in_python, in_entities, html.escape]
WRITINGS += [in_page, in_address, in_address_of_net, quote, quote_plus]


@pytest.mark.parametrize("outer", WRITINGS)
@pytest.mark.parametrize("inner", WRITINGS)
def test_in_one_writing_inside_another(inner: Writing, outer: Writing) -> None:
    """Nothing of it is left, and what stands around it is."""
    assert redacted(SECRET, f"the key {outer(inner(SECRET))} is wrong") == f"the key {HIDDEN} is wrong"


@given(SECRETS, st.sampled_from(WRITINGS), st.sampled_from(WRITINGS))
def test_any_secret(secret: str, inner: Writing, outer: Writing) -> None:
    """The same for whatever a secret may be made of, escapes among it."""
    assert redacted(secret, f"{EDGE}{outer(inner(secret))}{EDGE}") == f"{EDGE}{HIDDEN}{EDGE}"


@given(SECRETS, st.data())
def test_some_characters_escaped(secret: str, data: st.DataObject) -> None:
    """Nobody knows which ones somebody escapes: of a percent sign or an ampersand, he escapes each."""
    ways: list[Writing] = [in_address, in_address_of_net] if data.draw(st.booleans()) else [in_page, in_entities]
    chosen = [data.draw(st.sampled_from(ways if each in "%&" else [*ways, plain])) for each in secret]
    text = "".join(writing(each) for writing, each in zip(chosen, secret, strict=True))
    assert redacted(secret, f"{EDGE}{text}{EDGE}") == f"{EDGE}{HIDDEN}{EDGE}"


@pytest.mark.parametrize(
    "text",
    [
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        SECRET.encode().decode("latin-1"),
        in_json(SECRET.encode().decode("latin-1")),
        SECRET.upper().replace("É", "é"),
        "".join(f"%{byte:02X}" for byte in SECRET.encode("latin-1")),
        base64.b64encode(SECRET.encode()).decode().replace("/", "\\/"),
        quote_plus(base64.b64encode(SECRET.encode()).decode()),
    ],
)
def test_in_other_codes(text: str) -> None:
    """In hex, in the wrong character set, in capitals, and in base64 that is escaped again."""
    assert redacted(SECRET, f"the key {text} is wrong") == f"the key {HIDDEN} is wrong"


def test_in_base64_for_addresses() -> None:
    """Its two other signs; behind something else too."""
    secret = "~?>~?>~?>~?>~?>"
    assert redacted(secret, base64.urlsafe_b64encode(secret.encode()).decode()) == HIDDEN
    assert "_" not in redacted(secret, base64.urlsafe_b64encode(b"u:" + secret.encode()).decode())


def test_what_is_no_text() -> None:
    """An environment variable may hold bytes that are not UTF-8."""
    assert redacted("abc\udcff", "the key abc\udcff") == f"the key {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    ["\\", "%", "&", "%zz %4", "&amp", "&#;", "&#x110000;", "&nosuch;", "\\u12", "\\U00110000", "\\ud83d", "%ff%c3"],
)
def test_what_only_begins_like_an_escape(text: str) -> None:
    """It is left as it is, and hides nothing beside it."""
    assert redacted("canary/1", f"{text} canary%2F1 {text}") == f"{text} {HIDDEN} {text}"


@pytest.mark.parametrize("piece", ["\\", "a", "%25", "&amp;", "\\u005c", "\\%25&amp;", "canary", "é"])
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    """The time grows as the text does: one made to be read in many ways takes seconds at worst, not years."""
    redactor = Redactor()
    for secret in ("canary" * 20 + "!", "\\" * 60 + "!", "a" * 60 + "!", "%25" * 20 + "!"):
        redactor.add(secret)
    text = piece * ((1 << 18) // len(piece))
    began = time.process_time()
    assert redactor.redact(text) == text
    assert time.process_time() - began < 10


def test_a_usual_line_costs_next_to_nothing() -> None:
    """It is read in no other way where nothing is escaped."""
    redactor = Redactor()
    for number in range(20):
        redactor.add(f"canary-{number}-{string.ascii_letters}")
    began = time.process_time()
    for _ in range(1000):
        redactor.redact("GET /v2/zones/example.test HTTP/1.1 200 OK")
    assert time.process_time() - began < 2
