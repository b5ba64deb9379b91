"""Workers in processes that are killed at a point, Pebble as the CA, BIND as the DNS host."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import psutil

from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.fleet_world import age_journal
from tests.kit.processes import NEVER, Run, Zygote
from tests.lab import AcmeProxy

NAMES: Final = ("one", "two", "three")
STALLED: Final = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'"


class WorkerProcesses:
    """Workers in processes, of one fleet.

    :ivar ca: counts what they ask for.
    """

    def __init__(self, stage: FleetStage, zygote: Zygote, ca: AcmeProxy) -> None:
        self.stage = stage
        self.ca = ca
        self._zygote = zygote
        stage.write(ca__lab__directory=ca.directory_url)

    @contextlib.contextmanager
    def worker(
        self, point: str = NEVER, *, number: int = signal.SIGKILL, concurrency: int = 3, **env: str
    ) -> Iterator[Run]:
        """Let a worker work; kill it at the end if it lives.

        :param point: at which it gets a signal.
        :param env: changes of its environment.
        """
        workspace = self.stage.workspace
        before, workspace.env = workspace.env, {**workspace.env, **env}
        try:
            run = self._zygote.start(workspace, point, "worker", "--concurrency", str(concurrency), number=number)
        finally:
            workspace.env = before
        try:
            yield run
        finally:
            if psutil.pid_exists(run.pid):  # its end was not waited for yet
                os.kill(run.pid, signal.SIGKILL)
                run.end()

    def wait_for_workers(self, count: int) -> None:
        """Wait until this number of workers has registered with the queue."""
        wait_until(lambda: self.stage.database.one("SELECT count(*) FROM procrastinate_workers") == (count,))

    def wait_until_dead(self) -> None:
        """Wait until the server knows that no worker is alive; let half a minute pass for the queue."""
        wait_until(lambda: self.stage.database.one("SELECT count(*) FROM dnsrenew_alive") == (0,))
        self.stage.lab.flush()  # or the CA's resolver would still have the values of the dead workers
        self.stage.database.execute(STALLED)

    def let_ten_minutes_pass(self) -> None:
        """Let the time pass in which a host may still make a requested change."""
        age_journal(self.stage.database)

    def ordered(self) -> Counter[str]:
        """Return the number of orders for each domain."""
        return self._asked("newOrder", "identifiers")

    def _asked(self, kind: str, field: str) -> Counter[str]:
        names: Counter[str] = Counter()
        for exchange in [*self.ca.exchanges]:
            made = exchange.request.kind == kind and exchange.response is not None and exchange.response.status < 400
            if made and exchange.request.payload is not None:
                values: Any = exchange.request.payload[field]
                names.update(value["value"] for value in values)
        return names

    def values(self) -> set[str]:
        """Return all TXT values in the lab."""
        return {value for values in self.stage.lab.all_txt().values() for value in values}

    def assert_right(self, *names: str) -> None:
        """Check that each certificate is in force, once and complete, and that no value or entry is left."""
        wait_until(lambda: set(self.stage.versions()) == set(names) and not self.stage.jobs())
        self.let_ten_minutes_pass()
        wait_until(lambda: not self.stage.journal())
        assert set(self.stage.versions().values()) == {1}
        assert self.values() == set()
        store = DatabaseStore(self.stage.database, Seals([]))
        for name in names:
            state = store.read_state(name)
            assert store.certificate(name, state) is not None
            assert store.is_whole(name, state)
