"""A Python process of the tests that reads requests from its standard input and answers on its standard output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]


class Child:
    """Run a module until the end of the ``with`` block, which closes its input.

    :param before: a command line that starts it, such as ``unshare``.
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
