"""Other users: their files, and tests that act as one of them. Only root can do this."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
as_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")


@contextlib.contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """Act as another user, without root's groups, during the block."""
    groups, gid, own = os.getgroups(), os.getegid(), os.geteuid()
    os.setgroups([])
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(own)
        os.setegid(gid)
        os.setgroups(groups)


@contextlib.contextmanager
def started(
    argv: Sequence[str], program: str, folder: Path, *, uid: int = NOBODY, wait_for: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Run a program of another user under any name, with its input open, and end it with the block.

    :param argv: its command line, whose first word need not be the program.
    :param wait_for: the line that it prints when it is ready.
    """
    more: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        argv, executable=program, cwd=folder, user=uid, group=uid, extra_groups=[], **more
    ) as process:
        try:
            if wait_for:
                assert process.stdout is not None
                assert process.stdout.readline().strip() == wait_for
            yield process
        finally:
            process.kill()


def open_way(folder: Path) -> Path:
    """Give every user access to a folder through its parents that we own; pytest's own are closed."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    return folder


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that every user can reach, also while another pytest closes the folder of pytest's own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder).resolve()
        yield path if sys.platform == "win32" else open_way(path)


_REOPENED = """
hidden=$1 needed=$2; shift 2
aside=$(mktemp -d)
IFS='
'
number=0
for folder in $needed; do number=$((number + 1)); mkdir "$aside/$number"; mount --bind "$folder" "$aside/$number"; done
mount -t tmpfs -o mode=755 none "$hidden"
number=0
for folder in $needed; do
    number=$((number + 1)); mkdir -p "$folder"; mount --move "$aside/$number" "$folder"; rmdir "$aside/$number"
done
rmdir "$aside"
exec "$@"
"""
"""Mounts an empty folder over a closed one and the needed folders into it; then runs a command."""


def ordinary_user(
    command: Sequence[str], needed: Sequence[str] = (sys.base_prefix, sys.prefix), uid: int = NOBODY
) -> list[str]:
    """Return a command line that runs a command as an ordinary user: `nobody` if the tests run as root.

    :param needed: folders that he must be able to read. One below a closed folder, such as a Python in /root, is shown
        to him in a mount namespace.
    :param uid: the user, whose group has the same number.
    """
    if os.geteuid() != 0:
        return list(command)
    return shown(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command], needed)


def shown(command: Sequence[str], needed: Sequence[str] = (sys.base_prefix, sys.prefix)) -> list[str]:
    """Return a command line that runs a command where every user can read some folders."""
    closed = {path for folder in needed for path in Path(folder).parents if not path.stat().st_mode & stat.S_IXOTH}
    if not closed:
        return list(command)
    hidden = min(closed, key=lambda path: len(path.parts))
    kept = sorted({folder for folder in needed if hidden in Path(folder).parents})
    return ["unshare", "--mount", "sh", "-ec", _REOPENED, "sh", str(hidden), "\n".join(kept), *command]
