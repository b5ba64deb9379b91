"""Routes that CAA records forbid are skipped without an order.

Pebble has no CAA: a proxy adds the CA's identities to the directory.
"""

from __future__ import annotations

from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.fallback_stage import attempt_rows, codes, http, second_ca, with_meta
from tests.kit.fallback_stage import dns as by_dns
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import error_of, through
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

CA = "lab-ca.test"
IDENTITIES = with_meta(caaIdentities=[CA])
ELSE = "https://lab-ca.test/acct/another"
FORBIDDEN = {
    "another-ca": ('0 issue "else.test"', "ca"),
    "nobody": ('0 issue ";"', "ca"),
    "critical": ('128 tbs "what"', "ca"),
    "malformed": ('0 issue "%%%%%"', "ca"),
    "another-account": (f'0 issue "{CA}; accounturi={ELSE}"', "account"),
    "another-method": (f'0 issue "{CA}; validationmethods=http-01"', "method"),
}


@pytest.fixture
def stage(workspace: Workspace) -> MemoryStage:
    """The account `home` writes the zones of these tests."""
    return MemoryStage(workspace, {"dns.home.zones": ["caa-fallback.test", "example.test"]})


def zone(stage: MemoryStage, name: str, *records: str) -> dict[str, Any]:
    """Make a name with these CAA records; return the change for a certificate for it."""
    stage.lab.add_zone("caa-fallback.test")
    stage.lab.set_caa(f"{name}.caa-fallback.test", *records)
    return {"certificate.0.domains": [f"{name}.caa-fallback.test"]}


def asked(stage: MemoryStage, changes: dict[str, Any], **how: Any) -> tuple[Outcome, AcmeProxy]:
    """Make a run at the CA with the identity `lab-ca.test`."""
    with stage.lab.acme_proxy(None, IDENTITIES) as proxy:
        return stage.one({**through(proxy), **changes}, **how), proxy


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_what_caa_forbids_is_skipped_without_an_order(stage: MemoryStage, kind: str) -> None:
    """A route that CAA forbids is skipped without an order or a TXT value. The error has the record to add."""
    record, scope = FORBIDDEN[kind]
    outcome, proxy = asked(stage, zone(stage, kind, record))
    assert outcome.status == "failed"
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 0, "caa")]
    error = error_of(outcome)
    name = f"{kind}.caa-fallback.test"
    assert error.evidence["scope"] == scope
    assert error.evidence["found_at"] == name
    assert record.split()[1] in error.evidence["records"][0]
    assert error.fix.startswith("Remove this record" if kind == "critical" else "Add this record")
    assert f"{name}. CAA" in error.fix
    assert proxy.counts["newOrder"] == 0
    assert not stage.written()


@pytest.mark.parametrize(
    ("record", "fix"), [('0 issue ";"', "Replace this record"), ('128 tbs "what"', "Remove this record")]
)
def test_records_that_let_no_ca_issue_stop_a_ca_without_identities(stage: MemoryStage, record: str, fix: str) -> None:
    """A CA that does not state its CAA identities gets no order if the records forbid every CA (RFC 8659)."""
    changes = zone(stage, "none-at-all", record)
    with stage.lab.acme_proxy() as proxy:
        outcome = stage.one({**through(proxy), **changes})
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 0, "caa")]
    assert error_of(outcome).fix.startswith(fix)
    assert proxy.counts["newOrder"] == 0


@pytest.mark.parametrize("kind", ["another-ca", "another-account"])
def test_another_ca_may_be_allowed(stage: MemoryStage, kind: str) -> None:
    """If CAA forbids the first CA, all its routes are skipped without an order, and the second CA issues."""
    last_resort = {**stage.lab.account(stage.lab.key, "caa-fallback.test"), "tsig_secret": stage.lab.key.secret}
    routes = [by_dns("home"), by_dns("spare"), by_dns("home", ca="other")]
    with second_ca(stage):
        outcome, proxy = asked(
            stage,
            {
                **zone(stage, f"two-{kind}", FORBIDDEN[kind][0]),
                "dns.spare": last_resort,
                "certificate.0.routes": routes,
            },
        )
    assert outcome.status == "renewed"
    assert attempt_rows(outcome) == [
        ("lab", "dns-01", ("home",), 0, "caa"),
        ("lab", "dns-01", ("spare",), 0, "caa"),
        ("other", "dns-01", ("home",), 1, None),
    ]
    assert proxy.counts["newOrder"] == 0


def test_a_wildcard_has_a_rule_of_its_own(stage: MemoryStage) -> None:
    """`issuewild` forbids the wildcard only."""
    changes = zone(stage, "wild", f'0 issue "{CA}"', '0 issuewild "else.test"')
    name = "wild.caa-fallback.test"
    outcome, proxy = asked(stage, {"certificate.0.domains": [name, f"*.{name}"]})
    assert codes(outcome) == ["caa"]
    assert error_of(outcome).evidence["identifier"] == f"*.{name}"
    assert "issuewild" in error_of(outcome).fix
    assert proxy.counts["newOrder"] == 0
    alone, _ = asked(stage, changes, now=True)
    assert alone.status == "renewed"


@pytest.mark.parametrize("records", [(), (f'0 issue "{CA}"',), ('0 iodef "mailto:me@example.test"',)])
def test_what_allows_us_stops_nothing(stage: MemoryStage, records: tuple[str, ...]) -> None:
    """A route is used if there is no CAA record, one for this CA, or one with another property."""
    outcome, _ = asked(stage, zone(stage, f"allowed{len(records)}-{len(''.join(records))}", *records))
    assert outcome.status == "renewed"
    assert codes(outcome) == [None]


def test_a_ca_without_identities_decides(stage: MemoryStage) -> None:
    """If the CA's directory has no `caaIdentities`, no route is skipped."""
    outcome = stage.renewed(zone(stage, "unsaid", '0 issue "else.test"'))
    assert codes(outcome) == [None]


def test_the_skip_is_not_remembered_as_a_failure_of_the_route(stage: MemoryStage) -> None:
    """A route that CAA forbade is the first again after the record is corrected."""
    changes = zone(stage, "mended", '0 issue "else.test"')
    routes = {"certificate.0.routes": [by_dns("home"), http(stage.lab.pebble.http_port)]}
    outcome, _ = asked(stage, {**changes, **routes})
    assert outcome.status == "failed"
    zone(stage, "mended", f'0 issue "{CA}"')
    outcome, _ = asked(stage, {**changes, **routes}, now=True)
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 1, None)]
