"""A host, its DNS and its CAs in memory, on one clock, around the real renewer and the real store."""

from __future__ import annotations

import os
import random
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock

from dnsrenew import renewer as module
from dnsrenew.base.names import base_domain
from dnsrenew.ca import CAClient
from dnsrenew.challenges.dns01 import Dns01
from dnsrenew.challenges.http01 import Http01, Responder
from dnsrenew.challenges.solver import Solver
from dnsrenew.config import Config
from dnsrenew.dns import DnsView, Target
from dnsrenew.dns.caa_lookup import CaaAnswer
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.provider import OWN_OBJECT
from dnsrenew.model import CA, CertificateSpec, DnsAccount, Outcome, Resolver, Route, TxtRecord
from dnsrenew.renewal.job import Services
from dnsrenew.renewer import Renewer
from dnsrenew.runtime.context import Context
from dnsrenew.store import Store
from dnsrenew.store.zone_locks import ZoneLocks
from dnsrenew.testing import InMemoryDriver
from tests.unit.clocks import FakeClock
from tests.unit.year_ca import Suggest, YearCA

START: Final = datetime(2027, 1, 1, tzinfo=UTC)
CAS: Final = {
    "letsencrypt": CA(
        "https://acme-v02.api.letsencrypt.org/directory", name="letsencrypt"
    ),  # our ledger knows its limits
    "second": CA("https://second.test/directory", name="second"),
}
ROUTES: Final = (Route("http-01", ca="letsencrypt"), Route("dns-01", dns="home", ca="letsencrypt"))
SECOND: Final = Route("dns-01", dns="home", ca="second")


def certificate(name: str = "home", *, routes: Sequence[Route] = ROUTES) -> CertificateSpec:
    """Return what is wanted: port 80 first, then DNS."""
    domains = (f"{name}.test",)
    return CertificateSpec(name=name, domains=domains, identifiers=domains, ca="letsencrypt", routes=tuple(routes))


class MemoryWeb:
    """The web server's side of http-01, in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def check(self, _probe: str) -> None:
        """The port can be had, whatever stands in front of it."""

    def add(self, token: str, content: bytes) -> None:
        """Answer a token."""
        self.contents[token] = content

    def remove(self, token: str, content: bytes) -> None:
        """Take it back."""
        del self.contents[token]

    def problem(self, token: str, content: bytes) -> str | None:
        """Our own side is always well."""
        return None if self.contents[token] == content else "it is another"


class MemoryHttp01(Http01):
    """http-01 at a web server in memory."""

    def __init__(self, web: MemoryWeb) -> None:
        super().__init__()
        self._web = web

    def _place(self, listen: str | None, webroot: str | None) -> Responder:
        return self._web


class MemoryDns:
    """DNS where every name is a zone of its own and every value is seen after some seconds."""

    def challenge_targets(self, context: Context, identifiers: Sequence[str], **_: Any) -> dict[str, Target]:
        """Where the TXT of each goes."""
        bases = {identifier: base_domain(identifier) for identifier in identifiers}
        return {identifier: Target(f"_acme-challenge.{base}.", (), f"{base}.") for identifier, base in bases.items()}

    def warn_wildcard_shadow(self, *_: Any, **__: Any) -> None:
        """Nothing is hidden here."""

    def caa(self, context: Context, identifiers: Iterable[str]) -> Mapping[str, CaaAnswer]:
        """Nobody has any."""
        return {identifier: CaaAnswer() for identifier in identifiers}

    def wait_visible(self, context: Context, records: Sequence[TxtRecord], *, settle: float, **_: Any) -> None:
        """Three seconds, and what is to be waited more."""
        context.wait(3 + settle)


class World:
    """One host, its DNS and two CAs, on one clock.

    :param port_closes: when the CAs cannot reach port 80 any more.
    """

    def __init__(
        self, path: Path, lifetime: timedelta, *, ari: Suggest | None, seed: int, port_closes: datetime
    ) -> None:
        self.clock = FakeClock(START)
        self.chance = random.Random(seed)
        self.web = MemoryWeb()
        self.driver = InMemoryDriver()
        self.cas = {name: YearCA(name, self.clock, lifetime, self._look, suggest=ari) for name in CAS}
        self.port_closes = port_closes
        self._path = path
        self._account = DnsAccount(OWN_OBJECT, name="home", driver=self.driver)

    def _look(self, kind: str, place: str) -> str | None:
        if kind == "dns-01":
            return " ".join(self.driver.look(place))
        return None if self.clock.now() >= self.port_closes else self.web.contents.get(place, b"").decode()

    def set_time(self, now: datetime) -> None:
        """Let time pass until then; it never goes back."""
        self.clock.elapsed = max(self.clock.elapsed, (now - START).total_seconds())

    @property
    def left_behind(self) -> int:
        """How many proofs are still published."""
        return len(self.web.contents) + len(self.driver.values)

    def renewer(self, specs: Sequence[CertificateSpec]) -> SeededRenewer:
        """Return the renewer of a new process: it knows what is in the store, and no more."""
        provider = find_provider(OWN_OBJECT)
        assert provider is not None
        config = Config(
            path=None,
            store=self._path,
            contact=(),
            agree_terms=True,
            default_ca="letsencrypt",
            cas=CAS,
            accounts={"home": self._account},
            providers={OWN_OBJECT: provider},
            resolver=Resolver(),
            certificates=tuple(specs),
        )
        return SeededRenewer(config, self)

    def services(self, config: Config, store: Store, run: Context, *, dry_run: bool, wait: float) -> Services:
        """Stand in for ``make_services``."""
        dns = cast("DnsView", MemoryDns())
        dns01 = Dns01(
            dns,
            config.accounts,
            config.providers,
            ZoneLocks(store, wait),
            store.journal,
        )
        return Services(
            store,
            dns,
            Solver(dns01, MemoryHttp01(self.web)),
            lambda name: cast("CAClient", self.cas[name]),
            lambda name: store.ledger(CAS[name].directory, name, run),
            {name: name for name in CAS},
            lambda: None,
        )


class SeededRenewer(Renewer):
    """A renewer whose chance and services are the world's: one thread, so that every year of a seed is the same."""

    def __init__(self, config: Config, world: World) -> None:
        super().__init__(config, clock=world.clock)
        self._world = world

    def _context(self, cancel: threading.Event | None) -> Context:
        return replace(super()._context(cancel), random=self._world.chance)

    def run(self, *, force: bool = False) -> list[Outcome]:
        """Renew what is due, as a timer does."""
        with mock.patch.object(module, "make_services", self._world.services):
            return self.renew(workers=1, force=force)


@contextmanager
def world(lifetime: timedelta, *, ari: Suggest | None, seed: int, port_closes: datetime) -> Iterator[World]:
    """Give a world with an empty store; the disk is not what is looked at here: nothing is forced onto it."""
    memory = Path("/dev/shm")
    in_memory = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(dir=in_memory) as folder, mock.patch.object(os, "fsync"):
        yield World(Path(folder), lifetime, ari=ari, seed=seed, port_closes=port_closes)
