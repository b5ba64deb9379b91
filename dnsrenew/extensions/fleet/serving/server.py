"""The threads behind the context of a fleet, which follow the database, load certificates and ask the program."""

from __future__ import annotations

import inspect
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.validation import kind
from dnsrenew.config import Config
from dnsrenew.errors import DnsRenewError, StoreError, as_clause
from dnsrenew.extensions.fleet.database.connection import in_parts
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.ledger import DemandRate
from dnsrenew.extensions.fleet.database.served_certificates import CHANNEL, Pulse, ServedCertificate, ServedCertificates
from dnsrenew.extensions.fleet.serving import texts
from dnsrenew.extensions.fleet.serving.context import ContextCache, FleetContext
from dnsrenew.extensions.fleet.serving.loading import PAUSE, BackgroundLoader, NameIndex, OnDemand, ServerThreads
from dnsrenew.operations.event_log import EventLog
from dnsrenew.serving.recorded_context import ServerWarnings
from dnsrenew.store.ledger import NEW_ORDERS, OTHER_NEW_ORDERS, Limit

CACHE: Final = 10_000
"""The default number of certificates in memory."""
_WARM: Final = 100
"""The number of certificates that are loaded with one statement at the start."""
_EVICT_EVERY: Final = 60.0
"""Seconds between two checks for expired certificates in the cache."""


def ssl_context(
    config: Config,
    store: DatabaseStore,
    add: Callable[[str], object],
    *,
    cache: int = CACHE,
    on_unknown: Callable[[str], bool] | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> FleetContext:
    """Return a context that serves every name of the fleet, and start the threads that follow the database.

    All names are read first. The threads end when the context is no longer referenced.

    :param add: adds a certificate for a domain; it keeps the fleet alive.
    :param cache: the number of certificates in memory; each takes 30 kB.
    :param on_unknown: called in a separate thread with a name that the fleet does not have. If it returns True, the
        name is obtained.
    :param on_event: called with the warnings of the server.
    :raises TypeError: ``on_unknown`` is not a plain function.
    :raises ValueError: ``cache`` is not a number of certificates.
    :raises ConfigError: ``on_unknown`` is given, and the defaults of the fleet are not enough for a certificate of a
        name.
    :raises StoreError: the database cannot be read, or its keys have another seal.
    """
    _check(cache, on_unknown)
    store.check_ground()
    clock = store.database.clock
    emitter = Emitter(clock, EventLog(), *([on_event] if on_event else []))
    warnings = ServerWarnings(lambda event, name, **data: emitter.emit(event, name, data))
    threads = ServerThreads()
    server = FleetServer(threads, ServedCertificates(store.database, store.seals), cache, warnings)
    rate = None if on_unknown is None else DemandRate(store.database, *demand_limit(config))
    server.load()
    if on_unknown is None or rate is None:
        return server.serve(None)
    return server.serve(OnDemand(threads, on_unknown, add, rate=rate, warnings=warnings))


def demand_limit(config: Config) -> tuple[str, Limit]:
    """Return the account that obtains names on demand, and their limit: half of what its CA allows.

    :raises ConfigError: the defaults of the fleet are not enough for a certificate of a name.
    """
    if config.fleet is None:
        raise TypeError("the store of this configuration is a folder")
    spec = config.fleet.documents.spec({"name": "on-demand", "domains": ["on-demand.example"]})
    directory = config.cas[spec.ca].directory
    allowed = NEW_ORDERS.get(directory, OTHER_NEW_ORDERS)
    return directory, Limit(allowed.count // 2, allowed.window)


def _check(cache: object, on_unknown: object) -> None:
    if not isinstance(cache, int) or isinstance(cache, bool) or cache < 1:
        raise ValueError(texts.NO_SIZE.format(found=cache))
    if on_unknown is None:
        return
    if not callable(on_unknown):
        raise TypeError(texts.NO_FUNCTION.format(found=kind(on_unknown)))
    if inspect.iscoroutinefunction(on_unknown) or inspect.iscoroutinefunction(type(on_unknown).__call__):
        raise TypeError(texts.NO_COROUTINE)


# ── feed ───────────────────────────────────────────────────────────────────────────────

# Keeps the index in step with the database: issued certificates are served within 2 s, removals within 10 s.
#
# Two threads: one listens to notifications, and the other checks every second whether anything has changed, on another
# connection, so that no notification has to arrive. Without the database, the known data is still served.

POLL_EVERY: Final = 1.0
"""Seconds between two polls."""
_OVERLAP: Final = 20.0
"""Seconds after which every transaction has ended. Until then, change numbers become visible out of order."""
_SOON: Final = 3.0
"""Seconds after which nearly every transaction has ended."""
_CHUNK: Final = 500
"""The number of certificates in one statement."""
_UNCOMMITTED: Final = 1_000
"""The maximum number of changes that have a number but are not visible yet when everything is read."""


class ChangeFeed:
    """Follows the database from :meth:`start` to the end of the threads."""

    def __init__(self, threads: ServerThreads, source: ServedCertificates, index: NameIndex, clock: Clock) -> None:
        self._source, self._index, self._clock = source, index, clock
        self._threads, self._stopping = threads, threads.stopping
        # Held from a read to its effect on the index, because an older read could win otherwise.
        self._lock = threading.Lock()
        self._marks: deque[tuple[float, int]] = deque()
        self._pulse: Pulse | None = None
        self._settled = 0
        """The number up to which all changes are in the index."""
        self._moved = 0.0
        self._removals = 0
        self._compare = False

    def taken(self, certificates: Sequence[str]) -> None:
        """Handle certificates that are new or have a new version, after the index has them."""

    def removed(self, certificates: Sequence[str]) -> None:
        """Handle removed certificates."""

    def failed(self, error: Exception | None) -> None:
        """Handle a failed read of the database; None means that a poll has succeeded again."""

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
            connections = 0  # removals before the first notification are found by a comparison, within a second
            while not self._stopping.is_set():
                try:
                    names = notifications.wait(PAUSE)
                    if notifications.connections > connections:
                        connections, self._compare = notifications.connections, True  # some were missed
                    self.take(dict.fromkeys(names))
                except Exception as error:  # noqa: BLE001  # the server goes on with the known data
                    self.failed(error)
                    self._stopping.wait(POLL_EVERY)

    def take(self, certificates: Iterable[str]) -> None:
        """Take over the changes of some certificates.

        :raises StoreError: the database cannot be read.
        """
        for chunk in in_parts(certificates, _CHUNK):
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
                self.failed(error)
            else:
                if is_failing:
                    self.failed(None)
                is_failing = False

    def poll(self) -> None:
        """Take over the changes since the last poll.

        :raises StoreError: the database cannot be read.
        """
        with self._lock:
            before, pulse = self._pulse, self._source.pulse()
            if before is None or pulse.changed < before.changed:  # an older database was restored
                self._read_all(pulse)
                self._compare = True
            elif self._is_moving(pulse):
                for chunk in in_parts(self._source.changed_since(self._settled), _CHUNK):
                    self._put(chunk)
                self._settle()
            self._pulse = pulse
        is_reset = before is not None and pulse.removals < before.removals
        if self._compare or is_reset or pulse.removals > self._removals:
            self._drop_missing(pulse)

    def _is_moving(self, pulse: Pulse) -> bool:
        """Record the number of the last change; return whether changes have to be read.

        They are read while the number moves, some seconds longer, and once more when all changes up to it are certainly
        visible, until :attr:`_settled` has passed the number.
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
        """After reading all changes, move on to the last number before which no change can follow."""
        while self._is_settled:
            self._marks.popleft()
        self._settled = self._marks[0][1]

    def _read_all(self, pulse: Pulse) -> None:
        put = self._index.fill if self._pulse is None else self._put
        for chunk in in_parts(self._source.all(), _CHUNK):
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
            self.taken(changed)

    def _drop(self, certificates: Sequence[str]) -> None:
        if certificates:
            self._index.remove(certificates)
            self.removed(certificates)


# ── server ──────────────────────────────────────────────────────────────────────────────


class FleetServer(ChangeFeed):
    """The index, the cache, and the threads behind one context. It does not keep the context alive.

    :param size: the number of certificates in memory.
    """

    def __init__(self, threads: ServerThreads, source: ServedCertificates, size: int, warnings: ServerWarnings) -> None:
        clock = source.database.clock
        super().__init__(threads, source, NameIndex(lambda: clock.now().timestamp()), clock)
        self._size, self._warnings = size, warnings
        self._cache = ContextCache(size)
        self._loader: BackgroundLoader | None = None
        self._context: weakref.ref[FleetContext] = lambda: None  # type: ignore[assignment]

    def serve(self, on_demand: OnDemand | None) -> FleetContext:
        """Start the threads; return the context."""
        loader = self._loader = BackgroundLoader(self._threads, self._load_pairs, self.failed)
        context = FleetContext(self._threads, self._index, self._cache, loader, on_demand)
        self._context = weakref.ref(context)
        weakref.finalize(context, self._threads.stopping.set).atexit = False
        self.start()
        self._threads.start(self._keep_clean, "cache")
        return context

    # ── loading ─────────────────────────────────────────────────────────────────────────

    def _load_pairs(self, certificates: Sequence[str]) -> None:
        """Load certificates into the cache. An unusable one is left out, and the old one stays.

        :raises StoreError: the database cannot be read.
        """
        for pair in self._source.pairs(certificates):
            context = self._context()
            if context is None:
                return
            try:
                context.adopt(pair, self._source.opened(pair))
            except (DnsRenewError, OSError, ValueError) as error:  # ssl.SSLError is an OSError
                reason = as_clause(error.message if isinstance(error, DnsRenewError) else str(error))
                name = pair.certificate
                self._warnings.warn(name, *texts.NOT_LOADED.fill(name=name, version=pair.version, reason=reason))
            else:
                self._warnings.forget(pair.certificate)

    def taken(self, certificates: Sequence[str]) -> None:
        """Load new certificates at once, because a client may be waiting for them."""
        if self._loader is not None:
            for certificate in certificates:
                self._loader.request(certificate)

    def removed(self, certificates: Sequence[str]) -> None:
        """Drop removed certificates."""
        self._cache.discard(certificates)

    def _keep_clean(self) -> None:
        """Load everything if the cache has room for it, then drop expired certificates from time to time."""
        if len(self._index) <= self._size:
            self._warm()
        while not self._threads.stopping.wait(_EVICT_EVERY):
            self._cache.evict_expired(self._clock.now().timestamp())

    def _warm(self) -> None:
        for page in self._index.pages(_WARM):
            missing = [name for name in dict.fromkeys(page) if self._cache.version(name) is None]
            if self._threads.stopping.is_set():
                return
            try:
                self._load_pairs(missing)
            except StoreError as error:
                self.failed(error)
                return

    def failed(self, error: Exception | None) -> None:
        """Warn, until the database answers again."""
        if error is None:
            self._warnings.forget(None)
            return
        reason = as_clause(error.message) if isinstance(error, DnsRenewError) else type(error).__name__
        self._warnings.warn(None, *texts.NOT_FOLLOWED.fill(reason=reason))
