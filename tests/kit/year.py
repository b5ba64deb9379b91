"""A year of one certificate, simulated in a second: the host, the CA and port 80 fail, and every run is recorded.

The host is off for a week and the CA is down for four days, each at the worst moment: when the renewal has just become
due. In the middle of the year port 80 closes for good.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.schedule.plan import JITTER
from dnsrenew.testing.box.order_server import suggest
from tests.kit.acme_server import DAY, HOUR, Limits
from tests.kit.year_world import ROUTES, SECOND, START, YearWorld, certificate, world

DAYS: Final = 365
HALF: Final = START + 182 * DAY
SIX_DAYS: Final = 160 * HOUR
"""The lifetime of Let's Encrypt's six-day certificates."""
OFF: Final = 7 * DAY
DOWN: Final = 4 * DAY


@dataclass(frozen=True, slots=True)
class Scene:
    """The parameters of a year.

    :ivar lifetime: of the certificates.
    :ivar reuse: how long the CA accepts an earlier validation.
    :ivar ari: whether the CAs offer ARI.
    :ivar second: whether there is a second CA.
    """

    lifetime: timedelta
    reuse: timedelta
    ari: bool = True
    second: bool = False
    seed: int = 1

    @property
    def runs_a_day(self) -> int:
        """The number of runs a day, each up to an hour later at random, as in our schedule."""
        return 1 if self.lifetime > 10 * DAY else 4

    @property
    def spec(self) -> CertificateSpec:
        """The certificate: http-01, then dns-01, then another CA."""
        return certificate(routes=[*ROUTES, SECOND] if self.second else ROUTES)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program.

    :ivar up: whether a CA was reachable.
    :ivar until: the end of the previous certificate; None: there was none.
    """

    time: datetime
    up: bool
    until: datetime | None
    outcome: Outcome

    @property
    def status(self) -> str:
        """The status of the outcome."""
        return self.outcome.status

    @property
    def orders(self) -> int:
        """The number of orders of the run."""
        return sum(attempt.orders for attempt in self.outcome.attempts)

    @property
    def codes(self) -> list[str]:
        """The error codes of the failed attempts."""
        return [attempt.error.code for attempt in self.outcome.attempts if attempt.error is not None]

    @property
    def left(self) -> timedelta | None:
        """The remaining lifetime of the previous certificate; negative if it had expired."""
        return None if self.until is None else self.until - self.time


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a valid certificate.

    :ivar missed: the runs before it that tried nothing although the CA was up and the renewal due.
    """

    start: datetime
    end: datetime
    missed: tuple[Run, ...]


@dataclass(slots=True)
class Year:
    """The events of a year.

    :ivar off: when the host was off.
    :ivar down: when the first CA was down.
    :ivar left_behind: the number of responses that are published at the end.
    """

    scene: Scene
    limits: dict[str, Limits]
    off: tuple[datetime, datetime] | None = None
    down: tuple[datetime, datetime] | None = None
    left_behind: int = 0
    runs: list[Run] = field(default_factory=list)

    @property
    def renewals(self) -> list[Run]:
        """The runs that obtained a certificate."""
        return [run for run in self.runs if run.status == "renewed"]

    @property
    def gaps(self) -> list[Gap]:
        """The times without a valid certificate, after the first one."""
        ended = [(run.until, run.time) for run in self.renewals if run.until is not None and run.until < run.time]
        return [Gap(start, end, tuple(self._missed(start))) for start, end in ended]

    @property
    def avoidable(self) -> list[Gap]:
        """The gaps that went on, or began, after the host and the CA were back for a run and our pause."""
        pause = 2 * DAY / self.scene.runs_a_day
        spans = [each for each in (self.off, self.down) if each is not None]
        return [gap for gap in self.gaps if not any(a <= gap.start < b and gap.end - b <= pause for a, b in spans)]

    def _missed(self, end: datetime) -> Iterator[Run]:
        """Yield the runs that could have replaced the certificate with this end, and did not."""
        for run in self.runs:
            if run.until == end and run.time < end and run.up and run.status not in {"not-due", "renewed"}:
                yield run

    def until_renewed(self, start: datetime) -> list[Run]:
        """Return the runs from then on, up to the first renewal."""
        last = next(run.time for run in self.renewals if run.time >= start)
        return [run for run in self.runs if start <= run.time <= last]


@functools.cache
def live(scene: Scene) -> Year:
    """Simulate a year; the same seed gives the same year."""
    with world(
        scene.lifetime, ari=suggest if scene.ari else None, seed=scene.seed, port_closes=HALF, reuse=scene.reuse
    ) as here:
        year = Year(scene, here.limits)
        for moment in _moments(scene, here):
            here.set_time(moment)
            _happen(year, here)
            if year.off is None or not _is_within(here, year.off):
                year.runs.append(_run(scene, here))
        year.left_behind = here.left_behind
    return year


def _moments(scene: Scene, here: YearWorld) -> Iterator[datetime]:
    part = DAY / scene.runs_a_day
    for number in range(DAYS * scene.runs_a_day):
        yield START + number * part + here.chance.random() * timedelta(seconds=JITTER)


def _happen(year: Year, here: YearWorld) -> None:
    """Switch off the host, or the CA, when the renewal has just become due."""
    now, due = here.clock.now(), here.renewer([year.scene.spec]).status()[0].next_renewal
    if due is not None and due <= now:
        if year.off is None and now >= START + 45 * DAY:
            year.off = due, due + OFF
        elif year.off is not None and year.down is None and now >= START + 100 * DAY:
            year.down = due, due + DOWN
    here.cas["le"].up = year.down is None or not _is_within(here, year.down)


def _is_within(here: YearWorld, time: tuple[datetime, datetime]) -> bool:
    return time[0] <= here.clock.now() < time[1]


def _run(scene: Scene, here: YearWorld) -> Run:
    renewer = here.renewer([scene.spec])
    now, until = here.clock.now(), renewer.status()[0].not_after
    (outcome,) = renewer.run()
    return Run(now, scene.second or here.cas["le"].up, until, outcome)
