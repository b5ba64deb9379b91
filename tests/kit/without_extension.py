"""A copy of the package without one of its extensions, and processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import dnsrenew

PACKAGE: Final = Path(dnsrenew.__file__).parent


def copy_without(folder: Path, extension: str) -> dict[str, str]:
    """A copy of the package, by links, without an extension; the environment of a process that uses it."""
    package = folder / "dnsrenew"
    (package / "extensions").mkdir(parents=True)
    for part in (*PACKAGE.iterdir(), *(PACKAGE / "extensions").iterdir()):  # with what is compiled
        if part.name not in {"extensions", extension}:
            (package / part.relative_to(PACKAGE)).symlink_to(part)
    (package / "_providers").symlink_to(PACKAGE.parent / "providers")
    return {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def run(env: dict[str, str], *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the copy of the package."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
