"""A worker that dies, is cut off or is overtaken at each point of a job: see tests/kit/fleet_faults.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import fleet_faults
from tests.kit.fleet_faults import FAULTS, REPEAT, all_points, is_on_page, read_rows, struck
from tests.kit.fleet_world import FleetWorlds
from tests.kit.postgres import Postgres

SAMPLES = 5
"""Points of each fault in every run of the tests; `make soak` has all."""
Places = list[tuple[str, str]]


@pytest.fixture(scope="module")
def worlds(postgres: Postgres) -> Iterator[FleetWorlds]:
    """Worlds in a database of this module."""
    address = postgres.new_database()
    yield FleetWorlds(postgres, address)
    postgres.drop(address)


@pytest.fixture(scope="module")
def places(worlds: FleetWorlds) -> Places:
    """Return all points, in order."""
    return all_points(worlds)


@pytest.fixture(scope="module")
def listed(places: Places) -> Places:
    """Return the points that are on the page."""
    return [*filter(is_on_page, places)]


def check(worlds: FleetWorlds, listed: Places, fault: str, chosen: Places) -> None:
    """Inject a fault at some points; each must have the result of the page."""
    rows = read_rows(listed)
    for run, point in chosen:
        assert struck(worlds, run, fault, point) == rows[run, fault, point], REPEAT


def test_the_page_has_every_point(listed: Places) -> None:
    """A new point needs a new line of the page, and the page is as its generator writes it."""
    assert fleet_faults.PAGE.read_text("utf-8") == fleet_faults.page(read_rows(listed)), REPEAT


@pytest.mark.parametrize("fault", FAULTS)
def test_some_points(worlds: FleetWorlds, listed: Places, fault: str) -> None:
    """A sample of points for each fault has the results of the page."""
    step = len(listed) // SAMPLES
    check(worlds, listed, fault, listed[FAULTS.index(fault) * step // len(FAULTS) :: step])


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_point(worlds: FleetWorlds, listed: Places, fault: str) -> None:
    """Each point has the result of the page."""
    check(worlds, listed, fault, listed)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_question_to_the_database(worlds: FleetWorlds, places: Places, listed: Places, fault: str) -> None:
    """A fault at a query that only reads, which is not on the page, leaves nothing behind either."""
    for run, point in [place for place in places if place not in listed]:
        assert struck(worlds, run, fault, point).then in {"renewed", "not-due"}
