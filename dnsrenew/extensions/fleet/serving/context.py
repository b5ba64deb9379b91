"""The ``SSLContext`` that answers for every name of the fleet."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dnsrenew.base.files import memory_file
from dnsrenew.base.names import covers
from dnsrenew.extensions.fleet.database.served_certificates import SealedPair
from dnsrenew.extensions.fleet.serving.loading import BackgroundLoader, NameIndex, OnDemand, ServerThreads
from dnsrenew.serving.recorded_context import RecordedContext

PATIENCE: Final = 0.05
"""Seconds that a handshake in its own thread waits for a certificate that is being loaded."""


class FleetContext(RecordedContext):
    """A server-side context for every name of a fleet, selected by SNI (RFC 6066 section 3).

    An unknown or missing name gets the alert ``unrecognized_name``. A handshake never waits for the database. A
    certificate that is not in the cache is loaded in the background, and the next handshake gets it.
    """

    def __init__(
        self,
        threads: ServerThreads,
        index: NameIndex,
        cache: ContextCache,
        loader: BackgroundLoader,
        on_demand: OnDemand | None,
    ) -> None:
        self._threads, self._index, self._cache = threads, index, cache
        self._loader, self._on_demand = loader, on_demand
        super().__init__()
        self.sslobject_class = LoopConnection

    def close(self) -> None:
        """End the threads behind the context, and wait for them. Certificates in memory are still served."""
        self._threads.stopping.set()
        self._threads.join()

    def adopt(self, pair: SealedPair, key: bytes) -> None:
        """Serve a certificate from now on, instead of its older version.

        :raises OSError: no file can be created for OpenSSL.
        :raises ssl.SSLError: the certificate cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        done = self._repeat(context)
        load_pair(context, pair.chain, key)
        with self._lock:  # so that no setting is lost in between
            self._repeat(context, done)
            self._cache.put(pair.certificate, CachedContext(pair.version, pair.names, pair.end, context))

    def find(self, server_name: str | None, connection: Any = None) -> ssl.SSLContext | None:
        """Return the context for a name, or None if the name is unknown or not loaded yet.

        :param connection: the connection, which has the address of the client.
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
            return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return answer

    def _contexts(self) -> Iterable[ssl.SSLContext]:
        return self._cache.contexts()


# ── host thread ────────────────────────────────────────────────────────────────────────

# Whether the thread of a handshake may wait.


def is_event_loop() -> bool:
    """Return whether an event loop (asyncio, uvloop, Trio) runs in this thread, which then must not wait."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001  # exported for this purpose
        return True
    return trio is not None and bool(trio.lowlevel.in_trio_run())


# ── pem memory ─────────────────────────────────────────────────────────────────────────

# OpenSSL, as far as Python offers it, reads certificates only from files: here, a file that is never on a disk.


def load_pair(context: ssl.SSLContext, chain: str, key: bytes) -> None:
    """Load a certificate and its private key, both PEM, into a context.

    :raises OSError: no file can be created.
    :raises ssl.SSLError: certificate and key are invalid or do not fit.
    """
    with memory_file(key + b"\n" + chain.encode()) as path:
        context.load_cert_chain(path, password="")  # otherwise OpenSSL would ask at the terminal for an encrypted key


# ── cache ──────────────────────────────────────────────────────────────────────────────

# The ``SSLContext`` of each recently requested certificate. Each takes 30 kB.


@dataclass(slots=True, eq=False)
class CachedContext:
    """The context of one version of a certificate.

    :ivar names: the names of the certificate; a newer version may have others.
    :ivar end: the end of its validity in seconds since 1970.
    :ivar is_asked: whether it was requested since the last call of :meth:`ContextCache.evict_expired`.
    """

    version: int | None
    names: Sequence[str]
    end: float
    context: ssl.SSLContext
    is_asked: bool = True

    def covers(self, name: str) -> bool:
        """Return whether the certificate is valid for a name."""
        return covers(self.names, [name])


class ContextCache:
    """Contexts by the name of the certificate. The least recently requested one is removed first. Thread-safe.

    :param size: the maximum number of contexts.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._contexts: OrderedDict[str, CachedContext] = OrderedDict()

    def get(self, certificate: str) -> CachedContext | None:
        """Return the context of a certificate, possibly of an old version."""
        with self._lock:
            found = self._contexts.get(certificate)
            if found is not None:
                found.is_asked = True
                self._contexts.move_to_end(certificate)
            return found

    def version(self, certificate: str) -> int | None:
        """Return the version of a certificate in the cache, without counting as a request."""
        with self._lock:
            found = self._contexts.get(certificate)
            return None if found is None else found.version

    def put(self, certificate: str, new: CachedContext) -> None:
        """Add a context, or replace the context of another version."""
        with self._lock:
            self._contexts[certificate] = new
            self._contexts.move_to_end(certificate)
            while len(self._contexts) > self._size:
                self._contexts.popitem(last=False)

    def discard(self, certificates: Iterable[str]) -> None:
        """Remove the contexts of certificates that are no longer served."""
        with self._lock:
            for certificate in certificates:
                self._contexts.pop(certificate, None)

    def evict_expired(self, now: float) -> None:
        """Remove the contexts of expired certificates that were not used since the last call."""
        with self._lock:
            for certificate, each in list(self._contexts.items()):
                if each.end <= now and not each.is_asked:
                    del self._contexts[certificate]
                each.is_asked = False

    def contexts(self) -> list[ssl.SSLContext]:
        """Return all contexts."""
        with self._lock:
            return [each.context for each in self._contexts.values()]


# ── loop connection ────────────────────────────────────────────────────────────────────

# The server's side of a connection on an event loop, which has no socket; and the address of a client.
#
# asyncio and uvloop close a connection whose handshake fails without sending OpenSSL's last output, the
# alert. They send it if the handshake seems to need more from the client.


class LoopConnection(ssl.SSLObject):
    """A connection on an event loop.

    :ivar is_refused: set in the handshake; the error is raised after the client has received the alert and closed.
    :ivar client: the address of the client; empty if unknown.
    """

    is_refused = False
    client = ""
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """See :meth:`ssl.SSLObject.do_handshake`."""
        if self._failure is not None:
            raise self._failure
        # asyncio does not pass it to TLS, but the caller is its protocol. The protocol of uvloop has no frame.
        self.client = self.client or _address(getattr(sys._getframe(1).f_locals.get("self"), "_transport", None))  # noqa: SLF001  # CPython has it
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if not self.is_refused:
                raise
            self._failure = error.with_traceback(None)  # it would keep this object alive
        if self._failure is not None:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert has to be sent first")


def _address(transport: Any) -> str:
    """Return the address of the peer of a transport."""
    with contextlib.suppress(AttributeError, LookupError, TypeError):
        return str(transport.get_extra_info("peername")[0])
    return ""


def address_of(connection: Any) -> str:
    """Return the address of the client of a connection in its handshake; empty if unknown."""
    if isinstance(connection, LoopConnection):
        return connection.client
    with contextlib.suppress(AttributeError, LookupError, OSError):  # no connection, or a Unix socket
        return str(connection.getpeername()[0])
    return ""
