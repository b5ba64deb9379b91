"""A simulated year: no certificate expires that could have been renewed, and no rate limit is reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dnsrenew.base import values
from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore
from tests.kit.acme_server import DAY, HOUR
from tests.kit.year import DOWN, HALF, OFF, SIX_DAYS, Scene, live
from tests.kit.year_page import SCENES, page
from tests.kit.year_world import START, certificate, world

LONG = [scene for scene in SCENES if scene.lifetime != SIX_DAYS]
SHORT = [scene for scene in SCENES if scene.lifetime == SIX_DAYS]
LONGEST_PAUSE = 1.2 * DAY
NEVER = START + 1000 * DAY


def name(scene: Scene) -> str:
    """Return the name of a scene in the list of tests."""
    return f"{scene.lifetime.days}-{'ari' if scene.ari else 'plain'}{'-second' if scene.second else ''}"


def marked(scene: Scene) -> object:
    """Return a scene as a parameter; six days have 1460 runs in their year, and 64 lie between 45 and 90."""
    return pytest.param(scene, marks=pytest.mark.slow if scene.lifetime in {SIX_DAYS, 64 * DAY} else ())


every_scene = pytest.mark.parametrize("scene", [marked(scene) for scene in SCENES], ids=name)


# ── the year ────────────────────────────────────────────────────────────────────────────


@every_scene
def test_everything_happened_and_nothing_else(scene: Scene) -> None:
    """All planned incidents occurred, and no other error did."""
    year = live(scene)
    assert year.off is not None
    assert year.down is not None
    assert year.off[1] - year.off[0] == OFF
    assert year.down[1] - year.down[0] == DOWN
    assert {run.status for run in year.runs} <= {"renewed", "not-due", "failed", "deferred"}
    assert {code for run in year.runs for code in run.codes} == {"http-unreachable", "ca-unreachable"}
    assert {run.outcome.reason for run in year.renewals} <= {"missing", "ari", "renew-before", "expired"}
    assert any(run.outcome.reason == "ari" for run in year.renewals) is scene.ari
    assert year.left_behind == 0


@every_scene
def test_no_order_is_beyond_a_limit(scene: Scene) -> None:
    """By the CA's own count, no rate limit is exceeded or nearly reached."""
    for limits in live(scene).limits.values():
        assert limits.exceeded == []
        assert limits.failed.least >= 4
        assert limits.same_set.least >= 3
        assert limits.orders.least >= 298


@every_scene
def test_a_certificate_is_renewed_once_when_it_is_due(scene: Scene) -> None:
    """The number of renewals follows from the lifetime. Runs in between create no order."""
    year = live(scene)
    due_after = scene.lifetime / 2 if scene.lifetime == SIX_DAYS else scene.lifetime * 2 / 3
    least = (365 * DAY - OFF - DOWN) / (due_after + 2 * DAY / scene.runs_a_day)
    most = 365 * DAY / (due_after - scene.lifetime / 25)
    assert least - 1 <= len(year.renewals) <= most + 1
    assert sum(run.orders for run in year.runs if run.status in {"not-due", "deferred"}) == 0


@pytest.mark.parametrize("scene", [marked(scene) for scene in LONG], ids=name)
def test_certificates_of_45_days_and_more_never_expire(scene: Scene) -> None:
    """No certificate expires, and every renewal has more than a week left."""
    year = live(scene)
    assert year.gaps == []
    assert min(run.left for run in year.renewals if run.left is not None) > 7 * DAY


@every_scene
def test_no_gap_could_have_been_avoided(scene: Scene) -> None:
    """A certificate is missing only while the host or the only CA is off, and until the run after that."""
    assert live(scene).avoidable == []


@pytest.mark.slow
@pytest.mark.parametrize("scene", SHORT, ids=name)
def test_after_a_week_switched_off_the_first_run_renews(scene: Scene) -> None:
    """A host, or an only CA, that is away for more than the 80 hours left makes a gap; the first run ends it."""
    year = live(scene)
    assert year.off is not None
    assert len(year.gaps) == (1 if scene.second else 2)
    first = next(run for run in year.runs if run.time >= year.off[1])
    assert (first.status, first.outcome.reason) == ("renewed", "expired")


@every_scene
def test_when_the_ca_is_back_the_wait_is_our_own_pause_at_most(scene: Scene) -> None:
    """After an outage the renewal waits at most for the back-off and the next run."""
    year = live(scene)
    assert year.down is not None
    runs = year.until_renewed(year.down[0])
    assert all(run.status == "deferred" for run in runs[:-1] if run.up)
    assert runs[-1].time - year.down[1] <= LONGEST_PAUSE + 2 * DAY / scene.runs_a_day
    assert {run.status for gap in year.gaps for run in gap.missed} <= {"deferred"}


@pytest.mark.slow
def test_a_second_ca_makes_the_outage_nothing() -> None:
    """With a second CA, a certificate of six days is renewed during an outage, with more than two days left."""
    year = live(Scene(SIX_DAYS, 7 * HOUR, second=True))
    assert year.down is not None
    (run,) = year.until_renewed(year.down[0])
    assert run.left is not None
    assert run.left > 2 * DAY
    assert run.outcome.route is not None
    assert run.outcome.route.ca == "second"


@every_scene
def test_a_route_that_fails_for_good_costs_one_order_at_each_renewal(scene: Scene) -> None:
    """A route that always fails costs one order at each renewal. The next route succeeds in the same run."""
    year = live(scene)
    assert {run.orders for run in year.renewals if run.time < HALF} == {1}
    closed = [run for run in year.renewals if run.time >= HALF]
    assert {(run.orders, *run.codes) for run in closed} == {(2, "http-unreachable")}
    assert {run.outcome.route.challenge for run in closed if run.outcome.route} == {"dns-01"}


# ── the route that failed ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("later", "orders"), [(timedelta(minutes=1), 1), (23 * HOUR, 1), (25 * HOUR, 2)], ids=["minute", "23h", "25h"]
)
def test_a_route_that_failed_within_a_day_comes_after_the_one_that_worked(later: timedelta, orders: int) -> None:
    """A failed route comes last for a day. Then the configured order applies again."""
    with world(45 * DAY, ari=None, seed=1, port_closes=START) as here:
        renewer = here.renewer([certificate()])
        (first,) = renewer.run()
        here.set_time(here.clock.now() + later)
        (second,) = renewer.run(force=True)
    assert [attempt.orders for attempt in first.attempts] == [1, 1]
    assert sum(attempt.orders for attempt in second.attempts) == orders
    assert second.attempts[-1].route.challenge == "dns-01"


def test_a_route_is_the_first_again_when_it_is_fixed() -> None:
    """A route that works again is used first after a day."""
    with world(45 * DAY, ari=None, seed=1, port_closes=START) as here:
        renewer = here.renewer([certificate()])
        renewer.run()
        here.port_closes = NEVER
        here.set_time(here.clock.now() + 2 * DAY)
        (outcome,) = renewer.run(force=True)
    assert outcome.route is not None
    assert outcome.route.challenge == "http-01"


# ── a fleet ─────────────────────────────────────────────────────────────────────────────


def middle_third(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The window of a CA that spreads its work."""
    return begin + (end - begin) / 3, begin + (end - begin) * 2 / 3


@pytest.mark.slow
def test_a_fleet_is_spread_by_ari() -> None:
    """150 certificates of one run are renewed evenly over the suggested windows."""
    fleet = [certificate(f"n{number}") for number in range(150)]
    with world(45 * DAY, ari=middle_third, seed=1, port_closes=NEVER) as here:
        assert Counter(outcome.status for outcome in here.renewer(fleet).run()) == {"renewed": 150}
        renewed: set[str] = set()
        for day in range(14, 32):
            here.set_time(START + (day + here.chance.random()) * DAY)
            outcomes = here.renewer(fleet).run()
            assert {outcome.status for outcome in outcomes} <= {"renewed", "not-due"}
            renewed |= {outcome.name for outcome in outcomes if outcome.status == "renewed"}
            passed = (here.clock.now() - START - 15 * DAY) / (15 * DAY)
            assert abs(len(renewed) - 150 * min(max(passed, 0), 1)) <= 20
        assert len(renewed) == 150
        assert here.limits["le"].exceeded == []


# ── a CA whose windows come too early ───────────────────────────────────────────────────


def past(begin: datetime, _end: datetime) -> tuple[datetime, datetime]:
    """A window before the certificate."""
    return begin - 2 * DAY, begin - DAY


def around(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The window of Pebble: a day around the last third, which is the whole life of a certificate of a day."""
    ideal = begin + (end - begin) * 2 / 3
    return ideal - DAY, ideal + DAY


def test_windows_in_the_past_mean_a_renewal_a_day() -> None:
    """A window in the past renews at the next run, and then at most once a day."""
    with world(90 * DAY, ari=past, seed=1, port_closes=NEVER) as here:
        outcomes = []
        for hours in range(0, 24 * 4, 6):
            here.set_time(START + hours * HOUR)
            outcomes += here.renewer([certificate()]).run()
    assert [hours * 6 for hours, outcome in enumerate(outcomes) if outcome.status == "renewed"] == [0, 6, 30, 54, 78]
    assert {outcome.reason for outcome in outcomes[1:]} == {"ari"}
    assert outcomes[0].warnings == ()
    for outcome in outcomes[1:]:
        assert [notice.code for notice in outcome.warnings] == ["ari-past-window"]
        assert outcome.next_renewal is not None


def test_a_revoked_certificate_waits_for_no_day() -> None:
    """A revoked certificate is replaced at once, without the daily limit of suggested windows."""
    with world(90 * DAY, ari=past, seed=1, port_closes=NEVER) as here:
        for minute in range(2):
            here.set_time(START + minute * timedelta(minutes=1))
            here.renewer([certificate()]).run()
        renewer = here.renewer([certificate()])
        assert renewer.run()[0].status == "not-due"
        store = FolderStore(here.path)
        with store.lock("home", context=Context()):
            store.update("home", lambda state: values.replace(state, revoked=True))
        assert renewer.run()[0].reason == "revoked"


def test_a_window_around_a_whole_life_renews_nothing_at_once() -> None:
    """A time in the suggested window is chosen in the future."""
    with world(DAY, ari=around, seed=1, port_closes=NEVER) as here:
        for _ in range(10):
            renewer = here.renewer([certificate()])
            (first,) = renewer.run(force=True)
            here.set_time(here.clock.now() + timedelta(seconds=1))
            (second,) = renewer.run()
            assert (first.status, second.status) == ("renewed", "not-due")
            assert second.next_renewal is not None
            assert second.next_renewal > here.clock.now()


# ── the simulation itself ───────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_same_seed_is_the_same_year_and_another_is_another() -> None:
    """The same seed gives the same year, another seed another one."""
    scene = Scene(90 * DAY, 30 * DAY)
    first, second, other = (
        [(run.time, run.status, run.orders) for run in live.__wrapped__(each).runs]
        for each in (scene, scene, replace(scene, seed=2))
    )
    assert first == second
    assert first != other


def test_the_ca_sees_an_order_beyond_its_limit() -> None:
    """The simulated CA refuses and records the sixth certificate for the same names in a week."""
    with world(45 * DAY, ari=None, seed=1, port_closes=NEVER) as here:
        limits = here.limits["le"]
        for _ in range(5):
            limits.same_set[frozenset({"home.test"})].take(here.clock.now())
        (outcome,) = here.renewer([certificate()]).run()
    assert outcome.status == "failed"
    assert [line.partition(": ")[2] for line in limits.exceeded] == ["same set of names"]


@pytest.mark.slow
def test_the_page_is_up_to_date() -> None:
    """The page equals the output of `make docs`."""
    there = Path(__file__).resolve().parents[2] / "docs" / "internals" / "renewal-year.md"
    assert there.read_text("utf-8") == page()
