"""From checks to a diagnosis: which route is taken, and the one next action."""

from __future__ import annotations

from typing import Any

import pytest

from dnsrenew.base.model import CertificateSpec, Check, Diagnosis, Route
from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.extensions.doctor import examine
from dnsrenew.extensions.doctor.arranged import group
from dnsrenew.extensions.doctor.keeping.texts import LAST_RUN_FAILED, LAST_RUN_FORCED
from dnsrenew.extensions.doctor.table import TABLE
from docs import checks

HTTP = Route("http-01", listen=":80", ca="le")
HOME = Route("dns-01", dns="home", ca="le")
BACKUP = Route("dns-01", dns="backup", ca="zerossl")


def check(code: str, result: str = "bad", *blocks: str, fix: str | None = None, **evidence: Any) -> Check:
    """A check that may stop some challenges."""
    return Check(code, result, f"{code} is {result}.", evidence, f"Mend {code}." if fix is None else fix, blocks)  # type: ignore[arg-type]


def diagnose(*checks: Check, routes: tuple[Route, ...] = (HTTP, HOME, BACKUP), names: str = "a.test") -> Diagnosis:
    """The diagnosis of a certificate with these names and routes."""
    identifiers = tuple(names.split())
    spec = CertificateSpec(name="a", domains=identifiers, identifiers=identifiers, ca="le", routes=routes)
    options = {
        name: [route for route in routes if not CHALLENGES[route.challenge].is_unfit(name)] for name in identifiers
    }
    return examine.diagnosis(spec, options, checks)


def shown(found: Diagnosis) -> tuple[bool | None, str | None, str | None]:
    """What a diagnosis says, in short."""
    taken = found.route
    route = f"{taken.challenge} {','.join(taken.dns)} {taken.ca}" if taken else None
    return found.renewable, route, found.next_action


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], (True, "http-01  le", None)),
        ([check("port-80-free", "ok")], (True, "http-01  le", None)),
        ([check("port-80-free", "bad", "http-01")], (True, "dns-01 home le", None)),
        ([check("port-80-outside", "unknown", "http-01")], (True, "http-01  le", None)),
        (
            [check("port-80-outside", "unknown", "http-01"), check("dns-account", "unknown", "dns-01")],
            (None, None, "Mend port-80-outside."),
        ),
        ([check("ca-reachable", "bad", "all", ca="le")], (True, "dns-01 backup zerossl", None)),
        (
            [check("schedule"), check("dns-credentials", "bad", "dns-01", dns="home"), check("port-80-free", "ok")],
            (True, "http-01  le", "Mend dns-credentials."),
        ),
        ([check("internet", "bad", "all")], (False, None, "Mend internet.")),
        ([check("ca-reachable", "unknown", "all")], (None, None, "Mend ca-reachable.")),
        (
            [check("port-80-free", "bad", "http-01"), check("dns-account", "bad", "dns-01", dns="home")],
            (True, "dns-01 backup zerossl", None),
        ),
        (
            [check("port-80-free", "bad", "http-01"), check("cname", "bad", "dns-01")],
            (False, None, "Mend port-80-free."),
        ),
        ([check("schedule", "bad")], (True, "http-01  le", "Mend schedule.")),
        ([check("txt-stale", "bad"), check("schedule", "bad")], (True, "http-01  le", "Mend schedule.")),
        ([check("txt-stale", "bad")], (True, "http-01  le", "Mend txt-stale.")),
        ([check("schedule", "bad"), check("domain", "bad", "all")], (False, None, "Mend domain.")),
        ([check("domain", "bad", "all", names=["other.test"])], (True, "http-01  le", None)),
        ([check("domain", "bad", "all", names=["a.test"])], (False, None, "Mend domain.")),
    ],
)
def test_the_route_and_the_next_action(
    checks: list[Check], expected: tuple[bool | None, str | None, str | None]
) -> None:
    """A bad check blocks only its own challenges. A blocked route needs no action while another one works."""
    assert shown(diagnose(*checks)) == expected


def test_a_certificate_that_is_missing_is_obtained_first() -> None:
    """The next action for a missing certificate comes before those that stop nothing, but after what stops it."""
    absent = check("expiry", "unknown", not_after=None)
    assert shown(diagnose(check("schedule", "bad"), absent)) == (True, "http-01  le", "Mend expiry.")
    assert shown(diagnose(check("schedule", "bad"), check("expiry", "unknown")))[2] == "Mend schedule."
    assert shown(diagnose(check("domain", "bad", "all"), absent))[2] == "Mend domain."


def test_what_stopped_the_last_run_is_fixed_first() -> None:
    """The fix of a failure comes before a missing certificate and a missing schedule, but after what stops all routes.

    A failure without a fix, and a failure of one route among others, are not the next action.
    """
    absent, failed = check("expiry", "unknown", not_after=None), check("last-run")
    assert shown(diagnose(check("schedule"), failed, absent)) == (True, "http-01  le", "Mend last-run.")
    assert shown(diagnose(check("schedule"), failed, check("expiry")))[2] == "Mend last-run."
    assert shown(diagnose(check("domain", "bad", "all"), failed, absent))[2] == "Mend domain."
    assert shown(diagnose(check("schedule"), check("last-run", fix=""), absent))[2] == "Mend expiry."
    assert shown(diagnose(check("last-run", "bad", "http-01"), absent))[2] == "Mend expiry."


def test_a_forced_renewal_that_failed_waits() -> None:
    """What is not due comes after a deployment that is not done."""
    forced = Check.of(LAST_RUN_FORCED, "bad", {"name": "a", "time": "t", "code": "c", "message": "m"}, advice="Look.")
    assert shown(diagnose(check("served"), forced))[2] == "Mend served."
    assert shown(diagnose(forced))[2] == "Look."


def test_a_certificate_that_is_bad_now_comes_before_one_that_will_be() -> None:
    """A revoked or expired certificate is replaced before anything is arranged for later."""
    assert shown(diagnose(check("schedule"), check("expiry"))) == (True, "http-01  le", "Mend expiry.")


def test_an_unknown_check_does_not_stop_what_is_certainly_stopped() -> None:
    """The next action is that of the certain blocker, even if an unknown one precedes it."""
    found = diagnose(check("clock", "unknown", "all"), check("domain", "bad", "all"))
    assert shown(found) == (False, None, "Mend domain.")


def test_a_wildcard_takes_dns() -> None:
    """A wildcard uses dns-01 beside http-01 for the domain, in one mixed order."""
    found = diagnose(names="a.test *.a.test", routes=(HTTP, HOME))
    assert found.renewable is True
    assert found.route is not None
    assert found.route.to_dict()["challenge"] == "mixed"
    assert found.route.names == {
        "a.test": {"challenge": "http-01", "dns": []},
        "*.a.test": {"challenge": "dns-01", "dns": ["home"]},
    }


def test_one_name_without_a_route_stops_the_certificate() -> None:
    """If the only route of one name is blocked, the certificate cannot be renewed."""
    found = diagnose(check("cname", "bad", "dns-01", names=["*.a.test"]), names="a.test *.a.test", routes=(HTTP, HOME))
    assert shown(found) == (False, None, "Mend cname.")


def test_each_name_has_accounts_of_its_own() -> None:
    """Two zones at two accounts share one order, in which each name uses its account."""
    other = Route("dns-01", dns="other", ca="le")
    spec = CertificateSpec(name="a", domains=("a.test", "b.test"), identifiers=("a.test", "b.test"), ca="le")
    found = examine.diagnosis(spec, {"a.test": [HOME], "b.test": [other]}, [])
    assert shown(found) == (True, "dns-01 home,other le", None)


def test_a_name_without_any_route() -> None:
    """If a name has no route, the next action is the fix of a bad check, even if that check blocks no route."""
    spec = CertificateSpec(name="a", domains=("a.test",), identifiers=("a.test",), ca="le")
    found = examine.diagnosis(spec, {"a.test": []}, [check("schedule"), check("dns-account", "bad", "dns-01")])
    assert shown(found) == (False, None, "Mend dns-account.")


def test_ok_blocks_nothing() -> None:
    """A check with the result ok has no blocks in its JSON form."""
    from dnsrenew.extensions.doctor.texts import CHECK_LATE

    assert Check.of(CHECK_LATE, "ok", {}, blocks=("all",)).to_dict()["blocks"] == []
    assert Check.of(CHECK_LATE, "unknown", {}, blocks=("all",)).to_dict()["blocks"] == ["all"]


def test_the_form() -> None:
    """The JSON form has the keys of the contract."""
    found = replace(diagnose(), changes=())
    assert list(found.to_dict()) == ["name", "renewable", "route", "next_action", "checks", "changes"]
    first = diagnose(check("clock", "ok")).to_dict()["checks"][0]
    assert list(first) == ["code", "result", "blocks", "summary", "evidence", "fix"]


def test_every_cause_has_a_check_and_every_code_is_that_of_the_contract() -> None:
    """Each cause in the table has a check. The codes are those that users rely on."""
    assert {row for entry in TABLE for row in entry.rows} == set(range(1, len(checks.CAUSES) + 1))
    assert {entry.code for entry in TABLE} == {
        "internet",
        "ca-reachable",
        "ca-terms",
        "ca-limits",
        "clock",
        "caa",
        "domain",
        "name-exists",
        "delegation",
        "dnssec",
        "split-dns",
        "port-53",
        "cname",
        "dns-account",
        "dns-credentials",
        "txt-probe",
        "txt-stale",
        "wildcard-shadow",
        "address",
        "proxied",
        "port-80-free",
        "port-80-listens",
        "port-80-firewall",
        "port-80-forwarded",
        "port-80-outside",
        "port-443-free",
        "port-443-outside",
        "nat",
        "ipv6",
        "vpn",
        "store",
        "store-space",
        "secrets",
        "served",
        "schedule",
        "last-run",
        "expiry",
    }


def test_a_certificate_that_is_missing_is_no_unknown() -> None:
    """That there is no certificate yet is known; one that cannot be read is not."""
    assert group(check("expiry", "unknown", not_after=None)) == "worth-knowing"
    assert group(check("expiry", "unknown")) == "unknown"


def test_a_failure_of_the_route_is_open() -> None:
    """The last failure of exactly the route that a run would take is an open finding: its next step is a test."""
    evidence = {"name": "a", "time": "t", "code": "provider-unauthorized", "message": "No."}
    failed = Check.of(
        LAST_RUN_FAILED,
        "bad",
        {**evidence, "route": {"ca": "le", "challenge": "dns-01", "dns": ["home"]}},
        advice="Mend it.",
    )
    found = diagnose(failed, routes=(HOME,))
    assert [group(each) for each in found.checks] == ["bad"]
    assert shown(found)[::2] == (True, "Mend it. To test the account, run: dnsrenew doctor --probe")
    other = diagnose(failed, routes=(BACKUP,))
    assert ([group(each) for each in other.checks], other.next_action) == (["worth-knowing"], "Mend it.")
