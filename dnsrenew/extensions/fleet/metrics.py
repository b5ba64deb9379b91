"""The metrics of a fleet, for the endpoint and the text file of a worker.

They are sums over the whole fleet, the same from every worker, because a series for each certificate would be too much.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final, Self

from dnsrenew.base import threads
from dnsrenew.base.model import CA, Outcome, StoreAddress
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError
from dnsrenew.extensions.fleet import texts as fleet_texts
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.status import IS_DUE, FleetStatus, fleet_status
from dnsrenew.extensions.watch import metrics_texts as texts
from dnsrenew.extensions.watch.metrics import Health, labels, metric, write_text
from dnsrenew.store.ledger import NEW_ORDERS, OTHER_NEW_ORDERS

MAX_AGE: Final = 15.0
"""Seconds for which numbers are reused, because each worker of a fleet may be asked."""
PATIENCE: Final = 5.0
"""Seconds that an answer waits for new numbers. After that, it has the old ones. Prometheus waits 10 s."""
BETWEEN_FILES: Final = 60.0
"""Seconds between two text files."""

# A week is left, and a quarter of the lifetime, because a six-day certificate always has less than a week.
_MORE: Final = f"""
SELECT
    count(*) FILTER (
        WHERE expires > now() AND expires < now() + interval '7 days' AND expires - now() < (
            expires - CASE WHEN state ->> 'not_before' ~ '^\\d{{4}}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$'
                           THEN (state ->> 'not_before')::timestamptz END
        ) / 4
    ),
    COALESCE(EXTRACT(EPOCH FROM now() - min(due) FILTER (WHERE {IS_DUE})), 0)::double precision
FROM dnsrenew_certificate WHERE wanted IS NOT NULL
"""  # noqa: S608  # of constants
_ON_DEMAND: Final = """
SELECT key, EXTRACT(EPOCH FROM empty_until - now())::double precision
FROM dnsrenew_pace WHERE starts_with(key, 'on-demand ')
"""


class FleetReading(Frozen):
    """The numbers from the database.

    :ivar expiring: current certificates with less than a week and less than a quarter of the lifetime left.
    :ivar overdue: the seconds that the first certificate in the queue has waited; 0 without a queue.
    :ivar on_demand: the used part (0 to 1) of each CA's limit for names on demand, by the name of the CA.
    """

    status: FleetStatus
    expiring: int
    overdue: float
    on_demand: Mapping[str, float]


_Read = Callable[[Config], FleetReading]


def read_fleet(config: Config) -> FleetReading:
    """Return the numbers of the fleet of a configuration, by a connection that is closed afterwards.

    :raises StoreError: the database cannot be read.
    :raises SecretError: its password cannot be read.
    :raises ConfigError: ``no-fleet``: the store is a folder.
    """
    if not isinstance(config.store, StoreAddress):
        raise ConfigError.of(fleet_texts.NO_FLEET)
    with closing(Database(config.store, size=1)) as database:
        expiring, overdue = database.one(_MORE) or (0, 0.0)
        return FleetReading(fleet_status(database, config.cas), expiring, overdue, _on_demand(database, config.cas))


def _on_demand(database: Database, cas: Mapping[str, CA]) -> dict[str, float]:
    names = {ca.directory: name for name, ca in reversed([*cas.items()])}
    found = {}
    for key, seconds in database.fetch(_ON_DEMAND):
        directory = str(key).partition(" ")[2]
        window = NEW_ORDERS.get(directory, OTHER_NEW_ORDERS).window.total_seconds()
        found[names.get(directory, directory)] = round(min(max(seconds / window, 0.0), 1.0), 3)
    return found


class FleetNumbers:
    """The metrics of a fleet. Thread-safe; a context manager that writes the text file until it exits.

    :param monotonic: a clock in seconds.
    :param context: gets a warning if a text file cannot be written.
    :param read: reads the numbers of the fleet of a configuration.
    """

    def __init__(
        self, config: Config, monotonic: Callable[[], float], context: Context | None = None, read: _Read = read_fleet
    ) -> None:
        self._config, self._monotonic, self._context, self._read = config, monotonic, context, read
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._reading: threads.Task[None] | None = None
        self._found: FleetReading | None = None
        self._code = "store-unreachable"
        self._read_at: float | None = None

    def __enter__(self) -> Self:
        if self._context is not None:
            threads.start(self._write_files)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()

    def use(self, config: Config) -> None:
        """Use another configuration from now on."""
        with self._guard:
            self._config, self._read_at = config, None

    def round_ended(self, outcomes: Sequence[Outcome] | None) -> None:
        """Do nothing, because a worker has no rounds."""

    def text(self) -> str:
        """Return the metrics, or only that the database does not answer."""
        return "".join(f"{line}\n" for line in fleet_lines(self._latest()))

    def health(self) -> Health:
        """Return whether the database answers. Faults of certificates are not a fault of a worker."""
        if self._latest() is None:
            return Health(False, texts.STORE_FAILED.format(code=self._code))
        return Health(True, texts.HEALTHY)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def _latest(self) -> FleetReading | None:
        """Return the numbers, read again if they are old; None if the database does not answer."""
        with self._guard:
            age = None if self._read_at is None else self._monotonic() - self._read_at
            if self._reading is None and (age is None or not 0 <= age < MAX_AGE):
                self._reading = threads.start(self._refresh)
            reading = self._reading
        if reading is not None:
            reading.done.wait(PATIENCE)
        return self._found

    def _refresh(self) -> None:
        config, found, code = self._config, None, "internal"
        try:
            found = self._read(config)
        except DnsRenewError as error:
            code = error.code
        finally:
            with self._guard:
                self._found, self._code, self._reading = found, code, None
                self._read_at = self._monotonic() if config is self._config else None

    # ── the text file ───────────────────────────────────────────────────────────────────

    def _write_files(self) -> None:
        while not self._end.is_set():
            settings = self._config.metrics
            if settings is not None and settings.textfile and self._context is not None:
                write_text(settings.textfile, self.text(), self._context)
            self._end.wait(BETWEEN_FILES)


def fleet_lines(found: FleetReading | None) -> Iterator[str]:
    """Yield the lines of the exposition.

    :param found: the numbers; None if the database does not answer.
    """
    reachable = {"": int(found is not None)}
    yield from metric("fleet_database_reachable", "1 if the database of the fleet answers, else 0.", reachable.items())
    for name, meaning, samples in [] if found is None else _metrics(found):
        values = samples if isinstance(samples, Mapping) else {"": samples}
        yield from metric(f"fleet_{name}", meaning, values.items())


def _metrics(found: FleetReading) -> list[tuple[str, str, float | Mapping[str, float]]]:
    """Return the name, the meaning and the value of each metric, or its values by their labels."""
    status, limits = found.status, found.status.limits
    states = {labels(state=state): count for state, count in status.counts.items()}
    issued = {labels(ca=ca): count for ca, count in status.last_hour.items()}
    takes = {labels(ca=ca): int(each.until is None) for ca, each in limits.items()}
    held = {labels(ca=ca): each.held for ca, each in limits.items()}
    used = {labels(ca=ca): part for ca, part in found.on_demand.items()}
    return [
        ("certificates", "Certificates of the fleet with this state.", states),
        ("due", "Certificates that wait for a worker or are worked on.", status.due),
        ("overdue_seconds", "How long the first of the due certificates has waited.", int(found.overdue)),
        ("failing", "Certificates whose last renewal failed.", status.failing),
        ("expiring", "Certificates with less than a week and a quarter of their lifetime left.", found.expiring),
        ("lacking", "Certificates that no worker has an account or a CA for, up to 100.", len(status.lacking)),
        ("stored_only", "Certificates that are stored, and that no worker renews.", status.stored_only),
        ("workers", "Workers that are alive.", len(status.workers)),
        ("working", "Certificates that workers work on.", sum(len(worker.doing) for worker in status.workers)),
        ("ca_issued_last_hour", "Certificates that the CA issued in the last hour.", issued),
        ("ca_takes_orders", "1 if the CA takes orders, 0 if it asked to wait.", takes),
        ("ca_held", "Names, or sets of names, for which the CA takes no order now.", held),
        ("ca_on_demand_used", "Used part, 0 to 1, of what the limits of the CA leave for names on demand.", used),
    ]
