"""Runs dnsrenew and records every fsync: `python bench/count_syncs.py FILE ARGUMENT…` writes their list to FILE."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

calls: list[str] = []


def noted(name: str) -> Callable[..., None]:
    """Return the function of os with this name, which now records each call."""
    real: Callable[..., None] = getattr(os, name)

    def call(*arguments: int) -> None:
        where = [os.readlink(f"/proc/self/fd/{each}") for each in arguments] if sys.platform == "linux" else []
        calls.append(" ".join([name, *where]))
        real(*arguments)

    return call


def main() -> int:
    """Run the program in this process."""
    for name in ("fsync", "fdatasync", "sync"):
        if hasattr(os, name):
            setattr(os, name, noted(name))
    from dnsrenew.cli import main as program

    file, sys.argv = sys.argv[1], ["dnsrenew", *sys.argv[2:]]
    try:
        return program()
    finally:
        Path(file).write_text(json.dumps(calls, indent=1))


if __name__ == "__main__":
    sys.exit(main())
