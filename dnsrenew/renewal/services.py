"""Makes the services of a run: one view of DNS, one client and one ledger for each CA, the solvers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dnsrenew.config.cas import uses_stand_in
from dnsrenew.errors import ConfigError
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.acme import CAClient
    from dnsrenew.base.model import CA
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.http01.app import AppResponses
    from dnsrenew.config import Config
    from dnsrenew.renewal.job import Services
    from dnsrenew.store import Store
    from dnsrenew.store.interfaces import LostAccount
    from dnsrenew.store.ledger import Ledger


class LazyServices:
    """Makes the services when they are first needed, once for all threads."""

    def __init__(self, make: Callable[[], Services]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Services | None = None

    def get(self) -> Services:
        """Return the services."""
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value

    def close(self) -> None:
        """Close all connections, if there are any."""
        with self._lock:
            if self._value is not None:
                self._value.close()


def make_services(
    config: Config,
    store: Store,
    run: Context,
    *,
    dry_run: bool = False,
    wait: float = 0,
    responses: AppResponses | None = None,
    attended: bool = False,
) -> Services:
    """Return the services of a run.

    :param wait: seconds to wait for another run that has its value where a host keeps only one.
    :param responses: the http-01 responses that an app of this program serves.
    :param attended: whether a person watches the run.
    """
    from dnsrenew.acme import CAClient  # slow to import, and not needed while nothing is due
    from dnsrenew.base.http import HttpClient
    from dnsrenew.challenges.dns01.instead import DnsInstead
    from dnsrenew.challenges.solver import SolverResources, make_solvers
    from dnsrenew.dns import DnsView
    from dnsrenew.renewal.job import Services
    from dnsrenew.renewal.port_programs import PortPrograms
    from dnsrenew.store.zone_locks import ZoneLocks

    clients: dict[str, CAClient] = {}
    lost: dict[str, LostAccount | None] = {}
    connections: list[HttpClient] = []
    lock = threading.Lock()

    def connect(trust: Path | str | None = None) -> HttpClient:
        connections.append(HttpClient(trust=trust))
        return connections[-1]

    def close() -> None:
        for connection in connections:
            connection.close()
        run.close()

    def client(name: str) -> CAClient:
        with lock:
            if name not in clients:
                ca = config.cas[name]
                clients[name] = CAClient(
                    ca,
                    connect(ca.trust),
                    store.accounts(ca.directory, name, run),
                    contact=config.contact,
                    agree_terms=config.agree_terms,
                )
            return clients[name]

    def ledger(name: str) -> Ledger:
        return store.ledger(config.cas[name].directory, name, run)

    def lost_account(name: str) -> LostAccount | None:
        with lock:
            if name not in lost:
                lost[name] = store.accounts(config.cas[name].directory, name, run).lost()
            return lost[name]

    dns, locks = DnsView(config.resolver, connect), ZoneLocks(store, wait)
    solvers = make_solvers(
        SolverResources(
            dns,
            config.accounts,
            config.providers,
            locks,
            store.journal,
            responses,
            attended,
            dry_run=dry_run,
        )
    )
    effective_ca = StagingCAs(config.cas, run) if dry_run else _SameCA()
    ports = PortPrograms(store.debts, wait)
    instead = DnsInstead(config.accounts, config.providers, has_file=config.path is not None)
    return Services(
        store, dns, solvers, client, ledger, lost_account, effective_ca, close, ports=ports, instead=instead
    )


class _SameCA(dict[str, str]):
    """The CA that is really asked, outside a dry run: the one that is named."""

    def __missing__(self, name: str) -> str:
        return name


class StagingCAs(dict[str, str]):
    """The staging CA of each CA, for a dry run.

    :param run: gets a warning if another CA stands in for a missing staging CA.
    :raises ConfigError: ``no-staging``, for a CA that has none.
    """

    def __init__(self, cas: Mapping[str, CA], run: Context) -> None:
        super().__init__()
        self._cas = cas
        self._run = run

    def __missing__(self, name: str) -> str:
        ca = self._cas[name]
        if ca.staging is None:
            raise ConfigError.of(texts.NO_STAGING, ca=name)
        if uses_stand_in(ca):
            self._run.warn(*texts.STAGING_STAND_IN.fill(ca=name, staging=ca.staging))
        self[name] = ca.staging
        return ca.staging
