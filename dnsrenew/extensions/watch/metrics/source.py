"""What the endpoint tells: read from the store at most once every few seconds, however often it is asked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError
from dnsrenew.extensions.watch.metrics import texts
from dnsrenew.extensions.watch.metrics.collect import LastRun, collect, last_run
from dnsrenew.extensions.watch.metrics.exposition import exposition
from dnsrenew.extensions.watch.metrics.health import Health, health
from dnsrenew.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Outcome
    from dnsrenew.config import Config
    from dnsrenew.extensions.watch.metrics.collect import CertificateNumbers
    from dnsrenew.store import Store

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
        """Note the end of a round.

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
