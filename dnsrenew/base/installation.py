"""The command that installs a missing package into the environment of this process.

An error names the missing package itself, not an extra of dnsrenew: outside its environment ``pip install
'dnsrenew[…]'`` installs whatever the package index has under that name.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from collections.abc import Sequence

_PIPX_FILE = "pipx_metadata.json"
"""pipx writes it into the root of each of its environments."""


def install_command(*packages: str) -> str:
    """Return the command that installs packages for the interpreter that runs."""
    if os.path.exists(os.path.join(sys.prefix, _PIPX_FILE)):
        return _line(["pipx", "inject", os.path.basename(sys.prefix), *packages])
    if importlib.util.find_spec("pip") is None:  # as in the environments of uv
        return _line(["uv", "pip", "install", "--python", sys.executable, *packages])
    return _line([sys.executable, "-m", "pip", "install", *packages])


def _line(arguments: Sequence[str]) -> str:
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(arguments)
    return shlex.join(arguments)
