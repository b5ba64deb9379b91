"""A secret is found in a text in any encoding, and also if it is cut or broken into lines."""

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

from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.secrets.redactor import Redactor

Writing = Callable[[str], str]
EDGE = "\ue000"
"""A character around the secret that no secret contains."""
SECRET = 's3cr&t"<K>/+=é zz%canary'
SECRETS = st.text(st.characters(exclude_characters=EDGE, exclude_categories=["Cs"]), min_size=3)


def redacted(secret: str, text: str) -> str:
    """Redact a text with one known secret."""
    redactor = Redactor()
    redactor.add(secret)
    return redactor.redact(text)


def in_json(text: str) -> str:
    """Escape a text in JSON. Characters outside ASCII become escapes, with surrogate pairs."""
    return json.dumps(text)[1:-1]


def in_json_of_php(text: str) -> str:
    """Escape a text in JSON, including slashes."""
    return in_json(text).replace("/", "\\/")


def in_json_of_others(text: str) -> str:
    """Escape a text in JSON as UTF-8."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def in_python(text: str) -> str:
    """Escape a text as `repr` does."""
    return repr(text)[1:-1]


def in_entities(text: str) -> str:
    """Write each character as a decimal or hexadecimal character reference."""
    return "".join(f"&#{ord(each)};" if ord(each) % 2 else f"&#X{ord(each):x};" for each in text)


def in_page(text: str) -> str:
    """Escape a text in HTML, including slashes and equals signs."""
    return html.escape(text).replace("/", "&#x2F;").replace("=", "&equals;")


def in_address(text: str) -> str:
    """Percent-encode all reserved characters of a text."""
    return quote(text, safe="")


def in_address_of_net(text: str) -> str:
    """Percent-encode a text with lower-case hex digits."""
    return re.sub("%..", lambda match: match[0].lower(), in_address(text))


def plain(text: str) -> str:
    """Return the text unchanged."""
    return text


WRITINGS: list[Writing] = [plain, in_json, in_json_of_php, in_json_of_others, in_python, in_entities, html.escape]
WRITINGS += [in_page, in_address, in_address_of_net, quote, quote_plus]


@pytest.mark.parametrize("outer", WRITINGS)
@pytest.mark.parametrize("inner", WRITINGS)
def test_one_encoding_inside_another(inner: Writing, outer: Writing) -> None:
    """A secret in nested encodings is masked completely. The text around it stays."""
    assert redacted(SECRET, f"the key {outer(inner(SECRET))} is wrong") == f"the key {HIDDEN} is wrong"


@given(SECRETS, st.sampled_from(WRITINGS), st.sampled_from(WRITINGS))
def test_any_secret(secret: str, inner: Writing, outer: Writing) -> None:
    """Any secret in nested encodings is masked, even one with escapes."""
    assert redacted(secret, f"{EDGE}{outer(inner(secret))}{EDGE}") == f"{EDGE}{HIDDEN}{EDGE}"


@given(SECRETS, st.data())
def test_some_characters_escaped(secret: str, data: st.DataObject) -> None:
    """A secret is masked even if only some of its characters are escaped."""
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
def test_other_encodings(text: str) -> None:
    """A secret is masked in hexadecimal, in a wrong character set, in upper case, and in escaped base64."""
    assert redacted(SECRET, f"the key {text} is wrong") == f"the key {HIDDEN} is wrong"


def test_base64url() -> None:
    """A secret is masked in base64url, with its special characters and after another text."""
    secret = "~?>~?>~?>~?>~?>"
    assert redacted(secret, base64.urlsafe_b64encode(secret.encode()).decode()) == HIDDEN
    assert "_" not in redacted(secret, base64.urlsafe_b64encode(b"u:" + secret.encode()).decode())


def test_bytes_that_are_not_utf_8() -> None:
    """A secret with bytes that are not UTF-8 is masked."""
    assert redacted("abc\udcff", "the key abc\udcff") == f"the key {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    ["\\", "%", "&", "%zz %4", "&amp", "&#;", "&#x110000;", "&nosuch;", "\\u12", "\\U00110000", "\\ud83d", "%ff%c3"],
)
def test_what_only_begins_like_an_escape(text: str) -> None:
    """An incomplete escape stays, and the secret beside it is masked."""
    assert redacted("canary/1", f"{text} canary%2F1 {text}") == f"{text} {HIDDEN} {text}"


TOKEN = "cfpat_0123456789abcdefghijKLMNOPQRSTUV"
CUT = [
    "cfpat_01…",
    "cfpat_0123456789...",
    "'cfpat_0123456789'",
    "cfpat_0123456789abc*****",
    "cfpat_0123456789\nsecond line",
    "cfpat_0123456789",
    "cfpat%5F0123456789…",
    "\\u0063fpat_0123456789…",
    base64.b64encode(TOKEN.encode()).decode()[:12] + "…",
    TOKEN.encode().hex()[:20] + "[cut]",
]


@pytest.mark.parametrize("text", CUT)
def test_the_beginning_of_a_secret_that_a_host_cut(text: str) -> None:
    """A beginning of at least 8 characters is masked. The text around it stays."""
    shown = redacted(TOKEN, f"token {text}")
    assert shown.startswith((f"token {HIDDEN}", f"token '{HIDDEN}'"))
    assert "012" not in shown
    assert shown[-1:] in {HIDDEN[-1], text[-1]}


@pytest.mark.parametrize("text", ["cfpat_0 is short", "cfpat_0123456789xyz", "cfpat_01-other", "see cfpat_012X"])
def test_what_only_begins_like_a_secret(text: str) -> None:
    """A beginning below 8 characters, and another word with the same beginning, stay."""
    assert redacted(TOKEN, text) == text


@pytest.mark.parametrize(
    ("line_break", "escape"),
    [("\n", plain), ("\r\n    ", plain), ("\n\t", plain), ("\n", in_json), ("\r\n", in_address)],
)
def test_a_secret_that_a_host_broke_into_lines(line_break: str, escape: Writing) -> None:
    """A secret broken into lines is masked as one, even with escaped line breaks. Lines around it stay."""
    broken = line_break.join((TOKEN[:5], TOKEN[5:20], TOKEN[20:]))
    assert redacted(TOKEN, f"the key\n{escape(broken)}\nis wrong") == f"the key\n{HIDDEN}\nis wrong"


@pytest.mark.parametrize("escape", [plain, in_json, in_address, in_entities])
@pytest.mark.parametrize("invisible", ["\u200b", "\u00ad", "\u200d\ufe0f", "\ufeff", "\U000e0020"])
def test_a_secret_that_is_broken_by_invisible_characters(invisible: str, escape: Writing) -> None:
    """A secret with zero-width spaces or soft hyphens is masked."""
    broken = invisible.join((TOKEN[:5], TOKEN[5:20], TOKEN[20:]))
    assert redacted(TOKEN, f"the key {escape(broken)} is wrong") == f"the key {HIDDEN} is wrong"


@given(SECRETS.filter(lambda secret: len(secret) > 8), st.data())
def test_any_secret_that_a_host_cut(secret: str, data: st.DataObject) -> None:
    """A beginning of at least 8 characters of any secret is masked before an ellipsis."""
    length = data.draw(st.integers(8, len(secret)))
    assert redacted(secret, f"{EDGE}{secret[:length]}…") == f"{EDGE}{HIDDEN}…"


@pytest.mark.parametrize(
    "piece",
    ["\\", "a", "%25", "&amp;", "\\u005c", "\\%25&amp;", "canary", "é", "\n", "\n   ", f"{TOKEN[:20]}x\n", "a\u200b"],
)
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    """The time is linear: a text that can be decoded in many ways takes seconds at worst, not years."""
    redactor = Redactor()
    for secret in ("canary" * 20 + "!", "\\" * 60 + "!", "a" * 60 + "!", "%25" * 20 + "!", TOKEN):
        redactor.add(secret)
    text = piece * ((1 << 18) // len(piece))
    began = time.process_time()
    assert redactor.redact(text)
    assert time.process_time() - began < 10


def test_a_usual_line_costs_next_to_nothing() -> None:
    """A line without escapes is not decoded."""
    redactor = Redactor()
    for number in range(20):
        redactor.add(f"canary-{number}-{string.ascii_letters}")
    began = time.process_time()
    for _ in range(1000):
        redactor.redact("GET /v2/zones/example.test HTTP/1.1 200 OK")
    assert time.process_time() - began < 2
