"""A world in memory in which anything may fail: CAs, DNS hosts, DNS and a port, with the real renewal."""

from __future__ import annotations

import functools
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from dnsrenew.acme import CAClient
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA, CertificateSpec, DnsAccount, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.challenges.dns01 import Dns01, DnsAccount01
from dnsrenew.challenges.dns_persist01 import DnsPersist01
from dnsrenew.challenges.http01 import Http01
from dnsrenew.challenges.http01_server import HttpListeners
from dnsrenew.challenges.solver import SolverResources, Solvers
from dnsrenew.dns import DnsView
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, Provider
from dnsrenew.renewal.due import RunOptions
from dnsrenew.renewal.renew import Renewals, renew_certificate
from dnsrenew.renewal.services import Services
from dnsrenew.store import FolderStore
from dnsrenew.store.accounts import LostAccount
from dnsrenew.store.ledger import Ledger
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing.box.order_server import Proof
from dnsrenew.testing.box.resources import AcmeProblem, BoxAccount
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer, CaBehaviour
from tests.kit.certificates import issue
from tests.kit.clock import START, FakeClock
from tests.kit.dns import Host, MemoryDns
from tests.kit.memory import Ports, threads_at_once

DIRECTORIES: Final = {
    "one": "https://acme-v02.api.letsencrypt.org/directory",  # the ledger knows its limits
    "two": "https://two.test/directory",
    "stage": "https://stage.test/directory",
}


UNKNOWN: Final = "unknown-01"
"""Each CA offers one more challenge, of a type that no client knows: it refuses no name."""


@dataclass(frozen=True, slots=True)
class RunWorld:
    """The faults of a world.

    :ivar cas: how each CA behaves.
    :ivar hosts: the behaviour of each DNS account's host: see :class:`Host`.
    :ivar zones: the zones of each account; empty: any.
    :ivar ports: listen addresses that are ``"taken"``, or ``"lost"`` between the check and the use.
    :ivar lost: domains whose zone is not found.
    :ivar caa: the CAA value of a base domain.
    :ivar stop: the number of the event at which the caller cancels.
    """

    cas: Mapping[str, CaBehaviour] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
    lost: Collection[str] = ()
    caa: Mapping[str, str] = field(default_factory=dict)
    stop: int | None = None


class RunStage:
    """One store, and runs in a world that may change between them."""

    def __init__(self, path: Path, world: RunWorld) -> None:
        self.store = FolderStore(path)
        self.clock = FakeClock()
        self.accounts: dict[str, dict[str, BoxAccount]] = {name: {} for name in DIRECTORIES}
        self.events: list[Event] = []
        self.context = Context(
            clock=self.clock, random=random.Random(1), emitter=Emitter(self.clock, self._hear)
        ).for_certificate("home")
        self.enter(world)

    def enter(self, world: RunWorld) -> None:
        """Replace the world."""
        self.world = world
        self.hosts = {name: Host(behaviour, one=behaviour == "one") for name, behaviour in world.hosts.items()}
        self.ports = Ports(world.ports)
        self.dns = MemoryDns(self.hosts, lost=world.lost, caa_values=world.caa)
        self.cas = {
            name: self._ca(name, directory, world.cas.get(name, CaBehaviour()))
            for name, directory in DIRECTORIES.items()
        }
        self.events.clear()
        self.context.cancel.clear()

    def run(self, spec: CertificateSpec, **options: Any) -> Outcome:
        """Renew, with everything real except the world; threads end before this returns."""
        services = functools.partial(self._services, options)
        config: Any = None
        run = Renewals(config, self.store, services, self.context, RunOptions(**options))
        with threads_at_once():
            return renew_certificate(run, spec, None, self.context, run.options)

    def keep(self, spec: CertificateSpec, ca: str = "one") -> None:
        """Store a certificate that is due in a day or two."""
        begin = START - timedelta(days=60)
        pem, key, facts = issue(spec.identifiers, begin)
        with self.store.lock(spec.name, context=self.context):
            self.store.prove_writable(spec.name)
            self.store.keep(spec, ca, pem, key, facts, state=self.store.read_state(spec.name))
        self.clock.elapsed += 2 * 86400.0

    def event_data(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the data of all events of a kind."""
        return [event.data for event in self.events if event.kind == kind]

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) == self.world.stop:
            self.context.cancel.set()

    def _ca(self, name: str, directory: str, behaviour: CaBehaviour) -> AcmeServer:
        return AcmeServer(
            directory,
            self.clock,
            functools.partial(self._validate, behaviour, set()),
            name=name,
            accounts=self.accounts[name],
            offers=(*behaviour.offers, UNKNOWN),
            authorization_reuse=timedelta(days=1000 if behaviour.reuses else 0),
            meta={"caaIdentities": [f"{name}.test"]} if behaviour.named else {},
            dialect=behaviour.dialect,
            issuers=[f"{name}.test"],
            behaviour=behaviour,
        )

    def _validate(
        self, behaviour: CaBehaviour, rejected: set[tuple[str, str | None, str]], proof: Proof
    ) -> AcmeProblem | None:
        holders = [account for account, values in self._shown(proof).items() if proof.is_met_by(values)]
        for account in holders:
            kind, about = behaviour.rejects.get((proof.challenge, account), ("", ()))
            key = (proof.challenge, account, proof.identifier)
            if proof.identifier in about and not (behaviour.once and key in rejected):
                rejected.add(key)
                return AcmeProblem(kind, "not as it should be")
        return None if holders else UNAUTHORIZED

    def _shown(self, proof: Proof) -> dict[str | None, set[str]]:
        """Return what the CA sees of a proof, by the account that holds it."""
        if proof.challenge == "http-01":
            content = self.ports.contents.get(proof.token)
            return {} if content is None else {None: {content.decode()}}
        return {account: host.look(proof.txt_name) for account, host in self.hosts.items()}

    def _services(self, options: Mapping[str, Any]) -> Services:
        accounts = {
            name: DnsAccount(f"host-{name}", name=name, zones=self.world.zones.get(name, ()), **self._options(host))
            for name, host in self.hosts.items()
        }
        providers = {
            account.provider: Provider(
                name=account.provider,
                title=name.title(),
                driver=OWN_OBJECT,
                any_options=True,
                behaviour=Behaviour(values="one" if self.hosts[name].behaviour == "one" else "many"),
            )
            for name, account in accounts.items()
        }
        dns = cast("DnsView", self.dns)
        resources = SolverResources(dns, accounts, providers, ZoneLocks(self.store), self.store.journal)
        http01 = Http01(resources, cast("HttpListeners", self.ports))
        persist = DnsPersist01(replace(resources, dry_run=bool(options.get("dry_run"))))
        by_account = DnsAccount01(resources)
        solvers = Solvers(
            resources,
            {"dns-01": Dns01(resources), "http-01": http01, "dns-persist-01": persist, "dns-account-01": by_account},
        )
        effective_ca = (lambda _: "stage") if options.get("dry_run") else str
        clients = {name: self._client(name) for name in DIRECTORIES}
        return Services(
            self.store, dns, solvers, clients.__getitem__, self._ledger, self._lost, effective_ca, lambda: None
        )

    def _options(self, host: Host) -> dict[str, Any]:
        secret = {"token": Secret.env("DNSRENEW_TEST_NOT_THERE")} if host.behaviour == "secretless" else {}
        return {"driver": host, **secret}

    def _client(self, name: str) -> CAClient:
        http, accounts = cast("HttpClient", self.cas[name]), self.store.accounts(DIRECTORIES[name], name, self.context)
        return CAClient(CA(DIRECTORIES[name], name=name), http, accounts, contact=(), agree_terms=True)

    def _lost(self, name: str) -> LostAccount | None:
        return self.store.accounts(DIRECTORIES[name], name, self.context).lost()

    def _ledger(self, name: str) -> Ledger:
        return self.store.ledger(DIRECTORIES[name], name, self.context)
