"""An ``SSLContext`` that puts another context, with the certificate, into each connection (by SNI).

Three properties of OpenSSL are the reason:

- No certificate may be loaded into a context in use: a handshake in another thread could get the new certificate with
  the old key, or crash.
- A context holds one certificate for each type of key: after a switch from ECDSA to RSA, it would go on serving ECDSA.
- So each certificate gets a context of its own, which the SNI callback puts into the connection. That context lacks the
  settings of the first one: ALPN, and the CAs for client certificates. So every setting is recorded, and repeated on
  it.

Session tickets belong to the first context, so that sessions can be resumed even after a switch.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base.files import memory_file
from dnsrenew.base.values import Frozen
from dnsrenew.serving import texts

if TYPE_CHECKING:
    import socket
    from os import PathLike

_ATTRIBUTES: Final = frozenset(
    (
        *("check_hostname", "hostname_checks_common_name", "keylog_filename", "maximum_version", "minimum_version"),
        *("num_tickets", "options", "post_handshake_auth", "verify_flags", "verify_mode"),
    )
)
"""Attributes that are settings of the context."""

_SNI_CALLBACK: Final[Any] = ssl.SSLContext.sni_callback  # the attribute of the class, which we hide

SniCallback = Callable[[Any, "str | None", ssl.SSLContext], "int | None"]


class AcceptedSocket(ssl.SSLSocket):
    """A connection that makes its handshake at its first use; the results of a handshake wait for that too."""

    def getpeercert(self, binary_form: bool = False) -> Any:  # noqa: FBT001, FBT002  # Python's signature
        """See :meth:`ssl.SSLSocket.getpeercert`."""
        self._finish_handshake()
        return super().getpeercert(binary_form)

    def selected_alpn_protocol(self) -> str | None:
        """See :meth:`ssl.SSLSocket.selected_alpn_protocol`."""
        self._finish_handshake()
        return super().selected_alpn_protocol()

    def _finish_handshake(self) -> None:
        if self.server_side and self.version() is None and self.gettimeout() != 0:
            self.do_handshake()


def _recorded(setting: Callable[..., None]) -> Callable[..., None]:
    """Return a method of a context that makes a setting on the context and on the contexts behind it."""

    @functools.wraps(setting)
    def make(self: RecordedContext, *arguments: Any, **more: Any) -> None:
        setting(self, *arguments, **more)
        self._record(lambda context: setting(context, *arguments, **more))

    return make


class RecordedContext(ssl.SSLContext):
    """A server-side context without a certificate. A subclass chooses the certificate of each connection.

    Settings may be made at any time, as on every ``SSLContext``; they hold for every certificate.

    A listening socket that it wraps accepts connections without a handshake. Servers accept in one loop, where a client
    that sends no data would block all others. The first read makes the handshake, in the thread of the connection.
    """

    sslsocket_class = AcceptedSocket

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Create the context."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self) -> None:
        self._settings: list[Callable[[ssl.SSLContext], object]] = []
        self._callback: SniCallback | None = None
        self._lock = threading.Lock()
        # Set once and never while it serves, because OpenSSL reads it without a lock.
        _SNI_CALLBACK.__set__(self, self._choose)
        # This is Python's own default, but some builds leave it to the policy of the system.
        self.minimum_version = ssl.TLSVersion.TLSv1_2

    def after_fork(self) -> None:
        """Make the context usable in a forked process: another thread may have held the lock."""
        self._lock = threading.Lock()

    # ── for subclasses ──────────────────────────────────────────────────────────────────

    def _choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> int | None:
        """Put a context into a connection, or return the alert to send; never raise."""
        raise NotImplementedError

    def _contexts(self) -> Iterable[ssl.SSLContext]:
        """Return the contexts of certificates in use; called with the lock held."""
        raise NotImplementedError

    def _answer(self, connection: Any, name: str | None) -> int | None:
        """Return the answer of the program's own callback, if it has one."""
        return None if self._callback is None else self._callback(connection, name, self)

    def _repeat(self, context: ssl.SSLContext, begin: int = 0) -> int:
        """Make the settings on another context too, from number ``begin``; return how many there are now."""
        settings = self._settings[begin:]
        for apply in settings:
            apply(context)
        return begin + len(settings)

    # ── the program's own callback ──────────────────────────────────────────────────────

    @property  # type: ignore[override]  # in typeshed the name is never None
    def sni_callback(self) -> SniCallback | None:
        """The callback of the program.

        It is called after the certificate was chosen, and may choose another context.
        """
        return self._callback

    @sni_callback.setter
    def sni_callback(self, value: SniCallback | None) -> None:
        self._callback = value

    # ── settings, recorded ──────────────────────────────────────────────────────────────

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; if it is a setting, also on the contexts behind this one."""
        super().__setattr__(name, value)
        if name in _ATTRIBUTES:
            self._record(lambda context: setattr(context, name, value))

    def _record(self, apply: Callable[[ssl.SSLContext], object]) -> None:
        with self._lock:
            self._settings.append(apply)
            for context in self._contexts():
                apply(context)

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,  # noqa: FBT001, FBT002  # Python's signature
        do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002  # as above
        *arguments: Any,
        **more: Any,
    ) -> ssl.SSLSocket:
        """See :meth:`ssl.SSLContext.wrap_socket`."""
        at_once = do_handshake_on_connect and not (server_side and _is_unconnected(sock))
        return super().wrap_socket(sock, server_side, at_once, *arguments, **more)

    def load_cert_chain(self, *_: Any, **__: Any) -> None:
        """Refuse, because no connection would get that certificate.

        :raises TypeError: always.
        """
        raise TypeError(texts.NO_CERTIFICATE_OF_ONES_OWN)

    set_alpn_protocols = _recorded(ssl.SSLContext.set_alpn_protocols)
    set_ciphers = _recorded(ssl.SSLContext.set_ciphers)
    set_ecdh_curve = _recorded(ssl.SSLContext.set_ecdh_curve)
    load_dh_params = _recorded(ssl.SSLContext.load_dh_params)
    load_verify_locations = _recorded(ssl.SSLContext.load_verify_locations)
    load_default_certs = _recorded(ssl.SSLContext.load_default_certs)
    set_default_verify_paths = _recorded(ssl.SSLContext.set_default_verify_paths)


def _is_unconnected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return True
    return False


# ── live context ───────────────────────────────────────────────────────────────────────

# An ``SSLContext`` whose certificates can be replaced while it serves.
#
# New handshakes use the new certificate at once; open connections stay.


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
        :raises ssl.SSLError: the certificate and the key do not fit.
        """
        context.load_cert_chain(self.fullchain, self.key)


class PairInMemory(Frozen, hidden=("pem",)):
    """A certificate to serve that is only in memory.

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
        :param connection: the connection; if it has a socket, the socket has the address that the client connected to.
        """
        name = server_name or _local_address(connection)
        if name is None:
            return self.default
        name = name.lower().removesuffix(".")
        _, _, parent = name.partition(".")
        return self.by_name.get(name) or self.by_name.get(f"*.{parent}") or self.default


class LiveContext(RecordedContext):
    """A server-side context with replaceable certificates; several are told apart by SNI.

    :param keeps: an object that lives as long as the context, and replaces its certificates.
    """

    def __init__(self, keeps: object = None) -> None:
        self._choices = Choices({}, self)
        self._keeps = keeps
        super().__init__()

    def serve(self, pairs: Sequence[Pair]) -> None:
        """Serve these certificates from now on, and the first one for all other names.

        Handshakes in progress end with the old certificates.

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
        """Check in a separate context that a certificate can be served; raise as :meth:`serve`."""
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
    """Return the address that a client connected to, as in a certificate; None if the connection has no socket."""
    try:
        host = connection.getsockname()[0]
        address = ipaddress.ip_address(host.partition("%")[0])
    except (AttributeError, LookupError, OSError, TypeError, ValueError):  # asyncio; a Unix socket
        return None
    mapped = address.ipv4_mapped if address.version == 6 else None
    return str(mapped or address)


# ── server warnings ────────────────────────────────────────────────────────────────────

# The warnings of a server that runs for months.

_REMEMBERED: Final = 10_000


class ServerWarnings:
    """The warnings of a server, as events that are logged too. A repeated warning is emitted only once.

    :param emit: emits an event: kind, name of the certificate, data.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        self._emit = emit
        self._said: set[tuple[str | None, str, str]] = set()

    def warn(self, name: str | None, code: str, message: str, fix: str) -> None:
        """Emit a warning about a certificate; None means all certificates."""
        if (name, code, message) not in self._said:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            self._said.add((name, code, message))
            self._emit("warning", name, code=code, message=message, fix=fix)

    def forget(self, name: str | None) -> None:
        """Let a warning about a certificate be emitted again if it comes back.

        None means warnings about all of them.
        """
        self._said = {said for said in self._said if said[0] != name}
