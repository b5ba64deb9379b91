"""Routes that CAA records forbid are skipped without an order.

Pebble has no CAA: a proxy adds the CA's identities to the directory.
"""

from __future__ import annotations

from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.fallback_stage import DNS, attempt_rows, codes, http, with_meta
from tests.kit.renew_stage import Stage, through, until
from tests.lab import SECONDARY, AcmeProxy
from tests.lab.workspace import Workspace

CA = "lab-ca.test"
IDENTITIES = with_meta(caaIdentities=[CA])


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The account `home` writes the zones of these tests."""
    return Stage(workspace, {"dns.home.zones": ["caa-fallback.test", "example.test"]})


def zone(stage: Stage, name: str, *records: str) -> dict[str, Any]:
    """Make a name with these CAA records; return the change for a certificate for it."""
    stage.lab.add_zone("caa-fallback.test", "@ A 127.0.0.1")
    stage.lab.update(
        "caa-fallback.test",
        remove=[(name,)],
        add=[(name, "A", "127.0.0.1"), *((name, "CAA", record) for record in records)],
    )
    question = f"{name}.caa-fallback.test"
    until(lambda: len(stage.lab.ask(question, "CAA", SECONDARY).answer) == bool(records))
    return {"certificate.0.domains": [question]}


def asked(stage: Stage, changes: dict[str, Any], **how: Any) -> tuple[Outcome, AcmeProxy]:
    """Make a run at the CA with the identity `lab-ca.test`."""
    with stage.lab.acme_proxy(None, IDENTITIES) as proxy:
        return stage.one({**through(proxy), **changes}, **how), proxy


def test_another_method_may_be_allowed(stage: Stage) -> None:
    """With `validationmethods=http-01`, dns-01 is skipped, and http-01 at the same CA is used."""
    changes = zone(stage, "method", f'0 issue "{CA}; validationmethods=http-01"')
    routes = [DNS, http(stage.lab.pebble.http_port)]
    outcome, proxy = asked(stage, {**changes, "certificate.0.routes": routes})
    assert outcome.status == "renewed"
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 0, "caa"), ("lab", "http-01", (), 1, None)]
    assert proxy.counts["newOrder"] == 1


def test_our_own_account_is_let_through(stage: Stage) -> None:
    """A record whose `accounturi` is our account at this CA allows the route."""
    with stage.lab.acme_proxy(None, IDENTITIES) as proxy:
        stage.renewed(through(proxy))  # creates the account
        (account,) = proxy.of_kind("newAccount")
        assert account.response is not None
        url = account.response.header("Location")
        changes = zone(stage, "ours", f'0 issue "{CA}; accounturi={url}; validationmethods=dns-01"')
        outcome = stage.renewed({**through(proxy), **changes})
    assert codes(outcome) == [None]
