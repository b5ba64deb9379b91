"""Damaged files of the store are reported and set aside or kept, are never interpreted, and cost no certificate.

tests/unit/test_store_orders.py has the files of a pending order too; tests/integration/test_damaged_certificate.py
has the key and the chain of the current version with a real CA.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import pytest

from dnsrenew.base.values import replace
from tests.kit.disk_world import LEFT, DiskWorld, Fault, Operation, Ran, refuse
from tests.kit.folders import quick_folder

Damage = Literal["empty", "truncated", "garbage", "newer", "folder", "link"]
DAMAGES: Final[tuple[Damage, ...]] = ("empty", "truncated", "garbage", "newer", "folder", "link")
MINE: Final = "not dnsrenew's"

# What happens: `aside`: reported, set aside, rebuilt; `said`: reported, kept; `stop`: reported by an error, kept;
# `new`: a new certificate replaces its version; `fine`: nothing depends on its contents.
ACCOUNT: Final = {"": "aside", "newer": "stop", "link": "stop"}
DONE: Final = {
    "accounts/lab/key.pem": ACCOUNT,
    "accounts/lab/account.json": ACCOUNT,
    "accounts/lab/ledger.json": {"": "aside", "newer": "said", "link": "said"},
    "certificates/home/state.json": {"": "aside", "newer": "stop", "link": "stop"},
    "certificates/home/current": {"garbage": "aside", "folder": "aside", "link": "fine"},
    "certificates/home/order": {"garbage": "aside", "link": "aside"},
    "certificates/home/order/order.json": {"": "aside"},
    "certificates/home/order/key.pem": {"": "aside"},
    "certificates/home/order/csr.der": {"": "aside"},
    "certificates/home/versions/3/privkey.pem": {"": "aside"},
    "certificates/home/versions/3/fullchain.pem": {"": "aside"},
    "certificates/home/versions/3/cert.pem": {"": "new"},
    "certificates/home/versions/3/chain.pem": {"": "new"},
    "certificates/home/versions/3/meta.json": {"": "new"},
    "locks/certificate-home.lock": {"": "fine", "folder": "stop", "link": "stop"},
    "locks/account-lab.lock": {"": "fine", "folder": "fine", "link": "fine"},  # the account is known
    "journal/home-1.json": {"": "aside", "newer": "said", "link": "said"},
    "journal/home-1.lock": {"folder": "said", "link": "said"},
}
"""For each file what is done where it is damaged so; "": in any other way."""
AGAIN: Final = {"accounts/lab/key.pem", *(file for file in DONE if file.startswith("certificates/home/order"))}
"""Without these the certificate that the CA has issued cannot be had any more."""
CASES: Final = [
    (file, damage)
    for file, done in DONE.items()
    for damage in DAMAGES
    if (damage in done or "" in done) and (damage != "newer" or file.endswith(".json"))
]


@pytest.fixture(scope="module")
def template() -> Iterator[DiskWorld]:
    """A due certificate, an order whose certificate the CA has issued, and the TXT value of a killed run."""
    with quick_folder() as folder:
        world = DiskWorld(folder / "template")
        world.prepare("renewal")
        clean = world.copied(folder / "clean").run().seen
        at = clean.index(Operation("mkdir", "certificates/home/versions/aside"))
        assert world.run(Fault(world.path, at, refuse(errno.EIO))).outcome.error
        world.leave_a_value()
        yield world


@pytest.fixture(scope="module")
def quiet_template() -> Iterator[DiskWorld]:
    """A certificate that is not due, and the TXT value of a killed run."""
    with quick_folder() as folder:
        world = DiskWorld(folder / "template")
        world.prepare("sweep")
        yield world


@pytest.fixture
def world(template: DiskWorld) -> Iterator[DiskWorld]:
    """A copy of the template."""
    path = template.path.parent / "run"
    yield template.copied(path)
    shutil.rmtree(path)


def path_of(world: DiskWorld, file: str) -> Path:
    """Return the path of a file; the folder of the account has a longer name."""
    (account,) = (world.path / "accounts").iterdir()
    return world.path / file.replace("accounts/lab", f"accounts/{account.name}").replace(
        "account-lab", f"account-{account.name}"
    )


def snapshot(path: Path) -> tuple[int, bytes | str | None]:
    """Return the type and the content of a path, without following links."""
    what = path.readlink().name if path.is_symlink() else path.read_bytes() if path.is_file() else None
    return stat.S_IFMT(path.lstat().st_mode), what


def remove(path: Path) -> None:
    """Remove a file, a folder or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def damage(path: Path, how: Damage, elsewhere: Path) -> None:
    """Damage a file in one way."""
    data = path.read_bytes() if path.is_file() else b""
    remove(path)
    if how == "folder":
        path.mkdir()
    elif how == "link":
        path.symlink_to(elsewhere)
    elif how == "newer":
        path.write_text(json.dumps({**json.loads(data), "schema": 99}))
    else:
        path.write_bytes({"empty": b"", "truncated": data[: len(data) // 2], "garbage": b"\xff\0" * 300}[how])


def messages(ran: Ran) -> list[str]:
    """Return the messages of the error and of all warnings."""
    error = [] if ran.outcome.error is None else [ran.outcome.error.message]
    return error + [warning.message for warning in ran.outcome.warnings]


@pytest.mark.parametrize(("file", "how"), CASES)
def test_damage(world: DiskWorld, file: str, how: Damage) -> None:
    """Each kind of damage has the result in the table. The CA issues again only if the certificate is lost."""
    path, elsewhere = path_of(world, file), world.path.parent / "elsewhere"
    elsewhere.write_text(MINE)
    elsewhere.chmod(0o666)
    damage(path, how, elsewhere)
    damaged = snapshot(path)
    ran = world.run()
    done = DONE[file].get(how) or DONE[file][""]
    reported = [message for message in messages(ran) if str(path) in message or str(path.parent) in message]
    assert messages(ran) == reported
    assert bool(reported) == (done in {"aside", "said", "stop"})
    assert ran.outcome.status == ("failed" if done == "stop" else "renewed")
    assert world.ca.counts["issued"] == (done == "aside" and file in AGAIN)
    if done == "aside":
        whole = path.parent if path.parent.name == "order" else path
        aside = whole.with_name(f"{whole.name}.damaged")
        assert not os.path.lexists(aside / "key.pem")  # the key of an order that will not be finalized
        if whole == path or path.name != "key.pem":
            assert snapshot(aside / path.relative_to(whole)) == damaged
    if done in {"said", "stop"}:
        assert snapshot(path) == damaged
        remove(path)  # as the message says
    assert elsewhere.read_text() == MINE
    assert elsewhere.stat().st_mode & 0o777 == 0o666
    assert world.left() == ({LEFT.value} if file.startswith("journal/") else set())
    assert world.served() or done == "stop"
    again = world.run()
    assert messages(again) == []
    assert again.outcome.status == ("renewed" if done == "stop" else "not-due")
    assert world.served()
    assert world.ca.counts["issued"] == (done in {"aside", "stop"} and file in AGAIN)
    # A value that is no longer in the journal cannot be removed from DNS.
    assert world.left() == ({LEFT.value} if file == "journal/home-1.json" else set())


def test_a_key_that_cannot_be_used_again(template: DiskWorld, tmp_path: Path) -> None:
    """A damaged key of the right size is reported when it would be reused, and the renewal succeeds."""
    world = template.copied(tmp_path / "state")
    world.spec = replace(world.spec, reuse_key=True)
    remove(path_of(world, "certificates/home/order"))
    key = path_of(world, "certificates/home/versions/3/privkey.pem")
    key.write_bytes(b"?" * key.stat().st_size)
    ran = world.run()
    assert ran.outcome.status == "renewed"
    (warning,) = ran.outcome.warnings
    assert (warning.code, str(key) in warning.message) == ("store-damaged", True)
    assert world.served()


@pytest.mark.parametrize("folder", ["journal", "locks", "accounts", "certificates", "certificates/home"])
@pytest.mark.parametrize("due", [True, False])
def test_a_file_in_the_place_of_a_folder(
    template: DiskWorld, quiet_template: DiskWorld, tmp_path: Path, folder: str, due: bool
) -> None:
    """The error names the file, the file is kept, and nothing is ordered."""
    world = (template if due else quiet_template).copied(tmp_path / "state")
    path = world.path / folder
    remove(path)
    path.write_text(MINE)
    ran = world.run()
    assert messages(ran)
    assert [message for message in messages(ran) if str(path) not in message] == []
    assert path.read_text() == MINE
    assert (ran.orders, ran.outcome.status) == (0, "failed" if due or folder.startswith("cert") else "not-due")
    path.unlink()
    assert world.run().outcome.error is None
    assert world.served()


SERVED: Final = {f"certificates/home/versions/3/{name}" for name in ("privkey.pem", "fullchain.pem")}
PARTS: Final = {f"certificates/home/versions/3/{name}" for name in ("cert.pem", "chain.pem")}
READ: Final = {"certificates/home/state.json", "certificates/home/current", "journal/home-1.json", *SERVED, *PARTS}
"""What is looked at where nothing is due."""


@pytest.mark.parametrize(("file", "how"), [case for case in CASES if not case[0].startswith("certificates/home/order")])
def test_damage_where_nothing_is_due(quiet_template: DiskWorld, file: str, how: Damage) -> None:
    """If nothing is due, damage is reported; only a lost key or chain causes a renewal.

    The parts of the chain are rebuilt from the full chain.
    """
    path = quiet_template.path.parent / "run"
    remove(path)
    world = quiet_template.copied(path)
    path, elsewhere = path_of(world, file), world.path.parent / "elsewhere"
    elsewhere.write_text(MINE)
    damage(path, how, elsewhere)
    ran = world.run()
    done = "aside" if file in PARTS else DONE[file].get(how) or DONE[file][""]
    assert world.ca.counts["issued"] == (file in SERVED)
    assert world.served()
    assert (ran.outcome.error is not None) == (done == "stop" and file in READ)
    assert bool(messages(ran)) == (done != "fine" and (file in READ or file.startswith("journal/")))
    assert path.with_name(f"{path.name}.damaged").exists() == (done == "aside" and file in READ)
    assert elsewhere.read_text() == MINE
    assert ".tmp-" not in "".join(messages(ran))


@pytest.mark.parametrize("what", ["privkey.pem", "fullchain.pem", ""], ids=["key", "chain", "version"])
def test_a_missing_file_is_reported(quiet_template: DiskWorld, tmp_path: Path, what: str) -> None:
    """Without the file the certificate is useless: a new one is obtained, and a warning says why."""
    world = quiet_template.copied(tmp_path / "state")
    path = world.path / "certificates/home/versions/3" / what
    remove(path)
    ran = world.run()
    assert ran.outcome.status == "renewed"
    (warning,) = ran.outcome.warnings
    assert (warning.code, f"{path} is damaged: it is missing." in warning.message) == ("store-damaged", True)
    assert "beside it" not in warning.fix
    assert world.served()
    assert messages(world.run()) == []
