"""`--dry-run`: a whole order at the staging CA, and nothing is stored except an account there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import ConfigError, Outcome
from tests.kit.fallback_stage import attempt_rows, codes, dns, http, problem, refusing, second_ca, site
from tests.kit.memory_lab import MemoryStage
from tests.kit.renew_stage import Stage, error_of
from tests.lab import AcmeProxy
from tests.lab.acmemessages import Response
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A workspace in which `other` is the staging CA."""
    made = MemoryStage(workspace, {"ca.lab.directory": ca.directory_url, "ca.lab.staging": "other"})
    made.on_kind["route-failed"] = made.lab.flush  # unlike real CAs, the two share a resolver
    return made


@pytest.fixture
def staging(stage: Stage) -> Iterator[AcmeProxy]:
    """The staging CA, which reuses authorizations for long, as real ones do."""
    with second_ca(stage, pebble=stage.lab.another_pebble(authz_reuse=100)) as proxy:
        yield proxy


def rehearsal(stage: Stage, changes: Any = None, later: timedelta = timedelta()) -> Outcome:
    """Make a rehearsal that succeeds."""
    outcome = stage.one(changes, later, dry_run=True)
    assert outcome.error is None, outcome.error
    assert outcome.status == "rehearsed"
    return outcome


def files(store: Path) -> dict[str, bytes]:
    """Everything in the store except locks and the accounts of the staging CA."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file()
        and path.relative_to(store).parts[0] != "locks"
        and not str(path.relative_to(store)).startswith("accounts/other-")
    }


def test_the_current_certificate_is_not_changed(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """A rehearsal runs although nothing is due, and changes no file of the store."""
    stage.renewed()
    before = files(stage.workspace.store)
    outcome = rehearsal(stage)
    assert files(stage.workspace.store) == before
    assert outcome.not_after is not None
    assert outcome.path is not None
    assert (outcome.path / "fullchain.pem").exists()
    assert outcome.serial == format(stage.leaf().serial_number, "x")
    assert all("replaces" not in (each.request.payload or {}) for each in staging.of_kind("newOrder"))


def test_a_second_rehearsal_proves_afresh(stage: Stage, staging: AcmeProxy) -> None:
    """A rehearsal deactivates valid authorizations first, so that DNS is really written."""
    rehearsal(stage)
    outcome = rehearsal(stage)
    assert len(stage.written()) == 2
    assert stage.event_data("order-created")[-1]["pending"]
    assert codes(outcome) == [None]


def test_its_failure_is_not_counted(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """A failed rehearsal does not defer the next real run, and is not in its history."""
    staging.on_request = refusing("newOrder", problem("rejectedIdentifier", "not here", 400))
    outcome = stage.one(dry_run=True)
    assert (outcome.status, codes(outcome)) == ("failed", ["ca-rejected-identifier"])
    assert outcome.next_attempt is None
    assert "other" in error_of(outcome).message
    assert files(stage.workspace.store) == {}
    assert stage.renewed().status == "renewed"


def test_a_limit_of_the_staging_ca_holds_no_real_order(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """A limit of the staging CA does not defer a real order, and a real failure does not defer a rehearsal."""
    staging.on_request = refusing("newOrder", problem("rateLimited", "too many", 429, ("Retry-After", "7200")))
    assert stage.one(dry_run=True).status == "failed"
    ca.on_request = refusing("newOrder", problem("rejectedIdentifier", "not today", 400))
    assert stage.one().status == "failed"
    assert stage.one().status == "deferred"
    staging.on_request = None
    rehearsal(stage)
    assert stage.one().status == "deferred"


def test_all_routes_that_would_be_used(stage: Stage, staging: AcmeProxy) -> None:
    """A rehearsal falls back as a real run does, and its outcome has every attempt."""
    outcome = rehearsal(stage, {**site(stage), "certificate.0.routes": [http(stage.lab.reserve()), dns("home")]})
    assert attempt_rows(outcome) == [
        ("other", "http-01", (), 1, "http-unreachable"),
        ("other", "dns-01", ("home",), 1, None),
    ]
    assert outcome.to_dict()["status"] == "rehearsed"


def test_two_cas_with_one_staging_ca(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """If two CAs share a staging CA, each route is rehearsed once."""
    third = {"directory": ca.directory_url, "trust": str(stage.lab.ca.trust_pem), "staging": "other"}
    staging.on_request = refusing("newOrder", problem("rejectedIdentifier", "not here", 400))
    routes = [dns("home"), dns("home", ca="third")]
    outcome = stage.one({"ca.third": third, "certificate.0.routes": routes}, dry_run=True)
    assert attempt_rows(outcome) == [("other", "dns-01", ("home",), 0, "ca-rejected-identifier")]


def test_a_ca_without_a_staging_ca(stage: Stage, ca: AcmeProxy) -> None:
    """A configured CA without `staging` is an error that names it and the key to add. Nothing is sent."""
    outcome = stage.one({"ca.lab.staging": None}, dry_run=True)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ConfigError)
    assert outcome.error.code == "no-staging"
    assert "lab" in outcome.error.message
    assert "staging" in outcome.error.fix
    assert not ca.exchanges
    assert files(stage.workspace.store) == {}


def test_a_ca_may_be_its_own_staging_ca(stage: Stage, ca: AcmeProxy) -> None:
    """If a CA is its own staging CA, a rehearsal puts no certificate in force, and the next real run succeeds."""
    outcome = rehearsal(stage, {"ca.lab.staging": "lab"})
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 1, None)]
    assert not (stage.workspace.store / "certificates" / "home" / "current").exists()
    assert stage.renewed({"ca.lab.staging": "lab"}).status == "renewed"


def test_a_failed_rehearsal_leaves_no_txt(stage: Stage, staging: AcmeProxy) -> None:
    """A failed rehearsal removes the published values (the lab checks this after each test)."""
    staging.on_request = refusing("finalize", problem("badCSR", "RSA only", 400))
    outcome = stage.one(dry_run=True)
    assert codes(outcome) == ["ca-bad-csr"]
    assert stage.event_data("txt-removed")


def test_the_staging_ca_is_down(stage: Stage, ca: AcmeProxy) -> None:
    """If the staging CA is down, the error names it."""
    down = {"directory": f"https://127.0.0.1:{stage.lab.reserve()}/dir"}
    outcome = stage.one({"ca.other": down}, dry_run=True)
    assert codes(outcome) == ["ca-unreachable"]
    assert "The CA other " in error_of(outcome).message


def test_a_rehearsal_asks_for_no_renewal_information(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """A rehearsal requests no renewal information and changes no file of the store."""
    stage.renewed()
    before = files(stage.workspace.store)
    ca.exchanges.clear()
    rehearsal(stage, None, timedelta(hours=7))
    assert files(stage.workspace.store) == before
    assert not ca.exchanges
    assert staging.counts["renewalInfo"] == 0


def test_a_busy_staging_ca_does_not_hang_it(stage: Stage, staging: AcmeProxy) -> None:
    """A 503 of the staging CA with a long Retry-After ends the rehearsal."""
    page = Response(503, b"<h1>busy</h1>", (("Retry-After", "3600"),))
    staging.on_request = refusing("newOrder", page)
    outcome = stage.one(dry_run=True)
    assert codes(outcome) == ["ca-server-error"]
    assert outcome.attempts[0].seconds < 10
