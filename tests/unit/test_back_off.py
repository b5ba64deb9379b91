"""Back-off after a failure: when it applies, how long it lasts, and what ends it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew.base.model import CertificateSpec, Outcome, Route
from dnsrenew.errors import CAError
from dnsrenew.store import FolderStore
from tests.kit.acme_server import AcmeServer, CaBehaviour, nothing
from tests.kit.clock import FakeClock
from tests.kit.dns import MemoryDns
from tests.kit.memory import in_memory
from tests.kit.run_stage import RunStage, RunWorld
from tests.kit.stores import DIRECTORY, keep
from tests.kit.stores import SPEC as STORED

SPEC = CertificateSpec(
    name="home", domains=("x.test",), identifiers=("x.test",), ca="one", routes=(Route("dns-01", dns=("a",)),)
)
WORKS = RunWorld(hosts={"a": "ok"})
HOST_REFUSES = RunWorld(hosts={"a": "refuses"})
CA_REFUSES = RunWorld({"one": CaBehaviour(ordering="ca-rejected-identifier")}, hosts={"a": "ok"})
CA_ASKS_TO_WAIT = RunWorld({"one": CaBehaviour(ordering="ca-server-error", retry_after=7200)}, hosts={"a": "ok"})
NO_NETWORK = RunWorld({"one": CaBehaviour(opening="ca-unreachable")}, hosts={"a": "ok"})
NO_SECRET = RunWorld(hosts={"a": "secretless"})
INVALID = RunWorld({"one": CaBehaviour(rejects={("dns-01", "a"): ("dns", ("x.test",))})}, hosts={"a": "ok"})


def pause(stage: RunStage, outcome: Outcome) -> timedelta:
    """Return how long the next attempt waits."""
    assert outcome.status == "failed"
    assert outcome.next_attempt is not None
    return outcome.next_attempt - stage.clock.now()


def wait_for_next(stage: RunStage, outcome: Outcome) -> None:
    """Let the time pass until the next attempt."""
    stage.clock.elapsed += pause(stage, outcome).total_seconds()


# ── a person at a terminal ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("world", [HOST_REFUSES, CA_REFUSES, NO_NETWORK, NO_SECRET, INVALID])
def test_a_person_who_has_fixed_it_is_tried_at_once(tmp_path: Path, world: RunWorld) -> None:
    """An attended run tries at once after any failure. An unattended run is deferred."""
    stage = RunStage(tmp_path, world)
    for _ in range(3):
        outcome = stage.run(SPEC)
        held = stage.run(SPEC)
        assert (held.status, type(held.error)) == ("deferred", type(outcome.error))
        assert held.next_attempt == outcome.next_attempt
        wait_for_next(stage, outcome)
    assert stage.run(SPEC, attended=True).status == "failed"
    stage.enter(WORKS)
    assert stage.run(SPEC, attended=True).status == "renewed"


def test_what_the_ca_asked_for_holds_a_person_too(tmp_path: Path) -> None:
    """Retry-After of the CA applies to an attended run too. The outcome has its end and names `now`."""
    stage = RunStage(tmp_path, CA_ASKS_TO_WAIT)
    assert stage.run(SPEC, attended=True).status == "failed"
    stage.enter(WORKS)
    held = stage.run(SPEC, attended=True)
    assert held.status == "deferred"
    assert isinstance(held.error, CAError)
    assert held.next_attempt is not None
    assert held.next_attempt - stage.clock.now() >= timedelta(hours=2)
    assert "now=True" in held.error.message
    assert "now=True" in held.error.message
    assert stage.run(SPEC, attended=True, now=True).status == "renewed"


def test_the_ledger_holds_a_person_too(tmp_path: Path) -> None:
    """The limit of five failed validations in an hour applies to an attended run too."""
    stage = RunStage(tmp_path, INVALID)
    outcomes = [stage.run(SPEC, attended=True) for _ in range(6)]
    held = outcomes[-1]
    assert held.status == "deferred"
    assert held.error is not None
    assert held.error.code == "ca-ledger"
    assert held.next_attempt is not None
    assert held.next_attempt - stage.clock.now() <= timedelta(hours=1)


@pytest.mark.parametrize("world", [CA_REFUSES, HOST_REFUSES])
@pytest.mark.parametrize("ca", ["one", "two"])
def test_after_five_orders_in_an_hour_a_person_is_reported_when_it_goes_on(
    tmp_path: Path, world: RunWorld, ca: str
) -> None:
    """After five failed orders in an hour, an attended run is deferred at any CA.

    `now` overrides it; it applies to the same names and CA only.
    """
    spec = replace(SPEC, ca=ca)
    stage = RunStage(tmp_path, replace(world, cas={ca: world.cas.get("one", CaBehaviour())}))
    failed = [stage.run(spec, attended=True) for _ in range(5)]
    assert [outcome.status for outcome in failed] == ["failed"] * 5
    assert [outcome.error and "held_until" in outcome.error.evidence for outcome in failed] == [False] * 4 + [True]
    assert "held_until" in (stage.store.read_state(spec.name).last_failure or {})
    asked = len(stage.cas[ca].asked)
    held = stage.run(spec, attended=True)
    assert (held.status, len(stage.cas[ca].asked)) == ("deferred", asked)
    assert held.error is not None
    assert (held.error.code, held.error.evidence["limit"]) == ("ca-ledger", "failed-orders")
    assert held.next_attempt is not None
    assert timedelta(0) < held.next_attempt - stage.clock.now() <= timedelta(hours=1)
    assert held.error.evidence["until"][:10] in held.error.message
    assert "now=True" in held.error.fix
    stage.enter(WORKS)
    more = replace(spec, name="more", domains=("y.test",), identifiers=("y.test",))
    assert stage.run(more, attended=True).status == "renewed"
    other = replace(spec, name="other", ca="one" if ca == "two" else "two")
    assert stage.run(other, attended=True).status == "renewed"
    stage.clock.elapsed += (held.next_attempt - stage.clock.now()).total_seconds()
    assert stage.run(spec, attended=True).status == "renewed"


def test_the_orders_of_a_person_hold_no_schedule(tmp_path: Path) -> None:
    """Failed attended runs do not block the next scheduled run."""
    stage = RunStage(tmp_path, HOST_REFUSES)
    outcomes = [stage.run(SPEC, attended=True) for _ in range(5)]
    stage.enter(WORKS)
    wait_for_next(stage, outcomes[-1])
    assert stage.run(SPEC).status == "renewed"


# ── where nobody waits for it ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("world", [CA_REFUSES, INVALID])
def test_pauses_grow_where_a_ca_was_asked(tmp_path: Path, world: RunWorld) -> None:
    """The pauses are 1, 10 and 100 minutes, then a day, each up to a fifth longer or shorter."""
    stage = RunStage(tmp_path, world)
    for minutes in (1, 10, 100, 1440, 1440):
        outcome = stage.run(SPEC)
        assert 0.8 * minutes * 60 <= pause(stage, outcome).total_seconds() <= 1.2 * minutes * 60 + 1
        wait_for_next(stage, outcome)


@pytest.mark.parametrize("world", [HOST_REFUSES, NO_NETWORK, NO_SECRET])
def test_what_no_ca_decided_waits_an_hour_at_most(tmp_path: Path, world: RunWorld) -> None:
    """Where no CA was asked, the pause is at most an hour and does not prolong a later one."""
    stage = RunStage(tmp_path, world)
    for _ in range(8):
        outcome = stage.run(SPEC)
        assert timedelta(seconds=48) <= pause(stage, outcome) <= timedelta(hours=1)
        wait_for_next(stage, outcome)
    stage.enter(CA_REFUSES)
    assert pause(stage, stage.run(SPEC)) < timedelta(minutes=2)


# ── Python ──────────────────────────────────────────────────────────────────────────────


class Program:
    """A program that calls ``obtain()`` repeatedly, with a DNS host that is down."""

    def __init__(self, store: Path) -> None:
        self.clock = FakeClock()
        self._ca = AcmeServer("https://ca.test/directory", self.clock, nothing, name="CA")
        self._store = store

    def attempts(self, secret: str | dnsrenew.Secret, **how: Any) -> int:
        """Call it; return how many attempts were made until it failed. The text of the error is in ``message``."""
        dns = dnsrenew.DnsAccount("rfc2136", server="127.0.0.1:1", tsig_name="key", tsig_secret=secret)
        ca = dnsrenew.CA("https://ca.test/directory", name="lab")
        arguments = {"dns": dns, "ca": ca, "agree_terms": True, "store": self._store}
        with in_memory([self._ca], MemoryDns({})), pytest.raises(dnsrenew.RenewalFailed) as caught:
            dnsrenew.obtain("x.test", **{**arguments, **how})
        self.message = str(caught.value)
        return len(caught.value.attempts)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Return a program; time passes only when a test says so."""
    program = Program(tmp_path / "store")
    monkeypatch.setattr("dnsrenew.renewer.SystemClock", lambda: program.clock)
    return program


def test_arguments_in_python_are_edits(program: Program) -> None:
    """The same call is deferred, and its error names the override. Another token or argument is tried at once."""
    assert program.attempts("YQ==") == 1
    assert program.attempts("YQ==") == 0
    assert "now=True" in program.message
    assert program.attempts("Yg==") == 1
    assert program.attempts("Yg==") == 0
    assert program.attempts("Yg==", propagation={"timeout": 60}) == 1


def test_now_in_python(program: Program) -> None:
    """``obtain(now=True)`` does not wait."""
    assert program.attempts("YQ==") == 1
    assert [program.attempts("YQ==", now=True) for _ in range(3)] == [1, 1, 1]
    assert program.attempts("YQ==") == 0


def test_a_file_that_is_put_right_is_an_edit(program: Program, tmp_path: Path) -> None:
    """A corrected secret file ends the back-off, for a long-lived program too: each call reads the value again."""
    file = tmp_path / "token"
    secret = dnsrenew.Secret.file(file)
    assert program.attempts(secret) == 1
    assert program.attempts(secret) == 0
    file.write_text("YQ==")
    assert program.attempts(secret) == 1
    assert program.attempts(secret) == 0
    file.write_text("Yg==")
    assert program.attempts(secret) == 1
    assert secret.reveal() == "Yg=="
    assert program.attempts(secret) == 0


def test_no_value_is_in_the_store(program: Program, tmp_path: Path) -> None:
    """The store has no secret value. The state has a keyed checksum of 48 bits only."""
    program.attempts("Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5")
    (state,) = tmp_path.glob("store/certificates/*/state.json")
    assert re.search(r'"tried_with": \d{1,15}\b', state.read_text())
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"Y2FuYXJ5" not in file.read_bytes()


def test_where_nothing_has_failed_no_secret_is_read(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that is not due and has not failed reads no secret and creates no fingerprint key."""
    store = FolderStore(tmp_path)
    read: list[Path] = []
    keep(store, 1)
    monkeypatch.setattr("dnsrenew.base.secrets.from_file", read.append)
    (token := tmp_path / "token").write_text("t0ken")
    dns = dnsrenew.DnsAccount("rfc2136", server="127.0.0.1:1", tsig_secret=dnsrenew.Secret.file(token))
    ca = dnsrenew.CA(DIRECTORY, name="lab")
    assert dnsrenew.obtain(STORED.domains, dns=dns, ca=ca, name=STORED.name, store=tmp_path).serial == "1"
    assert read == []
    assert not (tmp_path / "fingerprint.key").exists()
