"""Connections that give up on a server that does not answer. It imports psycopg: import it late."""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg

T = TypeVar("T")

_READY_NONE: Final = 0
"""What psycopg sends to its generators after each interval (0.1 s) in which nothing came."""


class SilentServerError(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class DeadlineConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed when the server is silent for too long: psycopg itself would wait for ever.

    :ivar patience: the seconds.
    """

    patience: float = 10.0

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Wait for the end of an operation.

        :raises SilentServerError: the server did not answer.
        """
        try:
            return super().wait(_limited(gen, self.patience), *arguments, **options)
        except SilentServerError:
            self.pgconn.finish()  # what is under way there is of no interest: even a rollback would wait again
            raise

    def has_input(self, seconds: float = 0.0) -> bool:
        """Tell whether the server has sent something to the idle connection; wait for it some seconds."""
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self.fileno()], [], [], seconds)[0])
        poll = select.poll()  # select() knows no file number above 1023
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def is_cut(self) -> bool:
        """Read what the server has sent to the idle connection; tell whether it is closed."""
        if self.closed:
            return True
        try:
            while self.has_input():
                self.pgconn.consume_input()
        except psycopg.Error:
            return True
        return False


def _limited(operation: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
    """Pass everything on between an operation and the one that waits for it, and end it after a long silence."""
    end = time.monotonic() + patience
    try:
        state = next(operation)
        while True:
            ready = yield state
            if ready != _READY_NONE:
                end = time.monotonic() + patience
            elif time.monotonic() >= end:
                raise SilentServerError
            state = operation.send(ready)
    except StopIteration as finished:
        result: T = finished.value
        return result
