"""A worker of a fleet: takes what is due, on any number of machines, until it is stopped.

It works in sessions (:mod:`.session`). One ends when the database is lost; the next one begins when it answers again.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from dnsrenew.base.events import Event
from dnsrenew.base.model import Outcome, StoreAddress
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.session import RunRedactors, SessionSettings, WorkerSession

_POLL: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries to reach the database, at most."""
_SETTLED: Final = 60.0
"""Seconds of a session after which the next loss of the database counts as the first one."""
PATIENCE: Final = 10.0
"""Seconds of silence after which the database counts as gone."""
_CONNECTIONS: Final = 20
"""Connections at once, at most; a statement takes milliseconds, so that hundreds of jobs share them."""


class WorkerListener(Protocol):
    """Hears what a worker does. Its methods are called by several threads, one at a time."""

    def ready(self) -> None:
        """Hear that it takes jobs."""

    def alive(self) -> None:
        """Hear that it works, or waits for something to do; several times a second."""

    def waiting(self, error: DnsRenewError, seconds: float) -> None:
        """Hear that it waits for the database, and when it tries again."""

    def ended(self, outcome: Outcome) -> None:
        """Hear that a job has ended."""


class FleetWorker:
    """A worker. Its methods are thread-safe.

    :param listener: hears what it does.
    :param on_event: called with every event.
    :param concurrency: certificates at once; None: as the configuration says.
    :param language: the language of messages.
    """

    def __init__(
        self,
        config: Config,
        listener: WorkerListener,
        *,
        on_event: Callable[[Event], object] | None = None,
        concurrency: int | None = None,
        language: str | None = None,
    ) -> None:
        self._config = config
        self._listener = listener
        self._on_event = on_event
        self._concurrency = concurrency
        self._language = language
        self._redactors = RunRedactors()
        self._hearing = threading.RLock()
        self._stop = threading.Event()
        self._again = threading.Event()
        self._session: WorkerSession | None = None
        self._registrations: set[int] = set()

    def redact(self, text: str) -> str:
        """Return a text without the secrets that are in use, or were in the last minutes."""
        return self._redactors.redact(text)

    def stop(self) -> None:
        """Take no more jobs; end what is under way within a minute, and hand back the rest."""
        self._stop.set()

    def use(self, config: Config) -> None:
        """Use another configuration for jobs that begin from now on.

        Where the database, its seals or the concurrency differ, what is under way is ended first.
        """
        before, self._config = self._config, config
        session = self._session
        if (before.store, before.fleet) != (config.store, config.fleet):
            self._again.set()
        elif session is not None:
            session.services.renew()

    def run(self) -> None:
        """Work until :meth:`stop` is called; wait for a database that does not answer.

        :raises StoreError: the database can be reached, and cannot be used: ``store-schema``, ``store-newer``,
            ``store-refused``, ``store-read-only``, ``store-pooler``, ``seal-wrong``.
        :raises SecretError: the password or a seal cannot be read.
        :raises ConfigError: ``no-fleet``: the store is a folder.
        """
        losses = 0
        while not self._stop.is_set():
            self._again.clear()
            started = time.monotonic()
            error: StoreError | None = None
            try:
                # psycopg cannot use the event loop that is the default on Windows.
                with self._opened() as session, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    error = runner.run(session.run())
            except StoreError as problem:
                if problem.code != "store-unreachable":
                    raise
                error = problem
            if self._again.is_set():
                continue
            losses = 0 if time.monotonic() - started >= _SETTLED else losses + 1
            self._pause(error, losses)

    def _pause(self, error: StoreError | None, losses: int) -> None:
        """Wait before the next try to reach the database.

        :param error: why it cannot be reached, or was lost; None: the session ended otherwise.
        :param losses: how often in a row it could not be reached.
        """
        longest = min(2.0 ** min(losses, 10) / 2, _LONGEST_PAUSE)
        seconds = random.SystemRandom().uniform(longest / 2, longest)  # many workers have lost it at the same moment
        if error is not None and not self._stop.is_set():
            self._hear(partial(self._listener.waiting, error, seconds))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stop.wait(min(left, _POLL)):
            self._hear(self._listener.alive)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[WorkerSession]:
        """Connect to the database, and disconnect at the end.

        :raises StoreError: it does not answer, or cannot be used.
        """
        config = self._config
        if config.fleet is None or not isinstance(config.store, StoreAddress):
            raise ConfigError.of(texts.NO_FLEET)
        for use in config.secrets:
            use.secret.forget()
        concurrency = self._concurrency or config.fleet.concurrency
        database = Database(config.store, size=_CONNECTIONS, patience=PATIENCE)
        seals = Seals(config.seals())
        store = DatabaseStore(database, seals, worker=True)
        try:
            store.prove_writable()
            self._session = WorkerSession(store, seals, self._settings(concurrency))
            yield self._session
        finally:
            self._session = None
            store.end()  # a job that is late must not register this worker again

    def _settings(self, concurrency: int) -> SessionSettings:
        listener = self._listener
        return SessionSettings(
            config=lambda: self._config,
            redactors=self._redactors,
            on_event=self._on_event,
            language=self._language,
            concurrency=concurrency,
            is_over=lambda: self._stop.is_set() or self._again.is_set(),
            ready=lambda: self._hear(listener.ready),
            alive=lambda: self._hear(listener.alive),
            ended=lambda outcome: self._hear(partial(listener.ended, outcome)),
            registrations=self._registrations,
        )

    def _hear(self, call: Callable[[], object]) -> None:
        """Tell the listener; a bug there must not stop the worker."""
        with self._hearing, contextlib.suppress(Exception):
            call()
