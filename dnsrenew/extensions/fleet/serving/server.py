"""What works behind the context of a fleet: threads that follow the database, load certificates and ask the program."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.validation.mistakes import kind
from dnsrenew.errors import DnsRenewError, StoreError, as_clause
from dnsrenew.extensions.fleet.database.demand_rate import DemandRate
from dnsrenew.extensions.fleet.database.served_certificates import ServedCertificates
from dnsrenew.extensions.fleet.serving import texts
from dnsrenew.extensions.fleet.serving.cache import ContextCache
from dnsrenew.extensions.fleet.serving.context import FleetContext
from dnsrenew.extensions.fleet.serving.feed import ChangeFeed
from dnsrenew.extensions.fleet.serving.index import NameIndex
from dnsrenew.extensions.fleet.serving.loading import BackgroundLoader
from dnsrenew.extensions.fleet.serving.on_demand import OnDemand
from dnsrenew.extensions.fleet.serving.server_threads import ServerThreads
from dnsrenew.operations.event_log import EventLog
from dnsrenew.serving.server_warnings import ServerWarnings
from dnsrenew.store.ledger.ca_limits import NEW_ORDERS, OTHER_NEW_ORDERS, Limit

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.extensions.fleet.database.connection import Database
    from dnsrenew.extensions.fleet.database.seal import Seals

CACHE: Final = 10_000
"""Certificates in memory at once, if nothing else is said."""
_WARM: Final = 100
"""Certificates that are loaded with one statement at the start."""
_EVICT_EVERY: Final = 60.0
"""Seconds between two looks for expired certificates in the cache."""


class ServedStore(Protocol):
    """The part of a store that is read here."""

    @property
    def database(self) -> Database:
        """The database."""

    @property
    def seals(self) -> Seals:
        """What opens private keys."""

    def check_ground(self) -> None:
        """Check tables and seals; raise ``StoreError``."""


class ServedFleet(Protocol):
    """The part of a fleet that is used here."""

    @property
    def config(self) -> Config:
        """The configuration."""

    @property
    def store(self) -> ServedStore:
        """The store."""

    @property
    def add(self) -> Callable[[Sequence[str]], object]:
        """Adds a certificate for these domains."""


def ssl_context(
    fleet: ServedFleet,
    *,
    cache: int = CACHE,
    on_unknown: Callable[[str], bool] | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> FleetContext:
    """Return a context that serves every name of the fleet, and start what follows the database.

    All names are read first. The threads end when nothing refers to the context any more.

    :param cache: certificates in memory at once; each takes 30 kB.
    :param on_unknown: is called in a thread of its own with a name that the fleet does not have; True: it is obtained.
    :param on_event: is called with the warnings of the server.
    :raises TypeError: ``on_unknown`` is no plain function.
    :raises ValueError: ``cache`` is no number of certificates.
    :raises ConfigError: ``on_unknown`` is given, and the defaults of the fleet make no certificate of a name alone.
    :raises StoreError: the database cannot be read, or its keys have another seal.
    """
    _check(cache, on_unknown)
    fleet.store.check_ground()
    database = fleet.store.database
    clock = database.clock
    emitter = Emitter(clock, EventLog(), *([on_event] if on_event else []))
    warnings = ServerWarnings(lambda event, name, **data: emitter.emit(event, name, data))
    threads = ServerThreads()
    server = FleetServer(threads, ServedCertificates(database, fleet.store.seals), cache, warnings)
    limit = None if on_unknown is None else demand_limit(fleet.config)
    server.index_all()
    on_demand = None
    if on_unknown is not None and limit is not None:
        rate = DemandRate(database, *limit)
        add = fleet.add  # not the fleet itself
        on_demand = OnDemand(threads, on_unknown, lambda name: add([name]), rate=rate, clock=clock, warnings=warnings)
    return server.start(on_demand)


def demand_limit(config: Config) -> tuple[str, Limit]:
    """Return the account at which names on demand are obtained, and how many: half of what its CA allows.

    :raises ConfigError: the defaults of the fleet make no certificate of a name alone.
    """
    if config.fleet is None:
        raise TypeError("the store of this configuration is a folder")
    spec = config.fleet.documents.spec({"name": "on-demand", "domains": ["on-demand.example"]})
    directory = config.cas[spec.ca].directory
    allowed = NEW_ORDERS.get(directory, OTHER_NEW_ORDERS)
    return directory, Limit(allowed.count // 2, allowed.window)


class FleetServer:
    """The index, the cache, and the threads behind one context. It does not keep the context alive.

    :param size: certificates in memory at once.
    """

    def __init__(self, threads: ServerThreads, source: ServedCertificates, size: int, warnings: ServerWarnings) -> None:
        self._threads = threads
        self._source = source
        self._size = size
        self._warnings = warnings
        self._clock = source.database.clock
        self._index = NameIndex(lambda: self._clock.now().timestamp())
        self._cache = ContextCache(size)
        self._feed = ChangeFeed(
            *(threads, source, self._index, self._clock),
            taken=self._take,
            removed=self._cache.discard,
            failed=self._note,
        )
        self._loader: BackgroundLoader | None = None
        self._context: weakref.ref[FleetContext] = lambda: None  # type: ignore[assignment]

    def index_all(self) -> None:
        """Read all names.

        :raises StoreError: the database cannot be read.
        """
        self._feed.load()

    def start(self, on_demand: OnDemand | None) -> FleetContext:
        """Start the threads; return the context."""
        loader = self._loader = BackgroundLoader(self._threads, self._load, self._note)
        context = FleetContext(self._threads, self._index, self._cache, loader, on_demand)
        self._context = weakref.ref(context)
        weakref.finalize(context, self._threads.stopping.set).atexit = False
        self._feed.start()
        self._threads.start(self._keep_clean, "cache")
        return context

    # ── loading ─────────────────────────────────────────────────────────────────────────

    def _load(self, certificates: Sequence[str]) -> None:
        """Load certificates into the cache; one that cannot be used is left out, and the old one stays.

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

    def _take(self, certificates: Sequence[str]) -> None:
        """Load what is new at once: a client may be waiting for it."""
        if self._loader is not None:
            for certificate in certificates:
                self._loader.request(certificate)

    def _keep_clean(self) -> None:
        """Load everything if the cache has room for it, then drop what has expired from time to time."""
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
                self._load(missing)
            except StoreError as error:
                self._note(error)
                return

    def _note(self, error: Exception | None) -> None:
        if error is None:
            self._warnings.forget(None)
            return
        reason = as_clause(error.message) if isinstance(error, DnsRenewError) else type(error).__name__
        self._warnings.warn(None, *texts.NOT_FOLLOWED.fill(reason=reason))


def _check(cache: object, on_unknown: object) -> None:
    if not isinstance(cache, int) or isinstance(cache, bool) or cache < 1:
        raise ValueError(texts.NO_SIZE.format(found=cache))
    if on_unknown is None:
        return
    if not callable(on_unknown):
        raise TypeError(texts.NO_FUNCTION.format(found=kind(on_unknown)))
    if inspect.iscoroutinefunction(on_unknown) or inspect.iscoroutinefunction(type(on_unknown).__call__):
        raise TypeError(texts.NO_COROUTINE)
