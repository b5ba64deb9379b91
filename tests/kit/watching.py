"""For the tests of metrics: a configuration around a store, HTTP requests, Prometheus' parser, systemd's socket."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from dnsrenew.base.model import CertificateSpec, CertificateStatus, Resolver
from dnsrenew.config import Config
from dnsrenew.extensions.watch.metrics import CertificateNumbers
from tests.kit.clock import START

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def config_for(store: Path, *specs: CertificateSpec, **more: Any) -> Config:
    """Return a configuration of these certificates."""
    fields: dict[str, Any] = {
        "path": None,
        "contact": (),
        "agree_terms": True,
        "default_ca": "lab",
        "cas": {},
        "accounts": {},
        "providers": {},
        "resolver": Resolver(),
    }
    return Config(store=store, certificates=specs, **fields | more)


def ask(address: str, request: bytes, timeout: float = 10.0, source: str = "") -> bytes:
    """Send a request to HOST:PORT and return the complete answer.

    :param source: the address that it comes from.
    """
    host, _, port = address.rpartition(":")
    own = (source, 0) if source else None
    with socket.create_connection((host.strip("[]"), int(port)), timeout, source_address=own) as connection:
        connection.sendall(request)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


def get(address: str, path: str, version: str = "1.1", **options: Any) -> tuple[int, str]:
    """Return the status and the body of a GET.

    :param version: of HTTP; with 1.1 the server must close the connection.
    :param options: of :func:`ask`.
    """
    answer = ask(address, f"GET {path} HTTP/{version}\r\nHost: {address}\r\n\r\n".encode(), **options)
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def parsed(text: str) -> Samples:
    """Return the result of Prometheus' parser; check that each sample is once, each metric once and with its type."""
    found: Samples = {}
    seen = set()
    for family in text_string_to_metric_families(text):
        assert family.name not in seen
        seen.add(family.name)
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(samples: Samples, metric: str, /, **labels: str) -> float | None:
    """Return one sample."""
    return samples.get((f"dnsrenew_{metric}", tuple(sorted(labels.items()))))


class NotifySocket:
    """A socket that receives as systemd's does.

    :ivar address: the value of NOTIFY_SOCKET.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address[0] == "@" else address)

    def receive(self, timeout: float = 5.0) -> str | None:
        """Return the next message; None if none comes in time."""
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(65536).decode()
        except (TimeoutError, BlockingIOError):
            return None

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def numbers(name: str = "home", **more: Any) -> CertificateNumbers:
    """The numbers of a valid certificate."""
    fields: dict[str, Any] = {
        "domains": ("example.test",),
        "ca": "lab",
        "issuer": "Lab CA 1",
        "serial": "2f",
        "not_before": START,
        "not_after": START + timedelta(days=90),
        "state": "valid",
        "next_renewal": START + timedelta(days=60),
        "reason": "renew-before",
        "route": None,
        "last_failure": None,
        "next_attempt": None,
        "path": Path("/nowhere"),
    }
    other = {key: more.pop(key) for key in ("failures", "deployed") if key in more}
    return CertificateNumbers(status=CertificateStatus(name=name, **fields | more), **other)
