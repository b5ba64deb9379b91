"""The planner: the routes that a failure drops, the events and the history. No CA, no DNS, no store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.solver import Blocker, Placements
from dnsrenew.errors import AttemptError, CAError, ChallengeError, DnsError, PropagationError, ProviderError
from dnsrenew.renewal.planner import SETTLE_AGAIN, ActiveAttempt, FallbackPlanner, route_key
from dnsrenew.store import State
from tests.kit.clock import START, FakeClock

APEX, WILD, OTHER = "x.test", "*.x.test", "y.test"
HTTP = Route("http-01", listen=":80", ca="one")
ALPN = Route("tls-alpn-01", listen=":443", ca="one")
A = Route("dns-01", dns="a", ca="one")
B = Route("dns-01", dns="b", ca="one")
ANY = Route("dns-01", ca="one")
TWO = Route("dns-01", dns="c", ca="two")


class PlannerStage:
    """A planner for some names and routes, and its events."""

    def __init__(
        self,
        *routes: Route,
        names: Sequence[str] = (APEX, WILD),
        state: State | None = None,
        effective_ca: Callable[[str], str] = str,
    ) -> None:
        self.events: list[Event] = []
        self.clock = FakeClock()
        context = Context(clock=self.clock, emitter=Emitter(self.clock, self.events.append))
        self.spec = CertificateSpec(name="home", domains=tuple(names), identifiers=tuple(names), ca="one",
                                    routes=routes)  # fmt: skip
        self.planner = FallbackPlanner(self.spec, state or State(), context, effective_ca)

    def next(self) -> ActiveAttempt:
        """Return the next attempt, which must exist."""
        attempt = self.planner.next()
        assert attempt is not None
        return attempt

    def look(self, *blockers: Blocker, opened: Mapping[str, tuple[Route, list[Route]]] | None = None) -> bool:
        """Apply a preflight to the next attempt; return whether another selection is needed."""
        self.attempt = self.next()
        places = Placements(dict(self.attempt.selection.routes))
        places.blockers += blockers
        places.opened |= opened or {}
        places.routes.update({name: several[0] for name, (_, several) in places.opened.items()})
        return self.planner.apply_preflight(self.attempt, places)

    def order(self, *pending: str) -> ActiveAttempt:
        """Order with the next attempt; these names are pending."""
        assert not self.look()
        self.attempt.orders += 1
        self.attempt.pending = list(pending)
        return self.attempt

    def fail(self, error: AttemptError, *pending: str, seen: bool = False) -> None:
        """Order, and fail with an error."""
        self.order(*pending).visible = seen
        self.planner.failed(self.attempt, error)

    def routes(self) -> dict[str, Route]:
        """Return the next routes by name; empty if none is left."""
        attempt = self.planner.next()
        return {} if attempt is None else dict(attempt.selection.routes)

    def told(self) -> list[tuple[str, tuple[str, ...], int, str | None]]:
        """Return the attempts."""
        return [
            (each.route.challenge, each.route.dns, each.orders, each.error.code if each.error else None)
            for each in self.planner.attempts
        ]


def ca_error(code: str, *about: str, **more: Any) -> CAError:
    """Return an error of a CA about some names."""
    problems = [{"type": "x", "detail": "no", "identifier": name} for name in about]
    return CAError(code, "No.", fix="Ask it.", subproblems=problems, **more)


def refused(account: str) -> ProviderError:
    """Return the error of a host that refuses."""
    return ProviderError("provider-refused", "No.", fix="Ask it.", evidence={"account": account})


# ── the way ─────────────────────────────────────────────────────────────────────────────


def test_a_mix_is_reported_with_its_names() -> None:
    """The routes of different names are listed by domain; equal routes have no names."""
    stage = PlannerStage(HTTP, A)
    assert stage.next().taken.to_dict() == {
        "ca": "one",
        "challenge": "mixed",
        "dns": ["a"],
        "names": {
            APEX: {"challenge": "http-01", "dns": []},
            WILD: {"challenge": "dns-01", "dns": ["a"]},
        },
    }
    assert PlannerStage(A).next().taken.to_dict() == {"ca": "one", "challenge": "dns-01", "dns": ["a"]}


def test_a_mix_of_accounts_is_reported_with_its_names() -> None:
    """Two accounts for two names are listed by name: otherwise they would look like one zone at both hosts."""
    stage = PlannerStage(A, B, names=[APEX, OTHER])
    stage.look(Blocker(A, (OTHER,), DnsError("dns-no-account", "No.", fix="Add it.")))
    assert stage.next().taken.to_dict() == {
        "ca": "one",
        "challenge": "dns-01",
        "dns": ["a", "b"],
        "names": {
            APEX: {"challenge": "dns-01", "dns": ["a"]},
            OTHER: {"challenge": "dns-01", "dns": ["b"]},
        },
    }
    both = Route("dns-01", dns=("a", "b"), ca="one")
    assert PlannerStage(both).next().taken.names is None


def test_a_route_that_no_name_can_take_is_reported_as_skipped() -> None:
    """http-01 is skipped if all names are wildcards, and not if another name can take it."""
    stage = PlannerStage(HTTP, A, names=[WILD])
    assert stage.told() == [("http-01", (), 0, "http-wildcard")]
    assert stage.routes() == {WILD: A}
    assert PlannerStage(HTTP, A).told() == []


def test_a_rehearsal_asks_the_staging_cas() -> None:
    """In a dry run, two routes whose CAs share a staging CA are one route."""
    stage = PlannerStage(replace(A, ca=None), replace(A, ca="two"), effective_ca=lambda _: "stage")
    stage.fail(refused("a"), APEX, WILD)
    assert stage.told() == [("dns-01", ("a",), 1, "provider-refused")]
    assert stage.planner.attempts[0].route.ca == "stage"
    assert stage.routes() == {}


def test_a_name_without_any_route_is_an_error_of_its_own() -> None:
    """Without any attempt, the error names the identifier without a route."""
    stage = PlannerStage(HTTP)
    assert stage.planner.next() is None
    assert stage.planner.error.code == "no-route-left"
    assert WILD in stage.planner.error.message
    assert stage.planner.attempts == []


# ── who is to blame ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [
        ca_error("ca-connection", APEX),
        ChallengeError("http-not-served", "No.", fix="Look.", evidence={"challenge": "http-01"}),
        ChallengeError("http-not-served", "No.", fix="Look.", evidence={"identifier": APEX}),
        ca_error("ca-no-challenge", evidence={"identifier": APEX}),
    ],
)
def test_what_is_about_http_leaves_the_dns_route_to_the_others(error: AttemptError) -> None:
    """A closed port 80 must not drop the dns-01 route of the wildcard, which has no other."""
    stage = PlannerStage(HTTP, A)
    stage.fail(error, APEX, WILD)
    assert stage.routes() == {APEX: A, WILD: A}


@pytest.mark.parametrize(
    "error",
    [
        ca_error("ca-connection", WILD),
        refused("a"),
        refused("unheard of").with_evidence(challenge="dns-01"),
        PropagationError("propagation-timeout", "No.", fix="Wait.", evidence={"challenge": "dns-01"}),
        ca_error("ca-no-challenge", evidence={"identifier": WILD}),
    ],
)
def test_what_is_about_dns_leaves_the_http_route_to_the_others(error: AttemptError) -> None:
    """A DNS error leaves the http-01 route of another name in place."""
    stage = PlannerStage(HTTP, A, B)
    stage.fail(error, APEX, WILD)
    assert stage.routes() == {APEX: HTTP, WILD: B}


@pytest.mark.parametrize(
    ("route", "code", "port"), [(HTTP, "http-unreachable", "80"), (ALPN, "tls-alpn-unreachable", "443")]
)
def test_a_ca_that_cannot_connect_is_unreachable(route: Route, code: str, port: str) -> None:
    """The error names the port; its subproblem has the same code."""
    stage = PlannerStage(route, names=(APEX,))
    problem = {"type": "connection", "code": "ca-connection", "detail": "No.", "identifier": APEX}
    stage.fail(CAError("ca-connection", "No.", fix="Ask.", subproblems=[problem]), APEX)
    (attempt,) = [one for one in stage.planner.attempts if one.orders]
    assert isinstance(attempt.error, CAError)
    assert attempt.error.code == code
    assert f"port {port}" in attempt.error.message
    assert [problem["code"] for problem in attempt.error.subproblems] == [code]


def test_who_wrote_what_is_seen_keeps_the_route() -> None:
    """If the value of one account is not visible, the name of the other account keeps its route."""
    stage = PlannerStage(A, B, TWO, names=[APEX, OTHER])
    stage.look(Blocker(A, (OTHER,), DnsError("dns-no-account", "No.", fix="Add it.")))
    late = PropagationError("propagation-timeout", "No.", fix="Wait.", evidence={"identifiers": [OTHER]})
    assert stage.order(APEX, OTHER).culprits(late) == [B]
    stage.planner.failed(stage.attempt, late)
    assert set(stage.planner.failures) == {B}


def test_of_two_accounts_only_the_one_that_failed_is_left() -> None:
    """A route with two accounts fails if one of them fails."""
    both = Route("dns-01", dns=("a", "b"), ca="one")
    stage = PlannerStage(both, A, B, names=[APEX])
    stage.fail(refused("b"), APEX)
    assert stage.routes() == {APEX: A}


@pytest.mark.parametrize("pending", [(), (APEX,)])
@pytest.mark.parametrize("error", [ca_error("ca-error"), ca_error("ca-order-invalid", APEX), refused("a")])
def test_a_route_that_failed_is_not_tried_again(error: AttemptError, pending: tuple[str, ...]) -> None:
    """The run ends if an attempt fails before its order, or because of names that are all valid."""
    stage = PlannerStage(A, names=[APEX, OTHER])
    stage.fail(error, *pending)
    assert stage.routes() == {}


def test_a_proved_name_keeps_its_route() -> None:
    """A validated name keeps its route; the others drop theirs until none is left."""
    stage = PlannerStage(HTTP, A, names=[APEX, OTHER, WILD])
    stage.fail(ca_error("ca-connection", APEX), APEX, OTHER, WILD)
    assert stage.routes() == {APEX: A, OTHER: HTTP, WILD: A}
    assert stage.next().validated == {OTHER, WILD}
    stage.fail(ca_error("ca-connection", APEX), APEX)
    assert stage.routes() == {}


def test_what_the_ca_has_not_looked_at_is_not_proved() -> None:
    """A name that the CA left undecided drops the failed route too."""
    stage = PlannerStage(HTTP, A, names=[APEX, OTHER])
    stage.fail(ca_error("ca-connection", APEX, evidence={"undecided": [OTHER]}), APEX, OTHER)
    assert stage.routes() == {APEX: A, OTHER: A}


def test_a_proved_name_outlives_an_order_that_was_refused() -> None:
    """A validated name keeps its route after a refused order; the others continue with theirs."""
    stage = PlannerStage(HTTP, A, B, names=[APEX, OTHER])
    stage.fail(ca_error("ca-connection", APEX), APEX, OTHER)
    stage.fail(ca_error("ca-error"))
    assert stage.routes() == {APEX: B, OTHER: HTTP}


def test_where_the_ca_keeps_nothing_nobody_keeps_a_failed_route() -> None:
    """If the CA does not reuse authorizations, no name keeps a failed route."""
    stage = PlannerStage(HTTP, A, B, names=[APEX, OTHER])
    stage.fail(ca_error("ca-connection", APEX), APEX, OTHER)
    stage.fail(ca_error("ca-connection", OTHER), APEX, OTHER)
    assert stage.routes() == {APEX: A, OTHER: A}
    stage.fail(ca_error("ca-connection", APEX), APEX, OTHER)
    assert stage.routes() == {APEX: B, OTHER: B}


def test_a_route_that_fails_with_all_names_proved_is_dropped_for_all() -> None:
    """If all names are valid, a failure drops the route for all of them, so that the run ends."""
    stage = PlannerStage(HTTP, A, names=[APEX, OTHER])
    stage.fail(ca_error("ca-connection", APEX), APEX, OTHER)
    stage.fail(ca_error("ca-error"))
    assert stage.routes() == {}


# ── several names, several reasons ──────────────────────────────────────────────────────


def several(*about: tuple[str, str], **more: Any) -> CAError:
    """Return the error of an order that failed for different reasons."""
    problems = [{"type": "x", "code": code, "detail": "no", "identifier": name} for name, code in about]
    return CAError("ca-order-invalid", "No.", fix="Look.", subproblems=problems,
                   evidence={"subproblems": problems}, **more)  # fmt: skip


def test_each_name_has_a_fix_of_its_own() -> None:
    """The apex drops http-01 and the wildcard retries dns-01, both in the next order."""
    stage = PlannerStage(HTTP, A, B)
    stage.fail(several((APEX, "ca-connection"), (WILD, "ca-unauthorized")), APEX, WILD, seen=True)
    assert stage.routes() == {APEX: A, WILD: A}
    assert stage.next().settle == SETTLE_AGAIN
    assert stage.planner.failures == {HTTP: "http-unreachable", A: "ca-unauthorized"}
    assert stage.planner.error.code == "ca-order-invalid"
    assert [problem["code"] for problem in stage.planner.error.evidence["subproblems"]] == [
        "http-unreachable",
        "ca-unauthorized",
    ]


def test_of_one_route_one_name_may_leave_and_another_try_again() -> None:
    """Of two names with one route, one drops it and the other gets a second try."""
    stage = PlannerStage(A, B, names=[APEX, OTHER])
    stage.fail(several((APEX, "ca-connection"), (OTHER, "ca-dns")), APEX, OTHER, seen=True)
    assert stage.routes() == {APEX: B, OTHER: A}
    stage.fail(several((OTHER, "ca-dns")), OTHER, seen=True)
    assert stage.routes() == {APEX: B, OTHER: B}


@pytest.mark.parametrize("strongest", ["ca-rejected-identifier", "ca-malformed-name"])
def test_what_is_said_of_one_name_can_be_about_the_whole_ca(strongest: str) -> None:
    """If the code of one name concerns the whole CA, its routes are dropped; or the run stops."""
    stage = PlannerStage(HTTP, A, TWO, names=[APEX, OTHER])
    stage.fail(several((APEX, "ca-connection"), (OTHER, strongest)))
    assert stage.routes() == ({APEX: TWO, OTHER: TWO} if strongest == "ca-rejected-identifier" else {})


def test_a_closed_port_is_said_though_another_name_failed_otherwise() -> None:
    """The error says that port 80 is unreachable, even if another name failed for another reason."""
    stage = PlannerStage(HTTP, A, names=[APEX, OTHER])
    stage.fail(several((APEX, "ca-connection"), (OTHER, "ca-unauthorized")), APEX, OTHER, seen=True)
    assert stage.planner.error.code == "http-unreachable"
    assert stage.routes() == {APEX: A, OTHER: A}


# ── once more ───────────────────────────────────────────────────────────────────────────


def test_what_the_ca_missed_is_tried_once_more_with_a_longer_settle() -> None:
    """If the CA did not see a value that was visible here, the route gets one second try."""
    stage = PlannerStage(A, B, names=[APEX])
    assert stage.next().settle == 0
    stage.fail(ca_error("ca-unauthorized", APEX), APEX, seen=True)
    assert stage.routes() == {APEX: A}
    assert stage.next().settle == SETTLE_AGAIN
    stage.fail(ca_error("ca-unauthorized", APEX), APEX, seen=True)
    assert stage.routes() == {APEX: B}
    assert stage.next().settle == 0


@pytest.mark.parametrize(("route", "seen"), [(A, False), (HTTP, True)])
def test_not_everything_is_worth_a_second_try(route: Route, seen: bool) -> None:
    """There is no second try for values that were not visible here, nor for http-01."""
    stage = PlannerStage(route, B, names=[APEX])
    stage.fail(ca_error("ca-unauthorized", APEX), APEX, seen=seen)
    assert stage.routes() == {APEX: B}


def test_a_refused_request_is_no_missed_value() -> None:
    """There is no second try if the CA refused a request, such as finalize: it had looked for no value then."""
    stage = PlannerStage(A, B, names=[APEX])
    stage.fail(ca_error("ca-unauthorized").with_evidence(stage="finalize"), APEX, seen=True)
    assert stage.routes() == {APEX: B}


# ── leaving a CA, stopping ──────────────────────────────────────────────────────────────


def test_a_ca_that_is_left_is_left_by_all_its_routes() -> None:
    """Each remaining route of a dropped CA is reported as skipped once, with the error of the CA."""
    stage = PlannerStage(HTTP, A, B, TWO)
    stage.fail(ca_error("ca-rate-limited"), APEX, WILD)
    assert stage.told() == [("mixed", ("a",), 1, "ca-rate-limited"), ("dns-01", ("b",), 0, "ca-rate-limited")]
    assert stage.routes() == {APEX: TWO, WILD: TWO}
    assert [event.data["dns"] for event in stage.events] == [["a"], ["b"]]


def test_a_name_that_no_ca_can_certify_stops_everything() -> None:
    """A name that no CA can certify stops the run; the remaining routes are not reported."""
    stage = PlannerStage(A, TWO)
    stage.fail(ca_error("ca-malformed-name", APEX), APEX, WILD)
    assert stage.planner.next() is None
    assert len(stage.planner.attempts) == 1
    assert stage.planner.error.code == "ca-malformed-name"


def test_caa_that_denies_the_ca_skips_all_its_routes_once_each() -> None:
    """If CAA forbids the CA for several names and routes, each route is skipped once."""
    stage = PlannerStage(HTTP, A, B, TWO)
    denials = [
        Blocker(route, (name,), DnsError("caa", f"Not for {name}.", fix="Add it.", evidence={"scope": "ca"}))
        for name, route in ((APEX, HTTP), (WILD, A))
    ]
    assert stage.look(*denials)
    assert stage.told() == [
        ("http-01", (), 0, "caa"),
        ("dns-01", ("a",), 0, "caa"),
        ("dns-01", ("b",), 0, "caa"),
    ]
    assert stage.routes() == {APEX: TWO, WILD: TWO}


def test_a_skip_is_for_the_names_it_is_about() -> None:
    """A blocker skips a route only for its own names."""
    stage = PlannerStage(A, B, names=[APEX, OTHER])
    assert stage.look(Blocker(A, (OTHER,), DnsError("dns-no-account", "No.", fix="Add it.")))
    assert stage.routes() == {APEX: A, OTHER: B}
    assert stage.told() == [("dns-01", ("a",), 0, "dns-no-account")]


# ── a route that stands for several ─────────────────────────────────────────────────────


def test_a_route_without_accounts_becomes_one_for_each() -> None:
    """A route without accounts expands to one for each account; the second is tried after the first fails."""
    stage = PlannerStage(ANY, names=[APEX])
    assert not stage.look(opened={APEX: (ANY, [A, B])})
    assert stage.attempt.selection.routes == {APEX: A}
    stage.attempt.pending = [APEX]
    stage.planner.failed(stage.attempt, refused("a"))
    assert stage.routes() == {APEX: B}


def test_what_failed_does_not_come_back_in_disguise() -> None:
    """A failed account is not tried again when a route without accounts is expanded."""
    stage = PlannerStage(A, ANY, names=[APEX])
    stage.fail(refused("a"), APEX)
    assert stage.routes() == {APEX: ANY}
    assert stage.look(opened={APEX: (ANY, [A, B])})  # look again: the first one may not be used
    assert stage.routes() == {APEX: B}
    stage.fail(refused("b"), APEX)
    assert stage.routes() == {}


def test_what_it_stands_for_is_tried_in_its_place() -> None:
    """The expanded routes come in place of the original, also if the user lists one of them again."""
    stage = PlannerStage(ANY, HTTP, A, names=[APEX])
    assert not stage.look(opened={APEX: (ANY, [A, B])})
    stage.attempt.pending = [APEX]
    stage.planner.failed(stage.attempt, refused("a"))
    assert stage.routes() == {APEX: B}
    stage.fail(refused("b"), APEX)
    assert stage.routes() == {APEX: HTTP}
    stage.fail(ca_error("ca-connection", APEX), APEX)
    assert stage.routes() == {}


# ── memory ──────────────────────────────────────────────────────────────────────────────


def test_what_failed_and_what_worked_is_remembered() -> None:
    """The state records failed and successful routes; the account that worked comes first next time."""
    stage = PlannerStage(ANY, names=[APEX])
    stage.look(opened={APEX: (ANY, [A, B])})
    stage.attempt.pending = [APEX]
    stage.planner.failed(stage.attempt, refused("a"))
    state = stage.planner.with_route_history(State(), START, [B])
    assert set(state.routes) == {route_key(A, "one")}
    assert set(state.worked) == {route_key(B, "one"), route_key(ANY, "one")}

    later = PlannerStage(ANY, names=[APEX], state=state)
    assert later.look(opened={APEX: (ANY, [A, B])})
    assert later.routes() == {APEX: B}


def test_a_route_has_failed_when_all_it_stands_for_have() -> None:
    """An expanded route has failed only if all its routes failed; skipped routes do not count."""
    stage = PlannerStage(ANY, HTTP, names=[APEX])
    stage.look(opened={APEX: (ANY, [A])})
    stage.attempt.pending = [APEX]
    stage.planner.failed(stage.attempt, refused("a"))
    state = stage.planner.with_route_history(State(), START, [HTTP])
    assert set(state.routes) == {route_key(A, "one"), route_key(ANY, "one")}
    assert PlannerStage(ANY, HTTP, names=[APEX], state=state).routes() == {APEX: HTTP}

    skipped = PlannerStage(A, names=[APEX])
    skipped.look(Blocker(A, (APEX,), DnsError("dns-no-zone", "No.", fix="Register it.")))
    assert skipped.planner.with_route_history(State(), START).routes == {}


# ── the end ─────────────────────────────────────────────────────────────────────────────


def test_who_is_asked_to_wait_by_all_waits_for_the_first() -> None:
    """The wait is the shortest one, and only if every CA asked to wait."""
    stage = PlannerStage(A, TWO, names=[APEX])
    stage.fail(ca_error("ca-rate-limited", retry_after=3600.0), APEX)
    assert stage.planner.asked_to_wait() == 3600.0
    stage.fail(ca_error("ca-rate-limited", retry_after=60.0), APEX)
    assert stage.planner.asked_to_wait() == 60.0
    stage = PlannerStage(A, TWO, names=[APEX])
    stage.fail(ca_error("ca-rate-limited", retry_after=3600.0), APEX)
    stage.fail(refused("c"), APEX)
    assert stage.planner.asked_to_wait() is None


def test_held_back_by_the_ledger_is_nothing_tried() -> None:
    """A run that only the ledger stopped counts as no attempt, unless something else was tried."""
    stage = PlannerStage(A, TWO, names=[APEX])
    assert not stage.planner.only_held()
    stage.fail(ca_error("ca-ledger", retry_after=60.0), APEX)
    assert stage.planner.only_held()
    stage.fail(refused("c"), APEX)
    assert not stage.planner.only_held()


def test_a_skip_beside_the_ledger_is_nothing_tried_either() -> None:
    """A skipped route next to a ledger deferral does not make it an attempt."""
    taken = ChallengeError("http-port-taken", "No.", fix="Free it.")
    stage = PlannerStage(HTTP, A, TWO, names=[APEX])
    assert stage.look(Blocker(HTTP, (APEX,), taken))
    stage.fail(ca_error("ca-ledger", retry_after=60.0))
    assert stage.look(Blocker(TWO, (APEX,), DnsError("dns-no-account", "No.", fix="Add it.")))
    assert stage.routes() == {}
    assert stage.planner.only_held()
    assert stage.planner.asked_to_wait() == 60.0
    assert stage.planner.error.code == "ca-ledger"


def test_only_skips_are_no_deferral() -> None:
    """Skips alone are not a deferral, because no CA named a time."""
    stage = PlannerStage(HTTP, names=[APEX])
    stage.look(Blocker(HTTP, (APEX,), ChallengeError("http-port-taken", "No.", fix="Free it.")))
    assert not stage.planner.only_held()
    assert stage.planner.error.code == "http-port-taken"


def test_a_closed_port_is_said_in_our_words() -> None:
    """An unreachable port gets our own text, with the CA's message and evidence; dns-01 keeps the CA's text."""
    stage = PlannerStage(HTTP, A)
    stage.clock.elapsed += timedelta(seconds=3).total_seconds()
    stage.fail(ca_error("ca-connection", APEX, type="connection", detail="timed out"), APEX, WILD)
    (attempt,) = stage.planner.attempts
    error = attempt.error
    assert isinstance(error, CAError)
    assert (error.code, error.type, error.detail) == ("http-unreachable", "connection", "timed out")
    assert error.subproblems[0]["identifier"] == APEX
    assert "port 80" in error.message
    stage.fail(ca_error("ca-connection", WILD), APEX, WILD)
    assert stage.planner.error.code == "ca-connection"
