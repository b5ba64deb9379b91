"""What a text from outside may cost: a second of processor time, and 64 MiB."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SECONDS: Final = 1.0
MIB: Final = 64


class TooMuch(BaseException):
    """A parser takes too long; no parser catches it."""


@contextmanager
def bounds(seconds: float = SECONDS, mib: int = MIB) -> Iterator[None]:
    """Fail if the block takes more processor time, or more memory than it found free.

    Memory is bounded on Linux; elsewhere there is no limit that one block can have.
    """
    import resource

    before = signal.signal(signal.SIGPROF, _stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_size() + (mib << 20), limits[1]))
    gc.disable()  # what a callback of the collector raises is lost
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        raise AssertionError(f"it takes more than {mib} MiB") from None
    except TooMuch:
        raise AssertionError(f"it takes more than {seconds} s") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        gc.enable()
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TooMuch


def _size() -> int:
    """Return the octets of this process's address space."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
