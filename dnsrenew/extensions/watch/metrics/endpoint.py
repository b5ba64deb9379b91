"""The endpoint of ``dnsrenew run``: ``/metrics`` for Prometheus, ``/healthz`` for what supervises a container.

It is meant for the loopback interface or a private network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from dnsrenew.base import threads
from dnsrenew.base.small_server import SmallHandler, SmallServer
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.watch.metrics import texts
from dnsrenew.extensions.watch.metrics.exposition import CONTENT_TYPE

if TYPE_CHECKING:
    from dnsrenew.extensions.watch.metrics.health import Health

_PLAIN: Final = "text/plain; charset=utf-8"
_POLL: Final = 0.2
"""Seconds in which :meth:`MetricsServer.stop` is noticed."""


class AnswerSource(Protocol):
    """Where the answers come from. Thread-safe."""

    def text(self) -> str | None:
        """Return the answer of ``/metrics``; None if the numbers cannot be read."""

    def health(self) -> Health:
        """Return the answer of ``/healthz``."""


class _MetricsHandler(SmallHandler):
    """Answers one request of a connection."""

    timeout = 5.0
    server: MetricsServer

    def respond(self) -> None:
        """Answer a path."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._metrics()
        elif path == "/healthz":
            health = self.server.source.health()
            self._answer(200 if health.ok else 503, f"{health.line}\n")
        else:
            self._answer(404, "not found\n")

    def _metrics(self) -> None:
        text = self.server.source.text()
        if text is None:
            self._answer(503, f"{self.server.source.health().line}\n")
        else:
            self._answer(200, text, CONTENT_TYPE)

    def refuse(self, status: int) -> None:
        """See :meth:`SmallHandler.refuse`."""
        self._answer(status, "bad request\n")

    def _answer(self, status: int, text: str, kind: str = _PLAIN) -> None:
        self.answer(status, text.encode(), kind)


class MetricsServer(SmallServer):
    """Serves the metrics in daemon threads until it is stopped."""

    handler = _MetricsHandler
    most = 16
    source: AnswerSource

    @classmethod
    def start(cls, listen: str, source: AnswerSource, monotonic: Callable[[], float]) -> MetricsServer:
        """Return a server that runs.

        :param listen: ``HOST:PORT``; ``:PORT`` is all addresses, IPv4 and IPv6.
        :param source: where the answers come from.
        :raises ConfigError: ``metrics-port``: the port is taken, or this host does not have the address.
        """
        try:
            server = cls.bind(listen, monotonic)
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise ConfigError.of(texts.PORT, value=listen, cause=cause) from None
        server.source = source
        threads.start(lambda: server.serve_forever(_POLL))
        return server

    def stop(self) -> None:
        """Close the port; it is free when this returns."""
        self.shutdown()
        self.server_close()
