"""Keeps the index as the database is: what others issue is served within 2 s, what they remove within 10 s.

Two threads. One listens to notifications. The other checks every second whether anything has changed, on another
connection, so that no notification has to arrive. While the database is gone, what is known goes on being served.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.fleet.database.served_certificates import CHANNEL
from dnsrenew.extensions.fleet.serving.server_threads import PAUSE

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.extensions.fleet.database.served_certificates import Pulse, ServedCertificate, ServedCertificates
    from dnsrenew.extensions.fleet.serving.index import NameIndex
    from dnsrenew.extensions.fleet.serving.server_threads import ServerThreads

POLL_EVERY: Final = 1.0
"""Seconds between two polls."""
_OVERLAP: Final = 20.0
"""Seconds after which every transaction is over: numbers of changes become visible out of order until then."""
_SOON: Final = 3.0
"""Seconds after which nearly every transaction is over."""
_CHUNK: Final = 500
"""Certificates in one statement."""
_UNCOMMITTED: Final = 1_000
"""Changes that have a number and are not visible yet when everything is read, at most."""


class ChangeFeed:
    """Follows the database from :meth:`start` to the end of the threads.

    :param taken: is told which certificates are new or have a new version, after the index has them.
    :param removed: is told which certificates are gone.
    :param failed: is told the error if the database cannot be read, and None once a poll succeeds again.
    """

    def __init__(
        self,
        threads: ServerThreads,
        source: ServedCertificates,
        index: NameIndex,
        clock: Clock,
        *,
        taken: Callable[[Sequence[str]], object],
        removed: Callable[[Sequence[str]], object],
        failed: Callable[[Exception | None], object],
    ) -> None:
        self._source = source
        self._index = index
        self._clock = clock
        self._taken = taken
        self._removed = removed
        self._failed = failed
        self._threads = threads
        self._stopping = threads.stopping
        # Held from a read to its effect on the index: otherwise an older read could win.
        self._lock = threading.Lock()
        self._marks: deque[tuple[float, int]] = deque()
        self._pulse: Pulse | None = None
        self._settled = 0
        """The number of a change up to which all are in the index."""
        self._moved = 0.0
        self._removals = 0
        self._compare = False

    def load(self) -> None:
        """Read every certificate.

        :raises StoreError: the database cannot be read.
        """
        with self._lock:
            pulse = self._source.pulse()
            self._read_all(pulse)
            self._removals = pulse.removals

    def start(self) -> None:
        """Start the threads."""
        for follow in (self._listen, self._poll):
            self._threads.start(follow, "feed")

    # ── notifications ───────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        with self._source.database.notifications(CHANNEL) as notifications:
            connections = 0  # what is removed before the first one listens is found by a comparison, within a second
            while not self._stopping.is_set():
                try:
                    names = notifications.wait(PAUSE)
                    if notifications.connections > connections:
                        connections, self._compare = notifications.connections, True  # some were missed
                    self.take(dict.fromkeys(names))
                except Exception as error:  # noqa: BLE001  # the server goes on with what it knows
                    self._failed(error)
                    self._stopping.wait(POLL_EVERY)

    def take(self, certificates: Iterable[str]) -> None:
        """Take over what has become of some certificates.

        :raises StoreError: the database cannot be read.
        """
        names = list(certificates)
        for begin in range(0, len(names), _CHUNK):
            chunk = names[begin : begin + _CHUNK]
            with self._lock:
                rows = self._source.named(chunk)
                self._removals += len(chunk) - len(rows)
                self._put(rows)
                self._drop(sorted(set(chunk) - {each.certificate for each in rows}))

    # ── polls ───────────────────────────────────────────────────────────────────────────

    def _poll(self) -> None:
        is_failing = False
        while not self._stopping.wait(POLL_EVERY):
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001  # as above
                is_failing = True
                self._failed(error)
            else:
                if is_failing:
                    self._failed(None)
                is_failing = False

    def poll(self) -> None:
        """Take over what has changed since the last poll.

        :raises StoreError: the database cannot be read.
        """
        with self._lock:
            before, pulse = self._pulse, self._source.pulse()
            if before is None or pulse.changed < before.changed:  # an older database was restored
                self._read_all(pulse)
                self._compare = True
            elif self._is_moving(pulse):
                for chunk in _chunks(self._source.changed_since(self._settled)):
                    self._put(chunk)
                self._settle()
            self._pulse = pulse
        is_reset = before is not None and pulse.removals < before.removals
        if self._compare or is_reset or pulse.removals > self._removals:
            self._drop_missing(pulse)

    def _is_moving(self, pulse: Pulse) -> bool:
        """Note the number of the last change; return whether changes have to be read.

        They are read while the number moves, some seconds longer, and once more when all up to it are visible for
        certain; each until :attr:`_settled` has passed it.
        """
        now = self._clock.monotonic()
        if self._pulse is None or pulse.changed != self._pulse.changed:
            self._moved = now
        if pulse.changed != self._marks[-1][1]:
            self._marks.append((now, pulse.changed))
        return now - self._moved <= _SOON or self._is_settled

    @property
    def _is_settled(self) -> bool:
        return len(self._marks) > 1 and self._marks[1][0] <= self._clock.monotonic() - _OVERLAP

    def _settle(self) -> None:
        """Move on, after all changes were read, to the last number before which none can come any more."""
        while self._is_settled:
            self._marks.popleft()
        self._settled = self._marks[0][1]

    def _read_all(self, pulse: Pulse) -> None:
        put = self._index.fill if self._pulse is None else self._put
        for chunk in _chunks(self._source.all()):
            put(chunk)
        self._settled = pulse.changed - _UNCOMMITTED
        self._moved = self._clock.monotonic()
        self._marks = deque([(self._moved, self._settled), (self._moved, pulse.changed)])
        self._pulse = pulse

    def _drop_missing(self, pulse: Pulse) -> None:
        """Compare the index with the table. Removals are counted from here on."""
        self._compare, self._removals = False, pulse.removals
        try:
            for page in self._index.pages(_CHUNK):
                with self._lock:
                    self._drop(self._source.missing(list(dict.fromkeys(page))))
        except BaseException:
            self._compare = True
            raise

    def _put(self, certificates: Sequence[ServedCertificate]) -> None:
        self._drop([each.certificate for each in certificates if each.version is None])
        if changed := self._index.put([each for each in certificates if each.version is not None]):
            self._taken(changed)

    def _drop(self, certificates: Sequence[str]) -> None:
        if certificates:
            self._index.remove(certificates)
            self._removed(certificates)


def _chunks(certificates: Iterable[ServedCertificate]) -> Iterable[list[ServedCertificate]]:
    chunk: list[ServedCertificate] = []
    for each in certificates:
        chunk.append(each)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
