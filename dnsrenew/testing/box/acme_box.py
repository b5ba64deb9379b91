"""``acme_box``: a CA and DNS for the tests of a program that obtains certificates."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import socketserver
import ssl
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from dnsrenew.base.model import CA, DnsAccount, Resolver
from dnsrenew.testing.box.dns_host import TTL, BoxDnsAccount, BoxDnsHost, BoxHandler, BoxServer, InMemoryDriver
from dnsrenew.testing.box.order_server import LIFETIME, BoxIssuer, BoxValidation, OrderServer
from dnsrenew.testing.box.resources import AcmeProblem, IssuedCertificate

_ABOUT_A_NAME: Final = frozenset({"caa", "connection", "dns", "incorrectResponse", "tls"})
"""Errors that a CA reports about a name when it validates the name."""
_ERRORS: Final = _ABOUT_A_NAME.union(
    ("accountDoesNotExist", "alreadyReplaced", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey", "compound"),
    ("badRevocationReason", "badSignatureAlgorithm", "externalAccountRequired", "invalidContact", "invalidProfile"),
    ("malformed", "orderNotReady", "rateLimited", "rejectedIdentifier", "serverInternal", "unauthorized"),
    ("unsupportedContact", "unsupportedIdentifier", "userActionRequired"),
)
"""The error types of RFC 8555 section 6.7, of RFC 9773, and of the draft of profiles."""


class AcmeBox:
    """A CA and DNS on loopback. Made by :func:`acme_box`."""

    __module__ = "dnsrenew.testing"

    directory: str
    """The URL of the directory of the CA (RFC 8555 section 7.1.1)."""
    trust: Path
    """A PEM file with the root of the CA, which signs its HTTPS certificate and the certificates that it issues."""
    root_pem: str
    """The content of the file ``trust``."""
    ca: CA
    """The CA, for the argument ``ca``."""
    resolver: Resolver
    """The name server, for the argument ``resolver``."""
    dns: DnsAccount
    """An account at the DNS host of the box, for the argument ``dns``."""
    driver: InMemoryDriver
    """The driver of that host; ``driver.values`` has the TXT values that the name server shows."""
    store: Path
    """A folder for certificates; it is removed when the box is closed."""

    def __init__(
        self, folder: Path, http_port: int | None, lifetime: timedelta, authorization_reuse: timedelta
    ) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        issuer = BoxIssuer("dnsrenew test CA", now)
        self.driver = InMemoryDriver()
        self._dns_host = BoxDnsHost(self.driver)
        self.dns = BoxDnsAccount(self._dns_host.url)
        self.store = folder / "store"
        self.root_pem, self.trust = issuer.pem, folder / "root.pem"
        self.trust.write_text(issuer.pem, "ascii")
        server_pem = folder / "server.pem"
        server_pem.write_text(issuer.server_pem(now), "ascii")
        validation = BoxValidation(self._values, http_port)
        server = partial(OrderServer, "", issuer, validation.validate, offers=validation.offers)
        self._orders = server(lifetime=lifetime, authorization_reuse=authorization_reuse)
        self._orders.meta["termsOfService"] = "https://ca.example.com/terms"
        self._https = BoxHttpsServer(self._orders, server_pem)
        self._name_server = BoxNameServer(self._values, self.driver.ttl)
        self._servers: list[BoxServer] = [self._https, self._dns_host, *self._name_server.servers]
        self.directory = f"{self._orders.base}/directory"
        self.ca = CA(self.directory, trust=self.trust, name="box")
        self.resolver = Resolver(nameservers=(self._name_server.address,), authoritative_port=self._name_server.port)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that make :func:`dnsrenew.obtain` and :func:`dnsrenew.serve` use the box."""
        places = {"ca": self.ca, "dns": self.dns, "resolver": self.resolver, "store": self.store}
        return {**places, "contact": "test@example.com", "agree_terms": True}

    def toml(self) -> str:
        """Return the tables of ``dnsrenew.toml`` that select the box: ``[ca.box]``, ``[dns.box]`` and ``[resolver]``.

        ``default_ca = "box"`` and ``agree_terms = true`` belong above them.
        """
        tables: dict[str, dict[str, Any]] = {
            "ca.box": {"directory": self.directory, "trust": str(self.trust)},
            "dns.box": {"provider": "httpreq", "api": self._dns_host.url, "ttl": TTL},
            "resolver": {"nameservers": [self._name_server.address], "authoritative_port": self._name_server.port},
        }
        return "\n".join(
            "".join([f"[{table}]\n", *(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())])
            for table, fields in tables.items()
        )

    @property
    def issued(self) -> list[IssuedCertificate]:
        """The certificates that the CA has issued, in the order of their issue."""
        return list(self._orders.issued.values())

    @property
    def age(self) -> timedelta:
        """The age of a certificate at issuance; 0 by default.

        With ``timedelta(days=80)``, of 90, a certificate is valid, and due for renewal at once.
        """
        return self._orders.age

    @age.setter
    def age(self, age: timedelta) -> None:
        self._orders.age = age

    def fail_next(
        self, error: str, *, count: int = 1, at: str | None = None, detail: str = "", retry_after: int | None = None
    ) -> None:
        """Make the CA refuse the next requests.

        After a validation that failed with ``dns`` or ``unauthorized``, dnsrenew waits 15 seconds and tries once more,
        because a CA may have missed the value. The other errors are final at once.

        :param error: an ACME error type without its prefix (RFC 8555 section 6.7), such as ``rateLimited``.
        :param count: the number of requests.
        :param at: the resource: ``newAccount``, ``newOrder``, ``challenge``, ``finalize`` or ``certificate``, or
            ``account``, ``order``, ``authorization``, ``revokeCert`` or ``keyChange``; default: ``challenge`` for
            ``caa``, ``connection``, ``dns``, ``incorrectResponse`` and ``tls``, else ``newOrder``. At ``challenge``
            the validation fails.
        :param retry_after: seconds that the CA asks to wait.
        :raises ValueError: an unknown ``error`` or ``at``.
        """
        resource = at or ("challenge" if error in _ABOUT_A_NAME else "newOrder")
        for argument, word, known in (("error", error, _ERRORS), ("at", resource, self._orders.resources)):
            if word not in known:
                raise ValueError(f"{argument}={word!r} is none of: {', '.join(sorted(known))}")
        problem = AcmeProblem(error, detail or f"the test asked for {error}", retry_after=retry_after)
        for _ in range(count):
            self._orders.fail(resource, problem)

    def __enter__(self) -> Self:
        """Start the servers."""
        self._process = os.getpid()
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process == os.getpid():  # a forked process does not have the threads
            for server in self._servers:
                server.stop()

    def _values(self, name: str) -> set[str]:
        """Return the TXT values at a name, in any case."""
        owners = [owner for owner in list(self.driver.values) if owner.lower() == name.lower()]
        return set().union(*map(self.driver.look, owners))


@contextlib.contextmanager
def acme_box(
    *, lifetime: timedelta = LIFETIME, authorization_reuse: timedelta = timedelta(0), http_port: int | None = None
) -> Iterator[AcmeBox]:
    """Run a CA and DNS in this process, for the tests of a program that obtains certificates.

    Nothing leaves this machine, and no privileges are needed. The CA signs real certificates and validates what is
    published, in the DNS of the box or at ``http_port``. In that DNS every domain exists, as a zone of its last two
    labels, with the address 127.0.0.1.

    :param lifetime: the lifetime of the certificates, unless an order asks for another end (``notAfter``).
    :param authorization_reuse: how long the CA accepts an earlier validation of a name; 0: each order needs a new one.
    :param http_port: the loopback port that the CA validates http-01 at; None if it offers only dns-01.
    """
    process, folder = os.getpid(), tempfile.mkdtemp(prefix="dnsrenew-box-")
    try:
        with AcmeBox(Path(folder).resolve(), http_port, lifetime, authorization_reuse) as box:
            yield box
    finally:
        if process == os.getpid():  # not at the end of a forked process
            shutil.rmtree(folder, ignore_errors=True)


acme_box.__module__ = "dnsrenew.testing"


# ── https server ───────────────────────────────────────────────────────────────────────

# The HTTPS of the CA of a box.


class BoxHttpsServer(BoxServer, ThreadingHTTPServer):
    """Serves a CA on a free loopback port.

    :param server_pem: a file with the key of the server and its certificate.
    """

    def __init__(self, ca: OrderServer, server_pem: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ca = ca
        self._open: set[socket.socket] = set()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_pem)
        # Each connection does its handshake in its own thread, at its first read.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        ca.base = f"https://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Stop answering, and close all connections."""
        super().stop()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self._open.discard(request)
        super().shutdown_request(request)


class _Handler(BoxHandler, BaseHTTPRequestHandler):
    server: BoxHttpsServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer a request without a body."""
        self._answer(b"")

    do_HEAD = do_GET  # noqa: N815  # the name in http.server

    def do_POST(self) -> None:
        """Answer a signed request."""
        if (body := self.body()) is not None:
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        ca = self.server.ca
        answer = ca.answer(self.command, self.path, body)
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Replay-Nonce", ca.nonce()), ("Content-Length", str(len(answer.body)))):
            self.send_header(name, value)
        if not self.path.startswith("/directory"):
            self.send_header("Link", f'<{ca.base}/directory>;rel="index"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


# ── name server ────────────────────────────────────────────────────────────────────────

# The name server of a box: every domain exists, and the TXT values come from an in-memory driver.

_LOOPBACK: Final = "127.0.0.1"
_ZONE_LABELS: Final = 2
"""A zone is the last two labels of a name: ``example.com`` and everything below it."""


class BoxNameServer:
    """Answers as a resolver and as the authoritative server of every zone, by UDP and TCP on one port.

    Every name has the address 127.0.0.1, except those that begin with an underscore: they have only TXT values.

    :param values: returns the TXT values at an absolute name, in lower case.
    :param ttl: returns the TTL with which they were written, if it is known.
    :ivar address: ``127.0.0.1:PORT``.
    :ivar port: the port of both servers.
    :ivar servers: the UDP server and the TCP server.
    """

    def __init__(self, values: Callable[[str], set[str]], ttl: Callable[[str], int | None]) -> None:
        self._values, self._ttl = values, ttl
        self.servers = self._bind()
        self.port: int = self.servers[0].server_address[1]
        self.address = f"{_LOOPBACK}:{self.port}"

    def answer(self, wire: bytes) -> bytes | None:
        """Return the response, or None if the message is not a query."""
        try:
            query = dns.message.from_wire(wire)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        answer.flags |= dns.flags.AA
        name, zone = question.name, _zone_of(question.name)
        if records := self._records(name, zone, question.rdtype):
            ttl = (self._ttl(name.to_text().lower()) if question.rdtype == dns.rdatatype.TXT else None) or TTL
            answer.answer.append(dns.rrset.from_text(name, ttl, "IN", question.rdtype, *records))
        else:
            answer.authority.append(dns.rrset.from_text(zone, TTL, "IN", "SOA", _soa(zone)))
            if _is_underscored(name) and not self._values(name.to_text().lower()):
                answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()

    def _records(self, name: dns.name.Name, zone: dns.name.Name, kind: int) -> list[str]:
        if kind == dns.rdatatype.TXT:
            return [f'"{value}"' for value in sorted(self._values(name.to_text().lower()))]
        if kind == dns.rdatatype.A and not _is_underscored(name):
            return [_LOOPBACK]
        if name == zone and kind in {dns.rdatatype.SOA, dns.rdatatype.NS}:
            return [_soa(zone) if kind == dns.rdatatype.SOA else _server_of(zone)]
        return []

    def _bind(self) -> tuple[_UdpServer, _TcpServer]:
        """Bind UDP and TCP to one port that is free for both."""
        for _ in range(20):
            udp = _UdpServer((_LOOPBACK, 0), self._answer_packet)
            try:
                return udp, _TcpServer(udp.server_address, self._answer_connection)
            except OSError:
                udp.server_close()
        raise OSError("no port is free for UDP and TCP")

    def _answer_packet(self, request: Any, client: Any, _server: object) -> Any:
        wire, connection = request
        if (answer := self.answer(wire)) is not None:
            with contextlib.suppress(OSError):  # the client has gone
                connection.sendto(answer, client)

    def _answer_connection(self, connection: Any, _client: object, _server: object) -> Any:
        """Answer the queries of one connection (RFC 7766)."""
        connection.settimeout(10.0)
        with contextlib.suppress(OSError), connection.makefile("rb") as queries:
            while len(head := queries.read(2)) == 2:
                answer = self.answer(queries.read(int.from_bytes(head)))
                if answer is None:
                    return
                connection.sendall(len(answer).to_bytes(2) + answer)


class _UdpServer(BoxServer, socketserver.UDPServer):
    max_packet_size = 65_535


class _TcpServer(BoxServer, socketserver.ThreadingTCPServer):
    """Answers each connection in a thread."""


def _zone_of(name: dns.name.Name) -> dns.name.Name:
    """Return the last labels of a name, not counting labels that begin with an underscore."""
    labels = name.labels[:-1]
    while len(labels) > 1 and (len(labels) > _ZONE_LABELS or labels[0].startswith(b"_")):
        labels = labels[1:]
    return dns.name.Name((*labels, b""))


def _is_underscored(name: dns.name.Name) -> bool:
    return any(label.startswith(b"_") for label in name.labels)


def _server_of(zone: dns.name.Name) -> str:
    return "ns1." if zone == dns.name.root else f"ns1.{zone}"


def _soa(zone: dns.name.Name) -> str:
    server = _server_of(zone)
    return f"{server} {server} 1 3600 600 86400 {TTL}"
