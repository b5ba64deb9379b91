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
    """A measured process failed, so its figure would be meaningless."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process that succeeded."""

    seconds: float
    output: str


def python() -> list[str]:
    """The interpreter that runs everything."""
    return [sys.executable]


def program() -> list[str]:
    """The command, or the module if the command is not installed."""
    script = Path(sys.executable).with_name("dnsrenew")
    return [str(script)] if script.exists() else [*python(), "-m", "dnsrenew"]


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment without the files of the real user."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_STRIPPED)}
    found = {} if len(program()) == 1 else {"PYTHONPATH": str(ROOT)}
    return {**kept, **found, "HOME": str(home), **(extra or {})}


def run(argv: Sequence[str], folder: Path, env: Mapping[str, str]) -> Run:
    """Run the process to its end, in this folder; its output goes to files, so that it never blocks.

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
