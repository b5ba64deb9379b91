"""Whether the thread of a handshake may wait."""

from __future__ import annotations

import sys


def is_event_loop() -> bool:
    """Tell whether an event loop (asyncio, uvloop, Trio) runs in this thread: then nothing in it may wait."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001  # exported for this purpose
        return True
    return trio is not None and bool(trio.lowlevel.in_trio_run())
