"""The index of due times: a run with it decides as a run that reads every state, whatever happened to it in between."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Never

import pytest

from dnsrenew.base.model import Deployment, GivenRequest, Outcome, Profile, RenewBefore, Resolver, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.operations.status import settled, status_of
from dnsrenew.renewal import due_index
from dnsrenew.renewal.batch import Batch
from dnsrenew.renewal.due import Due, Run, RunOptions
from dnsrenew.renewal.due_index import DueIndex
from dnsrenew.store import FolderStore, State
from tests.kit.certificates import issue
from tests.kit.clock import FakeClock
from tests.kit.stores import SPEC
from tests.kit.users import NOBODY, as_root

NAMES = ("a", "b", "c")
TODAY = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
"""The times of files are real, and a state that was just written is not indexed."""
FAILURE = {"time": "2026-01-01T00:00:00Z", "code": "x"}
WORKED = ("lab/dns-01/dns=home",)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def obtain(store: FolderStore, name: str, begin: datetime) -> None:
    """Store a certificate as a renewal does."""
    with store.lock(name, context=Context()):
        spec = replace(SPEC, name=name)
        store.keep(spec, "lab", *issue(spec.identifiers, begin), state=store.read_state(name))


class Stage:
    """A store with three certificates, and runs over them that stop before the first renewal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = FolderStore(path)
        self.specs = {name: replace(SPEC, name=name) for name in NAMES}
        self.options = RunOptions(asked_by="/c.toml")
        self.now = TODAY
        self.read: list[str] = []
        self.shown: list[str] = []
        for name in NAMES:
            obtain(self.store, name, TODAY)
            self.change(name, lambda state: replace(state, asked_by="/c.toml", ari=_window(TODAY), worked=WORKED))

    @property
    def index(self) -> Path:
        """The file of the index."""
        return self.path / "certificates" / ".due"

    def file(self, name: str, part: str = "state.json") -> Path:
        """Return a file of a certificate."""
        return self.path / "certificates" / name / part

    def change(self, name: str, change: Callable[[State], State]) -> None:
        """Change a state as another process does."""
        FolderStore(self.path).update(name, change)

    def run(self) -> list[Any]:
        """Return what a run of a new process finds, and what it has read."""
        return self._run(FolderStore(self.path))

    def run_without(self) -> list[Any]:
        """Return the same for a copy of the store without an index."""
        kept = self.path.with_name("kept")
        self.path.rename(kept)
        shutil.copytree(kept, self.path, symlinks=True)
        self.index.unlink(missing_ok=True)
        found = self._run(FolderStore(self.path))
        shutil.rmtree(self.path)
        kept.rename(self.path)
        return found

    def _run(self, store: FolderStore) -> list[Any]:
        self.read = []
        read_state = store.read_state

        def reading(name: str, *, quarantine: bool = True) -> State:
            self.read.append(name)
            return read_state(name, quarantine=quarantine)

        store.read_state = reading  # type: ignore[method-assign]
        specs = tuple(self.specs.values())
        settings: dict[str, Any] = {"contact": (), "agree_terms": True, "default_ca": "lab", "cas": {}, "accounts": {}}
        config = Config(path=None, store=self.path, **settings, providers={}, resolver=Resolver(), certificates=specs)
        context = Context(clock=FakeClock(self.now))
        batch = Batch(config, store, _no_services, context, self.options)
        options = RunOptions(asked_by=self.options.asked_by)
        index = DueIndex(Run(config, store, _no_services, context, options), specs)
        statuses = [settled(spec, store, index) or status_of(spec, store, context) for spec in specs]
        statuses = [replace(each, path=None) for each in statuses]
        self.shown, self.read = self.read, []
        return [*statuses, *map(_comparable, batch._check_all(specs))]  # what is due, before a renewal


def _no_services() -> Never:
    raise AssertionError("nothing is renewed here")


def _window(now: datetime) -> Any:
    """Return renewal information that is to be polled after 12 hours."""
    begin = now + 40 * DAY
    return {"start": begin, "end": begin + DAY, "chosen": begin + HOUR, "next_poll": now + DAY / 2, "explanation": None}


def _comparable(found: Due | Outcome | None) -> Any:
    if isinstance(found, Outcome):
        return replace(found, path=None)
    return None if found is None else (found.reason, found.state)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stage whose index is written."""
    monkeypatch.setattr(due_index, "_FEW", 1)
    stage = Stage(tmp_path / "state")
    stage.run()
    return stage


# ── what happens in between ─────────────────────────────────────────────────────────────

Event = Callable[[Stage, str], object]


def damage_state(stage: Stage, name: str) -> None:
    """Another program writes as many bytes, and puts the time back."""
    path = stage.file(name)
    if not path.exists():
        return
    info = path.stat()
    path.write_bytes(b"x" * info.st_size)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def cut(path: Path) -> None:
    """A file is written half, if it is there."""
    if path.exists():
        os.truncate(path, path.stat().st_size // 2)


def change_a_time(stage: Stage, name: str) -> None:
    """A digit of the index changes on the disk, so that it would be believed for a century."""
    if stage.index.exists():
        text = stage.index.read_text()
        until = f"\t{int((TODAY + DAY / 2).timestamp())}\t"
        stage.index.write_text(text.replace(until, until.replace("\t1", "\t9")))


def restore_old(stage: Stage, name: str) -> None:
    """The certificate is renewed, and the old index comes back from a backup."""
    old = stage.index.read_bytes() if stage.index.exists() else b""
    obtain(FolderStore(stage.path), name, TODAY - 80 * DAY)
    stage.run()
    stage.index.write_bytes(old)


def configured(**changes: Any) -> Event:
    """Return an event: the configuration of one certificate changes."""

    def change(stage: Stage, name: str) -> None:
        stage.specs[name] = replace(stage.specs[name], **changes)

    return change


def stored(**changes: Any) -> Event:
    """Return an event: another process writes a state."""
    return lambda stage, name: stage.change(name, lambda state: replace(state, **changes))


def lost(part: str) -> Event:
    """Return an event: a file of one certificate is gone."""
    return lambda stage, name: stage.file(name, part).unlink(missing_ok=True)


def asked(**changes: Any) -> Event:
    """Return an event: the next run has other options."""

    def change(stage: Stage, name: str) -> None:
        stage.options = replace(stage.options, **changes)

    return change


def later(time: timedelta) -> Event:
    """Return an event: the clock goes on, or back."""

    def change(stage: Stage, name: str) -> None:
        stage.now += time

    return change


def replace_link(stage: Stage, name: str) -> None:
    """``current`` points to another version."""
    stage.file(name, "current").unlink(missing_ok=True)
    stage.file(name, "current").symlink_to("versions/7")


ALL, ONE, NOTHING = [*NAMES], ["b"], list[str]()
EVENTS: dict[str, tuple[Event, list[str]]] = {
    "nothing happens": (lambda *_: None, NOTHING),
    "the index is lost": (lambda stage, _: stage.index.unlink(missing_ok=True), ALL),
    "the index is written half": (lambda stage, _: cut(stage.index), ALL),
    "the index is damaged": (change_a_time, ALL),
    "the index is empty": (lambda stage, _: stage.index.write_bytes(b""), ALL),
    "the index is old": (restore_old, ONE),
    "the state is revoked": (stored(revoked=True), ONE),
    "the state has failed": (stored(last_failure=FAILURE, failures=1), ONE),
    "a forced renewal has failed": (stored(extra={"forced_failure": FAILURE}), ONE),
    "a route has failed": (stored(routes={"lab/dns-01/dns=old": {"failed": TODAY, "code": "dns-x"}}), ONE),
    "the state is damaged": (damage_state, ONE),
    "the state is lost": (lost("state.json"), ONE),
    "the key is lost": (lost("versions/1/privkey.pem"), ONE),
    "the key is cut": (lambda stage, name: cut(stage.file(name, "versions/1/privkey.pem")), ONE),
    "a part of the chain is cut": (lambda stage, name: cut(stage.file(name, "versions/1/cert.pem")), ONE),
    "other names": (configured(identifiers=("other.test",)), ONE),
    "another key": (configured(key="rsa2048"), ONE),
    "another CA": (configured(ca="other"), ONE),
    "another CA in a route": (configured(ca="other", routes=(Route("dns-01", ca="lab"),)), ONE),
    "a profile": (configured(profile=Profile("shortlived")), ONE),
    "a lifetime": (configured(lifetime=86_400.0), ONE),
    "an earlier renewal": (configured(renew_before=RenewBefore(seconds=89.9 * 86_400)), ONE),
    "a given request": (configured(csr=GivenRequest(b"a request")), ONE),
    "sizes of other files": (stored(sizes={"cert.pem": 1, "chain.pem": 2}), ONE),
    "a deployment": (configured(deploy=(Deployment("run", command=("true",)),)), ONE),
    "forced": (asked(force=True), ALL),
    "a dry run": (asked(dry_run=True), ALL),
    "another configuration asks": (asked(asked_by="/other.toml"), ALL),
    "the clock goes back": (later(-HOUR), ALL),
    "an hour": (later(HOUR), NOTHING),
    "the poll is due": (later(DAY / 2), ALL),
    "the renewal is due": (later(41 * DAY), ALL),
    "the certificate has expired": (later(91 * DAY), ALL),
}
if os.name != "nt":
    EVENTS["another link"] = (replace_link, ONE)


@pytest.mark.parametrize("event", EVENTS)
def test_a_run_with_the_index_finds_what_a_run_without_it_finds(stage: Stage, event: str) -> None:
    """Whatever happens between two runs, and so does `status`. They read only the states they cannot do without."""
    change, read = EVENTS[event]
    change(stage, "b")
    wanted = stage.run_without()
    assert stage.run() == wanted
    assert [name for name in NAMES if name in stage.read] == read
    assert {*stage.shown} <= {*read}


@pytest.mark.parametrize("seed", range(12))
def test_many_events_one_after_another(stage: Stage, seed: int) -> None:
    """The same holds after any of them, in any order, for an index that several runs have changed."""
    dice = random.Random(seed)
    for _ in range(12):
        stage.options = RunOptions(asked_by="/c.toml")
        event = dice.choice([*EVENTS])
        EVENTS[event][0](stage, "a")
        wanted = stage.run_without()
        assert stage.run() == wanted, event
        wanted = stage.run_without()
        assert stage.run() == wanted, f"after {event}"


@as_root
def test_another_users_index_is_not_believed(stage: Stage) -> None:
    """It is replaced by one of the running user."""
    os.chown(stage.index, NOBODY, NOBODY)
    stage.run()
    assert stage.read == ALL
    assert stage.index.stat().st_uid == 0
    stage.run()
    assert stage.read == NOTHING


def test_a_state_that_was_just_written_is_not_indexed(stage: Stage) -> None:
    """It could be written again without a new time, where the times of files are coarse."""
    stage.index.unlink()
    stage.now = datetime.now(UTC) + timedelta(seconds=1)
    for expected in (ALL, ALL):
        stage.run()
        assert stage.read == expected
    assert not stage.index.exists()


def test_few_certificates_have_no_index(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store of a small machine stays as it is."""
    stage.index.unlink()
    monkeypatch.setattr(due_index, "_FEW", 4)
    stage.run()
    assert not stage.index.exists()


def test_the_index_forgets_what_the_configuration_no_longer_names(stage: Stage) -> None:
    """It is no record of what was once there."""
    del stage.specs["a"]
    stage.change("b", lambda state: replace(state, serial="1"))
    stage.run()
    lines = stage.index.read_text().split("\n")[2:]
    assert [line.split("\t")[0] for line in lines] == ["b", "c"]


def test_the_index_is_written_only_when_it_changes(stage: Stage) -> None:
    """A run with nothing due writes nothing."""
    before = stage.index.stat()
    stage.run()
    assert stage.index.stat().st_ino == before.st_ino


def test_what_a_killed_write_left_is_removed(stage: Stage) -> None:
    """The next write of the index removes the file of a killed one, and not that of a run that may write now."""
    left, new = (stage.index.with_name(f".tmp-{number}") for number in range(2))
    for path in left, new:
        path.touch()
    os.utime(left, (left.stat().st_atime, left.stat().st_mtime - 2 * HOUR.total_seconds()))
    stage.change("a", lambda state: state)
    stage.index.unlink()
    stage.run()
    assert (stage.index.exists(), left.exists(), new.exists()) == (True, False, True)


def test_no_name_of_a_certificate_is_that_of_the_index(stage: Stage) -> None:
    """It is no certificate for an older dnsrenew either."""
    assert stage.store.names() == ALL


def test_every_field_of_a_certificate_is_judged() -> None:
    """A field of a certificate is compared with the index, has the state read, or does not decide what is due."""
    others: dict[str, Any] = {
        "identifiers": ("b.test",),
        "ca": "other",
        "key": "rsa2048",
        "profile": Profile("short"),
        "lifetime": 3600.0,
        "renew_before": RenewBefore(seconds=3600.0),
        "routes": (Route("dns-01", dns="home", ca="other"),),
    }
    for field, value in others.items():
        assert due_index._wanted(replace(SPEC, **{field: value})) != due_index._wanted(SPEC), field
    read = {"csr", "deploy"}
    rest = {"name", "domains", "reuse_key", "preferred_chain", "propagation", "before", "after", "notify"}
    assert {*others, *read, *rest} == set(SPEC.__annotations__)
