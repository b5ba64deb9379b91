"""The endpoint of ``dnsrenew run``: ``/metrics`` for Prometheus, ``/healthz`` for what supervises a container.

It is meant for the loopback interface or a private network.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from dnsrenew.base import threads
from dnsrenew.base.clock import Clock
from dnsrenew.base.files import is_closed_by_unit
from dnsrenew.base.model import Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import ForeignLinkError, replace_file
from dnsrenew.base.small_server import SmallHandler, SmallServer
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError, as_clause
from dnsrenew.extensions.watch.metrics import texts
from dnsrenew.extensions.watch.metrics.collect import CertificateNumbers, LastRun, collect, last_run
from dnsrenew.extensions.watch.metrics.exposition import CONTENT_TYPE, Health, exposition, health
from dnsrenew.store import Store
from dnsrenew.store.folder_store import open_store

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
        :raises ConfigError: ``metrics-port``: the port is taken, or this machine does not have the address.
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


# ── source ─────────────────────────────────────────────────────────────────────────────

# What the endpoint tells: read from the store at most once every few seconds, however often it is asked.

MAX_AGE: Final = 5.0
"""Seconds for which an answer is used again."""


class FoundNumbers(Frozen, kw_only=True):
    """What was read.

    :ivar certificates: the numbers; None if the store could not be read.
    :ivar error: why it could not be read.
    :ivar last_run: the last round; None before the first has ended.
    """

    certificates: list[CertificateNumbers] | None
    error: DnsRenewError | None
    last_run: LastRun | None


class MetricsSource:
    """The numbers of a running ``dnsrenew run``. Thread-safe; it remembers the last round."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._round: LastRun | None = None
        self._round_failed = False
        self.use(config)

    def use(self, config: Config) -> None:
        """Use another configuration from now on."""
        with self._lock:
            self._config = config
            self._store = open_store(config.store, insist=config.insist, seals=config.seals)
            self._found: tuple[float, list[CertificateNumbers] | None, DnsRenewError | None] | None = None

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Record the end of a round.

        :param outcomes: None if it failed as a whole.
        """
        now = self._clock.now()
        with self._lock:
            self._round, self._round_failed = last_run(outcomes, now), outcomes is None
            self._found = None

    def read(self) -> FoundNumbers:
        """Return the numbers, at most :data:`MAX_AGE` seconds old."""
        with self._reading:  # other requests wait for this reading and share it; the rounds do not
            with self._lock:
                found, ended, config, store = self._found, self._round, self._config, self._store
            now = self._clock.monotonic()
            if found is None or not 0 <= now - found[0] < MAX_AGE:
                found = (now, *self._collect(config, store))
                with self._lock:
                    if ended is self._round and config is self._config:
                        self._found = found
            return FoundNumbers(certificates=found[1], error=found[2], last_run=ended)

    def _collect(self, config: Config, store: Store) -> tuple[list[CertificateNumbers] | None, DnsRenewError | None]:
        try:
            return collect(config, store, self._clock), None
        except DnsRenewError as error:
            return None, error

    def text(self) -> str | None:
        """Return the answer of ``/metrics``; None if the numbers cannot be read."""
        found = self.read()
        return None if found.certificates is None else exposition(found.certificates, found.last_run)

    def health(self) -> Health:
        """Return the answer of ``/healthz``."""
        found = self.read()
        if found.certificates is None:
            code = found.error.code if found.error else ""
            return Health(False, texts.STORE_FAILED.format(code=code))
        return health(found.certificates, round_failed=self._round_failed)


# ── textfile ───────────────────────────────────────────────────────────────────────────

# The text file for the node exporter's textfile collector, replaced as a whole.
#
# The new content is written to a file beside it whose name the collector ignores (it reads ``*.prom``), and renamed.
# So the collector never reads a part, and a full disk leaves the old file. Everybody may read it.

_FULL: Final = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}


def write_after_run(config: Config, store: Store, context: Context, outcomes: Sequence[Outcome]) -> None:
    """Write the file that ``[metrics]`` names, if it names one; what prevents it becomes a warning.

    In a fleet only workers write it: it has the numbers of the whole fleet.
    """
    path = config.metrics and config.metrics.textfile
    if not path or config.fleet is not None:
        return
    now = context.clock.now()
    try:
        text = exposition(collect(config, store, context.clock), last_run(outcomes, now))
    except DnsRenewError as error:
        failure = {"failure": as_clause(error.message), "failure_fix": error.fix}
        context.warn(*texts.UNREADABLE.fill(path=path, **failure))
        return
    write_text(path, text, context)


def write_text(path: str, text: str, context: Context) -> None:
    """Replace the file at an absolute path; what prevents it becomes a warning."""
    try:
        replace_file(path, text.encode())
    except OSError as error:
        _warn(context, path, error)


def _warn(context: Context, path: str, error: OSError) -> None:
    if isinstance(error, ForeignLinkError):
        context.warn(*texts.FOREIGN_LINK.fill(file=path, **vars(error.link)))
    elif is_closed_by_unit(error):
        context.warn(*texts.UNWRITABLE_IN_UNIT.fill(path=path, folder=os.path.dirname(path)))
    elif error.errno in _FULL:
        context.warn(*texts.UNWRITABLE_FULL.fill(path=path))
    else:
        context.warn(*texts.UNWRITABLE.fill(path=path, cause=error.strerror or type(error).__name__))
