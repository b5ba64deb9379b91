"""What must hold after a run with a disk error, and after the next run."""

from __future__ import annotations

import errno
import json
import os
from typing import Any

from dnsrenew.base.runtime import Context
from dnsrenew.errors import StoreError
from dnsrenew.store import FolderStore, json_files
from dnsrenew.store.journal import LATEST
from dnsrenew.store.state import SCHEMA
from tests.kit.disk_world import CODES, SEASON, DiskWorld, Ran, Tree


def check_run(world: DiskWorld, ran: Ran, served: dict[str, bytes], number: int) -> None:
    """After a run with a fault: no error or one with a code, and a complete certificate in force; no value is lost."""
    outcome = ran.outcome
    if outcome.error is not None:
        check_error(outcome.error, world, number)
    assert outcome.status in ({"renewed", "not-due"} if outcome.error is None else {"failed"})
    for warning in outcome.warnings:
        # A file of the current version that is missing or unreadable is reported as damaged.
        damaged = {"store-damaged"} if number in {errno.ENOENT, errno.EIO} else set()
        assert warning.code in CODES[number] | damaged, warning
        assert warning.fix
    assert "Traceback" not in json.dumps([event.to_dict() for event in ran.events])
    now = world.served()
    assert now == served or (now and outcome.status == "renewed") or (now and ran.orders)
    assert world.left() <= world.in_journal()
    assert ran.orders <= 1


def check_files(before: Tree, after: Tree) -> None:
    """A file that is replaced is the old one or the new one, complete, at any time."""
    for path, (mode, data) in before.items():
        if os.path.basename(path) in {"state.json", "account.json", "ledger.json", "key.pem"} and "order" not in path:
            now, content = after[path]
            assert now == mode
            assert content == data or json_files.load(content, SCHEMA), path


def check_error(error: Any, world: DiskWorld, number: int) -> None:
    """The error has a code of the store, its evidence, and one sentence on what to do."""
    assert isinstance(error, StoreError), error
    assert error.code in CODES[number], error
    assert error.message.endswith(".")
    assert error.fix
    assert error.evidence["path"].startswith(str(world.path.parent))
    assert ".tmp-" not in error.message  # the user cannot find that name


def check_next(world: DiskWorld, *, more: int = 0) -> None:
    """The next run succeeds, with the certificate of the same order if it was issued; then nothing is left.

    Incomplete files in shared folders are removed after an hour.

    :param more: further certificates that may be issued.
    """
    issued = world.ca.counts["issued"]
    ran = world.run()
    outcome = ran.outcome
    assert (outcome.error, outcome.warnings) == (None, ()), outcome
    assert outcome.status in {"renewed", "not-due"}
    assert world.served()
    assert world.left() == set()
    if list((world.path / "journal").glob("*.asked")):  # the host's answer could not be recorded
        world.clock.elapsed += LATEST.total_seconds()
        assert world.run().outcome.warnings == ()
    assert list((world.path / "journal").glob("home-*")) == []
    if list((world.path / "certificates").rglob(".tmp-*")):  # of a version that was being removed
        assert outcome.status == "not-due"
        world.clock.elapsed += SEASON.total_seconds()
        assert world.run().outcome.status == "renewed"
        issued += 1
    assert list((world.path / "certificates").rglob(".tmp-*")) == []
    store = FolderStore(world.path)
    state = store.read_state("home")
    assert state.notices == ()
    assert os.readlink(world.current) == f"versions/{state.version}"
    # A finished order may stay until the next one is made; it is not resumed.
    assert store.orders.load(Context(), "home", version=state.version) is None
    assert world.ca.counts["issued"] <= max(issued + more, 1)
