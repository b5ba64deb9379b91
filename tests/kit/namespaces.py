"""Run Python in namespaces of its own: users, groups, mounts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def run_python(program: str, *arguments: str, unshare: tuple[str, ...]) -> str:
    """Run a program with the options of ``unshare`` and return its output.

    :param unshare: such as ``--mount``, or ``--map-root-user`` for a user namespace in which only root is mapped.
    """
    done = subprocess.run(
        ["unshare", *unshare, sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
