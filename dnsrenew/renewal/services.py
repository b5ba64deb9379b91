"""The services of a run: a view of DNS, the solvers, and a client and a ledger for each CA.

Imported when a renewal is due, because it is slow to load.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dnsrenew.acme import CAClient
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import FairLock
from dnsrenew.base.values import Frozen, field
from dnsrenew.challenges.records import DnsInstead
from dnsrenew.challenges.solver import SolverResources, Solvers
from dnsrenew.config import Config
from dnsrenew.config.cas import uses_stand_in
from dnsrenew.dns import DnsView
from dnsrenew.errors import ConfigError
from dnsrenew.renewal import texts
from dnsrenew.renewal.port_programs import PortPrograms
from dnsrenew.store import Store
from dnsrenew.store.accounts import LostAccount
from dnsrenew.store.ledger import Ledger
from dnsrenew.store.zone_locks import ZoneLocks

if TYPE_CHECKING:
    from dnsrenew.challenges.http01_server import AppResponses


class Services(Frozen):
    """The services of renewals, created once in a run and shared by all certificates.

    :ivar ca: returns the client for a CA, by name.
    :ivar ledger: returns the ledger of our account there.
    :ivar lost_account: returns our account there if its key is damaged or gone, else None.
    :ivar effective_ca: returns the CA that is really used, by name: the CA itself, or its staging CA in a dry run.
    :ivar close: closes all connections.
    :ivar unresponsive: the CAs whose renewal information (ARI) timed out in this run.
    :ivar locks: the locks of certificates for the same names.
    :ivar ports: the programs ``before`` and ``after``.
    :ivar instead: the DNS accounts, for a certificate without a route that uses them.
    """

    store: Store
    dns: DnsView
    solvers: Solvers
    ca: Callable[[str], CAClient]
    ledger: Callable[[str], Ledger]
    lost_account: Callable[[str], LostAccount | None]
    effective_ca: Callable[[str], str]
    close: Callable[[], None]
    unresponsive: set[str] = field(default_factory=set)
    locks: FairLock = field(default_factory=FairLock)
    ports: PortPrograms = field(default_factory=PortPrograms)
    instead: DnsInstead = field(default_factory=DnsInstead)


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

    :param wait: seconds to wait for another run whose value is at a host that keeps only one.
    :param responses: the http-01 responses that an app of this program serves.
    :param attended: whether a person watches the run.
    """
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
                ca, contact, agreed = config.cas[name], config.contact, config.agree_terms
                accounts = store.accounts(ca.directory, name, run)
                clients[name] = CAClient(ca, connect(ca.trust), accounts, contact=contact, agree_terms=agreed)
            return clients[name]

    def ledger(name: str) -> Ledger:
        return store.ledger(config.cas[name].directory, name, run)

    def lost_account(name: str) -> LostAccount | None:
        with lock:
            if name not in lost:
                lost[name] = store.accounts(config.cas[name].directory, name, run).lost()
            return lost[name]

    dns, locks = DnsView(config.resolver, connect), ZoneLocks(store, wait)
    known = config.accounts, config.providers
    solvers = Solvers(SolverResources(dns, *known, locks, store.journal, responses, attended, dry_run=dry_run))
    effective = partial(staging_ca, config.cas, run) if dry_run else str
    ports, instead = PortPrograms(store.debts, wait), DnsInstead(*known, has_file=config.path is not None)
    return Services(store, dns, solvers, client, ledger, lost_account, effective, close, ports=ports, instead=instead)


def staging_ca(cas: Mapping[str, CA], run: Context, name: str) -> str:
    """Return the staging CA of a CA, for a dry run.

    :param run: gets a warning if another CA replaces a missing staging CA.
    :raises ConfigError: ``no-staging``: it has no staging CA.
    """
    ca = cas[name]
    if ca.staging is None:
        raise ConfigError.of(texts.NO_STAGING, ca=name)
    if uses_stand_in(ca):
        run.warn(*texts.STAGING_STAND_IN.fill(ca=name, staging=ca.staging))
    return ca.staging
