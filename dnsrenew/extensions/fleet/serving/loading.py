"""Loads certificates from the database in the background, so that no handshake waits for it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.fleet.serving.server_threads import PAUSE

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.serving.server_threads import ServerThreads

THREADS: Final = 4
QUEUED: Final = 1_000
"""Certificates that wait to be loaded, at most; what comes beyond that is asked for again by the next handshake."""
_BATCH: Final = 20
"""Certificates that are loaded with one statement."""
_PAUSE: Final = 0.5
"""Seconds until the database is asked again after it did not answer."""


class BackgroundLoader:
    """A few threads that load certificates; each certificate is loaded once at a time.

    :param load: loads some certificates; raises an error if the database does not answer.
    :param failed: is told of that error.
    """

    def __init__(
        self,
        threads: ServerThreads,
        load: Callable[[Sequence[str]], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._stopping = threads.stopping
        self._load = load
        self._failed = failed
        self._lock = threading.Lock()
        self._wanted: queue.Queue[str] = queue.Queue(QUEUED)
        self._loading: dict[str, threading.Event] = {}
        self._running: set[str] = set()
        self._again: set[str] = set()
        """Asked for after their reading had begun, which may have missed what is new."""
        for _ in range(THREADS):
            threads.start(self._work, "load")

    def request(self, certificate: str) -> threading.Event | None:
        """Have a certificate loaded soon; return what is set afterwards, or None if too many are waiting."""
        with self._lock:
            if (event := self._loading.get(certificate)) is not None:
                if certificate in self._running:
                    self._again.add(certificate)
                return event
            return self._enter(certificate)

    def _enter(self, certificate: str) -> threading.Event | None:
        """Have a certificate loaded that is not being loaded; the lock is held."""
        with contextlib.suppress(queue.Full):
            self._wanted.put_nowait(certificate)
            self._loading[certificate] = threading.Event()
        return self._loading.get(certificate)

    def _work(self) -> None:
        while not self._stopping.is_set():
            if not (certificates := self._next()):
                continue
            with self._lock:
                self._running.update(certificates)
            try:
                self._load(certificates)
            except Exception as error:  # noqa: BLE001  # the next handshake asks again
                self._failed(error)
                self._stopping.wait(_PAUSE)
            finally:
                with self._lock:
                    done = [self._loading.pop(each) for each in certificates]
                    self._running.difference_update(certificates)
                    again = self._again.intersection(certificates)
                    self._again -= again
                    for each in again:
                        self._enter(each)
                for event in done:
                    event.set()

    def _next(self) -> list[str]:
        """Return the certificates to load now; none after a while, so that the thread sees its end."""
        found: list[str] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._wanted.get(timeout=PAUSE))
            while len(found) < _BATCH:
                found.append(self._wanted.get_nowait())
        return found
