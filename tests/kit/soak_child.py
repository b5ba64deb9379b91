"""The program for the soak: it is killed at its n-th step, or its disk fails from then on; otherwise as dying.py.

A point is ``step 17``, ``disk 28 from 17`` (the error's number), or ``never``.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable
from typing import Any, Final

from dnsrenew.store.atomic_io import AtomicFiles
from tests.kit.dying import Death, serve

_NEED_SPACE: Final = frozenset({"mkdir", "create", "write", "fsync", "symlink"})
_CHANGES: Final = _NEED_SPACE | {"rename", "unlink", "rmdir", "chmod"}
_POINT: Final = re.compile(r"(?:disk (\d+) from|step) (\d+)")


class Trouble(Death):
    """Counts all steps of the run."""

    def __init__(self, point: str, number: int, passed: str, heard: str) -> None:
        super().__init__(point, number, passed, heard)
        match = _POINT.fullmatch(point)
        self._signal = number
        self._error = int(match[1] or 0) if match else 0
        self._at = int(match[2]) if match else -1
        self._steps = 0
        self._counting = threading.Lock()

    def pass_by(self, point: str) -> None:
        """Send the signal here, or continue."""
        super().pass_by(point)
        with self._counting:
            self._steps += 1
            if self._steps == self._at and not self._error:
                os.kill(os.getpid(), self._signal)

    def watch(self) -> None:
        """Report every step of the run here."""
        super().watch()
        if not self._error:
            return
        do = AtomicFiles.do

        def does(disk: AtomicFiles, operation: str, path: str, function: Callable[[], Any], *absent: Any) -> Any:
            fails = self._steps >= self._at and operation in (_NEED_SPACE if self._error == errno.ENOSPC else _CHANGES)
            return do(disk, operation, path, self._fail if fails else function, *absent)

        AtomicFiles.do = does  # type: ignore[assignment,method-assign]  # the seam, in a process of its own

    def _fail(self) -> None:
        raise OSError(self._error, os.strerror(self._error))


if __name__ == "__main__":
    serve(Trouble)
