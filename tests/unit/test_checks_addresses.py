"""Whether a name resolves to this machine: certain and likely results, and reasons for a failed http-01 validation."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, cast

import pytest

from dnsrenew.base.checks.addresses import is_local, judge_addresses
from dnsrenew.base.model import Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges import http01 as solver
from dnsrenew.dns import DnsView
from dnsrenew.errors import AttemptError, CAError, ChallengeError, DnsError
from dnsrenew.renewal.planner import Selection, describe_error

NAME, WILD = "x.test", "*.x.test"
PUBLIC, PRIVATE, ROUTER = "8.8.4.4", "192.168.1.7", "8.8.8.8"
INBOUND = ("http-01", "tls-alpn-01")
HTTP = Route("http-01", ca="one")
DNS = Route("dns-01", dns="a", ca="one")


def test_a_name_without_addresses_is_certain() -> None:
    """A name without addresses is bad, because no CA can connect to it."""
    verdict = judge_addresses(NAME, [], [PRIVATE])
    assert verdict.result == "bad"
    assert "no A or AAAA" in verdict.summary
    assert NAME in verdict.fix


def test_a_name_that_leads_here_is_well() -> None:
    """A name is fine if all its addresses are those of this machine."""
    verdict = judge_addresses(NAME, [PUBLIC, "2003:db8::7"], [PUBLIC, "2003:db8::7", PRIVATE])
    assert (verdict.result, verdict.fix) == ("ok", "")
    assert verdict.evidence["addresses"] == {"A": [PUBLIC], "AAAA": ["2003:db8::7"]}
    assert verdict.evidence["ours"] == {"A": [PUBLIC, PRIVATE], "AAAA": ["2003:db8::7"]}


@pytest.mark.parametrize(
    ("found", "ours", "router", "blocks"),
    [
        ([ROUTER], [PUBLIC], [], True),
        ([ROUTER], [PRIVATE], [PUBLIC], True),
        (["192.168.1.9"], [PUBLIC], [], True),
        ([PUBLIC, "2003:db8::1"], [PUBLIC, "2003:db8::7"], [], True),
        ([ROUTER, "2003:db8::7"], [PUBLIC, "2003:db8::7"], [], False),
    ],
)
def test_another_address_than_ours_is_certainly_wrong_if_we_have_a_public_one(
    found: list[str], ours: list[str], router: list[str], blocks: bool
) -> None:
    """An address of another host is wrong if this machine or its router has a public one of that family.

    A wrong A record does not matter beside a good AAAA record.
    """
    verdict = judge_addresses(NAME, found, ours, router=router, blocks=INBOUND)
    assert (verdict.code, verdict.result) == ("address", "bad")
    assert verdict.blocks == (INBOUND if blocks else ())


def test_the_routers_address_is_ours() -> None:
    """The router's public address counts as one of this machine."""
    assert judge_addresses(NAME, [ROUTER], [PRIVATE], router=[ROUTER]).result == "ok"


@pytest.mark.parametrize(
    ("found", "how", "said"),
    [
        ([ROUTER], {"proxy": "Cloudflare"}, "belongs to Cloudflare"),
        ([PUBLIC, ROUTER], {}, "to this machine and to others (8.8.8.8)"),
    ],
)
def test_a_proxy_or_another_host_may_answer(found: list[str], how: dict[str, str], said: str) -> None:
    """The result is unknown if a proxy or another host may answer, even if this machine has a public address."""
    verdict = judge_addresses(NAME, found, [PUBLIC], proxy=how.get("proxy"), blocks=INBOUND)
    assert (verdict.result, verdict.blocks) == ("unknown", INBOUND)
    assert said in verdict.summary


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        *((address, True) for address in ("10.0.0.1", "100.64.0.1", "127.0.0.1", "::1", "fd00::1", "fe80::1%eth0")),
        *((address, True) for address in ("192.0.2.7", "198.18.0.1", "203.0.113.1", "2001:db8::1", "64:ff9b::1")),
        *((address, False) for address in ("8.8.8.8", "203.0.115.1", "2003:db8::1", "2606:4700::1")),
    ],
)
def test_what_is_local(address: str, is_ours: bool) -> None:
    """An address that is not reachable from the Internet is local."""
    assert is_local(address) is is_ours


@pytest.mark.parametrize(
    ("found", "ours", "said", "fix"),
    [
        ([PUBLIC, "2003:db8::1"], [PUBLIC], "AAAA record of x.test points to 2003:db8::1", "Correct the AAAA record"),
        ([ROUTER], [PRIVATE], "A record of x.test points to 8.8.8.8", "If 8.8.8.8 is your router, forward its port 80"),
        ([ROUTER], [], "has no address of that kind", "Correct the A record"),
    ],
)
def test_an_address_that_is_not_ours_is_likely_the_reason(
    found: list[str], ours: list[str], said: str, fix: str
) -> None:
    """A foreign address is unknown, not wrong: a router may forward it. IPv6 is judged first, as CAs prefer it."""
    verdict = judge_addresses(NAME, found, ours)
    assert verdict.result == "unknown"
    assert said in verdict.summary
    assert verdict.fix.startswith(fix)
    json.dumps(verdict.evidence)


class FakeDns:
    """DNS with some known addresses, or none."""

    def __init__(self, known: dict[str, tuple[str, ...]] | None) -> None:
        self.known = known
        self.asked: list[str] = []

    def addresses(self, context: Context, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Answer, if anybody does."""
        self.asked += hosts
        if self.known is None:
            raise DnsError("dns-unreachable", "Nobody answers.", fix="Look.")
        return self.known


def failed(*about: str, code: str = "ca-connection") -> CAError:
    """Return the error of a CA that did not find the expected response."""
    problems: list[dict[str, Any]] = [{"type": "x", "code": code, "detail": "no", "identifier": each} for each in about]
    return CAError(code, "No.", fix="Ask.", subproblems=problems)


def explained(error: AttemptError, known: dict[str, tuple[str, ...]] | None = None) -> FakeDns:
    """Explain an error of an order with mixed challenges."""
    dns = FakeDns(known)
    solver.explain(Context(), cast("DnsView", dns), [NAME], error)
    return dns


@pytest.mark.parametrize("code", ["ca-connection", "ca-unauthorized"])
def test_where_the_name_leads_becomes_evidence(code: str) -> None:
    """The evidence has the addresses of the names that failed by http-01, and those of this machine."""
    error = failed(NAME, WILD, code=code)
    assert explained(error, {NAME: ("127.0.0.1",)}).asked == [NAME]
    assert error.evidence["addresses"] == {NAME: {"A": ["127.0.0.1"], "AAAA": []}}
    assert "127.0.0.1" in error.evidence["ours"]["A"]
    assert "likely" not in error.evidence
    assert error.fix == "Ask."


def test_what_is_likely_is_said_with_what_to_do() -> None:
    """The likely cause and its fix follow the CA's message."""
    error = failed(NAME)
    explained(error, {NAME: ("192.0.2.123",)})
    assert "192.0.2.123" in error.evidence["likely"]
    described = describe_error(error, Selection("one", {NAME: HTTP}), [HTTP])
    assert described.code == "http-unreachable"
    assert described.message.endswith(f"No. {error.evidence['likely']}")
    assert "record of x.test" in described.fix


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (failed(NAME), [NAME]),
        (failed(WILD), []),
        (failed(NAME, code="ca-caa"), []),
        (ChallengeError("http-not-served", "No.", fix="Ask."), []),
    ],
)
def test_what_cannot_be_found_out_changes_nothing(error: AttemptError, asked: list[str]) -> None:
    """An unknown address leaves the error unchanged. Errors of other challenges cause no lookup."""
    assert explained(error).asked == asked
    assert error.evidence == {}
    assert (error.message, error.fix) == ("No.", "Ask.")
