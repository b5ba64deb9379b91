"""dnsrenew without fsyncs, and without its guards: `python bench/unguarded.py with|without ARGUMENT…`.

The guards: the journal of TXT values, all locks, the proof that the store can be written, the order that is kept for
a later run. `with` leaves them in, so that the two differ by nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from dnsrenew.challenges.host_calls import PublishedValues
from dnsrenew.cli import main as program
from dnsrenew.store import FolderStore, zone_locks
from dnsrenew.store.pending_orders import PendingOrders


def nothing(*_: object, **__: object) -> None:
    """Instead of something that takes time."""


@contextlib.contextmanager
def no_lock(*_: object, **__: object) -> Iterator[None]:
    """Instead of a lock."""
    yield


def main() -> int:
    """Run the program in this process."""
    for name in ("fsync", "fdatasync", "sync"):
        if hasattr(os, name):
            setattr(os, name, nothing)
    if sys.argv[1] == "without":
        vars(zone_locks)["hold"] = no_lock
        for owner, name, instead in (
            (FolderStore, "prove_writable", nothing),
            (PendingOrders, "save", nothing),
            (PublishedValues, "written_down", no_lock),
        ):
            setattr(owner, name, instead)
    sys.argv = ["dnsrenew", *sys.argv[2:]]
    return program()


if __name__ == "__main__":
    sys.exit(main())
