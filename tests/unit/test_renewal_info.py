"""ACME Renewal Information: when a CA is asked, and what is stored of its response."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.acme.client import NoWindow, Window, cert_id
from dnsrenew.base.runtime import Context
from dnsrenew.renewal import due
from dnsrenew.renewal.due import is_poll_due
from dnsrenew.renewal.renewal_info import poll
from dnsrenew.store import FolderStore, State
from dnsrenew.store.state import Ari
from tests.kit.certificates import issue
from tests.kit.clock import START, FakeClock
from tests.kit.stores import SPEC

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHUT = NoWindow("Nobody answers.", 3600.0, "ca-unreachable")


def window(begin: float, end: float, *, url: str | None = None, after: float = 21_600.0) -> Window:
    """A window between two days after the start."""
    return Window(START + begin * DAY, START + end * DAY, url, after)


class RenewalInfoStage:
    """A store with certificates, and one CA for all."""

    def __init__(self, path: Path) -> None:
        self.store = FolderStore(path)
        self.clock = FakeClock()
        self.context = Context(clock=self.clock, random=random.Random(1))
        self.answers: list[Window | NoWindow] = []
        self.asked: list[tuple[str, list[str]]] = []

    def keep(self, name: str, ca: str = "one") -> str:
        """Store a certificate; return its ARI identifier."""
        spec = replace(SPEC, name=name)
        pem, key, facts = issue(spec.identifiers, self.clock.now())
        with self.store.lock(name, context=self.context):
            self.store.prove_writable(name)
            self.store.keep(spec, ca, pem, key, facts, state=self.store.read_state(name))
        return cert_id(pem)

    def ask(self, *names: str, answers: Sequence[Window | NoWindow]) -> None:
        """Ask about these certificates, and get these responses."""
        self.answers = list(answers)
        states = {name: self.store.read_state(name) for name in names}
        poll(states, self.store, self.ca, self.context)

    def ari(self, name: str = "home") -> Ari:
        """Return the stored window."""
        found = self.store.read_state(name).ari
        assert found is not None
        return found

    def ca(self, name: str) -> CAClient:
        """Return the CA."""

        def windows(context: Context, cert_ids: Sequence[str]) -> list[Window | NoWindow]:
            self.asked.append((name, list(cert_ids)))
            return [self.answers.pop(0) for _ in cert_ids]

        return cast("CAClient", SimpleNamespace(renewal_windows=windows))


@pytest.fixture
def stage(tmp_path: Path) -> RenewalInfoStage:
    """An empty store."""
    return RenewalInfoStage(tmp_path / "state")


# ── when ────────────────────────────────────────────────────────────────────────────────


def asked_at(next_poll: datetime | None) -> bool:
    """Return whether a certificate of 90 days with this next_poll is due for a query."""
    ari: Ari = {"start": None, "end": None, "chosen": None, "next_poll": next_poll or START, "explanation": None}
    state = State(ca="one", not_before=START, not_after=START + 90 * DAY, ari=ari if next_poll else None)
    return is_poll_due(state, START + DAY)


@pytest.mark.parametrize(
    ("hours", "asked"),
    [(None, True), (-1, True), (0, True), (1, False), (24, False), (25, True), (24 * 365, True)],
)
def test_it_is_asked_when_its_time_has_come(hours: float | None, asked: bool) -> None:
    """A poll is due at next_poll. A next_poll more than a day ahead is ignored as a clock jump."""
    assert asked_at(None if hours is None else START + DAY + hours * HOUR) is asked


def test_nobody_is_asked_about_what_is_over_or_never_was() -> None:
    """There is no poll after expiry, without a certificate, or without a known CA."""
    over = State(ca="one", not_before=START - 90 * DAY, not_after=START)
    assert not is_poll_due(over, START)
    assert is_poll_due(over, START - HOUR)
    assert not is_poll_due(State(ca="one"), START)
    assert not is_poll_due(replace(over, ca=""), START - HOUR)


# ── what ────────────────────────────────────────────────────────────────────────────────


def test_each_ca_is_asked_once_about_all_of_its_own(stage: RenewalInfoStage) -> None:
    """Each CA gets one call for all its certificates. Each response is stored with its own certificate."""
    ids = {name: stage.keep(name, ca) for name, ca in (("a", "one"), ("b", "two"), ("c", "one"))}
    stage.ask("a", "b", "c", answers=[window(10, 11), window(20, 21), window(30, 31)])
    assert stage.asked == [("one", [ids["a"], ids["c"]]), ("two", [ids["b"]])]
    assert [stage.ari(name)["start"] for name in "acb"] == [START + days * DAY for days in (10, 20, 30)]


def test_one_time_in_the_window_is_kept(stage: RenewalInfoStage) -> None:
    """The same window keeps the chosen time, and updates the explanation and next_poll."""
    stage.keep("home")
    stage.ask("home", answers=[window(10, 20, url="https://ca.test/why")])
    first = stage.ari()
    assert first["chosen"] is not None
    assert START + 10 * DAY <= first["chosen"] <= START + 20 * DAY
    assert first["explanation"] == "https://ca.test/why"
    assert first["next_poll"] == START + 6 * HOUR
    stage.clock.elapsed += 86_400
    stage.ask("home", answers=[window(10, 20, after=60.0)])
    assert stage.ari() == {**first, "explanation": None, "next_poll": START + DAY + timedelta(minutes=1)}


def test_another_window_means_another_time(stage: RenewalInfoStage) -> None:
    """A changed window gets a new random time, which may be now."""
    stage.keep("home")
    stage.ask("home", answers=[window(50, 60)])
    stage.ask("home", answers=[window(-2, -1)])
    chosen = stage.ari()["chosen"]
    assert chosen is not None
    assert START - 2 * DAY <= chosen <= START - DAY
    assert due.why_due(replace(SPEC, ca="one"), stage.store.read_state("home"), START, whole=True) == "ari"


def test_no_answer_changes_nothing_but_the_next_question(stage: RenewalInfoStage) -> None:
    """Without a response the known window is kept and next_poll moves."""
    stage.keep("home")
    stage.ask("home", answers=[SHUT])
    assert stage.ari() == {"start": None, "end": None, "chosen": None, "explanation": None, "next_poll": START + HOUR}
    assert due.next_renewal(SPEC, stage.store.read_state("home")) == START + 60 * DAY
    stage.ask("home", answers=[window(10, 20)])
    known = stage.ari()
    stage.ask("home", answers=[SHUT])
    assert stage.ari() == {**known, "next_poll": START + HOUR}


def test_a_certificate_that_is_not_there_is_not_asked_about(stage: RenewalInfoStage) -> None:
    """A certificate with missing or damaged files is not polled."""
    stage.keep("home")
    stage.keep("torn")
    for path in (stage.store.path / "certificates/torn/versions").glob("*/fullchain.pem"):
        path.write_text("nothing")
    stage.ask("home", "torn", "never", answers=[window(10, 20)])
    assert len(stage.asked[0][1]) == 1
    assert stage.store.read_state("torn").ari is None


def test_a_window_that_cannot_be_stored_is_discarded(stage: RenewalInfoStage) -> None:
    """A window is discarded if another run holds the lock of the certificate."""
    stage.keep("home")
    with stage.store.lock("home", context=Context()):
        stage.ask("home", answers=[window(10, 20)])
    assert stage.store.read_state("home").ari is None


def test_a_window_of_the_previous_certificate_is_discarded(stage: RenewalInfoStage) -> None:
    """A window is discarded if another run has replaced the certificate meanwhile."""
    stage.keep("home")
    before = {"home": stage.store.read_state("home")}
    stage.keep("home")
    stage.answers = [window(-2, -1)]
    poll(before, stage.store, stage.ca, stage.context)
    assert stage.store.read_state("home").ari is None
