"""A Python process of the tests' own that is told what to do on its standard input, and answers on its output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]


class Child:
    """Runs a module from its construction to the end of the ``with`` block, when its input ends.

    :param before: what starts it, such as a program that gives it a namespace of its own.
    """

    def __init__(self, module: str, *, before: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [*before, sys.executable, "-m", module], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()
