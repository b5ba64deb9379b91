"""A certificate whose files the running user cannot read, as after one run with sudo: it stands, and is found."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import Check, Deployment, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.users import this_user
from dnsrenew.cli.status import needs_attention
from dnsrenew.config import Config
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.keeping.store import store as store_check
from dnsrenew.operations.status import status_of
from dnsrenew.renewal.due import RunOptions, check_due
from dnsrenew.store import FolderStore
from tests.kit.clock import START, FakeClock
from tests.kit.deployments import KeptFiles
from tests.kit.stores import keep
from tests.kit.users import NOBODY, acting_as, as_root

pytestmark = as_root


@pytest.fixture
def config(open_path: Path) -> Config:
    """The configuration of a user, whose certificate is in his store."""
    home = open_path / "home"
    home.mkdir(0o755)
    table = {"name": "home", "domains": ["münchen.test"], "routes": [{"challenge": "http-01"}]}
    lab = {"default_ca": "lab", "ca": {"lab": {"directory": "https://ca.test/dir"}}}
    made = Config.from_dict({"certificate": [table], "store": str(home / "state"), **lab}, base=home)
    os.chown(home, NOBODY, NOBODY)
    assert this_user()  # what it imports is closed to him
    with acting_as(NOBODY):
        keep(FolderStore(home / "state"), 1)
    return made


def look(config: Config) -> tuple[str, str | None, Check | None]:
    """What the user's `status` says of the certificate, and the doctor of the store."""
    (spec,) = config.certificates
    context = Context(clock=FakeClock(START + timedelta(days=2)))
    with acting_as(NOBODY):
        store = FolderStore(Path(str(config.store)))
        status = status_of(spec, store, context)
        facts = Facts(Context(clock=SystemClock()), config, store)
        try:
            return status.state, (status.last_failure or {}).get("code"), store_check(facts)
        finally:
            facts.close()


def close(path: Path) -> None:
    """Make a file or folder one that only root can read."""
    os.chown(path, 0, 0)
    path.chmod(0o700 if path.is_dir() else 0o600)


def test_a_version_of_root_stands(config: Config) -> None:
    """`status` says that the certificate is valid and cannot be read, and the doctor that no route can renew it."""
    state, code, check = look(config)
    assert (state, code, check and check.result) == ("valid", None, "ok")
    close(Path(str(config.store)) / "certificates/home/versions/1")
    state, code, check = look(config)
    assert (state, code) == ("valid", "store-unreadable")
    assert check is not None
    assert (check.result, check.evidence["error"], check.blocks) == ("bad", "store-unreadable", ("all",))
    assert "sudo chown -R nobody" in check.fix


def test_a_key_of_root_is_found(config: Config) -> None:
    """A key alone stops no renewal, which makes a new one; each command says it, and a deployment names the doctor."""
    key = Path(str(config.store)) / "certificates/home/versions/1/privkey.pem"
    close(key)
    state, code, check = look(config)
    assert (state, code) == ("valid", None)
    assert check is not None
    assert (check.result, check.evidence["error"], check.blocks) == ("bad", "store-unreadable", ())
    (spec,) = config.certificates
    context = Context(clock=FakeClock(START + timedelta(days=2)))
    with acting_as(NOBODY):
        store = FolderStore(Path(str(config.store)))
        status = status_of(spec, store, context)
        found = check_due(spec, store.read_state("home"), store, context, RunOptions())
        assert isinstance(found, Outcome)
        said = [*status.warnings, *found.warnings]
        assert [(each.code, each.fix) for each in said] == 2 * [("store-unreadable", check.fix)]
        assert (found.status, needs_attention(status, context.clock.now())) == ("not-due", True)
        certificate = store.certificate("home", store.read_state("home"))
        assert certificate is not None
        one = entry(Deployment("files", certificate=str(key.with_name("c.pem"))))
        (result,) = engine.deploy(Context(), [one], certificate, lambda _: KeptFiles())
    assert result.error is not None
    assert (result.error.code, "dnsrenew doctor" in result.error.fix) == ("deploy-pair", True)
