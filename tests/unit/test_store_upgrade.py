"""A store written by dnsrenew before its packages moved (tests/data/store-0.1.0.json) opens, and is renewed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.model import CertificateSpec, Route
from dnsrenew.runtime.context import Context
from dnsrenew.store import FolderStore
from tests.kit.clock import START
from tests.kit.run_stage import DIRECTORIES, Stage, World
from tests.kit.stores import DIRECTORY

WRITTEN = Path(__file__).resolve().parents[1] / "data" / "store-0.1.0.json"
SPEC = CertificateSpec(
    name="site",
    domains=("x.test", "*.x.test"),
    identifiers=("x.test", "*.x.test"),
    ca="one",
    key="ecdsa-p256",
    routes=(Route("dns-01", dns="a", ca="one"),),
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The store as it was written."""
    root = tmp_path / "state"
    for name, entry in json.loads(WRITTEN.read_text("utf-8")).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if "link" in entry:
            path.symlink_to(entry["link"])
        else:
            path.write_bytes(entry["text"].encode("latin-1"))
            path.chmod(int(entry["mode"], 8))
    return root


def test_everything_in_it_is_read(old: Path) -> None:
    """State, certificate, account, ledger, journal and the order of a killed run; nothing is set aside as damaged."""
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


def test_it_is_renewed(old: Path) -> None:
    """When it is due; the version before stays beside the new one."""
    stage = Stage(old.parent / "state", World(hosts={"a": "ok"}))
    assert stage.run(SPEC).status == "not-due"
    state = stage.store.read_state("site")
    assert state.not_after is not None
    stage.clock.elapsed += (state.not_after - START - timedelta(days=1)).total_seconds()
    outcome = stage.run(SPEC)
    assert (outcome.status, outcome.reason) == ("renewed", "renew-before")
    assert stage.store.read_state("site").version == 2
    assert {path.name for path in (old / "certificates/site/versions").iterdir()} == {"1", "2"}
