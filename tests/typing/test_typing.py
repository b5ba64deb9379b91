"""The types that we ship: right code passes mypy strict (public_api.py, with the rest), wrong code does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def mypy(folder: Path, *files: str) -> list[str]:
    """The lines that mypy strict prints; our package is found as an installed one is, by its `py.typed`."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--follow-imports=silent",
            "--cache-dir",
            str(folder / "cache"),
            *files,
        ],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_mistakes_are_found_and_right_code_is_fine(tmp_path: Path) -> None:
    """Each marked line has just the errors it is marked with, no other line has one, and nor has the right code."""
    assert (ROOT / "dnsrenew" / "py.typed").exists()
    text = (HERE / "misuse.txt").read_text()
    (tmp_path / "misuse.py").write_text(text)
    (tmp_path / "public_api.py").write_text((HERE / "public_api.py").read_text())
    marked = {
        number: set(line.split("# MISTAKE ")[1].split())
        for number, line in enumerate(text.splitlines(), 1)
        if "# MISTAKE" in line
    }
    found: dict[int, set[str]] = {}
    for line in mypy(tmp_path, "misuse.py", "public_api.py"):
        if match := re.match(r"misuse\.py:(\d+): error: .*\[([a-z-]+)\]$", line):
            found.setdefault(int(match[1]), set()).add(match[2])
        else:
            assert ": note: " in line, line
    assert found == marked
