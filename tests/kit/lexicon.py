"""Lexicon's own process in tests: with another provider in it, and a view of its state."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.extensions.hosts.lexicon import process

ROOT = Path(__file__).resolve().parents[2]
_PATCHED = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from dnsrenew.extensions.hosts.lexicon import child, patches
LIMITS = patches.RequestLimits(10.0, 30.0)
"""


def booting(change: str, *arguments: Any) -> str:
    """Return the program of a process that calls a function of ``tests.kit.lexicon_child`` before it serves."""
    call = f"from tests.kit import lexicon_child; lexicon_child.{change}(*{arguments!r}); "
    start = "from dnsrenew.extensions.hosts.lexicon import child"
    assert start in process.BOOT
    return process.BOOT.replace(start, call + start)


def in_child(monkeypatch: pytest.MonkeyPatch, change: str, *arguments: Any) -> None:
    """Make the processes that are started from now on call a function of ``tests.kit.lexicon_child`` first."""
    monkeypatch.setattr(process, "BOOT", booting(change, *arguments))


def redirect_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Make lexicon's provider use a stand-in."""
    in_child(monkeypatch, "redirect", url)


def inside(code: str) -> Any:
    """Run code in a process like that of lexicon, with ``child``, ``patches`` and ``LIMITS``; return its ``result``."""
    program = f"{_PATCHED}{code}\nprint(json.dumps(result))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, json.dumps([str(ROOT), *sys.path])],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
