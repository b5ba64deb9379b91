"""The state machine: any order of runs, kills, disk errors, faults of CAs and DNS, edits and passing time."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dnsrenew.base.model import CertificateSpec, KeyKind, Route
from dnsrenew.base.names import base_domain
from tests.kit.dns import BEHAVIOURS as HOST_BEHAVIOURS
from tests.kit.machine_ca import BEHAVIOURS as CA_BEHAVIOURS
from tests.kit.machine_gate import Trouble
from tests.kit.machine_model import Model
from tests.kit.machine_world import FOREIGN, world

DOMAINS: Final = {
    "home": (("home.test",), ("home.test", "*.home.test"), ("home.test", "shop.test")),
    "shop": (("shop.test",), ("*.shop.test",)),
}
FIRST, SECOND = "le", "second"
ROUTES: Final = tuple(
    tuple(Route("dns-01", dns=(dns,), ca=ca) for dns, ca in routes)
    for routes in (
        (("many", FIRST),),
        (("many", FIRST), ("single", FIRST)),
        (("many", FIRST), ("many", SECOND)),
        (("single", SECOND), ("many", FIRST)),
    )
)
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
PATIENCE: Final = 9 * DAY
"""No wait is longer: our own, a Retry-After, or that for a rate limit."""
MOST_ACTS: Final = 240
"""The number of acts of a run that obtains both certificates."""


def wanted(name: str, domains: tuple[str, ...], key: KeyKind, routes: tuple[Route, ...]) -> CertificateSpec:
    """Return a certificate of the configuration."""
    return CertificateSpec(name=name, domains=domains, identifiers=domains, ca=FIRST, key=key, routes=routes)


class Machine(RuleBasedStateMachine):
    """A home user's host for some months, in which everything fails."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = True
        self.stack = ExitStack()
        self.world = self.stack.enter_context(world())
        specs = [wanted(name, domains[0], "ecdsa-p256", ROUTES[1]) for name, domains in DOMAINS.items()]
        self.model = Model(self.world, specs)
        names = {base_domain(domain) for sets in DOMAINS.values() for domains in sets for domain in domains}
        for name in names:
            self.world.hosts["many"].values[f"_acme-challenge.{name}."] = [FOREIGN]

    @initialize(already=st.booleans())
    def begin(self, already: bool) -> None:
        """Start with certificates in force, or with an empty folder."""
        if already:
            self.renew(force=False, times=1)

    # ── runs ────────────────────────────────────────────────────────────────────────────

    @rule(force=st.booleans(), times=st.sampled_from([1, 1, 1, 6]))
    def renew(self, force: bool, times: int) -> None:
        """Make a run; or several, as an impatient person does."""
        for _ in range(times):
            self._run(force=force)

    @rule(force=st.booleans(), at=st.integers(1, MOST_ACTS))
    def kill(self, force: bool, at: int) -> None:
        """Kill a run before its n-th act; a run with fewer acts ends normally."""
        self._run(force=force, dies_at=at)

    def _run(self, *, force: bool, dies_at: int | None = None) -> None:
        with self._checking():
            self.model.note(self.world.renew(self.model.specs, force=force, dies_at=dies_at))

    @rule(at=st.none() | st.integers(1, 10))
    def clean_up(self, at: int | None) -> None:
        """Run `dnsrenew cleanup`, which may be killed too."""
        self.world.clean_up(self.model.specs, dies_at=at)

    # ── faults ──────────────────────────────────────────────────────────────────────────

    @rule(after=st.integers(0, 120), number=st.sampled_from([errno.ENOSPC, errno.ENOSPC, errno.EIO, errno.EROFS]))
    def fill_the_disk(self, after: int, number: int) -> None:
        """From now on each run can make this number of changes."""
        self.world.trouble = Trouble(after, number)

    @rule()
    def free_the_disk(self) -> None:
        """Repair the disk."""
        self.world.trouble = None

    @rule(name=st.sampled_from([FIRST, FIRST, SECOND]), behaviour=st.sampled_from(CA_BEHAVIOURS))
    def break_the_ca(self, name: str, behaviour: str) -> None:
        """Break a CA, or repair it."""
        self.world.cas[name].mood = behaviour

    @rule(name=st.sampled_from(["many", "many", "single"]), behaviour=st.sampled_from(HOST_BEHAVIOURS))
    def break_dns(self, name: str, behaviour: str) -> None:
        """Break a DNS host, or repair it."""
        self.world.hosts[name].behaviour = behaviour

    @rule(
        name=st.sampled_from(list(DOMAINS)),
        number=st.integers(0, 2),
        key=st.sampled_from(["ecdsa-p256", "ecdsa-p256", "ecdsa-p384"]),
        routes=st.integers(0, len(ROUTES) - 1),
    )
    def change_the_config(self, name: str, number: int, key: KeyKind, routes: int) -> None:
        """Change names, key or routes; an account that has written may become unused."""
        sets = DOMAINS[name]
        self.model.edit(wanted(name, sets[number % len(sets)], key, ROUTES[routes]))

    @rule(seconds=st.sampled_from([30.0, 120.0, 900.0, 2 * HOUR, DAY, 8 * DAY, 40 * DAY, 100 * DAY]))
    def clock_on(self, seconds: float) -> None:
        """Let time pass without a run."""
        self.world.pass_time(seconds)

    @rule()
    def repair(self) -> None:
        """Repair everything, so that runs succeed often enough."""
        self.world.trouble = None
        for host in self.world.hosts.values():
            host.behaviour = "ok"
        for ca in self.world.cas.values():
            ca.mood = "ok"

    # ── invariants ──────────────────────────────────────────────────────────────────────

    @invariant()
    def holds(self) -> None:
        """Check the model after every step."""
        with self._checking():
            self.model.holds()

    @contextmanager
    def _checking(self) -> Iterator[None]:
        """Record whether a check failed."""
        self.passed = False
        yield
        self.passed = True

    def teardown(self) -> None:
        """With everything repaired and the accounts back, one more run leaves nothing; the next one does nothing."""
        with self.stack:
            if self.passed:  # or this would hide the failed check
                self._end()

    def _end(self) -> None:
        self.repair()
        for spec in self.model.specs:
            self.model.edit(wanted(spec.name, spec.domains, spec.key, ROUTES[1]))
        self.world.pass_time(PATIENCE)
        ran = self.world.renew(self.model.specs)
        self.model.note(ran)
        self.model.is_clean(ran.outcomes or [])
        again = self.world.renew(self.model.specs)
        assert {outcome.status for outcome in again.outcomes or []} == {"not-due"}
        assert again.acts == 0
