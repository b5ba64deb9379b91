"""A host, its DNS and its CAs in memory, on one clock, around the real renewer and the real store."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from unittest import mock

from dnsrenew.base.model import CA, CertificateSpec, Outcome, Route
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.renewer import Renewer
from dnsrenew.testing import InMemoryDriver
from dnsrenew.testing.box.order_server import Proof, Suggest
from dnsrenew.testing.box.resources import AcmeProblem
from tests.kit.acme_server import UNAUTHORIZED, AcmeServer, Limits
from tests.kit.clock import FakeClock
from tests.kit.dns import MemoryDns
from tests.kit.folders import quick_folder
from tests.kit.memory import Ports, host_config, in_memory

START: Final = datetime(2027, 1, 1, tzinfo=UTC)
CAS: Final = {
    "le": CA("https://acme-v02.api.letsencrypt.org/directory", name="le"),  # our ledger knows its limits
    "second": CA("https://second.test/directory", name="second"),
}
ROUTES: Final = (Route("http-01", ca="le"), Route("dns-01", dns="home", ca="le"))
SECOND: Final = Route("dns-01", dns="home", ca="second")


def certificate(name: str = "home", *, routes: Sequence[Route] = ROUTES) -> CertificateSpec:
    """A certificate with these routes: by default http-01, then dns-01."""
    domains = (f"{name}.test",)
    return CertificateSpec(name=name, domains=domains, identifiers=domains, ca="le", routes=tuple(routes))


class YearWorld:
    """One host, its DNS and two CAs, on one clock.

    :param path: the folder of the store.
    :param reuse: how long the CAs accept an earlier validation.
    :param port_closes: from when on the CAs cannot reach port 80.
    """

    def __init__(
        self,
        path: Path,
        lifetime: timedelta,
        *,
        ari: Suggest | None,
        seed: int,
        port_closes: datetime,
        reuse: timedelta,
    ) -> None:
        self.clock = FakeClock(START)
        self.chance = random.Random(seed)
        self.web = Ports()
        self.driver = InMemoryDriver()
        self.limits = {name: Limits() for name in CAS}
        self.cas = {
            name: AcmeServer(
                ca.directory,
                self.clock,
                self._validate,
                name=name,
                lifetime=lifetime,
                authorization_reuse=reuse,
                suggest=ari,
                limits=self.limits[name],
            )
            for name, ca in CAS.items()
        }
        self.port_closes = port_closes
        self.path = path

    def _validate(self, proof: Proof) -> AcmeProblem | None:
        if proof.challenge == "dns-01":
            return None if proof.expected in self.driver.look(proof.txt_name) else UNAUTHORIZED
        if self.clock.now() >= self.port_closes:
            return AcmeProblem("connection", "Timeout during connect (likely firewall problem)")
        return None if proof.expected.encode() == self.web.contents.get(proof.token) else UNAUTHORIZED

    def set_time(self, now: datetime) -> None:
        """Move the clock forward."""
        self.clock.elapsed = max(self.clock.elapsed, (now - START).total_seconds())

    @property
    def left_behind(self) -> int:
        """The number of responses that are still published."""
        return len(self.web.contents) + len(self.driver.values)

    def renewer(self, specs: Sequence[CertificateSpec]) -> SeededRenewer:
        """Return a renewer as in a new process."""
        config = host_config(self.path, specs, {"home": self.driver}, CAS)
        return SeededRenewer(config, self)


class SeededRenewer(Renewer):
    """A renewer with the randomness and services of the world, in one thread, so that a seed gives one result."""

    def __init__(self, config: Config, world: YearWorld) -> None:
        super().__init__(config, clock=world.clock)
        self._world = world

    def _context(self, cancel: threading.Event | None) -> Context:
        return replace(super()._context(cancel), random=self._world.chance)

    def run(self, *, force: bool = False) -> list[Outcome]:
        """Renew what is due, as a timer does."""
        world = self._world
        with in_memory(world.cas.values(), MemoryDns({"home": world.driver}, seconds=3.0), world.web):
            return self.renew(workers=1, force=force)


@contextmanager
def world(
    lifetime: timedelta, *, ari: Suggest | None, seed: int, port_closes: datetime, reuse: timedelta = timedelta(0)
) -> Iterator[YearWorld]:
    """Make a world with an empty store; fsync does nothing, because the disk is not tested here."""
    with quick_folder() as folder, mock.patch.object(os, "fsync"):
        yield YearWorld(folder, lifetime, ari=ari, seed=seed, port_closes=port_closes, reuse=reuse)
