"""What a failure leaves, and what is said of it then."""

from datetime import timedelta
from pathlib import Path

from dnsrenew.model import CertificateSpec, Route
from dnsrenew.operations.status import status_of
from tests.kit.run_stage import Stage, World

SPEC = CertificateSpec(
    name="home", domains=("x.test",), identifiers=("x.test",), ca="one", routes=(Route("dns-01", dns=("a",)),)
)


def test_what_was_only_forced_is_tried_again_when_it_is_due(tmp_path: Path) -> None:
    """No run by itself tries it before: neither the outcome nor the status names an earlier time."""
    stage = Stage(tmp_path, World(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "renewed"
    stage.enter(World(hosts={"a": "refuses"}))
    outcome = stage.run(SPEC, force=True)
    assert (outcome.status, outcome.reason) == ("failed", "forced")
    assert outcome.next_attempt == outcome.next_renewal
    status = status_of(SPEC, stage.store, stage.context)
    assert (status.state, status.next_attempt) == ("valid", None)
    assert status.last_failure is not None
    assert stage.run(SPEC).status == "not-due"


def test_what_is_due_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    """Forced or not: then the pause is what is waited for."""
    stage = Stage(tmp_path, World(hosts={"a": "refuses"}))
    outcome = stage.run(SPEC, force=True)
    assert (outcome.status, outcome.reason) == ("failed", "missing")
    assert outcome.next_attempt is not None
    assert outcome.next_attempt - stage.clock.now() < timedelta(minutes=2)
    assert status_of(SPEC, stage.store, stage.context).next_attempt == outcome.next_attempt
