"""Await a blocking call: it runs in a daemon thread, and cancelling the task cancels the call. For asyncio and trio."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.base import threads
from dnsrenew.base.events import Post

if TYPE_CHECKING:
    import threading

T = TypeVar("T")
PATIENCE: Final = 5.0
"""Seconds that a cancelled task waits for its thread to withdraw what it has published."""


def poster() -> Post:
    """Return how any thread has a call made by the running event loop.

    :raises RuntimeError: there is none.
    """
    import asyncio  # heavy, and loaded by every program that comes here

    trio = _running_trio()
    call_soon = asyncio.get_running_loop().call_soon_threadsafe if trio is None else _token(trio).run_sync_soon

    def post(call: Callable[[], object]) -> bool:
        try:
            call_soon(call)
        except RuntimeError:  # the loop has ended
            return False
        return True

    return post


async def call(function: Callable[[], T], cancel: threading.Event) -> T:
    """Make a blocking call without holding up the event loop.

    If the task is cancelled, ``cancel`` is set, and the call gets :data:`PATIENCE` seconds to end.

    :param cancel: an event that ends the call.
    """
    trio, post = _running_trio(), poster()
    if trio is not None:
        ended = trio.Event()
        task = threads.start(function, then=lambda: post(ended.set))
        try:
            await ended.wait()
        except trio.Cancelled:
            cancel.set()
            with trio.CancelScope(deadline=trio.current_time() + PATIENCE, shield=True):
                await ended.wait()
            raise
        return task.result()
    return await _call_in_asyncio(function, cancel, post)


async def _call_in_asyncio(function: Callable[[], T], cancel: threading.Event, post: Post) -> T:
    import asyncio  # as above

    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    task = threads.start(function, then=lambda: post(end))
    try:
        await asyncio.wait([ended])  # unlike `await ended`, a cancel leaves the future as it is
    except asyncio.CancelledError:
        cancel.set()
        until = loop.time() + PATIENCE
        while not ended.done() and (left := until - loop.time()) > 0:
            try:
                await asyncio.wait([ended], timeout=left)
            except asyncio.CancelledError:  # a second Ctrl-C; anyio repeats its own
                continue
        raise
    return task.result()


def _running_trio() -> Any:
    """Return the module ``trio`` if its loop runs in this thread; None: asyncio's does, or none."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        _token(trio)
    except RuntimeError:
        return None
    return trio


def _token(trio: Any) -> Any:
    return trio.lowlevel.current_trio_token()
