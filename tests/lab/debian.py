"""What tests make once from Debian's packages and keep in `build/`: root folders of machines and of containers."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from .process import find_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ("sources.list.d/debian.sources", "sources.list.d/ubuntu.sources", "sources.list")
_IN_MEMORY: Final = """
new=$1
shift
mount -t tmpfs tmpfs /mnt
"$@" /mnt/new -
cp -a /mnt/new "$new"
"""
"""dpkg waits for the disk after each package."""


def made(name: str, recipe: Sequence[str | bytes], make: Callable[[Path], None]) -> Path:
    """Return `build/NAME-HASH`; make it if it is not there, and remove the others. Workers wait for each other.

    `recipe`: all that it depends on.
    """
    import fcntl  # not on Windows

    found = hashlib.sha256(b"\n".join(each if isinstance(each, bytes) else each.encode() for each in recipe))
    build = CHECKOUT / "build"
    build.mkdir(exist_ok=True)
    target = build / f"{name}-{found.hexdigest()[:8]}"
    with (build / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            for old in build.glob(f"{name}-*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            new = target.with_suffix(".new")
            make(new)
            new.rename(target)
    return target


def bootstrap(target: Path, packages: str, *options: str, form: str = "directory") -> None:
    """Make a root folder, or with `form="tar"` a file of one; `options` are those of mmdebstrap. Root only."""
    sources = next(path for each in SOURCES if (path := Path("/etc/apt") / each).exists())
    settings = target.with_suffix(".apt")  # such as a proxy
    settings.write_bytes(subprocess.run(["apt-config", "dump", "Acquire"], check=True, capture_output=True).stdout)
    command = [
        *("unshare", "--mount", "sh", "-ec", _IN_MEMORY, "sh", str(target)),
        *(find_program("mmdebstrap"), "--mode=root", "--variant=minbase", f"--format={form}", "--quiet"),
        *(f"--include={packages}", f"--aptopt={settings}"),
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "locale", "man")),
        *options,
        "",
    ]
    done = subprocess.run(command, input=sources.read_text(), capture_output=True, text=True, check=False)
    settings.unlink()
    if done.returncode:
        pytest.skip(f"left out: no root folder can be made here: {done.stderr.strip().splitlines()[-1:]}")
