"""A store of each earlier version opens, is shown, renewed, exported and restored.

``store-0.1.0.json`` was written before the packages moved, ``store-0.1.0-all.json`` has every kind of file that a store
can have: see ``fill_store`` of the kit. A new version adds a recorded store of its own.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.runtime import Context
from dnsrenew.operations.status import status_of
from dnsrenew.store import FolderStore
from dnsrenew.store.records import Notified
from tests.kit.archives import exported, restored
from tests.kit.clock import START, FakeClock
from tests.kit.config_files import GOOD, write
from tests.kit.run_stage import DIRECTORIES, RunStage, RunWorld
from tests.kit.stores import DIRECTORY

DATA = Path(__file__).resolve().parents[1] / "data"
FIRST, ALL = "store-0.1.0.json", "store-0.1.0-all.json"
SPEC = CertificateSpec(
    name="site",
    domains=("x.test", "*.x.test"),
    identifiers=("x.test", "*.x.test"),
    ca="one",
    key="ecdsa-p256",
    routes=(Route("dns-01", dns="a", ca="one"),),
)


def written(recorded: str, root: Path) -> Path:
    """Return the store as it was written."""
    root.mkdir(mode=0o700)
    for name, entry in json.loads((DATA / recorded).read_text("utf-8")).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "link" in entry:
            path.symlink_to(entry["link"])
        else:
            path.write_bytes(entry["text"].encode("latin-1"))
            path.chmod(int(entry["mode"], 8))
    return root


@pytest.fixture(params=[FIRST, ALL])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store of an earlier version."""
    return written(request.param, tmp_path / "state")


def test_everything_in_it_is_read(tmp_path: Path) -> None:
    """State, certificate, account, ledger, journal and pending order are read without damage."""
    old = written(FIRST, tmp_path / "state")
    store, context = FolderStore(old), Context()
    assert store.names() == ["failing", "home", "site"]
    state = store.read_state("site")
    assert (state.version, state.ca, state.identifiers) == (1, "one", ("x.test", "*.x.test"))
    assert state.worked == ("one/dns-01/dns=a",)
    failing = store.read_state("failing")
    assert failing.last_failure is not None
    assert failing.last_failure["code"] == "provider-refused"
    assert list(failing.routes) == ["one/dns-01/dns=b"]
    certificate = store.certificate("site", state)
    assert certificate is not None
    assert certificate.not_after == state.not_after
    account = store.accounts(DIRECTORY, "lab", context).load()
    assert account is not None
    assert account.url == "https://ca.test/acct/1"
    order = store.orders.load(context, "site", version=1)
    assert order is not None
    assert order.url == "https://ca.test/order/1"
    with store.journal.left_over(context) as (entry,):
        assert [record.value for record, _ in entry.values] == ["a-value-of-a-killed-run"]
    assert store.ledger(DIRECTORIES["one"], "one", context).may_begin() is None
    assert not list(old.rglob("*.damaged*"))
    assert context.notices == []


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    """Every kind of file of an older version is read, even a pending key rollover and the ledger."""
    old = written(ALL, tmp_path / "state")
    store, context = FolderStore(old), Context(clock=FakeClock())
    assert store.names() == ["home", "second", "site"]
    account = store.accounts(DIRECTORY, "lab", context).load()
    assert account is not None
    assert account.next_key_pem is not None
    assert store.ledger(DIRECTORIES["one"], "letsencrypt", context).may_begin() is None
    assert store.read_state("second").version == 2
    assert store.orders.load(context, "second", version=2) is not None
    assert store.signing_requests.load(context, "second") is not None
    assert store.notified.read("home") == Notified(failed=True)
    assert [record["renewable"] for record in store.diagnoses.read("home")] == [True]
    assert store.deployment("home", "other").is_begun
    assert list(store.deployment("home", "entry").kept()) == ["/srv/key.pem"]
    with store.journal.left_over(context) as (entry,):
        assert [record.value for record, _ in entry.values] == ["a-value"]
    assert len(store.fingerprint_key()) == 32
    assert not list(old.rglob("*.damaged*"))
    assert context.notices == []


def test_it_is_shown(old: Path) -> None:
    """The certificate is shown as valid with its route."""
    context = Context(clock=FakeClock())
    shown = status_of(SPEC, FolderStore(old), context)
    assert (shown.state, shown.known, shown.last_failure) == ("valid", True, None)
    assert shown.issuer in {"Stage CA 1", "one 1"}
    assert shown.route == {"ca": "one", "challenge": "dns-01", "dns": ["a"]}


def test_it_is_exported_and_restored(old: Path, tmp_path: Path) -> None:
    """A store of an older version can be exported, restored and renewed."""
    config = write(tmp_path, f'store = "state"\n{GOOD}')
    config.chmod(0o600)
    exported(config, tmp_path / "a.dr")
    restored(tmp_path / "a.dr", tmp_path / "new/dnsrenew.toml")
    new = tmp_path / "new/state"
    assert FolderStore(new).read_state("site") == FolderStore(old).read_state("site")
    test_it_is_renewed(new)


def test_it_is_renewed(old: Path) -> None:
    """A certificate of an older version is renewed when it is due. The old version stays beside the new one."""
    stage = RunStage(old.parent / "state", RunWorld(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "not-due"
    state = stage.store.read_state("site")
    assert state.not_after is not None
    stage.clock.elapsed += (state.not_after - START - timedelta(days=1)).total_seconds()
    outcome = stage.run(SPEC)
    assert outcome.status == "renewed"
    assert outcome.reason in {"renew-before", "ari"}
    assert stage.store.read_state("site").version == 2
    assert {path.name for path in (old / "certificates/site/versions").iterdir()} == {"1", "2"}
