"""Whole processes with a stop-watch."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
BENCH = Path(__file__).resolve().parent
_PATIENCE = 120.0
_STRIPPED = ("DNSRENEW_", "LEXICON_", "XDG_", "PYTHON")


class RunFailedError(Exception):
    """A process that was to be measured ended badly: its figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process that ended well."""

    seconds: float
    output: str


def python() -> list[str]:
    """The interpreter that everything is run with."""
    return [sys.executable]


def program() -> list[str]:
    """The command as people call it, or, where it is not installed, the module."""
    script = Path(sys.executable).with_name("dnsrenew")
    return [str(script)] if script.exists() else [*python(), "-m", "dnsrenew"]


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment in which nothing of the real user's is seen."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_STRIPPED)}
    found = {} if len(program()) == 1 else {"PYTHONPATH": str(ROOT)}
    return {**kept, **found, "HOME": str(home), **(extra or {})}


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Run:
    """Run it to its end, in this folder; what it prints goes to files, which hold up nobody.

    :raises RunFailedError: its exit status was not 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        guard = threading.Timer(_PATIENCE, process.kill)
        guard.start()
        try:
            status = process.wait()  # without a time-out: with one, Python looks every 50 ms only
            seconds = time.perf_counter() - begin
        finally:
            guard.cancel()
            process.kill()
        output, errors = (_content(file) for file in (out, err))
    if status:
        shown = " ".join(Path(word).name for word in argv)
        raise RunFailedError(f"{shown} ended with status {status}:\n{errors or output}")
    return Run(seconds, output)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
