"""A world in memory where anything may go wrong: CAs, DNS hosts, DNS and a port, with the real renewal among them."""

from __future__ import annotations

import functools
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from dnsrenew.base.names import base_domain, relative
from dnsrenew.ca import CAClient
from dnsrenew.challenges.dns01 import Dns01
from dnsrenew.challenges.http01 import Http01
from dnsrenew.challenges.http01.listener import HttpListeners
from dnsrenew.challenges.solver import SolverResources, Solvers
from dnsrenew.dns import DnsView, Target
from dnsrenew.dns.caa_lookup import CaaAnswer, CaaRecord
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, Provider
from dnsrenew.errors import ChallengeError, DnsError, PropagationError, ProviderError
from dnsrenew.events import Emitter, Event
from dnsrenew.model import CertificateSpec, DnsAccount, Outcome, TxtRecord
from dnsrenew.renewal.job import Services
from dnsrenew.renewal.options import RunOptions
from dnsrenew.renewal.renew import renew_certificate
from dnsrenew.runtime.context import Context
from dnsrenew.secrets import Secret
from dnsrenew.store import Store
from dnsrenew.store.ledger import Ledger
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.kit.clock import START, FakeClock
from tests.kit.run_ca import Authority, StageCA, issue

DIRECTORIES: Final = {
    "one": "https://acme-v02.api.letsencrypt.org/directory",  # whose limits are known
    "two": "https://two.test/directory",
    "stage": "https://stage.test/directory",
}


@dataclass(frozen=True, slots=True)
class World:
    """What goes wrong.

    :ivar hosts: for each DNS account what its host does: see :class:`Host`.
    :ivar zones: for each the zones it may write; empty: any.
    :ivar ports: listen addresses that are ``"taken"``, or ``"lost"`` between the check and the use.
    :ivar lost: names whose zone cannot be found.
    :ivar caa: for a base domain its CAA record's value.
    :ivar stop: the number of the event at which the caller asks to stop.
    """

    authorities: Mapping[str, Authority] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)
    lost: Collection[str] = ()
    caa: Mapping[str, str] = field(default_factory=dict)
    stop: int | None = None


class Host(InMemoryDriver):
    """A DNS host.

    :param fate: ``ok``, or it ``refuses``, writes ``half``, is ``down``, is not seen (``hidden``), lets nothing be
        removed (``keeps``), or holds ``one`` value at a name; the secret of a ``secretless`` one is nowhere.
    """

    def __init__(self, fate: str) -> None:
        super().__init__()
        self.fate = fate

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write, as far as it goes."""
        if self.fate == "refuses":
            raise ProviderError("provider-refused", "The host says no.", fix="Ask it why.")
        if self.fate == "down":
            raise ConnectionError("nobody there")
        if self.fate == "one":
            for record in records:
                self.values[record.name] = [record.value]
            return
        super().add(records[:1] if self.fate == "half" else records)
        if self.fate == "half":
            raise RuntimeError("stumbled")

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove, if it may."""
        if self.fate == "keeps":
            raise ProviderError("provider-refused", "The host keeps what it has.", fix="Ask it why.")
        super().remove(records)


class Ports:
    """Listeners that listen to nobody."""

    def __init__(self, fates: Mapping[str, str]) -> None:
        self.fates = fates
        self.contents: dict[str, bytes] = {}

    def check(self, listen: str) -> None:
        """Whether it can be had."""
        self._refuse(listen, "taken")

    def add(self, listen: str, token: str, content: bytes) -> None:
        """Answer a token."""
        self._refuse(listen, "lost")
        self.contents[token] = content

    def remove(self, listen: str, token: str, content: bytes) -> None:
        """Answer it no more."""
        del self.contents[token]

    def ask(self, listen: str, token: str) -> dict[str, bytes]:
        """What we answer ourselves."""
        body = b"" if self.fates.get(listen) == "mute" else self.contents[token]
        return {listen: b"HTTP/1.1 200 OK\r\n\r\n" + body}

    def _refuse(self, listen: str, fate: str) -> None:
        if self.fates.get(listen) == fate:
            raise ChallengeError("http-port-taken", f"{listen} is taken.", fix="Free it.", evidence={"listen": listen})


class StageDns:
    """DNS as it is seen from here: at once, what the hosts hold."""

    def __init__(self, world: World, hosts: Mapping[str, Host]) -> None:
        self._world = world
        self._hosts = hosts

    def challenge_targets(self, context: Context, identifiers: Sequence[str], **_: Any) -> dict[str, Target]:
        """Each in its own zone."""
        context.check()
        for identifier in identifiers:
            if base_domain(identifier) in self._world.lost:
                raise DnsError("dns-no-zone", f"{identifier} has no zone.", fix="Register it.")
        return {name: Target(f"_acme-challenge.{base_domain(name)}.", (), zone_of(name)) for name in identifiers}

    def warn_wildcard_shadow(self, *_: Any) -> None:
        """Nothing is hidden here."""

    def caa(self, context: Context, identifiers: Collection[str]) -> dict[str, CaaAnswer]:
        """What stands at each name, if anything."""
        return {name: self._caa(base_domain(name)) for name in identifiers}

    def _caa(self, domain: str) -> CaaAnswer:
        value = self._world.caa.get(domain)
        if value is None:
            return CaaAnswer()
        if value == "?":
            return CaaAnswer(unknown_reason="No server answers.")
        return CaaAnswer((CaaRecord(0, "issue", value),), domain, domain)

    def wait_visible(self, context: Context, records: Sequence[TxtRecord], *, settle: float, **_: Any) -> None:
        """Until every value is served by every host that has it."""
        hidden = [host for host in self._hosts.values() if host.fate == "hidden"]
        late = [
            record.name
            for record in records
            if record.value not in self.values(context, record.name) or any(host.look(record.name) for host in hidden)
        ]
        if late:
            context.wait(120)
            names = sorted({relative(name) for name in late})
            raise PropagationError(
                "propagation-timeout", "Not every server shows it.", fix="Wait.", evidence={"names": names}
            )
        context.wait(settle)

    def values(self, context: Context, name: str) -> set[str]:
        """What is served."""
        return {value for host in self._hosts.values() for value in host.look(name)}

    def addresses(self, context: Context, hosts: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Here."""
        context.check()
        return dict.fromkeys(hosts, ("127.0.0.1",))

    def ttl(self, context: Context, name: str) -> int:
        """How long it may be kept."""
        return 60


def zone_of(name: str) -> str:
    """The zone of a name: its last two labels."""
    return ".".join(name.split(".")[-2:]) + "."


class Stage:
    """One store, and runs in a world that may change between them."""

    def __init__(self, path: Path, world: World) -> None:
        self.store = Store(path)
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.context = Context(
            clock=self.clock, random=random.Random(1), emitter=Emitter(self.clock, self._hear)
        ).for_certificate("home")
        self.enter(world)

    def enter(self, world: World) -> None:
        """Let things go wrong otherwise from now on."""
        self.world = world
        self.hosts = {name: Host(fate) for name, fate in world.hosts.items()}
        self.ports = Ports(world.ports)
        self.dns = StageDns(world, self.hosts)
        self.cas = {
            name: StageCA(name, world.authorities.get(name, Authority()), self.clock, self._shown)
            for name in DIRECTORIES
        }
        self.events.clear()
        self.context.cancel.clear()

    def run(self, spec: CertificateSpec, **wishes: Any) -> Outcome:
        """Renew, with everything real but the world."""
        services = functools.partial(self._services, wishes)
        return renew_certificate(spec, None, services, self.store, self.context, options=RunOptions(**wishes))

    def keep(self, spec: CertificateSpec) -> None:
        """Have a certificate in force that is due in a day or two."""
        begin = START - timedelta(days=60)
        pem, key, facts = issue(spec.identifiers, begin)
        with self.store.lock(spec.name, context=self.context):
            self.store.prove_writable(spec.name)
            self.store.keep(spec, "one", pem, key, facts, state=self.store.read_state(spec.name))
        self.clock.elapsed += 2 * 86400.0

    def told(self, kind: str) -> list[Mapping[str, Any]]:
        """The data of all events of a kind."""
        return [event.data for event in self.events if event.kind == kind]

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) == self.world.stop:
            self.context.cancel.set()

    def _shown(self, kind: str, identifier: str, token: str) -> dict[str | None, set[str]]:
        """What the CA sees of a proof, by the account that holds it."""
        if kind == "http-01":
            content = self.ports.contents.get(token)
            return {} if content is None else {None: {content.decode()}}
        name = f"_acme-challenge.{base_domain(identifier)}."
        return {account: host.look(name) for account, host in self.hosts.items()}

    def _services(self, wishes: Mapping[str, Any]) -> Services:
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
                behaviour=Behaviour(values="one" if self.hosts[name].fate == "one" else "many"),
            )
            for name, account in accounts.items()
        }
        dns = cast("DnsView", self.dns)
        resources = SolverResources(dns, accounts, providers, ZoneLocks(self.store), self.store.journal)
        http01 = Http01(dns, cast("HttpListeners", self.ports))
        solvers = Solvers({"dns-01": Dns01(resources), "http-01": http01})
        authority = dict.fromkeys(DIRECTORIES, "stage") if wishes.get("dry_run") else {n: n for n in DIRECTORIES}
        return Services(
            self.store, dns, solvers, self._ca, self._ledger, authority, lambda: None
        )

    def _options(self, host: Host) -> dict[str, Any]:
        secret = {"token": Secret.env("DNSRENEW_TEST_NOT_THERE")} if host.fate == "secretless" else {}
        return {"driver": host, **secret}

    def _ca(self, name: str) -> CAClient:
        return cast("CAClient", self.cas[name])

    def _ledger(self, name: str) -> Ledger:
        return self.store.ledger(DIRECTORIES[name], name, self.context)
