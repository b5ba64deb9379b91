"""The solvers of one order: placements, blockers, batches and the caches of the CA's resolvers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.checks import CaaAnswer, CaaRecord
from dnsrenew.base.model import Propagation, Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.dns01 import LONGEST_CACHING
from dnsrenew.challenges.solver import Placements, Solvers
from dnsrenew.errors import AttemptError, ChallengeError, PropagationError, ProviderError
from tests.kit.run_stage import RunStage, RunWorld

APEX, WILD, OTHER = "x.test", "*.x.test", "y.test"
HTTP = Route("http-01", listen=":80", ca="one")
A = Route("dns-01", dns="a", ca="one")
B = Route("dns-01", dns="b", ca="one")
ANY = Route("dns-01", ca="one")


class Box:
    """The solvers of a stage, and its CA."""

    def __init__(self, stage: RunStage) -> None:
        self.stage = stage
        self.context = stage.context
        services = stage._services({})
        self.solvers: Solvers = services.solvers
        self.ca = services.ca("one")

    def preflight(self, **routes: Route) -> Placements:
        """Return the placements."""
        names = {"apex": APEX, "wild": WILD, "other": OTHER}
        return self.solvers.preflight(self.context, {names[name]: route for name, route in routes.items()}, "none")

    def values(self, placements: Placements) -> list[Any]:
        """Return the values for an order with these placements."""
        order = self.ca.new_order(self.context, list(placements.routes))
        wanted = {one.identifier: one for one in self.ca.authorizations(self.context, order)}
        return [
            value
            for name, placement in placements.placements.items()
            if (challenge := wanted[name].challenge(placements.routes[name].challenge))
            for value in self.solvers.make_values(self.ca, placement, challenge)
        ]


@pytest.fixture
def box(tmp_path: Path) -> Callable[..., Box]:
    """Return a function that makes a box from the options of a world."""
    return lambda **world: Box(RunStage(tmp_path / "state", RunWorld(**world)))


# ── placements ──────────────────────────────────────────────────────────────────────────


def test_each_name_is_placed_by_its_own_kind(box: Callable[..., Box]) -> None:
    """Each name is placed by the solver of its type; a route that expands to one account becomes its route."""
    placements = box(hosts={"a": "ok"}).preflight(apex=HTTP, wild=ANY)
    assert placements.blockers == []
    assert placements.routes == {APEX: HTTP, WILD: A}
    assert placements.opened == {WILD: (ANY, [A])}
    assert set(placements.placements) == {APEX, WILD}


def test_a_blocker_affects_its_names_only(box: Callable[..., Box]) -> None:
    """A taken port, a missing zone and a missing permission each block one route; the other names are placed."""
    stage = box(hosts={"a": "ok", "b": "ok"}, zones={"b": ("y.test",)}, ports={":80": "taken"}, lost=("y.test",))
    b = Route("dns-01", dns="b", ca="one")
    found = stage.preflight(apex=HTTP, wild=A, other=A)
    assert [(each.route, each.identifiers, each.error.code) for each in found.blockers] == [
        (HTTP, (APEX,), "http-port-taken"),
        (A, (OTHER,), "dns-no-zone"),
    ]
    assert set(found.placements) == {WILD}
    (only,) = stage.preflight(wild=b).blockers
    assert (only.route, only.error.code) == (b, "dns-no-account")


def test_a_route_without_a_fitting_account_is_blocked(box: Callable[..., Box]) -> None:
    """A route without accounts is blocked itself if no account fits."""
    placements = box(hosts={"a": "ok"}, zones={"a": ("y.test",)}).preflight(wild=ANY)
    (only,) = placements.blockers
    assert (only.route, only.identifiers, only.error.code) == (ANY, (WILD,), "dns-no-account")
    assert placements.opened == {}


def test_caa_blocks_the_route_that_it_forbids() -> None:
    """CAA blocks a route only if it certainly forbids it; validationmethods counts."""
    placements = Placements({APEX: HTTP, WILD: A, OTHER: A})
    only_dns = CaaAnswer((CaaRecord(0, "issue", "one.test; validationmethods=dns-01"),), APEX, APEX)
    answers = {APEX: only_dns, WILD: only_dns, OTHER: CaaAnswer(unknown_reason="No server answers.")}
    placements.forbid(answers, ["one.test"], "https://one.test/account/1")
    (only,) = placements.blockers
    assert (only.route, only.identifiers, only.error.code) == (HTTP, (APEX,), "caa")
    assert only.error.evidence["scope"] == "method"


def test_a_refused_account_blocks_all_its_routes() -> None:
    """A refused account blocks all its routes, even those with a second account, and no others."""
    both = Route("dns-01", dns=("b", "a"), ca="one")
    placements = Placements({APEX: A, WILD: both, OTHER: HTTP})
    placements.refuse(ProviderError("provider-refused", "No.", fix="Look.", evidence={"account": "a"}))
    assert [(each.route, each.identifiers) for each in placements.blockers] == [(A, (APEX,)), (both, (WILD,))]


# ── batches ─────────────────────────────────────────────────────────────────────────────


def test_http_values_are_in_the_first_batch(box: Callable[..., Box]) -> None:
    """HTTP values are in the first batch. If all are HTTP there is one batch; without values there is none."""
    stage = box(hosts={"a": "one"})
    values = stage.values(stage.preflight(apex=A, wild=A, other=HTTP))
    rounds = stage.solvers.batches(values)
    assert [[value.identifier for value in some] for some in rounds] == [[OTHER, APEX], [WILD]]
    only = stage.values(stage.preflight(other=HTTP))
    assert stage.solvers.batches(only) == [only]
    assert stage.solvers.batches([]) == []


def test_both_kinds_are_published_seen_and_withdrawn(box: Callable[..., Box]) -> None:
    """Values of both types are published, visible and withdrawn by one call each."""
    stage = box(hosts={"a": "ok"})
    placements = stage.preflight(apex=HTTP, wild=A)
    values = stage.values(placements)
    with (
        stage.solvers.exclusive(stage.context, placements.placements.values()),
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
def test_partly_published_values_are_all_removed(
    box: Callable[..., Box], world: dict[str, Any], error: type[Exception]
) -> None:
    """After publishing has failed half-way, withdraw() removes the values of both types."""
    stage = box(**world)
    values = stage.values(stage.preflight(apex=HTTP, wild=A, other=A))
    with pytest.raises(error):
        stage.solvers.publish(stage.context, values)
    stage.solvers.withdraw(stage.context, values)
    assert not stage.stage.ports.contents
    assert not stage.stage.hosts["a"].values
    assert stage.context.notices == []


def test_a_missing_value_is_attributed_to_its_account(box: Callable[..., Box]) -> None:
    """A PropagationError names the identifiers and accounts of the missing values only."""
    stage = box(hosts={"a": "ok", "b": "hidden"})
    values = stage.values(stage.preflight(apex=A, other=B))
    stage.solvers.publish(stage.context, values)
    with pytest.raises(PropagationError) as caught:
        stage.solvers.wait_visible(stage.context, values, Propagation(), 0)
    assert caught.value.evidence["identifiers"] == [OTHER]
    assert caught.value.evidence["accounts"] == ["b"]


def test_valid_names_are_not_blocked(box: Callable[..., Box]) -> None:
    """Blockers of validated names are ignored; if the CA wants a new validation, the error is raised then."""
    stage = box(hosts={"a": "ok", "b": "secretless"}, ports={":80": "taken"}, zones={"a": ("x.test",)})
    routes = {APEX: HTTP, WILD: A, OTHER: A, "www.x.test": B}
    placements = stage.solvers.preflight(stage.context, routes, "none", {APEX, OTHER, "www.x.test"})
    assert placements.blockers == []
    stage.solvers.prepare(stage.context, placements.needed())
    records = (CaaRecord(0, "issue", ";"),)
    placements.forbid({APEX: CaaAnswer(records, APEX, APEX)}, ["one.test"], "https://one.test/account/1")
    assert placements.blockers == []
    assert placements.placement(WILD).identifier == WILD
    for name, code in ((APEX, "caa"), (OTHER, "dns-no-account")):
        with pytest.raises(AttemptError) as caught:
            placements.placement(name)
        assert caught.value.code == code


# ── the caches of resolvers ─────────────────────────────────────────────────────────────


def waited(stage: Box, ca: str, values: list[Any]) -> float:
    """Return the seconds of the wait for the caches of a CA."""
    before = stage.stage.clock.elapsed
    stage.solvers.wait_caches(stage.context, values, ca)
    return stage.stage.clock.elapsed - before


def test_the_caches_of_a_ca_are_waited_for(box: Callable[..., Box]) -> None:
    """The wait lasts as long as the TTL, for the same CA and name only, and never for HTTP."""
    stage = box(hosts={"a": "ok"})
    apex, other = (stage.values(stage.preflight(**{name: A})) for name in ("apex", "other"))
    web = stage.values(stage.preflight(wild=A, apex=HTTP))[-1:]
    assert waited(stage, "one", apex) == 0
    stage.solvers.note_answered(stage.context, apex, "one")
    assert waited(stage, "two", apex) == waited(stage, "one", other) == waited(stage, "one", web) == 0
    assert waited(stage, "one", apex) == 60
    assert waited(stage, "one", apex) == 0


def test_the_wait_for_caches_is_limited(box: Callable[..., Box], monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is capped at 60 seconds, which is also used if the TTL is unknown."""
    stage = box(hosts={"a": "one"})
    values = stage.values(stage.preflight(apex=A))

    def silent(*_: Any) -> int:
        raise PropagationError("dns-unreachable", "Nobody answers.", fix="Look.")

    for ttl in (lambda *_: 3600), silent:
        monkeypatch.setattr(stage.stage.dns, "ttl", ttl)
        stage.solvers.note_answered(stage.context, values, "one")
        assert waited(stage, "one", values) == LONGEST_CACHING


def test_the_wait_for_caches_can_be_cancelled(box: Callable[..., Box]) -> None:
    """A wait for caches emits an event and can be cancelled."""
    stage = box(hosts={"a": "ok"})
    values = stage.values(stage.preflight(apex=A))
    stage.solvers.note_answered(stage.context, values, "one")
    gone = Context(clock=stage.stage.clock, cancel=threading.Event(), emitter=stage.context.emitter)
    gone.cancel.set()
    with pytest.raises(Exception, match="cancelled before"):
        stage.solvers.wait_caches(gone, values, "one")
    assert stage.stage.event_data("caches-waiting") == [{"seconds": 60.0}]
