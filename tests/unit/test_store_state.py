"""state.json: read strictly, unknown fields kept, rebuilt if damaged."""

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import AtomicFiles, FolderStore, Meta, State, Store
from dnsrenew.store.atomic_io import LIMIT
from dnsrenew.store.state import Ari
from tests.kit.store_sites import FolderSite, StoreSite
from tests.kit.stores import SPEC, assert_whole, issue, keep

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def state_file(root: Path) -> Path:
    """Return the file of the state of `home`."""
    return root / "certificates/home/state.json"


def put(root: Path | StoreSite, data: bytes) -> Store:
    """Return a store with one certificate and these bytes as its state."""
    site = FolderSite(root) if isinstance(root, Path) else root
    if not site.open().names():
        keep(site.open(), 1)
    site.put_state(data)
    return site.open()


def valid(**changes: Any) -> bytes:
    """Return the bytes of a valid state.json with some fields changed."""
    form = json.loads(State().renewed(1, meta()).to_json())
    return json.dumps(form | changes).encode()


def fail(store: Store, code: str, message: str = "message", now: datetime = NOW) -> None:
    """Record a failure of `home`."""
    store.update("home", lambda state: state.failed(code, message, now))


def meta(serial: int = 1) -> Meta:
    """Return the data of the version with this certificate."""
    fullchain, key, facts = issue(serial)
    return Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=SPEC.domains,
        identifiers=SPEC.identifiers,
        ca="lab",
        key="ecdsa-p256",
        sizes={"privkey.pem": len(key), "fullchain.pem": len(fullchain)},
    )


# ── whatever stands there ───────────────────────────────────────────────────────────────

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = [
    *(field.name for field in fields(State) if field.name not in {"extra", "notices", "rebuilt"}),
    "schema",
    "unknown",
]
MUTATED = st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("2026-11-25T10:00:00Z"), min_size=1, max_size=4).map(
    lambda changes: valid(**changes)
)


@given(data=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()) | MUTATED)
@example(data=b"")
@example(data=b"[" * 100_000)
@example(data=b'{"schema": 1}')
@example(data=b'{"schema": 1, "version": true}')
@example(data=b'{"schema": 1, "x": "\\ud800"}')
@example(data=b'{"schema": 1, "x": NaN}')
@example(data=b'{"schema": 1, "x": ' + b"9" * 5000 + b"}")
@example(data=b'{"schema": 1, "next_attempt": "0001-01-01T00:00:00Z"}')
@example(data=b'{"schema": 1, "next_attempt": "9999-12-31T23:59:59-23:59"}')
def test_any_octets_are_a_state_or_set_aside(data: bytes) -> None:
    """Any content of state.json: a state that can be written and read again, or the file is renamed, with a warning."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        path = state_file(root)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        store = FolderStore(root)
        state, code = State(), None
        try:
            state = store.read_state("home")
        except StoreError as error:
            code = error.code
        if code is not None:
            assert code == "store-newer"
            assert path.read_bytes() == data
        elif path.exists():
            assert State.from_json(state.to_json()) == state
            assert state.notices == ()
        else:
            assert (path.parent / "state.json.damaged").read_bytes() == data
            assert state == State()
            assert [notice.code for notice in state.notices] == ["store-damaged"]


def texts(**size: int) -> st.SearchStrategy[str]:
    """Generate texts that a file can contain."""
    return st.text(st.characters(exclude_categories=["Cs"]), **size)


moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001  # made aware below
    lambda moment: moment.replace(tzinfo=UTC, microsecond=0)
)

ARI = st.builds(
    lambda window, poll, explanation: {**window, "next_poll": poll, "explanation": explanation},
    st.just({"start": None, "end": None, "chosen": None})
    | st.lists(moments, min_size=3, max_size=3).map(sorted).map(lambda t: {"start": t[0], "end": t[2], "chosen": t[1]}),
    moments,
    st.none() | texts(min_size=1),
)


@given(
    st.builds(
        State,
        version=st.none() | st.integers(1, 10**9),
        issuer=texts(),
        serial=texts(),
        not_before=moments,
        not_after=moments,
        domains=st.lists(texts(), max_size=3).map(tuple),
        identifiers=st.lists(texts(), max_size=3).map(tuple),
        ca=texts(),
        key=texts(),
        failures=st.integers(0, 10**6),
        last_failure=st.none()
        | st.fixed_dictionaries({"time": st.just("2026-11-25T10:00:00Z"), "code": texts(), "message": texts()}),
        next_attempt=st.none() | moments,
        attempt_set_at=st.none() | moments,
        profile=texts(),
        routes=st.dictionaries(texts(), st.fixed_dictionaries({"failed": moments, "code": texts()}), max_size=3),
        worked=st.lists(texts(), max_size=3).map(tuple),
        ari=st.none() | ARI,
        revoked=st.booleans(),
        switching=st.none() | st.integers(1, 9),
        extra=st.dictionaries(texts(min_size=1).filter(lambda name: name not in FIELDS), st.integers(), max_size=2),
    )
)
def test_what_is_written_is_read(state: State) -> None:
    """Any state survives writing and reading."""
    assert State.from_json(state.to_json()) == state


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"schema": "1"}',
        b'{"schema": 0}',
        b" " * (2 << 20),
        b'{"schema": 1, "version": 1}',
    ],
    ids=lambda data: repr(data[:12]),
)
def test_a_damaged_state_is_made_anew(tmp_path: Path, data: bytes) -> None:
    """The current certificate is found, the damaged file is renamed, and there is one warning."""
    store = put(tmp_path, data)
    state = store.read_state("home")
    assert state == State().renewed(1, meta())
    assert state.rebuilt
    assert_whole(store, {1})
    aside = tmp_path / "certificates/home/state.json.damaged"
    assert aside.read_bytes() == data
    (notice,) = state.notices
    assert notice.code == "store-damaged"
    assert str(state_file(tmp_path)) in notice.message
    assert "state.json.damaged" in notice.fix
    assert store.read_state("home").notices == state.notices


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": -1},
        {"version": 1.0},
        {"version": True},
        {"version": "1/../../x"},
        {"not_after": None},
        {"not_after": "soon"},
        {"not_after": 5},
        {"not_after": "2026-11-25T10:00:00"},
        {"not_after": "2026-11-25T10:00:00+01:00"},
        {"domains": "home"},
        {"domains": [1]},
        {"issuer": 1},
        {"failures": -1},
        {"failures": None, "last_failure": "x"},
        {"last_failure": {}},
        {"last_failure": {"time": "2026-11-25T10:00:00Z", "code": 1}},
        {"switching": "x"},
        {"attempt_set_at": "x"},
        {"routes": []},
        {"routes": {"lab/dns-01": "x"}},
        {"routes": {"lab/dns-01": {"code": "dns-no-zone"}}},
        {"routes": {"lab/dns-01": {"failed": "2026-11-25T10:00:00Z", "code": 1}}},
        {"worked": "lab/dns-01"},
        {"profile": 1},
        {"revoked": "yes"},
        {"sizes": [241]},
        {"sizes": {"privkey.pem": -1}},
        {"sizes": {"privkey.pem": "241"}},
    ],
    ids=str,
)
def test_a_wrong_type_is_damage(site: StoreSite, changes: dict[str, Any]) -> None:
    """A field of another type is damage."""
    assert put(site, valid(**changes)).read_state("home").rebuilt


TIME = "2026-11-25T10:00:00Z"
POLL = {"next_poll": TIME}
NOTHING = {"start": None, "end": None, "chosen": None, "next_poll": NOW, "explanation": None}


@pytest.mark.parametrize(
    ("ari", "expected"),
    [
        ([], None),
        ({}, None),
        ({"start": TIME, "end": TIME, "chosen": TIME}, None),
        (POLL | {"next_poll": 5}, None),
        (POLL | {"start": "soon"}, None),
        (POLL | {"explanation": 1}, None),
        (POLL, NOTHING),
        (POLL | {"start": TIME, "end": TIME}, NOTHING),
        (POLL | {"start": TIME, "end": TIME, "chosen": "2027-11-25T10:00:00Z"}, NOTHING),
    ],
    ids=str,
)
def test_what_the_ca_suggested_can_be_asked_again(site: StoreSite, ari: object, expected: object) -> None:
    """An invalid suggested window is dropped without a warning: the CA can be polled again."""
    store = put(site, valid(ari=ari))
    assert (store.read_state("home").ari, store.read_state("home").notices) == (expected, ())


def test_a_new_certificate_starts_anew() -> None:
    """A new certificate resets the failures. The history of routes stays."""
    said: dict[str, Any] = {
        "failures": 2,
        "next_attempt": NOW,
        "attempt_set_at": NOW,
        "revoked": True,
    }
    known: dict[str, Any] = {"routes": {"lab/http-01": {"failed": NOW, "code": "x"}}, "worked": ("lab/dns-01",)}
    ari: Ari = {"start": None, "end": None, "chosen": None, "next_poll": NOW, "explanation": None}
    before = State(**said, **known, ari=ari)
    assert before.renewed(1, meta()) == State(**known).renewed(1, meta())


def test_a_revocation_outlives_its_state(site: StoreSite) -> None:
    """The version records the revocation too, and compromised keys are copied to later versions.

    Older formats are read.
    """
    store = site.open()
    keep(store, 1)
    with store.lock("home", context=Context()):
        store.note_revocation("home", store.update("home", lambda state: replace(state, revoked=True)))
        site.put_state(None)
        assert store.read_state("home").revoked
        marked = store.update("home", lambda state: replace(state, compromised_keys=("aa",)))
        store.note_revocation("home", marked)
    site.put_state(None)
    assert not keep(store, 2).revoked
    site.put_state(None)
    state = store.read_state("home")
    assert (state.revoked, state.compromised_keys, state.version, state.notices) == (False, ("aa",), 2, ())
    old = json.loads(meta(2).to_json())
    assert "compromised_keys" not in old
    site.put_meta(2, json.dumps(old).encode())
    store = site.open()
    assert (store.read_state("home").compromised_keys, store.read_state("home").notices) == ((), ())


def test_a_state_of_the_first_dnsrenew_is_read(site: StoreSite) -> None:
    """A file without newer fields is valid, and unset newer fields are not written."""
    old = {
        "schema": 1,
        "version": 1,
        "issuer": "R11",
        "serial": "03",
        "not_before": TIME,
        "not_after": TIME,
        "domains": ["home.test"],
        "identifiers": ["home.test"],
        "ca": "lab",
        "key": "ecdsa-p256",
        "failures": 0,
        "last_failure": None,
        "next_attempt": None,
        "switching": None,
    }
    state = put(site, json.dumps(old).encode()).read_state("home")
    assert (state.version, state.worked, state.ari, state.revoked) == (1, (), None, False)
    assert json.loads(state.to_json()) == old


def test_the_newest_three_damaged_files_are_kept(tmp_path: Path) -> None:
    """The newest three damaged files are kept, by number. A foreign name stays."""
    folder = tmp_path / "certificates/home"
    for number in range(1, 13):
        put(tmp_path, b"%d" % number).read_state("home")
        kept = {path.name: path.read_bytes() for path in folder.glob("state.json.*")}
        last = {f"state.json.damaged-{each}": b"%d" % each for each in range(number - 2, number + 1)}
        assert {name.removesuffix("-1"): data for name, data in last.items() if int(data) > 0} == kept
    (folder / "state.json.damaged-old").touch()
    put(tmp_path, b"13").read_state("home")
    assert (folder / "state.json.damaged-old").exists()


def test_a_pipe_for_a_state_is_damage(tmp_path: Path) -> None:
    """A pipe in place of state.json is renamed without blocking."""
    store = put(tmp_path, b"")
    state_file(tmp_path).unlink()
    os.mkfifo(state_file(tmp_path))
    state = assert_whole(store, {1})
    assert "it is not a file" in state.notices[0].message
    assert (tmp_path / "certificates/home/state.json.damaged").is_fifo()


def test_a_folder_for_a_state_is_damage(tmp_path: Path) -> None:
    """A folder in place of state.json is renamed."""
    store = put(tmp_path, b"")
    state_file(tmp_path).unlink()
    state_file(tmp_path).mkdir()
    assert store.read_state("home").version == 1
    assert (tmp_path / "certificates/home/state.json.damaged").is_dir()


def test_a_damaged_state_is_answered_for_a_reader(tmp_path: Path) -> None:
    """`status` may not rename the file, and returns the rebuilt state with a warning."""

    def read_only(operation: str, path: str) -> None:
        if operation == "rename":
            raise OSError(30, "Read-only file system")

    put(tmp_path, b"{")
    state = FolderStore(tmp_path, disk=AtomicFiles(read_only)).read_state("home")
    assert state.version == 1
    assert [notice.code for notice in state.notices] == ["store-damaged"]
    assert state_file(tmp_path).exists()


def test_a_newer_state_is_never_guessed_at(site: StoreSite) -> None:
    """The error has the file and both schema numbers, and the file is not overwritten."""
    data = valid(schema=2, version="a new kind of thing")
    store = put(site, data)
    for work in (
        lambda: store.read_state("home"),
        lambda: fail(store, "code"),
        lambda: keep(store, 2),
    ):
        with pytest.raises(StoreError) as caught:
            work()
        assert caught.value.code == "store-newer"
        assert (caught.value.evidence["schema"], caught.value.evidence["known"]) == (2, 1)
        assert store.place in str(caught.value.evidence["path"])
    site.put_state(valid())
    assert store.read_state("home").failures == 0  # nothing was written


def test_unknown_fields_are_kept(site: StoreSite) -> None:
    """Fields of a newer dnsrenew with the same schema are kept."""
    store = put(site, valid(weather={"wind": [1, 2]}))
    fail(store, "dns-no-zone", "There is no zone.")
    keep(store, 2)
    assert site.open().read_state("home").extra["weather"] == {"wind": [1, 2]}


def test_failures_are_counted_and_forgotten(site: StoreSite) -> None:
    """Failures are counted and the last one is stored. A success resets them."""
    store = site.open()
    fail(store, "dns-no-zone", "There is no zone.")
    fail(store, "ca-timeout", "It did not answer.", NOW + timedelta(days=1))
    state = store.read_state("home")
    assert (state.version, state.failures) == (None, 2)
    assert state.last_failure == {
        "time": "2026-11-26T10:00:00Z",
        "code": "ca-timeout",
        "message": "It did not answer.",
    }
    state = keep(store, 1)
    assert (state.failures, state.last_failure) == (0, None)


# ── made anew from what stands ──────────────────────────────────────────────────────────


def test_a_state_that_is_gone_is_made_from_the_newest_whole_version(site: StoreSite) -> None:
    """Without state.json the newest complete version is used. One without its key is skipped."""
    store = site.open()
    for serial in (1, 2, 3):
        keep(store, serial)
    site.empty_key(3)
    site.put_state(None)
    state = assert_whole(store, {2})
    assert (state.version, state.notices) == (2, ())


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b'{"schema": 9}', None], ids=repr)
def test_without_meta_the_certificate_is_read(tmp_path: Path, damage: bytes | None) -> None:
    """If meta.json is damaged or missing, the state is rebuilt from the PEM files.

    The CA and the spelling of IDNs are lost.
    """
    store = put(tmp_path, b"{")
    path = tmp_path / "certificates/home/versions/1/meta.json"
    path.unlink() if damage is None else path.write_bytes(damage)
    state = store.read_state("home")
    assert state == replace(State().renewed(1, meta()), ca="", domains=SPEC.identifiers, sizes={})
    assert [notice.code for notice in state.notices] == ["store-damaged", "store-damaged"]
    assert state.notices[1].message.startswith(f"{path} is damaged: ")
    store.repair("home", state, Context())
    assert store.read_state("home").notices == state.notices
    assert FolderStore(tmp_path).read_state("home").notices == ()


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", None], ids=repr)
def test_a_damaged_meta_is_set_aside_and_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    """A damaged meta.json is reported once. The rebuilt one does not count as installed by hand."""
    store = put(tmp_path, b"{")
    path = tmp_path / "certificates/home/versions/1/meta.json"
    path.unlink() if damage is None else path.write_bytes(damage)
    (notice,) = store.read_state("home", quarantine=False).notices[:1]
    assert "recreates it" in notice.message
    assert not path.with_name("meta.json.damaged").exists(), "`status` changes nothing"
    state = store.read_state("home")
    if damage is not None:
        assert path.with_name("meta.json.damaged").read_bytes() == damage
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.code for each in state.notices] == ["store-damaged", "store-damaged"]
    state_file(tmp_path).unlink(missing_ok=True)
    again = FolderStore(tmp_path)
    assert again.read_state("home") == state
    assert again.read_state("home").notices == ()
    assert not again.is_by_hand("home", state)


def test_a_meta_of_a_newer_version_stays(tmp_path: Path) -> None:
    """A meta.json of a newer schema is neither renamed nor replaced, even by a revocation."""
    store = put(tmp_path, b"{")
    path = tmp_path / "certificates/home/versions/1/meta.json"
    path.write_bytes(b'{"schema": 9}')
    state = store.read_state("home")
    with store.lock("home", context=Context()):
        store.note_revocation("home", replace(state, revoked=True))
    assert path.read_bytes() == b'{"schema": 9}'


def test_a_revocation_makes_a_damaged_meta_anew_from_the_state(tmp_path: Path) -> None:
    """A revocation rebuilds a damaged meta.json from the state, with CA and spelling of the domains."""
    store = FolderStore(tmp_path)
    state = keep(store, 1)
    path = tmp_path / "certificates/home/versions/1/meta.json"
    path.write_bytes(b"x")
    with store.lock("home", context=Context()):
        store.note_revocation("home", store.update("home", lambda found: replace(found, revoked=True)))
    assert path.with_name("meta.json.damaged").read_bytes() == b"x"
    (notice,) = store.read_state("home").notices
    assert "recreates it" in notice.message
    state_file(tmp_path).unlink()
    found = FolderStore(tmp_path).read_state("home")
    assert (found.ca, found.domains, found.revoked) == (state.ca, state.domains, True)


@pytest.mark.parametrize("field", ["not_before", "not_after", "serial", "all"])
def test_a_meta_of_another_certificate_does_not_mislead(site: StoreSite, field: str) -> None:
    """If meta.json does not match the certificate, the certificate decides, with a warning."""
    document = json.loads(meta().to_json())
    wrong = {"not_before": "2020-01-01T00:00:00Z", "not_after": "2099-01-01T00:00:00Z", "serial": "ff", "ca": "other"}
    document |= wrong if field == "all" else {field: wrong[field]}
    store = put(site, b'{"schema": 0}')
    site.put_meta(1, json.dumps(document).encode())
    for quarantine in (False, True):
        state = store.read_state("home", quarantine=quarantine)
        assert state == replace(State().renewed(1, meta()), ca="", domains=SPEC.identifiers, sizes={})
        assert any(" is damaged: it does not belong" in notice.message for notice in state.notices)


def test_a_version_of_garbage_is_no_certificate(tmp_path: Path) -> None:
    """A version of which nothing can be read is ignored."""
    store = put(tmp_path, b"{")
    for name in os.listdir(tmp_path / "certificates/home/versions/1"):
        (tmp_path / "certificates/home/versions/1" / name).write_bytes(b"\xff garbage")
    state = store.read_state("home")
    assert (state.version, state.rebuilt) == (None, False)


# ── the hot path ────────────────────────────────────────────────────────────────────────


def test_ten_thousand_states(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """The states of 10,000 certificates are read and their files checked. The time is reported."""
    keep(FolderStore(tmp_path), 1)
    data = state_file(tmp_path).read_bytes()
    for number in range(500):
        folder = tmp_path / f"certificates/n{number}"
        (folder / "versions/1").mkdir(parents=True)
        (folder / "state.json").write_bytes(data)
        for name in ("privkey.pem", "fullchain.pem"):
            shutil.copy(tmp_path / f"certificates/home/versions/1/{name}", folder / "versions/1")
    store = FolderStore(tmp_path)
    names = [f"n{number % 500}" for number in range(10_000)]

    def microseconds(work: Any) -> float:
        started = time.perf_counter()
        for name in names:
            work(name)
        return (time.perf_counter() - started) / len(names) * 1e6

    state = store.read_state("home")
    figures = {
        "json.loads": microseconds(lambda name: json.loads(data)),
        "read_state": microseconds(store.read_state),
        "is_whole": microseconds(lambda name: store.is_whole(name, state)),
    }
    for what, figure in figures.items():
        record_property(what, f"{figure:.1f} µs")
    assert all(store.is_whole(name, store.read_state(name)) for name in names)


def test_a_state_shares_its_keys() -> None:
    """30 attributes or more make every state five times as large: a run with nothing due reads thousands."""
    assert len(vars(State())) < 30


@pytest.mark.parametrize("size", [0, 1, 700, LIMIT, LIMIT + 1, LIMIT + 9])
def test_a_file_is_read_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A file is read by one call with a buffer of its size."""
    (tmp_path / "file").write_bytes(b"x" * size)
    asked: list[int] = []
    read = os.read

    def noted(handle: int, wanted: int) -> bytes:
        asked.append(wanted)
        return read(handle, wanted)

    monkeypatch.setattr(os, "read", noted)
    assert len(AtomicFiles().read(str(tmp_path / "file")) or b"") == min(size, LIMIT + 1)
    assert asked == [min(size, LIMIT) + 1]


def test_a_file_that_comes_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read completely even if each read returns a part, as on a network file system."""
    (tmp_path / "file").write_bytes(b"0123456789")
    read = os.read
    monkeypatch.setattr(os, "read", lambda handle, wanted: read(handle, min(wanted, 3)))
    assert AtomicFiles().read(str(tmp_path / "file")) == b"0123456789"
