"""Clients that make TLS handshakes with a server all the time, and record each of them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dnsrenew import Certificate
from tests.kit.folders import here

PATIENCE = 60.0


class Seen(NamedTuple):
    """One handshake: its begin, and the serial number of the server's certificate."""

    began: float
    serial: str


class TlsLoad:
    """Clients of one server; each connection asks for its page.

    :param trusted: the root of the server's certificate, PEM.
    :param hello: what the page holds.
    :param client: the certificate of the clients; None: they have none.
    :ivar failures: every handshake or answer that was not as it should be.
    :ivar seen: the others.
    """

    def __init__(self, port: int, name: str, trusted: str, hello: str, *, client: Certificate | None = None) -> None:
        self.port = port
        self.failures: list[str] = []
        self._name = name
        self._hello = hello
        self.context = ssl.create_default_context(cadata=trusted)
        if client is not None:
            self.context.load_cert_chain(here(client.fullchain_path), here(client.private_key_path))
        self.seen: list[Seen] = []
        self._stop = threading.Event()

    @contextmanager
    def running(self, clients: int, rate: float | None = None) -> Iterator[None]:
        """Make handshakes during the block, one after the other in each client.

        :param rate: so many a second at most; None: as many as there are answers.
        """
        pause = 0.0 if rate is None else clients / rate
        threads = [threading.Thread(target=self._load, args=(pause,), daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(PATIENCE)

    def wait_until_open(self) -> None:
        """Wait until the server has started."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.get()
                return
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)

    def get(self) -> str:
        """Ask for the page; return the serial number of the certificate, which is checked."""
        with (
            socket.create_connection(("127.0.0.1", self.port), 20) as connection,
            self.context.wrap_socket(connection, server_hostname=self._name) as tls,
        ):
            serial = str((tls.getpeercert() or {})["serialNumber"])
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {self._name}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tls.recv(65536), b"")).decode()
        if self._hello not in answer:
            raise OSError(f"the answer is {answer!r}")
        return serial.lower().lstrip("0")

    def wait_for(self, serial: str, *, since: float, count: int) -> None:
        """Wait until this number of handshakes that began after a moment got a certificate."""
        end = time.monotonic() + PATIENCE
        while self.count(serial, since=since) < count:
            assert time.monotonic() < end, self.failures
            time.sleep(0.02)

    def count(self, serial: str, *, since: float) -> int:
        """Return how many handshakes that began after a moment got a certificate."""
        return sum(seen.serial == serial for seen in self._after(since))

    def others(self, serial: str, *, since: float) -> list[Seen]:
        """Return the handshakes that began after a moment and got another certificate."""
        return [seen for seen in self._after(since) if seen.serial != serial]

    def _after(self, moment: float) -> list[Seen]:
        return [seen for seen in list(self.seen) if seen.began > moment]

    def _load(self, pause: float) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.seen.append(Seen(began, self.get()))
            except Exception as error:  # noqa: BLE001  # the test reports every failure
                self.failures.append(repr(error))
            self._stop.wait(max(0.0, began + pause - time.monotonic()))
