"""An ``SSLContext`` whose certificates can be replaced while it serves.

New handshakes use the new certificate at once; connections live on. Three properties of OpenSSL matter here:

- No certificate may be loaded into a context in use: a handshake in another thread could get the new certificate with
  the old key, or crash.
- A context holds one certificate for each type of key: after a switch from ECDSA to RSA, it would go on serving ECDSA.
- So each certificate gets a context of its own, which the SNI callback puts into the connection. That context does not
  have what was set on the first one: ALPN, and the CAs for client certificates. So every setting is recorded, and
  repeated on it.

Session tickets belong to the first context, so that sessions are resumed also after a switch.
"""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base.values import Frozen
from dnsrenew.serving import texts

if TYPE_CHECKING:
    from os import PathLike

_ATTRIBUTES: Final = frozenset(
    (
        *("check_hostname", "hostname_checks_common_name", "keylog_filename", "maximum_version", "minimum_version"),
        *("num_tickets", "options", "post_handshake_auth", "verify_flags", "verify_mode"),
    )
)
"""Attributes that are settings of the context."""

_SNI_CALLBACK: Final[Any] = ssl.SSLContext.sni_callback  # the attribute of the class, which we hide

_Callback = Callable[[Any, "str | None", ssl.SSLContext], "int | None"]


class ServedPair(Frozen):
    """A certificate to serve.

    :ivar domains: as A-labels, and IP addresses; ``*.example.com`` for a wildcard.
    :ivar fullchain: the file with the certificate and its chain, PEM.
    :ivar key: the file with the private key, PEM.
    """

    domains: Sequence[str]
    fullchain: PathLike[str]
    key: PathLike[str]


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


class LiveContext(ssl.SSLContext):
    """A server-side context with replaceable certificates; several are told apart by SNI.

    Settings may be made at any time, as on every ``SSLContext``; they hold after each switch.
    """

    def __new__(cls) -> Self:
        """Create the context; it has no certificate yet."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self) -> None:
        self._settings: list[Callable[[ssl.SSLContext], object]] = []
        self._callback: _Callback | None = None
        self._choices = Choices({}, self)
        self._lock = threading.Lock()
        # Once, and never while it serves: OpenSSL reads it without a lock.
        _SNI_CALLBACK.__set__(self, self._choose)

    # ── certificates ────────────────────────────────────────────────────────────────────

    def serve(self, pairs: Sequence[ServedPair]) -> None:
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
    def check(pair: ServedPair) -> None:
        """Check in a context of its own that a certificate can be served; raise as :meth:`serve`."""
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.fullchain, pair.key)

    def after_fork(self) -> None:
        """Make the context usable in a forked process: another thread may have held the lock."""
        self._lock = threading.Lock()

    def _context_of(self, pair: ServedPair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for apply in self._settings:
            apply(context)
        context.load_cert_chain(pair.fullchain, pair.key)
        return context

    def _choose(self, connection: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        choices = self._choices
        connection.context = choices.find(name, connection) if choices.by_name else choices.default
        return None if self._callback is None else self._callback(connection, name, self)

    # ── the program's own callback ──────────────────────────────────────────────────────

    @property  # type: ignore[override]  # for typeshed the name is never None
    def sni_callback(self) -> _Callback | None:
        """The callback of the program, called after the certificate was chosen; it may choose another context."""
        return self._callback

    @sni_callback.setter
    def sni_callback(self, value: _Callback | None) -> None:
        self._callback = value

    # ── settings, recorded ──────────────────────────────────────────────────────────────

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a setting also on the contexts behind this one."""
        super().__setattr__(name, value)
        if name in _ATTRIBUTES:
            self._record(lambda context: setattr(context, name, value))

    def _record(self, apply: Callable[[ssl.SSLContext], object]) -> None:
        with self._lock:
            self._settings.append(apply)
            for context in {*self._choices.by_name.values(), self._choices.default} - {self}:
                apply(context)

    def load_cert_chain(self, *_: Any, **__: Any) -> None:
        """Refuse: no connection would get that certificate.

        :raises TypeError: always.
        """
        raise TypeError(texts.NO_CERTIFICATE_OF_ONES_OWN)

    def set_alpn_protocols(self, alpn_protocols: Any) -> None:
        """See :meth:`ssl.SSLContext.set_alpn_protocols`."""
        super().set_alpn_protocols(alpn_protocols)
        self._record(lambda context: context.set_alpn_protocols(alpn_protocols))

    def set_ciphers(self, cipherlist: str, /) -> None:
        """See :meth:`ssl.SSLContext.set_ciphers`."""
        super().set_ciphers(cipherlist)
        self._record(lambda context: context.set_ciphers(cipherlist))

    def set_ecdh_curve(self, name: str, /) -> None:
        """See :meth:`ssl.SSLContext.set_ecdh_curve`."""
        super().set_ecdh_curve(name)
        self._record(lambda context: context.set_ecdh_curve(name))

    def load_dh_params(self, path: Any, /) -> None:
        """See :meth:`ssl.SSLContext.load_dh_params`."""
        super().load_dh_params(path)
        self._record(lambda context: context.load_dh_params(path))

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """See :meth:`ssl.SSLContext.load_verify_locations`."""
        super().load_verify_locations(cafile, capath, cadata)
        self._record(lambda context: context.load_verify_locations(cafile, capath, cadata))

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        """See :meth:`ssl.SSLContext.load_default_certs`."""
        super().load_default_certs(purpose)
        self._record(lambda context: context.load_default_certs(purpose))

    def set_default_verify_paths(self) -> None:
        """See :meth:`ssl.SSLContext.set_default_verify_paths`."""
        super().set_default_verify_paths()
        self._record(lambda context: context.set_default_verify_paths())


def _local_address(connection: Any) -> str | None:
    """Return the address that a client connected to, as in a certificate; None where the connection has no socket."""
    try:
        host = connection.getsockname()[0]
        address = ipaddress.ip_address(host.partition("%")[0])
    except (AttributeError, LookupError, OSError, TypeError, ValueError):  # asyncio; a Unix socket
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address)
