"""The external helper: judging its answers and limiting them. Real helpers are in tests/integration."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import Check
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.host.machine import Family, PortFailure, this_host
from dnsrenew.extensions.doctor.router import outside
from dnsrenew.extensions.doctor.router.outside import HelperFailure, HelperFailureKind, OutsideView, PortSeen, judge
from tests.kit.api_server import Api, Asked
from tests.kit.clock import FakeClock
from tests.lab import ports

OPEN = PortSeen("203.0.113.7", open=True)
CLOSED = PortSeen("203.0.113.7", open=False, error="timeout")
PROVEN = replace(OPEN, answer="secret")
OPEN_IPV6 = PortSeen("2001:db8::7", open=True, answer="secret")
NO_IPV6: dict[Family, HelperFailure] = {"ipv6": HelperFailure("absent", "")}
KINDS: tuple[HelperFailureKind, ...] = ("absent", "silent", "busy", "nonsense", "proxied")


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port that is not in use."""
    with ports.reserve("127.0.0.1") as port:
        yield port.number


def told(check: Check) -> tuple[str, tuple[str, ...]]:
    """Return the result and what it blocks."""
    return check.result, check.blocks


@pytest.mark.parametrize(
    ("view", "has_ipv6", "result"),
    [
        (OutsideView({"ipv4": PROVEN}, NO_IPV6, "own", "secret"), True, "ok"),
        (OutsideView({"ipv4": OPEN}, NO_IPV6, "own", "secret"), False, "unknown"),
        (OutsideView({"ipv4": OPEN}, NO_IPV6), False, "ok"),
        (OutsideView({"ipv4": OPEN}, NO_IPV6, "nothing"), False, "ok"),
        (OutsideView({"ipv4": CLOSED, "ipv6": OPEN_IPV6}, {}, "own", "secret"), True, "ok"),
        (OutsideView({"ipv4": CLOSED}, NO_IPV6, "own", "secret"), False, "bad"),
        (OutsideView({"ipv4": CLOSED}, NO_IPV6, "own", "secret"), True, "unknown"),
        (OutsideView({"ipv4": CLOSED}, NO_IPV6, "other"), False, "bad"),
        (OutsideView({"ipv4": CLOSED}, NO_IPV6, "nothing"), False, "unknown"),
        *(
            (OutsideView({"ipv4": replace(CLOSED, error=error)}, NO_IPV6, "own"), False, "bad")
            for error in outside.ERRORS
        ),
        *((OutsideView({}, {"ipv4": HelperFailure(kind, ""), **NO_IPV6}), False, "unknown") for kind in KINDS),
    ],
)
@pytest.mark.parametrize("port", [80, 443])
def test_what_the_answers_mean(port: int, view: OutsideView, has_ipv6: bool, result: str) -> None:
    """The result is bad only if this machine answers and the helper tried every address family."""
    check = judge(port, view, "helper.test", has_ipv6=has_ipv6)
    blocks = ("http-01",) if port == 80 else ("tls-alpn-01",)
    assert told(check) == (result, () if result == "ok" else blocks)


# ── the answer of a helper ──────────────────────────────────────────────────────────────


def good(port: int = 80, **more: Any) -> dict[str, Any]:
    """A valid answer."""
    value = {"version": 1, "address": "203.0.113.7", "port": port, "open": True, "error": None}
    return {**value, "answer": "", "banner": "", "seconds": 0.01, **more}


def ask(status: int, answer: object, **headers: str) -> PortSeen | HelperFailure:
    """Query a helper that sends this answer. Return the result."""
    with Api(lambda _: (status, answer), headers) as api:
        return outside.ask(f"{api.url}/look?key=1", "ipv4", 80, "token")


def test_a_valid_answer() -> None:
    """Unknown members are ignored and texts are cleaned. The request has port and token."""
    with Api(lambda _: (200, good(banner="ng\x1b[31minx", more=[1]))) as api:
        seen = outside.ask(f"{api.url}/look?key=1", "ipv4", 80, "token")
    assert seen == PortSeen("203.0.113.7", open=True, banner="ng [31minx", seconds=0.01)
    assert [asked.path for asked in api.asked] == ["/look?key=1&port=80&token=token"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, "<html>Welcome</html>"),
        (200, b"\xff\xfe"),
        (200, "[" * 4000),
        (200, "A" * 10_000_000),
        (200, json.dumps([good()])),
        (200, good(version=2)),
        (200, good(address="evil.test")),
        (200, good(address=None)),
        (200, good(port=443)),
        (200, good(port=True)),
        (200, good(open="yes")),
        (200, good(open=False)),
        (200, good(open=False, error="because")),
        (200, good(open=False, error=["timeout"])),
        (200, good(error="timeout")),
        (200, good(answer=["x"])),
        (200, good(seconds="soon")),
        (200, json.dumps(good()).replace("0.01", "NaN")),
        (200, {}),
        (404, good()),
        (500, ""),
    ],
)
def test_a_helper_that_lies_or_makes_no_sense(status: int, answer: object) -> None:
    """A malformed or contradictory answer is rejected."""
    found = ask(status, answer)
    assert isinstance(found, HelperFailure)
    assert found.kind == "nonsense"


def test_a_helper_that_sends_us_elsewhere_or_away() -> None:
    """A redirect is not followed. Status 429 means that the helper is busy."""
    assert getattr(ask(302, "", Location="http://127.0.0.1:1/"), "kind", None) == "nonsense"
    assert getattr(ask(429, {}), "kind", None) == "busy"


def test_a_helper_that_hangs_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper without an answer is silent. One without an address of the family is absent."""
    monkeypatch.setattr(outside, "_TIMEOUT", (0.3, 0.3))
    with Api(lambda _: (time.sleep(1), "")) as api:  # type: ignore[func-returns-value,arg-type,return-value]
        found = [outside.ask(api.url, family, 80, "token") for family in ("ipv4", "ipv6")]
    found.append(outside.ask(api.url, "ipv4", 80, "token"))
    assert [each.kind for each in found if isinstance(each, HelperFailure)] == ["silent", "absent", "silent"]


def test_the_url_of_the_helper_is_not_shown() -> None:
    """Only host and port of the helper's URL are shown, because it may hold a password or a key."""
    assert outside.shown_url("https://me:secret@helper.test:8443/look?key=secret") == "helper.test:8443"


# ── the whole check ─────────────────────────────────────────────────────────────────────


def facts(tmp_path: Path, url: str | None, **route: Any) -> Facts:
    """The facts of a certificate with one route."""
    tables: dict[str, Any] = {"certificate": [{"domains": ["a.test"], "routes": [route]}]}
    if url is not None:
        tables["doctor"] = {"probe_url": url}
    return Facts(Context(clock=FakeClock()), Config.from_dict({**tables, "agree_terms": True}, base=tmp_path), None)


def fetched(port: int, listen: str, asked: Asked) -> tuple[int, dict[str, Any]]:
    """The answer of a helper that fetches from the port where we listen, instead of port 80 or 443."""
    from urllib.parse import parse_qs, urlsplit

    from dnsrenew.extensions.doctor.router.probe_server import check_port

    query = parse_qs(urlsplit(asked.path).query)
    seen = check_port("127.0.0.1", port, query["token"][0], at=int(listen.rpartition(":")[2]))
    return 200, {"version": 1, "port": port, **vars(seen)}


@pytest.mark.parametrize(("port", "challenge"), [(80, "http-01"), (443, "tls-alpn-01")])
def test_a_port_that_is_proven_to_be_open(tmp_path: Path, free_port: int, port: int, challenge: str) -> None:
    """A listener with a secret response proves that the port is open. It is closed afterwards."""
    listen = f"127.0.0.1:{free_port}"
    with Api(partial(fetched, port, listen)) as api:
        found = facts(tmp_path, api.url, challenge=challenge, listen=listen)
        check = outside.outside(port, found, found.its.certificates[0])
    assert (check.result, check.evidence["answering"]) == ("ok", "own")
    assert this_host(found).port_failure(listen) is None
    assert len(api.asked) == 1


def test_a_helper_that_only_claims_it(tmp_path: Path, free_port: int) -> None:
    """The helper cannot know the expected text, so an invented answer is unknown."""
    with Api(lambda _: (200, good(answer="guessed"))) as api:
        found = facts(tmp_path, api.url, challenge="http-01", listen=f"127.0.0.1:{free_port}")
        check = outside.outside(80, found, found.its.certificates[0])
    assert told(check) == ("unknown", ("http-01",))


def test_a_helper_behind_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that sees a loopback address is behind a proxy, so the result is unknown."""
    monkeypatch.setattr("dnsrenew.base.host_port.is_here", lambda _: False)
    with Api(lambda _: (200, good(address="127.0.0.1"))) as api:
        found = facts(tmp_path, api.url, challenge="http-01", webroot=str(tmp_path))
        check = outside.outside(80, found, found.its.certificates[0])
    assert check.result == "unknown"
    assert check.evidence["failures"]["IPv4"]["kind"] == "proxied"


def test_without_a_helper(tmp_path: Path) -> None:
    """Without a helper the fix names a page to open."""
    found = facts(tmp_path, None, challenge="http-01")
    check = outside.outside(80, found, found.its.certificates[0])
    assert told(check) == ("unknown", ("http-01",))
    assert "http://a.test/" in check.fix
    assert outside.outside(80, Facts(Context(), None, None), None).result == "unknown"
    assert outside.seen_addresses(found) == []


def test_nobody_may_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this user may not open the port, a refused connection proves nothing."""
    with Api(lambda _: (200, good(open=False, error="refused"))) as api:
        found = facts(tmp_path, api.url, challenge="http-01")
        here = this_host(found)
        monkeypatch.setattr(here, "port_failure", lambda _: PortFailure("port-forbidden", 13, "PermissionError"))
        monkeypatch.setattr(here, "listeners", lambda _: [])
        check = outside.outside(80, found, found.its.certificates[0])
    assert (check.result, check.evidence["answering"]) == ("unknown", "nothing")
