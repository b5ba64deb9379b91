"""The tests' own CA in a process of its own, over HTTPS, some milliseconds away.

`python -m bench.fleet.distant_ca FOLDER DELAY SERVER PORT`: the folder has the key of its endpoint; DNS is asked there.
"""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from bench import processes
from dnsrenew.base.clock import SystemClock
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer
from tests.lab.certs import LabCA

if TYPE_CHECKING:
    from dnsrenew.base.http import Response
    from dnsrenew.testing.box.order_server import Proof
    from dnsrenew.testing.box.resources import AcmeProblem

CAS: Final = 4
"""Addresses, each with accounts and orders of its own: dnsrenew keeps a pace for each."""
_HOST: Final = "127.0.0.1"
_WAITING: Final = 256
_DNS_SECONDS: Final = 5.0


@contextlib.contextmanager
def distant_ca(place: Path, delay: float, dns_server: tuple[str, int]) -> Iterator[dict[str, Any]]:
    """Start the CA under several addresses; give their tables for a dnsrenew.toml.

    :param delay: seconds before each answer.
    :param dns_server: the address of the server that has the TXT values.
    """
    tls = LabCA(place)
    command = [*processes.python(), "-m", "bench.fleet.distant_ca", str(place), str(delay), *map(str, dns_server)]
    with subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = process.stdout.readline().split()
            trust = str(tls.trust_pem)
            yield {
                f"lab{number}": {"directory": f"https://{_HOST}:{port}/directory", "trust": trust}
                for number, port in enumerate(found)
            }
        finally:
            process.kill()


def serve(folder: str, delay: str, dns_host: str, dns_port: str) -> None:
    """Answer until the process is killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(folder) / "localhost.pem", Path(folder) / "localhost.key")
    servers = [_Server(context, float(delay)) for _ in range(CAS)]
    where = dns_host, int(dns_port)
    for server in servers:
        server.ca = AcmeServer(f"{server.url}/directory", SystemClock(), lambda proof: _validate(proof, where))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_port for server in servers), flush=True)
    threading.Event().wait()


def _validate(proof: Proof, where: tuple[str, int]) -> AcmeProblem | None:
    """Look for the TXT value."""
    query = dns.message.make_query(proof.txt_name, "TXT")
    try:
        answer = dns.query.udp(query, where[0], port=where[1], timeout=_DNS_SECONDS)
    except (OSError, dns.exception.DNSException):
        return UNAUTHORIZED
    values = [
        b"".join(record.strings).decode("latin-1")
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.TXT
        for record in rrset
    ]
    return None if proof.is_met_by(values) else UNAUTHORIZED


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = _WAITING
    ca: AcmeServer

    def __init__(self, context: ssl.SSLContext, delay: float) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.delay = delay

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{_HOST}:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client went away: its affair."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        until = time.monotonic() + self.server.delay
        answer: Response = self.server.ca.request(
            self.command, f"{self.server.url}{self.path}", data=body, headers=dict(self.headers.items())
        )
        time.sleep(max(until - time.monotonic(), 0.0))
        self.send_response_only(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


if __name__ == "__main__":
    threading.stack_size(256 * 1024)
    serve(*sys.argv[1:])
