"""Loads certificates from the database in the background, so that no handshake waits for it."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dnsrenew.base.clients import Clients
from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError, as_clause
from dnsrenew.extensions.fleet.database.ledger import DemandRate
from dnsrenew.extensions.fleet.database.served_certificates import ServedCertificate
from dnsrenew.extensions.fleet.serving import texts
from dnsrenew.serving.recorded_context import ServerWarnings

THREADS: Final = 4
QUEUED: Final = 1_000
"""The maximum number of certificates that wait to be loaded. The next handshake requests the others again."""
_BATCH: Final = 20
"""The number of certificates that are loaded with one statement."""
_PAUSE: Final = 0.5
"""Seconds until the database is asked again after it did not answer."""


class BackgroundLoader:
    """A few threads that load certificates; each certificate is loaded once at a time.

    :param load: loads some certificates; raises an error if the database does not answer.
    :param failed: called with that error.
    """

    def __init__(
        self, threads: ServerThreads, load: Callable[[Sequence[str]], object], failed: Callable[[Exception], object]
    ) -> None:
        self._stopping = threads.stopping
        self._load = load
        self._failed = failed
        self._lock = threading.Lock()
        self._wanted: queue.Queue[str] = queue.Queue(QUEUED)
        self._loading: dict[str, threading.Event] = {}
        self._running: set[str] = set()
        self._again: set[str] = set()
        """Certificates requested after their reading had begun, which may have missed the newest version."""
        for _ in range(THREADS):
            threads.start(self._work, "load")

    def request(self, certificate: str) -> threading.Event | None:
        """Request a certificate; return the event that is set when it is loaded, or None if too many wait."""
        with self._lock:
            if (event := self._loading.get(certificate)) is not None:
                if certificate in self._running:
                    self._again.add(certificate)
                return event
            return self._enter(certificate)

    def _enter(self, certificate: str) -> threading.Event | None:
        """Queue a certificate that is not being loaded. The lock is held."""
        with contextlib.suppress(queue.Full):
            self._wanted.put_nowait(certificate)
            self._loading[certificate] = threading.Event()
        return self._loading.get(certificate)

    def _work(self) -> None:
        while not self._stopping.is_set():
            if not (certificates := self._next()):
                continue
            with self._lock:
                self._running.update(certificates)
            try:
                self._load(certificates)
            except Exception as error:  # noqa: BLE001  # the next handshake asks again
                self._failed(error)
                self._stopping.wait(_PAUSE)
            finally:
                with self._lock:
                    done = [self._loading.pop(each) for each in certificates]
                    self._running.difference_update(certificates)
                    again = self._again.intersection(certificates)
                    self._again -= again
                    for each in again:
                        self._enter(each)
                for event in done:
                    event.set()

    def _next(self) -> list[str]:
        """Return the certificates to load now; empty after a while, so that the thread notices its end."""
        found: list[str] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._wanted.get(timeout=PAUSE))
            while len(found) < _BATCH:
                found.append(self._wanted.get_nowait())
        return found


# ── server threads ─────────────────────────────────────────────────────────────────────

# The threads behind one context.

PAUSE: Final = 0.25
"""Seconds after which an idle thread notices that it must end."""
_PATIENCE: Final = 15.0
"""The total seconds that :meth:`ServerThreads.join` waits. A statement ends after 10 s without an answer."""


class ServerThreads:
    """Daemon threads that end together.

    :ivar stopping: set when they must end.
    """

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, target: Callable[[], object], name: str) -> None:
        """Start a thread; it returns when it finds :attr:`stopping` set."""
        thread = threading.Thread(target=target, name=f"dnsrenew-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until they have ended, or until a call of one takes too long."""
        end = time.monotonic() + _PATIENCE
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(end - time.monotonic(), 0))


# ── index ──────────────────────────────────────────────────────────────────────────────

# Every name that the fleet serves, in memory: 100,000 names take 5 MB, 1,000,000 names 50 MB.
#
# The table is SQLite's, because a row there takes a fifth of the memory of Python objects. It is never on a
# disk.

_TABLE: Final = """
CREATE TABLE served (
  name TEXT NOT NULL, certificate TEXT NOT NULL, version INTEGER, begin INTEGER, "end" INTEGER,
  PRIMARY KEY (name, certificate)
) WITHOUT ROWID;
CREATE INDEX of_certificate ON served (certificate) WHERE certificate <> '';
"""
_PUT: Final = 'INSERT OR REPLACE INTO served (name, certificate, version, begin, "end") VALUES (?, ?, ?, ?, ?)'
_FIND: Final = 'SELECT name, certificate, version, begin, "end" FROM served WHERE name IN (?, ?)'
_ROWS: Final = "SELECT name, certificate, version FROM served WHERE certificate = ? AND certificate <> ''"
_OWN_ROW: Final = "SELECT name, certificate, version FROM served WHERE name = ? AND certificate = ''"
_DROP: Final = "DELETE FROM served WHERE name = ? AND certificate = ?"
_PAGE: Final = "SELECT name, certificate FROM served WHERE (name, certificate) > (?, ?) ORDER BY 1, 2 LIMIT ?"


class FoundName(Frozen):
    """The certificate for a name."""

    certificate: str
    version: int


class NameIndex:
    """From names to certificates. Thread-safe; a search takes microseconds.

    Most certificates are for one name and have the same name. For these, ``certificate`` is empty, which halves the
    table.

    :param now: returns the time of the database, in seconds since 1970, without asking it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        import sqlite3  # slow to import

        self._now = now

        # Not every build of SQLite supports several threads, so there is our own lock.
        self._lock = threading.Lock()
        self._table = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._table.executescript(_TABLE)

    def find(self, name: str) -> FoundName | None:
        """Return the newest valid certificate for a server name; an exact name comes before a wildcard.

        An expired one is found if there is no other, so that clients see the true reason.

        :param name: the name in lower case, without a final dot.
        """
        wildcard = f"*.{name.partition('.')[2]}"
        with self._lock:
            rows = self._table.execute(_FIND, (name, wildcard)).fetchall()
        if not rows:
            return None
        now = self._now() if len(rows) > 1 else 0.0
        best = max(rows, key=lambda row: (now < row[4], row[0] == name, row[3], row[4]))
        return FoundName(best[1] or best[0], best[2])

    def fill(self, certificates: Sequence[ServedCertificate]) -> None:
        """Add certificates to an index that does not have them."""
        with self._writing():
            for each in certificates:
                self._table.executemany(_PUT, _rows(each))

    def put(self, certificates: Sequence[ServedCertificate]) -> list[str]:
        """Add certificates, or replace their data; return those that are new or have another version."""
        changed = []
        with self._writing():
            for each in certificates:
                rows, known = _rows(each), self._known(each.certificate)
                if set(known.values()) != {each.version}:
                    changed.append(each.certificate)
                self._table.executemany(_PUT, rows)  # first, so that each name always has a certificate
                self._table.executemany(_DROP, known.keys() - {row[:2] for row in rows})
        return changed

    def remove(self, certificates: Iterable[str]) -> None:
        """Remove certificates. Other certificates for the same names take over."""
        with self._writing():
            for certificate in certificates:
                self._table.executemany(_DROP, self._known(certificate))

    def pages(self, size: int) -> Iterator[list[str]]:
        """Yield the names of all certificates, some of them several times, in pages of rows."""
        after = ("", "")
        while True:
            with self._lock:
                rows = self._table.execute(_PAGE, (*after, size)).fetchall()
            if not rows:
                return
            after = rows[-1]
            yield [certificate or name for name, certificate in rows]

    def __len__(self) -> int:
        with self._lock:
            return int(self._table.execute("SELECT count(*) FROM served").fetchone()[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._table:  # the table commits, or rolls back
            self._table.execute("BEGIN")
            yield

    def _known(self, certificate: str) -> dict[tuple[str, str], int]:
        """Return the keys of the rows of a certificate, each with the version."""
        rows = [*self._table.execute(_ROWS, (certificate,)), *self._table.execute(_OWN_ROW, (certificate,))]
        return {(name, owner): version for name, owner, version in rows}


def _rows(each: ServedCertificate) -> list[tuple[str, str, int | None, int, int]]:
    return [
        (name, "" if name == each.certificate else each.certificate, each.version, each.begin, each.end)
        for name in each.names
    ]


# ── on demand ──────────────────────────────────────────────────────────────────────────

# Names that the fleet does not have: the program may allow them to be obtained on demand.
#
# The program is asked in separate threads, never in a handshake, and once for each name. Its answers are remembered
# for a while; every table and queue has a size, so that a flood of invented names takes no more memory than a few.
# The networks of clients take turns, and none has all threads, so that a flood from one does not hold up the others.

MOST_EACH: Final = THREADS - 1
"""The number of threads that work for one network at once."""
REMEMBERED: Final = 10_000
"""The maximum number of names whose answer is remembered."""
_DENIED: Final = 60.0
"""Seconds until the program is asked again, even after it failed."""
_ALLOWED: Final = 3600.0
"""Seconds until the program is asked again for a name that it has allowed."""
_RETRY: Final = 5.0
"""Seconds until a failed addition of an allowed name is tried again."""
_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST: Final = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")


@dataclass(slots=True, eq=False)
class DemandAnswer:
    """The state of a name.

    :ivar allowed: the answer of the program; None before its answer.
    :ivar until: the monotonic second until which the name is left alone.
    """

    allowed: bool | None = None
    until: float = float("inf")


class OnDemand:
    """Asks the program about unknown names, and adds the names that it allows, at the given rate.

    :param on_unknown: the function of the program.
    :param add: adds a name to the fleet; raises ``DnsRenewError``.
    """

    def __init__(
        self,
        threads: ServerThreads,
        on_unknown: Callable[[str], bool],
        add: Callable[[str], object],
        *,
        rate: DemandRate,
        warnings: ServerWarnings,
    ) -> None:
        self._on_unknown, self._add, self._rate = on_unknown, add, rate
        self._clock, self._warnings = rate.database.clock, warnings
        self._changed = threading.Condition()
        self._answers: OrderedDict[str, DemandAnswer] = OrderedDict()
        self._asked: Clients[tuple[str, DemandAnswer]] = Clients(QUEUED)
        self._at_work: Counter[str] = Counter()
        self._stopping = threads.stopping
        for _ in range(THREADS):
            threads.start(self._work, "demand")

    def ask(self, name: str, address: str = "") -> None:
        """Let the program be asked about a name, unless this was already done. Never wait.

        :param name: the name in lower case, without a final dot.
        :param address: the address of the client; empty if unknown.
        """
        if not _HOST.fullmatch(name):
            return
        with self._changed:
            answer = self._answers.get(name)
            if answer is not None and self._clock.monotonic() < answer.until:
                return
            again = self._answers[name] = answer or DemandAnswer()
            again.until = float("inf")  # before a thread has it
            self._answers.move_to_end(name)
            if len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
            lost = self._asked.add((name, again), address)
            if lost is not None and self._answers.get(lost[0]) is lost[1]:
                del self._answers[lost[0]]
            self._changed.notify()

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                found = self._asked.take(lambda network: self._at_work[network] < MOST_EACH)
                if found is None:
                    self._changed.wait(PAUSE)
                    continue
                network, (name, answer) = found
                self._at_work[network] += 1
            seconds = self._decide(name, answer)
            with self._changed:
                answer.until = self._clock.monotonic() + seconds
                self._at_work -= Counter([network])  # removes zero counts

    def _decide(self, name: str, answer: DemandAnswer) -> float:
        """Do the next step for a name; return for how many seconds it is done."""
        if not answer.allowed:
            answer.allowed = self._allows(name)
        if not answer.allowed:
            return _DENIED
        try:
            if not self._rate.is_wanted(name):
                free = self._rate.take(name)
                if free is not None:
                    return max((free - self._clock.now()).total_seconds(), _RETRY)
                self._add(name)
        except DnsRenewError as error:
            self._warnings.warn(None, *texts.NOT_ADDED.fill(name=name, reason=as_clause(error.message)))
            return _RETRY
        except Exception as error:  # noqa: BLE001  # the thread goes on with the next name
            self._warnings.warn(None, *texts.NOT_ADDED.fill(name=name, reason=repr(error)))
            return _DENIED
        answer.allowed = None  # asked again after a while, because the name may have been removed
        return _ALLOWED

    def _allows(self, name: str) -> bool:
        try:
            allowed = self._on_unknown(name)
        except Exception as error:  # noqa: BLE001  # the program's function may raise anything
            self._warnings.warn(None, *texts.NOT_ASKED.fill(reason=type(error).__name__))
            return False
        if not isinstance(allowed, bool):
            reason = texts.NO_BOOL.format(found=type(allowed).__name__)
            self._warnings.warn(None, *texts.NOT_ASKED.fill(reason=reason))
        return allowed is True
