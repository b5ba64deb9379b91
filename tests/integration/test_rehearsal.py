"""`--dry-run`: a whole order at the staging CA, and nothing is stored except an account there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Outcome
from tests.kit.fallback_stage import DNS, SITE, attempt_rows, http, second_ca, site
from tests.kit.renew_stage import Stage
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace, ca: AcmeProxy) -> Stage:
    """A workspace in which `other` is the staging CA."""
    made = Stage(workspace, {"ca.lab.directory": ca.directory_url, "ca.lab.staging": "other"})
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


def test_a_rehearsal_goes_all_the_way_and_keeps_nothing(stage: Stage, ca: AcmeProxy, staging: AcmeProxy) -> None:
    """A rehearsal makes a whole order at the staging CA and stores only an account there. The CA gets no request."""
    outcome = rehearsal(stage)
    assert attempt_rows(outcome) == [("other", "dns-01", ("home",), 1, None)]
    assert staging.counts["certificate"] == 1
    assert len(stage.written()) == 2
    assert not ca.exchanges
    assert files(stage.workspace.store) == {}
    assert list((stage.workspace.store / "certificates").iterdir()) == []
    (account,) = (stage.workspace.store / "accounts").iterdir()
    assert account.name.startswith("other-")
    assert (account / "account.json").exists()
    assert outcome.path is None
    assert outcome.next_attempt is None
    (status,) = stage.renewer().status()
    assert (status.state, status.last_failure) == ("missing", None)
    assert stage.renewed().reason == "missing"


def test_a_mix_is_rehearsed(stage: Stage) -> None:
    """A rehearsal can use http-01 for the apex and dns-01 for the wildcard in one order."""
    pebble = stage.lab.another_pebble()
    with second_ca(stage, pebble=pebble):
        names = [SITE, f"*.{SITE}"]
        outcome = rehearsal(stage, {**site(stage, *names), "certificate.0.routes": [http(pebble.http_port), DNS]})
    assert outcome.route is not None
    assert outcome.route.challenge == "mixed"
