"""The record of a failure, and later reports of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.values import replace as replaced
from dnsrenew.operations.status import status_of
from tests.kit.acme_server import CaBehaviour
from tests.kit.run_stage import DIRECTORIES, RunStage, RunWorld

SPEC = CertificateSpec(
    name="home", domains=("x.test",), identifiers=("x.test",), ca="one", routes=(Route("dns-01", dns=("a",)),)
)


@pytest.mark.parametrize("behaviour", ["refuses", "secretless"])
def test_a_failure_of_what_was_only_forced_is_the_run_s_alone(tmp_path: Path, behaviour: str) -> None:
    """A failed forced renewal is told by the status until one succeeds, and does not delay the regular renewal."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "renewed"
    stage.enter(RunWorld(hosts={"a": behaviour}))
    outcomes = [stage.run(SPEC, force=True) for _ in range(4)]
    assert {(outcome.status, outcome.reason) for outcome in outcomes} == {("failed", "forced")}
    outcome = outcomes[-1]
    assert outcome.error is not None
    if behaviour == "refuses":
        assert outcome.next_attempt == outcome.next_renewal
    status = status_of(SPEC, stage.store, stage.context)
    assert (status.state, status.last_failure, status.next_attempt) == ("valid", None, None)
    assert status.forced_failure is not None
    assert status.forced_failure["message"] == outcome.error.message
    assert stage.run(SPEC).status == "not-due"
    assert status.next_renewal is not None
    stage.clock.elapsed += (status.next_renewal - stage.clock.now()).total_seconds()
    stage.enter(RunWorld(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "renewed"
    assert status_of(SPEC, stage.store, stage.context).forced_failure is None


def test_an_account_that_another_one_replaced_is_told(tmp_path: Path) -> None:
    """The status names the account that failed before another one was used, until it works again."""
    both = replace(SPEC, routes=(Route("dns-01", dns=("a",)), Route("dns-01", dns=("b",))))
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "refuses", "b": "ok"}))
    assert stage.run(both).status == "renewed"
    assert status_of(both, stage.store, stage.context).failed_accounts == ("a",)
    stage.enter(RunWorld(hosts={"a": "ok", "b": "refuses"}))
    assert stage.run(both, force=True).status == "renewed"
    assert status_of(both, stage.store, stage.context).failed_accounts == ("b",)


@pytest.mark.parametrize("reason", ["revoked", "changed"])
def test_what_is_due_for_another_reason_is_due_now(tmp_path: Path, reason: str) -> None:
    """The status of a revoked or changed certificate gives no renewal time in the future."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "renewed"
    later = status_of(SPEC, stage.store, stage.context).next_renewal
    now = stage.clock.now().replace(microsecond=0)
    assert later is not None
    assert later > now
    with stage.store.lock("home", context=stage.context):
        stage.store.update("home", lambda state: replaced(state, revoked=reason == "revoked"))
    status = status_of(SPEC if reason == "revoked" else replace(SPEC, key="rsa2048"), stage.store, stage.context)
    assert (status.reason, status.next_renewal) == (reason, now)
    stage.clock.elapsed += (later - now).total_seconds() + 3600
    assert status_of(SPEC, stage.store, stage.context).next_renewal == later


def test_what_is_due_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    """A due certificate that failed is deferred, even after a forced renewal."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "refuses"}))
    outcome = stage.run(SPEC, force=True)
    assert (outcome.status, outcome.reason) == ("failed", "missing")
    assert outcome.next_attempt is not None
    assert outcome.next_attempt - stage.clock.now() < timedelta(minutes=2)
    assert status_of(SPEC, stage.store, stage.context).next_attempt == outcome.next_attempt


# ── a CA that asks to wait ──────────────────────────────────────────────────────────────

BUSY = CaBehaviour(ordering="ca-server-error", retry_after=3 * 86_400)
TWO = replace(SPEC, routes=(Route("dns-01", dns=("a",)), Route("dns-01", dns=("a",), ca="two")))


def test_while_one_ca_asks_to_wait_only_the_other_is_tried(tmp_path: Path) -> None:
    """While one CA asks to wait, earlier runs try only the other one. After the wait it is tried again."""
    stage = RunStage(tmp_path, RunWorld({"one": BUSY, "two": CaBehaviour(ordering="ca-caa")}, hosts={"a": "ok"}))
    first = stage.run(TWO)
    assert [attempt.error and attempt.error.code for attempt in first.attempts] == ["ca-server-error", "ca-caa"]
    assert first.next_attempt is not None
    assert first.next_attempt - stage.clock.now() < timedelta(minutes=2)
    stage.clock.elapsed += 120
    second = stage.run(TWO)
    assert [attempt.error and attempt.error.code for attempt in second.attempts] == ["ca-ledger", "ca-caa"]
    assert (len(stage.cas["one"].asked), len(stage.cas["two"].asked)) == (1, 2)
    stage.clock.elapsed += 3 * 86_400
    assert stage.run(TWO).attempts[0].orders == 0
    assert len(stage.cas["one"].asked) == 2


@pytest.mark.parametrize("stands", [False, True])
def test_a_ca_that_was_added_is_tried_at_once_where_no_certificate_stands(tmp_path: Path, *, stands: bool) -> None:
    """Without a valid certificate an added CA is tried at once. The waiting one is not asked again."""
    stage = RunStage(tmp_path, RunWorld({"one": BUSY}, hosts={"a": "ok"}))
    if stands:
        stage.keep(SPEC)
    edition = {"fingerprint": lambda spec, _failed: len(spec.routes)}
    assert stage.run(SPEC, **edition).status == "failed"
    assert stage.run(SPEC, **edition).status == "deferred"
    outcome = stage.run(TWO, **edition)
    assert outcome.status == ("deferred" if stands else "renewed")
    assert len(stage.cas["one"].asked) == 1


def test_the_wait_of_another_certificate_ends_in_time_for_this_one(tmp_path: Path) -> None:
    """A wait of the whole account is limited by the remaining lifetime of this certificate."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    stage.keep(replace(SPEC, ca="two"), "two")
    left = timedelta(days=4)
    stage.clock.elapsed = (timedelta(days=26)).total_seconds()
    stage.store.ledger(DIRECTORIES["one"], "one", stage.context).note_retry_after(7 * 86_400)
    held = stage.run(SPEC)
    assert (held.status, held.reason) == ("deferred", "changed")
    assert held.next_attempt == stage.clock.now() + left * 0.75
    stage.clock.elapsed += (left * 0.76).total_seconds()
    assert stage.run(SPEC).status == "renewed"


# ── an account whose key is damaged ─────────────────────────────────────────────────────


@pytest.mark.parametrize("damage", [lambda key: key.write_text("nothing"), lambda key: key.unlink()])
def test_a_pinned_account_is_not_replaced(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """An account that CAA pins is not replaced. The error asks for the key's backup."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "renewed"
    (url,) = stage.accounts["one"]
    (key,) = tmp_path.glob("accounts/*/key.pem")
    backup = key.read_bytes()
    damage(key)
    stage.enter(RunWorld(hosts={"a": "ok"}, caa={"x.test": f"one.test; accounturi={url}"}))
    for _ in range(2):
        outcome = stage.run(SPEC, force=True)
        assert (outcome.status, outcome.error and outcome.error.code) == ("failed", "account-pinned")
        assert outcome.error is not None
        assert outcome.error.evidence["account_url"] == url
        assert outcome.error.evidence["records"] == [f'x.test. CAA 0 issue "one.test; accounturi={url}"']
        assert outcome.error.evidence["path"] == str(key)
    assert list(stage.accounts["one"]) == [url]
    assert not key.exists()
    key.write_bytes(backup)
    assert stage.run(SPEC, force=True).status == "renewed"
    assert list(stage.accounts["one"]) == [url]


@pytest.mark.parametrize("caa", [{}, {"x.test": "one.test"}, {"x.test": "one.test; accounturi=https://one.test/other"}])
def test_an_account_that_is_not_pinned_is_replaced(tmp_path: Path, caa: dict[str, str]) -> None:
    """An account that no CAA record pins is replaced. Other CAA records are judged as usual."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}))
    stage.run(SPEC)
    (key,) = tmp_path.glob("accounts/*/key.pem")
    key.write_text("nothing")
    stage.enter(RunWorld(hosts={"a": "ok"}, caa=caa))
    outcome = stage.run(SPEC, force=True)
    assert len(stage.accounts["one"]) == 2
    assert (outcome.status == "renewed") is ("accounturi" not in str(caa))


@pytest.mark.parametrize("forged", [True, False])
def test_a_denial_by_caa_counts_only_if_tcp_confirms_it(tmp_path: Path, forged: bool) -> None:
    """A CAA denial over UDP, which can be forged, counts only if TCP confirms it."""
    stage = RunStage(tmp_path, RunWorld(hosts={"a": "ok"}, caa={"x.test": "other.test"}))
    stage.dns.forged = ["x.test"] if forged else []
    assert stage.run(SPEC).status == ("renewed" if forged else "failed")
