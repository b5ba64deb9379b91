"""What a run works with: one look at DNS, one client and one ledger for each CA."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dnsrenew.errors import ConfigError
from dnsrenew.renewal.job import Services

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.ca import CAClient
    from dnsrenew.config import Config
    from dnsrenew.model import CA
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import Store
    from dnsrenew.store.ledger import Ledger


class LazyServices:
    """Makes what a run works with when it is first wanted, once, whichever thread wants it."""

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
        """End all connections, if any was wanted."""
        with self._lock:
            if self._value is not None:
                self._value.close()


def make_services(config: Config, store: Store, run: Context, *, dry_run: bool = False, wait: float = 0) -> Services:
    """Return what a run works with: one look at DNS, one client for each CA.

    :param wait: seconds to wait for another run that has its value where only one is kept.
    """
    from dnsrenew.ca import CAClient  # slow to import: nothing due needs none of them
    from dnsrenew.challenges.dns01 import Dns01
    from dnsrenew.challenges.http01 import Http01
    from dnsrenew.challenges.solver import Solver
    from dnsrenew.dns import DnsView
    from dnsrenew.http import HttpClient
    from dnsrenew.store.zone_locks import ZoneLocks

    clients: dict[str, CAClient] = {}
    connections: list[HttpClient] = []
    lock = threading.Lock()

    def connect(trust: Path | str | None = None) -> HttpClient:
        connections.append(HttpClient(trust=trust))
        return connections[-1]

    def close() -> None:
        for connection in connections:
            connection.close()

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

    dns, locks = DnsView(config.resolver, connect), ZoneLocks(store, wait)
    challenges = Solver(Dns01(dns, config.accounts, config.providers, locks, store.journal), Http01())
    effective_ca = StagingCAs(config.cas, run) if dry_run else _SameCA()
    return Services(store, dns, challenges, client, ledger, effective_ca, close)


class _SameCA(dict[str, str]):
    """The CA that is really asked, outside a rehearsal: the one that is named."""

    def __missing__(self, name: str) -> str:
        return name


class StagingCAs(dict[str, str]):
    """The staging twin of each CA, for a rehearsal.

    :param run: told where a CA without a twin of its own is stood in for by another.
    :raises ConfigError: ``no-staging``, when one is asked for that has none.
    """

    def __init__(self, authorities: Mapping[str, CA], run: Context) -> None:
        super().__init__()
        self._authorities = authorities
        self._run = run

    def __missing__(self, name: str) -> str:
        from dnsrenew.config.cas import stands_in

        staging = self._authorities[name].staging
        if staging is None:
            raise ConfigError(
                "no-staging",
                f"There is no staging CA to rehearse {name} with.",
                fix=f'Name one with staging = "…" in [ca.{name}].',
                evidence={"ca": name},
            )
        if stands_in(self._authorities[name]):
            self._run.warn(
                "staging-stand-in",
                f"The CA {name} has no staging CA: {staging} stands in for it.",
                f"A rehearsal says nothing of your account at {name}; see whether the rest is right.",
            )
        self[name] = staging
        return staging
