"""The solver of tls-alpn-01: our own listener presents a challenge certificate to the CA."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Self

from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base import names, x509
from dnsrenew.base.model import Propagation, PropagationCheck, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import texts, unfit
from dnsrenew.challenges.listeners import TIMEOUT, ChallengeServer, Client, Listeners, PortTexts
from dnsrenew.challenges.solver import Placements, Solver, SolverResources
from dnsrenew.errors import Cancelled, ChallengeError

# ── server ─────────────────────────────────────────────────────────────────────────────

# The TLS server (RFC 8737): it presents the challenge certificate to a client that asks for the protocol.

PROTOCOL: Final = "acme-tls/1"
ACME_IDENTIFIER: Final = "1.3.6.1.5.5.7.1.31"
"""The extension id-pe-acmeIdentifier (RFC 8737 section 3)."""


class ChallengeCertificate(Frozen):
    """The certificate for one challenge, and the context that presents it.

    :ivar der: the certificate.
    """

    der: bytes
    context: ssl.SSLContext

    @classmethod
    def make(cls, identifier: str, digest: bytes) -> Self:
        """Return a self-signed certificate for a DNS name or an IP address.

        :param digest: the 32 octets of the SHA-256 digest of the key authorization.
        """
        extension = b"\x04\x20" + digest  # a DER OCTET STRING
        pem = x509.self_signed_pem(identifier, ACME_IDENTIFIER, extension)
        context = _context()
        # The ssl module reads certificates only from files. The folder is private; the key is used nowhere else.
        with tempfile.TemporaryDirectory(prefix="dnsrenew-") as folder:
            path = os.path.join(folder, "challenge.pem")
            with open(path, "wb") as file:
                file.write(pem)
            context.load_cert_chain(path)
        return cls(x509.to_der(pem), context)


class TlsAlpnServer(ChallengeServer[ChallengeCertificate]):
    """Presents certificates by server name (SNI)."""

    def __init__(self, listening: socket.socket, monotonic: Callable[[], float]) -> None:
        self._context = _context()
        self._context.sni_callback = self._choose
        super().__init__(listening, monotonic)

    def wrap(self, connection: socket.socket) -> socket.socket:
        """Return the TLS side of a connection, whose handshake comes later."""
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)

    def read(self, client: Client) -> bool:
        """Continue the handshake. When it is complete, wait for the client to close."""
        tls = client.socket
        assert isinstance(tls, ssl.SSLSocket)  # noqa: S101  # by wrap()
        try:
            if client.answered:
                return bool(tls.recv(1))
            tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):  # some hundred bytes fit into the send buffer
            return True
        self.farewell(client)
        return tls.selected_alpn_protocol() == PROTOCOL

    def _choose(self, tls: Any, name: str | None, _context: ssl.SSLContext) -> int | None:
        """Select the certificate for a server name, or refuse the connection."""
        certificate = self.contents.get((name or "").lower())
        if certificate is None:
            return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
        tls.context = certificate.context
        return None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    return context


# ── listener ───────────────────────────────────────────────────────────────────────────

# The listeners for tls-alpn-01.

DEFAULT: Final = ":443"
"""The port that every CA uses (RFC 8737 section 3). Any other port needs a forwarding from port 443."""


class TlsAlpnListeners(Listeners[ChallengeCertificate]):
    """The listeners for tls-alpn-01; a response is the presented certificate as DER."""

    texts = PortTexts(
        texts.TLS_PORT_TAKEN,
        texts.TLS_PORT_TAKEN_UNKNOWN,
        texts.TLS_PORT_FORBIDDEN,
        texts.TLS_ADDRESS_MISSING,
        texts.TLS_PORT_FAILED,
    )

    def start(self, listening: socket.socket) -> TlsAlpnServer:
        """Return a running server on a listening socket."""
        return TlsAlpnServer(listening, self.monotonic)

    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Return the certificate that is presented for a name, as DER; never use a proxy."""
        context = x509.comparing_context()
        context.set_alpn_protocols([PROTOCOL])
        with (
            socket.create_connection((host, port), timeout=TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=key) as tls,
        ):
            agreed = tls.selected_alpn_protocol() == PROTOCOL
            return tls.getpeercert(binary_form=True) or b"" if agreed else b""


SHARED: Final = TlsAlpnListeners()
"""Shared by all runs in a process, because a port belongs to the process."""


# ── solver ─────────────────────────────────────────────────────────────────────────────

_WITHDRAW_SECONDS = 60.0
_AFTER_CANCEL = 4.0
"""Seconds to close the port after a cancel; the whole cleanup has five."""


class TlsAlpnPlacement(Frozen):
    """Which listener serves the challenge certificate of one identifier.

    :ivar listen: the address of the listener, such as ``":443"``.
    """

    challenge: ClassVar[str] = "tls-alpn-01"

    identifier: str
    listen: str


class TlsAlpnValue(Frozen):
    """One challenge certificate and the listener that presents it."""

    challenge: ClassVar[str] = "tls-alpn-01"

    identifier: str
    listen: str
    certificate: ChallengeCertificate

    @property
    def server_name(self) -> str:
        """The name that the CA sends (SNI). For an IP address, this is its reverse name (RFC 8738 section 6)."""
        return names.reverse_name(self.identifier) if names.is_ip(self.identifier) else self.identifier


class TlsAlpn01(Solver[TlsAlpnPlacement, TlsAlpnValue]):
    """Opens the port while the CA validates.

    :param listeners: the open ports; by default the ports of this process.
    """

    def __init__(self, _resources: SolverResources | None = None, listeners: TlsAlpnListeners = SHARED) -> None:
        self._listeners = listeners
        self._published: set[tuple[str | None, str, ChallengeCertificate]] = set()

    def preflight(
        self, context: Context, identifiers: Sequence[str], route: Route, _check: PropagationCheck, found: Placements
    ) -> None:
        """Check that the port can be opened, by binding it for a moment."""
        listen = route.listen or DEFAULT
        wildcards = [identifier for identifier in identifiers if names.is_wildcard(identifier)]
        try:
            if wildcards:
                raise unfit("tls-alpn-01", wildcards)
            context.call(partial(self._listeners.check, listen))
        except ChallengeError as error:
            found.block(route, identifiers, error.with_evidence(identifiers=list(identifiers)))
            return
        found.placements.update((each, TlsAlpnPlacement(each, listen)) for each in identifiers)

    def make_values(self, ca: CAClient, placement: TlsAlpnPlacement, challenge: Challenge) -> list[TlsAlpnValue]:
        """Return the certificate whose acmeIdentifier extension holds the digest of the key authorization."""
        digest = hashlib.sha256(ca.key_authorization(challenge).encode("ascii")).digest()
        certificate = ChallengeCertificate.make(placement.identifier, digest)
        return [TlsAlpnValue(placement.identifier, placement.listen, certificate)]

    def exclusive(
        self, _context: Context, placements: Collection[TlsAlpnPlacement]
    ) -> contextlib.AbstractContextManager[None]:
        """Keep the ports open from before the order until after it, so that no other program takes them."""
        return self._listeners.kept_open({each.listen for each in placements})

    def publish(self, context: Context, values: Sequence[TlsAlpnValue]) -> None:
        """Open the port and present the certificates.

        :raises ChallengeError: the port can no longer be opened.
        """
        cancelled = threading.Event()
        try:
            context.call(partial(self._publish, context.certificate, values, cancelled))
        except Cancelled:  # the call goes on in its thread, and must not open a port that nothing closes
            cancelled.set()
            raise

    def _publish(self, name: str | None, values: Sequence[TlsAlpnValue], cancelled: threading.Event) -> None:
        for value in values:
            try:
                self._listeners.add(value.listen, value.server_name, value.certificate)
            except ChallengeError as error:
                raise error.with_evidence(identifier=value.identifier) from None
            self._published.add((name, value.listen, value.certificate))
            if cancelled.is_set():
                self._withdraw(name, values)
                return

    def wait_visible(
        self, context: Context, values: Sequence[TlsAlpnValue], _wanted: Propagation, _settle: float
    ) -> None:
        """Connect to every listener as the CA does, and compare the certificate.

        :raises ChallengeError: ``tls-alpn-not-served``.
        """
        for one in values:
            if (cause := context.call(partial(self._problem, one))) is not None:
                raise ChallengeError.of(texts.TLS_NOT_SERVED, identifier=one.identifier, listen=one.listen, cause=cause)

    def _problem(self, value: TlsAlpnValue) -> str | None:
        try:
            answers = self._listeners.ask(value.listen, value.server_name)
        except OSError as error:
            return texts.LISTENER_SILENT.format(reason=error.strerror or error)
        wrong = [address for address, der in answers.items() if der != value.certificate.der]
        return texts.TLS_OTHER_CERTIFICATE.format(address=wrong[0]) if wrong else None

    def withdraw(self, context: Context, values: Sequence[TlsAlpnValue]) -> None:
        """Stop presenting the certificates; close the port after the last one."""
        cleanup = context.for_cleanup(_WITHDRAW_SECONDS, _AFTER_CANCEL)
        with contextlib.suppress(Cancelled):  # the call goes on in its thread; the port belongs to this process only
            cleanup.call(partial(self._withdraw, context.certificate, values))

    def _withdraw(self, name: str | None, values: Sequence[TlsAlpnValue]) -> None:
        for value in values:
            try:
                self._published.remove((name, value.listen, value.certificate))
            except KeyError:  # never published, or another thread withdraws it
                continue
            self._listeners.remove(value.listen, value.server_name, value.certificate)
