"""The solvers of one order: placements, blockers, batches and the caches of the CA's resolvers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.challenges.dns01.resolver_caches import LONGEST_CACHING
from dnsrenew.challenges.placements import Placements
from dnsrenew.challenges.solver import Solvers
from dnsrenew.dns.caa_lookup import CaaAnswer, CaaRecord
from dnsrenew.errors import AttemptError, ChallengeError, PropagationError, ProviderError
from dnsrenew.model import Propagation, Route
from dnsrenew.runtime.context import Context
from tests.kit.run_stage import Stage, World

APEX, WILD, OTHER = "x.test", "*.x.test", "y.test"
HTTP = Route("http-01", listen=":80", ca="one")
A = Route("dns-01", dns="a", ca="one")
B = Route("dns-01", dns="b", ca="one")
ANY = Route("dns-01", ca="one")


class Box:
    """The solvers of a stage, and its CA."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.context = stage.context
        services = stage._services({})
        self.solvers: Solvers = services.solvers
        self.ca = services.ca("one")

    def places(self, **routes: Route) -> Placements:
        """Return the placements."""
        names = {"apex": APEX, "wild": WILD, "other": OTHER}
        return self.solvers.preflight(self.context, {names[name]: route for name, route in routes.items()}, "none")

    def values(self, places: Placements) -> list[Any]:
        """Return the values for an order with these placements."""
        order = self.ca.new_order(self.context, list(places.routes))
        wanted = {one.identifier: one for one in self.ca.authorizations(self.context, order)}
        return [
            value
            for name, placement in places.placements.items()
            if (challenge := wanted[name].challenge(places.routes[name].challenge))
            for value in self.solvers.make_values(self.ca, placement, challenge)
        ]


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., Box]:
    """Return a function that makes a box from the options of a world."""
    return lambda **world: Box(Stage(tmp_path / "state", World(**world)))


# ── where ───────────────────────────────────────────────────────────────────────────────


def test_each_name_is_placed_by_its_own_kind(box: Callable[..., Box]) -> None:
    """Each name is placed by the solver of its type; a route that expands to one account becomes its route."""
    places = box(hosts={"a": "ok"}).places(apex=HTTP, wild=ANY)
    assert places.blockers == []
    assert places.routes == {APEX: HTTP, WILD: A}
    assert places.opened == {WILD: (ANY, [A])}
    assert set(places.placements) == {APEX, WILD}


def test_an_obstacle_is_of_its_names_only(box: Callable[..., Box]) -> None:
    """A taken port, a missing zone and a missing permission each block one route; the other names are placed."""
    stage = box(hosts={"a": "ok", "b": "ok"}, zones={"b": ("y.test",)}, ports={":80": "taken"}, lost=("y.test",))
    b = Route("dns-01", dns="b", ca="one")
    found = stage.places(apex=HTTP, wild=A, other=A)
    assert [(each.route, each.identifiers, each.error.code) for each in found.blockers] == [
        (HTTP, (APEX,), "http-port-taken"),
        (A, (OTHER,), "dns-no-zone"),
    ]
    assert set(found.placements) == {WILD}
    (only,) = stage.places(wild=b).blockers
    assert (only.route, only.error.code) == (b, "dns-no-account")


def test_a_route_for_which_no_account_fits_is_an_obstacle_itself(box: Callable[..., Box]) -> None:
    """A route without accounts is blocked itself if no account fits."""
    places = box(hosts={"a": "ok"}, zones={"a": ("y.test",)}).places(wild=ANY)
    (only,) = places.blockers
    assert (only.route, only.identifiers, only.error.code) == (ANY, (WILD,), "dns-no-account")
    assert places.opened == {}


def test_caa_is_an_obstacle_for_the_route_that_would_be_taken() -> None:
    """CAA blocks a route only if it certainly forbids it; validationmethods counts."""
    places = Placements({APEX: HTTP, WILD: A, OTHER: A})
    only_dns = CaaAnswer((CaaRecord(0, "issue", "one.test; validationmethods=dns-01"),), APEX, APEX)
    answers = {APEX: only_dns, WILD: only_dns, OTHER: CaaAnswer(unknown_reason="No server answers.")}
    places.forbid(answers, ["one.test"], "https://one.test/account/1")
    (only,) = places.blockers
    assert (only.route, only.identifiers, only.error.code) == (HTTP, (APEX,), "caa")
    assert only.error.evidence["scope"] == "method"


def test_an_account_that_cannot_be_used_is_an_obstacle_for_all_its_routes() -> None:
    """A refused account blocks all its routes, also those with a second account, and no others."""
    both = Route("dns-01", dns=("b", "a"), ca="one")
    places = Placements({APEX: A, WILD: both, OTHER: HTTP})
    places.refuse(ProviderError("provider-refused", "No.", fix="Look.", evidence={"account": "a"}))
    assert [(each.route, each.identifiers) for each in places.blockers] == [(A, (APEX,)), (both, (WILD,))]


# ── when ────────────────────────────────────────────────────────────────────────────────


def test_answers_by_http_stand_in_the_first_round(box: Callable[..., Box]) -> None:
    """HTTP values are in the first batch; if all are HTTP there is one batch, without values none."""
    stage = box(hosts={"a": "one"})
    values = stage.values(stage.places(apex=A, wild=A, other=HTTP))
    rounds = stage.solvers.batches(values)
    assert [[value.identifier for value in some] for some in rounds] == [[OTHER, APEX], [WILD]]
    only = stage.values(stage.places(other=HTTP))
    assert stage.solvers.batches(only) == [only]
    assert stage.solvers.batches([]) == []


def test_both_kinds_are_published_seen_and_withdrawn(box: Callable[..., Box]) -> None:
    """Values of both types are published, visible and withdrawn by one call each."""
    stage = box(hosts={"a": "ok"})
    places = stage.places(apex=HTTP, wild=A)
    values = stage.values(places)
    with (
        stage.solvers.exclusive(stage.context, places.placements.values()),
        stage.solvers.journaled(stage.context, values),
    ):
        stage.solvers.publish(stage.context, values)
        assert len(stage.stage.ports.contents) == 1
        assert len(stage.stage.hosts["a"].values) == 1
        stage.solvers.wait_visible(stage.context, values, Propagation(), 0.0)
        stage.solvers.withdraw(stage.context, values)
    assert not stage.stage.ports.contents
    assert not stage.stage.hosts["a"].values


@pytest.mark.parametrize(
    ("world", "error"),
    [({"hosts": {"a": "half"}}, ProviderError), ({"hosts": {"a": "ok"}, "ports": {":80": "lost"}}, ChallengeError)],
)
def test_what_was_half_published_is_withdrawn_whole(
    box: Callable[..., Box], world: dict[str, Any], error: type[Exception]
) -> None:
    """After publishing has failed half-way, withdraw() removes the values of both types."""
    stage = box(**world)
    values = stage.values(stage.places(apex=HTTP, wild=A, other=A))
    with pytest.raises(error):
        stage.solvers.publish(stage.context, values)
    stage.solvers.withdraw(stage.context, values)
    assert not stage.stage.ports.contents
    assert not stage.stage.hosts["a"].values
    assert stage.context.notices == []


def test_what_is_missing_in_dns_is_laid_to_those_who_wrote_it(box: Callable[..., Box]) -> None:
    """A PropagationError names the identifiers and accounts of the missing values only."""
    stage = box(hosts={"a": "ok", "b": "hidden"})
    values = stage.values(stage.places(apex=A, other=B))
    stage.solvers.publish(stage.context, values)
    with pytest.raises(PropagationError) as caught:
        stage.solvers.wait_visible(stage.context, values, Propagation(), 0)
    assert caught.value.evidence["identifiers"] == [OTHER]
    assert caught.value.evidence["accounts"] == ["b"]


def test_nothing_stands_in_the_way_of_what_is_proved(box: Callable[..., Box]) -> None:
    """Blockers of validated names are ignored; if the CA wants a new validation, the error is raised then."""
    stage = box(hosts={"a": "ok", "b": "secretless"}, ports={":80": "taken"}, zones={"a": ("x.test",)})
    routes = {APEX: HTTP, WILD: A, OTHER: A, "www.x.test": B}
    places = stage.solvers.preflight(stage.context, routes, "none", {APEX, OTHER, "www.x.test"})
    assert places.blockers == []
    stage.solvers.prepare(stage.context, places.needed())
    records = (CaaRecord(0, "issue", ";"),)
    places.forbid({APEX: CaaAnswer(records, APEX, APEX)}, ["one.test"], "https://one.test/account/1")
    assert places.blockers == []
    assert places.placement(WILD).identifier == WILD
    for name, code in ((APEX, "caa"), (OTHER, "dns-no-account")):
        with pytest.raises(AttemptError) as caught:
            places.placement(name)
        assert caught.value.code == code


# ── what resolvers remember ─────────────────────────────────────────────────────────────


def waited(stage: Box, ca: str, values: list[Any]) -> float:
    """Return the seconds of the wait for the caches of a CA."""
    before = stage.stage.clock.elapsed
    stage.solvers.wait_caches(stage.context, ca, values)
    return stage.stage.clock.elapsed - before


def test_a_ca_that_looked_at_a_name_may_remember_what_it_saw(box: Callable[..., Box]) -> None:
    """The wait lasts as long as the TTL, for the same CA and name only, and never for HTTP."""
    stage = box(hosts={"a": "ok"})
    apex, other = (stage.values(stage.places(**{name: A})) for name in ("apex", "other"))
    web = stage.values(stage.places(wild=A, apex=HTTP))[-1:]
    assert waited(stage, "one", apex) == 0
    stage.solvers.note_answered(stage.context, "one", apex)
    assert waited(stage, "two", apex) == waited(stage, "one", other) == waited(stage, "one", web) == 0
    assert waited(stage, "one", apex) == 60
    assert waited(stage, "one", apex) == 0


def test_no_resolver_remembers_for_ever(box: Callable[..., Box], monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is capped at 60 seconds, which is also used if the TTL is unknown."""
    stage = box(hosts={"a": "one"})
    values = stage.values(stage.places(apex=A))

    def silent(*_: Any) -> int:
        raise PropagationError("dns-unreachable", "Nobody answers.", fix="Look.")

    for ttl in (lambda *_: 3600), silent:
        monkeypatch.setattr(stage.stage.dns, "ttl", ttl)
        stage.solvers.note_answered(stage.context, "one", values)
        assert waited(stage, "one", values) == LONGEST_CACHING


def test_waiting_for_caches_is_told_and_can_be_left(box: Callable[..., Box]) -> None:
    """A wait for caches emits an event and can be cancelled."""
    stage = box(hosts={"a": "ok"})
    values = stage.values(stage.places(apex=A))
    stage.solvers.note_answered(stage.context, "one", values)
    gone = Context(clock=stage.stage.clock, cancel=threading.Event(), emitter=stage.context.emitter)
    gone.cancel.set()
    with pytest.raises(Exception, match="cancelled before"):
        stage.solvers.wait_caches(gone, "one", values)
    assert stage.stage.told("caches-waiting") == [{"seconds": 60.0}]
