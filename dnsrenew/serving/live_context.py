"""An ``SSLContext`` whose certificates can be replaced while it serves.

New handshakes use the new certificate at once; connections live on.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.files import memory_file
from dnsrenew.base.values import Frozen
from dnsrenew.serving.recorded_context import RecordedContext

if TYPE_CHECKING:
    from os import PathLike


class ServedPair(Frozen):
    """A certificate to serve.

    :ivar domains: as A-labels, and IP addresses; ``*.example.com`` for a wildcard.
    :ivar fullchain: the file with the certificate and its chain, PEM.
    :ivar key: the file with the private key, PEM.
    """

    domains: Sequence[str]
    fullchain: PathLike[str]
    key: PathLike[str]

    def load_into(self, context: ssl.SSLContext) -> None:
        """Load it into a context that is not in use.

        :raises OSError: a file cannot be read.
        :raises ssl.SSLError: they do not fit.
        """
        context.load_cert_chain(self.fullchain, self.key)


class PairInMemory(Frozen, hidden=("pem",)):
    """A certificate to serve that is in no file.

    :ivar domains: as in :class:`ServedPair`.
    :ivar pem: the private key, then the certificate and its chain.
    """

    domains: Sequence[str]
    pem: str

    def load_into(self, context: ssl.SSLContext) -> None:
        """See :meth:`ServedPair.load_into`."""
        with memory_file(self.pem.encode("ascii")) as path:
            context.load_cert_chain(path)


Pair = ServedPair | PairInMemory


class Choices(Frozen):
    """The contexts of the certificates.

    :ivar by_name: empty if there is only one.
    :ivar default: for every name that no certificate has.
    """

    by_name: Mapping[str, ssl.SSLContext]
    default: ssl.SSLContext

    def find(self, server_name: str | None, connection: Any) -> ssl.SSLContext:
        """Return the context for a connection.

        :param server_name: from the client (SNI); None for an IP address, for which clients send none (RFC 6066).
        :param connection: tells the address that the client connected to, if it has a socket.
        """
        name = server_name or _local_address(connection)
        if name is None:
            return self.default
        name = name.lower().removesuffix(".")
        _, _, parent = name.partition(".")
        return self.by_name.get(name) or self.by_name.get(f"*.{parent}") or self.default


class LiveContext(RecordedContext):
    """A server-side context with replaceable certificates; several are told apart by SNI.

    :param keeps: lives as long as the context: what replaces its certificates.
    """

    def __init__(self, keeps: object = None) -> None:
        self._choices = Choices({}, self)
        self._keeps = keeps
        super().__init__()

    def serve(self, pairs: Sequence[Pair]) -> None:
        """Serve these certificates from now on; the first one also for names that none of them has.

        Handshakes that have begun end with the old ones.

        :raises OSError: a file cannot be read.
        :raises ssl.SSLError: a certificate and its key do not fit. Nothing has changed.
        """
        with self._lock:
            contexts = [self._context_of(pair) for pair in pairs]
            by_name: dict[str, ssl.SSLContext] = {}
            for pair, context in zip(pairs, contexts, strict=True):
                for domain in pair.domains:
                    by_name.setdefault(domain.lower(), context)
            self._choices = Choices(by_name if len(contexts) > 1 else {}, contexts[0])

    @staticmethod
    def check(pair: Pair) -> None:
        """Check in a context of its own that a certificate can be served; raise as :meth:`serve`."""
        pair.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def _context_of(self, pair: Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._repeat(context)
        pair.load_into(context)
        return context

    def _contexts(self) -> Iterable[ssl.SSLContext]:
        return {*self._choices.by_name.values(), self._choices.default} - {self}

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        choices = self._choices
        connection.context = choices.find(name, connection) if choices.by_name else choices.default
        return self._answer(connection, name)


def _local_address(connection: Any) -> str | None:
    """Return the address that a client connected to, as in a certificate; None where the connection has no socket."""
    try:
        host = connection.getsockname()[0]
        address = ipaddress.ip_address(host.partition("%")[0])
    except (AttributeError, LookupError, OSError, TypeError, ValueError):  # asyncio; a Unix socket
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address)
