"""Root restores a file that another user can change: before, and while it is read."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.cli import main
from dnsrenew.extensions.setup.archive import restore as operation
from dnsrenew.extensions.setup.archive.restoration import StoreBuilder
from dnsrenew.extensions.setup.archive.restore import ArchiveContents, survey
from tests.kit.archives import PASSPHRASE, fill_config, fill_store, header, make_tar, tree
from tests.kit.users import NOBODY, as_root, ordinary_user

pytestmark = as_root
TOML = b'agree_terms = true\nstore = "state"\n'
FILES: Mapping[str, bytes] = {
    "archive.json": header(),
    "config/dnsrenew.toml": TOML,
    "config/lab-ca.pem": b"roots",
    "store/fingerprint.key": bytes(32),
}
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def home(open_path: Path) -> Path:
    """A folder of another user, with an archive of his that is not sealed."""
    folder = open_path / "home"
    folder.mkdir()
    (folder / "backup.tgz").write_bytes(make_tar(dict(FILES)))
    for path in (folder, folder / "backup.tgz"):
        os.chown(path, NOBODY, NOBODY)
    return folder


def restore(file: Path, target: Path, *options: str) -> int:
    """Run the command."""
    return main(["restore", str(file), "--config", str(target), "--json", *options])


def modes(folder: Path) -> dict[Path, int]:
    """Return the mode of everything in a folder, and of the folders above it."""
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in [*folder.rglob("*"), folder, *folder.parents]}


def meanwhile(monkeypatch: pytest.MonkeyPatch, file: Path, data: bytes, *, append: bool = False) -> None:
    """Let the other user write to the file after it was verified and before it is used."""

    def verified(*arguments: Any) -> ArchiveContents:
        found = survey(*arguments)
        write = ["tee", "-a", str(file)] if append else ["tee", str(file)]
        subprocess.run(ordinary_user(write, ()), input=data, stdout=subprocess.DEVNULL, check=True)
        return found

    monkeypatch.setattr(operation, "survey", verified)


@pytest.mark.parametrize(
    "change",
    [
        {"store/../../../etc/pwn": b"* * * * * root id\n"},
        {"store/certificates/home/state.json": b"{}"},
        {"config/hook.sh": b"#!/bin/sh\n"},
        {"config/lab-ca.pem": b"other"},
        {"config/lab-ca.pem": None},
        {"store/fingerprint.key": None},
        {},
    ],
    ids=" ".join,
)
def test_what_was_verified_is_what_is_written(
    home: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, change: dict[str, bytes | None]
) -> None:
    """A file, a name or a mode that changes after the check is refused. Nothing is written, and no mode changes."""
    (open_path / "etc").mkdir()
    file, before = home / "backup.tgz", modes(open_path)
    files = {name: data for name, data in {**FILES, **change}.items() if data is not None}
    data = make_tar(files) if change else make_tar(files, mode=0o700)
    meanwhile(monkeypatch, file, data)
    assert restore(file, open_path / "new/dnsrenew.toml", "--insist") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "restore-damaged"
    assert modes(open_path) == before


def test_a_second_gzip_member_that_comes_meanwhile(
    home: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """What is appended to a verified file is refused."""
    before = modes(open_path)
    meanwhile(monkeypatch, home / "backup.tgz", make_tar({"store/../../../etc/pwn": b"x"}), append=True)
    assert restore(home / "backup.tgz", open_path / "new/dnsrenew.toml", "--insist") == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "restore-damaged"
    assert modes(open_path) == before


def test_a_store_is_built_of_its_files_only(open_path: Path) -> None:
    """The builder of a store refuses each name that no store has, by itself."""
    (open_path / "above").mkdir(mode=0o755)
    before = modes(open_path)
    for name in ("../../../above/pwn", "/etc/pwn", "locks/x", "accounts/../../x", ""):
        with pytest.raises(ValueError, match="not a file of a store"), StoreBuilder(open_path / "s") as builder:
            builder.add(name, b"x")
    assert modes(open_path) == before


def test_an_empty_folder_keeps_its_mode(home: Path, open_path: Path) -> None:
    """A folder for the store that was there keeps its mode; what is in it is private."""
    shutil.copy(home / "backup.tgz", open_path / "own.tgz")
    folder = open_path / "new/state"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert restore(open_path / "own.tgz", open_path / "new/dnsrenew.toml") == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.iterdir()} == {0}


# ── whose archive it is ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by", ["owner", "folder", "everybody", "link"])
def test_an_open_archive_of_another_user_is_refused(home: Path, open_path: Path, capsys: Captured, by: str) -> None:
    """Root takes an unsealed archive only from where root alone can change it, or with --insist."""
    file, target = home / "backup.tgz", open_path / "new/dnsrenew.toml"
    culprit = home
    if by == "folder":
        os.chown(file, 0, 0)
    elif by == "everybody":
        culprit = file = open_path / "open.tgz"
        shutil.copy(home / "backup.tgz", file)
        file.chmod(0o666)
    elif by == "link":
        culprit = file = open_path / "link.tgz"
        shutil.copy(home / "backup.tgz", open_path / "own.tgz")
        file.symlink_to("own.tgz")
        os.chown(file, NOBODY, NOBODY, follow_symlinks=False)
    assert restore(file, target) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["evidence"]["path"], error["evidence"]["file"]) == (
        "archive-untrusted",
        str(culprit),
        str(file),
    )
    assert not target.parent.exists()
    assert restore(file, target, "--insist") == 0
    assert target.read_bytes() == TOML


def test_archives_that_need_no_question(open_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's own archive, also in a folder such as /tmp, and a sealed one of anybody are restored as before."""
    own = open_path / "tmp"
    own.mkdir()
    own.chmod(0o1777)
    shutil.copy(home / "backup.tgz", own / "backup.tgz")
    assert restore(own / "backup.tgz", open_path / "one/dnsrenew.toml") == 0
    old = open_path / "old"
    old.mkdir(mode=0o700)
    fill_store(old / "state", str(fill_config(old)))
    (open_path / "pass.secret").write_text(f"{PASSPHRASE}\n")
    secret = ["--passphrase-file", str(open_path / "pass.secret")]
    monkeypatch.chdir(old)
    assert main(["export", str(home / "sealed.dr"), "--secrets", *secret]) == 0
    os.chown(home / "sealed.dr", NOBODY, NOBODY)
    assert restore(home / "sealed.dr", open_path / "two/dnsrenew.toml", *secret) == 0
    assert tree(open_path / "two")["hook.sh"] == (old / "hook.sh").read_bytes()
