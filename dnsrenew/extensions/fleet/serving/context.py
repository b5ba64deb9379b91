"""The ``SSLContext`` that answers for every name of the fleet."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.extensions.fleet.serving.cache import CachedContext, ContextCache
from dnsrenew.extensions.fleet.serving.host_thread import is_event_loop
from dnsrenew.extensions.fleet.serving.loop_connection import LoopConnection, address_of
from dnsrenew.extensions.fleet.serving.pem_memory import load_pair
from dnsrenew.serving.recorded_context import RecordedContext

if TYPE_CHECKING:
    from dnsrenew.extensions.fleet.database.served_certificates import SealedPair
    from dnsrenew.extensions.fleet.serving.index import NameIndex
    from dnsrenew.extensions.fleet.serving.loading import BackgroundLoader
    from dnsrenew.extensions.fleet.serving.on_demand import OnDemand
    from dnsrenew.extensions.fleet.serving.server_threads import ServerThreads

PATIENCE: Final = 0.05
"""Seconds that a handshake in a thread of its own waits for a certificate that is being loaded."""
_UNKNOWN: Final = ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


class FleetContext(RecordedContext):
    """A server-side context for every name of a fleet; names are told apart by SNI (RFC 6066 section 3).

    A name that the fleet does not have, and none at all, get the alert ``unrecognized_name``. A handshake never waits
    for the database: what is not in the cache is loaded in the background, and the next handshake gets it.
    """

    def __init__(
        self,
        threads: ServerThreads,
        index: NameIndex,
        cache: ContextCache,
        loader: BackgroundLoader,
        on_demand: OnDemand | None,
    ) -> None:
        self._threads = threads
        self._index = index
        self._cache = cache
        self._loader = loader
        self._on_demand = on_demand
        super().__init__()
        self.sslobject_class = LoopConnection

    def close(self) -> None:
        """End the threads behind the context, and wait for them; what is in memory goes on being served."""
        self._threads.stopping.set()
        self._threads.join()

    def adopt(self, pair: SealedPair, key: bytes) -> None:
        """Serve a certificate from now on, in place of an older version of it.

        :raises OSError: no file can be made for OpenSSL.
        :raises ssl.SSLError: it cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        done = self._repeat(context)
        load_pair(context, pair.chain, key)
        with self._lock:  # no setting is lost in between
            self._repeat(context, done)
            self._cache.put(pair.certificate, CachedContext(pair.version, pair.names, pair.end, context))

    def find(self, server_name: str | None, connection: Any = None) -> ssl.SSLContext | None:
        """Return the context for a name; None: it is unknown, or not loaded yet.

        :param connection: tells the address of the client.
        """
        if not server_name:
            return None
        name = server_name.lower().removesuffix(".")
        found = self._index.find(name)
        if found is None:
            if self._on_demand is not None:
                self._on_demand.ask(name, address_of(connection))
            return None
        cached = self._cache.get(found.certificate)
        if cached is None or cached.version != found.version:
            loaded = self._loader.request(found.certificate)
            if cached is not None and cached.covers(name):
                return cached.context  # until the new version is loaded
            if loaded is None or is_event_loop() or not loaded.wait(PATIENCE):
                return None
            cached = self._cache.get(found.certificate)
        return cached.context if cached is not None and cached.covers(name) else None

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        context = self.find(name, connection)
        if context is not None:
            connection.context = context
        answer = self._answer(connection, name)
        if answer is None and connection.context is self:
            if isinstance(connection, LoopConnection):
                connection.is_refused = True
            return _UNKNOWN
        return answer

    def _contexts(self) -> Iterable[ssl.SSLContext]:
        return self._cache.contexts()
