"""Any answer of a CA to any request results in a value or an error of dnsrenew, and the client never hangs."""

from __future__ import annotations

import json
import tomllib
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.http import retry_after
from dnsrenew.base.model.spec import AccountData
from tests.kit.clock import START
from tests.kit.fuzzing import DEEP, bounded, each_change, edited, json_bytes, thinned
from tests.kit.scripted_ca import ANSWERS, CHAIN, JSON, PROBLEM, Answer, Visit
from tests.kit.stores import issue

ODDITIES: tuple[Any, ...] = (
    "",
    "\x1b[31m\x00",
    "\ud800",
    "http://[",
    "http://a.test/",
    "../x",
    "valid",
    "9999-12-31T23:59:59-23:59",
    0,
    10**400,
    None,
    True,
    [],
    {"\x1b[31m": "\x1b[31m"},
    [{"x": []}],
    DEEP,
)
CODES = tomllib.loads((Path(__file__).parents[2] / "docs/error_codes.toml").read_text("utf-8"))["errors"]
FIELDS = sorted(JSON.keys() - {"challenge", "finalize", "keyChange"})  # not read, or read as an order
REFUSALS = [("newOrder", 429), ("finalize", 403), ("newAccount", 503)]
HEADERS = {
    "Location": ["newAccount", "newOrder"],
    "Link": ["certificate"],
    "Retry-After": ["order", "renewalInfo"],
    "Replay-Nonce": ["newNonce", "newAccount"],
    "Content-Type": ["directory", "certificate", "newOrder"],
}
HEADER_TEXTS = [
    "",
    " ",
    "\xff\x9b",
    "x" * 70_000,
    "http://[",
    "https://a.test:x/",
    "../../x",
    "-1",
    "1e999",
    "999999999",
    "1" * 40,
    "Wed, 99 Foo 2015 99:99:99",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "<http://[>;rel=alternate",
    '<>;rel="alternate"',
    "<" * 5000 + ">;rel=alternate",
    "<a" * 500 + ">;rel=alternate",
    "====",
    "!!",
]


def visit(changes: dict[str, Answer]) -> list[str]:
    """Make every call at a CA with these answers; return the codes of the errors."""
    visited = Visit(changes)
    visited.whole_way()
    codes = [error.code for error in visited.errors]
    assert set(codes) <= CODES.keys(), "each is one of those that are documented"
    return codes


def test_without_changes_nothing_fails() -> None:
    """The recorded answers, unchanged, cause no error."""
    visited = Visit({})
    assert visited.whole_way()
    assert visited.errors == []


@thinned
@pytest.mark.parametrize("place", FIELDS)
def test_each_field_of_each_answer_in_turn_is_something_else(place: str, step: int) -> None:
    """A missing, wrong, huge or deep value is an error, or does not matter."""
    status, headers, example = JSON[place]
    for body in islice(each_change(example, ODDITIES), None, None, step):
        visit({place: (status, headers, body)})


@thinned
@pytest.mark.parametrize(("place", "status"), REFUSALS)
def test_each_field_of_a_refusal_in_turn_is_something_else(place: str, status: int, step: int) -> None:
    """The CA's words are printed in one line, without control characters."""
    headers = {"Retry-After": "5", "Link": "<https://ca.test/help>;rel=help"}
    for body in islice(each_change(PROBLEM, ODDITIES), None, None, step):
        assert visit({place: (status, headers, body)})


@thinned
@pytest.mark.parametrize("name", HEADERS)
def test_any_header(name: str, step: int) -> None:
    """A missing, empty or far too long header, or one without a valid URL, number or date."""
    for place, text in islice(product(HEADERS[name], (None, *HEADER_TEXTS)), None, None, step):
        status, headers, body = ANSWERS[place]
        visit({place: (status, {**headers, name: text}, body)})
        if name == "Retry-After":
            for refusal in (429, 503):
                failed = visit({place: (refusal, {name: text}, json.dumps(PROBLEM).encode())})
                assert failed or place == "renewalInfo"  # which only suggests


def test_any_retry_after() -> None:
    """Any Retry-After gives a finite number of seconds or None."""
    for text in HEADER_TEXTS:
        seconds = retry_after({"Retry-After": text}, START)
        assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize("place", ["newOrder", "authorization", "directory"])
@bounded(25)
@given(data=st.data())
def test_any_octets(place: str, data: st.DataObject) -> None:
    """HTML, a part of the JSON, another encoding, or random octets."""
    status, headers, example = JSON[place]
    body = data.draw(json_bytes([example]) | st.binary(max_size=60) | st.just(b"<html>"))
    visit({place: (status, headers, body)})


@bounded(25)
@given(chain=edited(CHAIN.encode()) | st.binary(max_size=60))
def test_any_certificate(chain: bytes) -> None:
    """An unreadable certificate is refused, and the client can continue."""
    status, headers, _ = ANSWERS["certificate"]
    assert visit({"certificate": (status, headers, chain)})


@pytest.mark.parametrize("url", ["", "http://[", "https://[::1", "ca.test/acct", "https://\x00/", "https:///x"])
def test_a_damaged_url_in_our_own_files(url: str) -> None:
    """An account with a damaged URL is found by its key; an order with one does not exist."""
    visited = Visit({})
    visited.store.account = AccountData(issue(1)[1], url, ("mailto:me@a.test",))
    assert visited.ca.open(visited.context) == "https://ca.test/account/1"
    assert visited.do(lambda: visited.ca.find_order(visited.context, url)) is None
