"""Properties of every run, for any list of routes and any result of each, with the real renewal and a real store."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnsrenew.base import x509
from dnsrenew.base.model import Attempt, CertificateSpec, Outcome, Route
from dnsrenew.base.names import is_wildcard
from dnsrenew.base.runtime.calls import RESEND
from dnsrenew.errors import AttemptError, CAError
from dnsrenew.renewal.planner import route_key
from dnsrenew.renewal.policy import NextAction, action_for_code, next_action
from tests.kit.acme_server import CHALLENGES as KINDS
from tests.kit.acme_server import AcmeServer, CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

DOMAINS = ("x.test", "*.x.test", "www.x.test", "y.test")
ACCOUNTS = ("a", "b", "c")

# ── faults ──────────────────────────────────────────────────────────────────────────────


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the usual value more often than the others, so that runs get far enough."""
    return st.sampled_from([usual] * (4 * len(others)) + list(others))


CAS = st.sampled_from([None, "one", "two"])
HTTP = st.builds(Route, st.just("http-01"), listen=st.sampled_from([":80", ":8080"]), ca=CAS)
DNS = st.builds(Route, st.just("dns-01"), dns=st.lists(st.sampled_from(ACCOUNTS), max_size=2, unique=True), ca=CAS)
LISTS = st.lists(HTTP | DNS, min_size=1, max_size=6) | st.tuples(HTTP, DNS, DNS).map(list)
ROUTES = LISTS.map(lambda routes: list({route_key(route, "one"): route for route in routes}.values()))

REFUSED = ("ca-rate-limited", "ca-rejected-identifier", "ca-error", "ca-server-error", "ca-malformed-name")
PROOFS = st.sampled_from(["unauthorized", "dns", "connection", "caa", "incorrectResponse", "strange"])
NAMES = st.frozensets(st.sampled_from(DOMAINS), min_size=1)
BEHAVIOURS = st.builds(
    CaBehaviour,
    opening=mostly("", "ca-unreachable", "ca-account-refused", "ca-error", "ca-rate-limited"),
    ordering=mostly("", *REFUSED),
    issuing=mostly("", "ca-caa", "ca-order-invalid", "ca-error", "ca-timeout", "wrong"),
    blamed=st.none() | st.sampled_from(DOMAINS),
    retry_after=st.sampled_from([None, 10.0, 7200.0]),
    rejects=st.dictionaries(st.sampled_from([("http-01", None), *(("dns-01", account) for account in ACCOUNTS)]),
                            st.tuples(PROOFS, NAMES), max_size=3),
    once=st.booleans(),
    reuses=st.booleans(),
    offers=mostly(KINDS, ("dns-01",), ("http-01",)),
)  # fmt: skip
WORLDS = st.builds(
    RunWorld,
    cas=st.fixed_dictionaries({"one": BEHAVIOURS, "two": BEHAVIOURS, "stage": BEHAVIOURS}),
    hosts=st.fixed_dictionaries(
        dict.fromkeys(ACCOUNTS, mostly("ok", "refuses", "half", "down", "hidden", "keeps", "one", "secretless"))
    ),
    zones=st.fixed_dictionaries(dict.fromkeys(ACCOUNTS, mostly((), ("x.test",), ("y.test",)))),
    ports=st.fixed_dictionaries(dict.fromkeys((":80", ":8080"), mostly("", "taken", "lost", "mute"))),
    lost=mostly((), ("y.test",), ("x.test", "y.test")),
    caa=mostly(
        {},
        {"x.test": ";"},
        {"x.test": "two.test"},
        {"y.test": "one.test; validationmethods=dns-01"},
        {"x.test": "one.test; accounturi=https://a"},
        {"y.test": "?"},
    ),
    stop=mostly(None, *range(1, 25)),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A certificate, and the worlds of consecutive runs.

    :ivar had: whether there is a due certificate at the start.
    """

    routes: list[Route]
    domains: list[str]
    worlds: list[RunWorld]
    had: bool
    options: dict[str, bool]

    @property
    def spec(self) -> CertificateSpec:
        """The certificate."""
        names = tuple(self.domains)
        return CertificateSpec(name="home", domains=names, identifiers=names, ca="one", routes=tuple(self.routes))


CASES = st.builds(
    Case,
    ROUTES,
    st.lists(st.sampled_from(DOMAINS), min_size=1, unique=True),
    st.lists(WORLDS, min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([{}, {}, {"now": True}, {"dry_run": True}]),
)

# ── properties ──────────────────────────────────────────────────────────────────────────


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(CASES)
def test_every_run_keeps_its_promises(case: Case) -> None:
    """A run ends, orders at most once per route, leaves no TXT, stores complete certificates and reports each attempt.

    The next run, in another world, does the same.
    """
    with tempfile.TemporaryDirectory() as folder:
        stage = RunStage(Path(folder), case.worlds[0])
        if case.had:
            stage.keep(case.spec)
        for world in case.worlds:
            stage.enter(world)
            one_run(stage, case.spec, case.options)
            stage.clock.elapsed += 3600.0


def one_run(stage: RunStage, spec: CertificateSpec, options: dict[str, bool]) -> None:
    """Make a run, and check its result."""
    before = stage.store.read_state("home")
    certificate = stage.store.certificate("home", before)
    pem = None if certificate is None else certificate.fullchain_pem
    outcome = stage.run(spec, **options)
    assert outcome.error is None or outcome.error.code != "internal-error", outcome.error.evidence
    outcome.to_dict()
    nothing_is_left(stage)
    orders_are_few(stage, spec, outcome, twice="dry_run" in options)
    attempts_are_reported(stage, spec, outcome)
    stored = stage.store.read_state("home")
    if outcome.status == "renewed":
        is_whole(stage, spec)
        assert stored.last_failure is None
        assert stored.next_attempt is None
    else:
        assert stored.version == before.version
        now = stage.store.certificate("home", stored)
        assert (None if now is None else now.fullchain_pem) == pem
        assert options != {"dry_run": True} or stored == before
        assert outcome.status != "failed" or outcome.error is not None


def nothing_is_left(stage: RunStage) -> None:
    """No TXT value is left unless the host refuses removals, which is reported; no HTTP response is left."""
    kept = {name for name, host in stage.hosts.items() if any(host.values.values())}
    assert all(stage.hosts[name].behaviour == "keeps" for name in kept)
    assert not kept or "txt-kept" in {notice.code for notice in stage.context.notices}
    assert not stage.ports.contents


def _orders(ca: AcmeServer) -> int:
    """Return the number of orders that were wanted: one that is refused for a moment is requested three times."""
    after = ca.behaviour.retry_after if ca.behaviour.ordering == "ca-rate-limited" else None
    is_repeated = after is not None and after <= RESEND.within
    return -(-len(ca.asked) // RESEND.tries) if is_repeated else len(ca.asked)


def orders_are_few(stage: RunStage, spec: CertificateSpec, outcome: Outcome, *, twice: bool) -> None:
    """There is at most one order for each route, and one more if the CA did not see a visible TXT value.

    :param twice: a rehearsal orders again if authorizations are valid.
    """
    asked = sum(_orders(ca) for ca in stage.cas.values())
    assert sum(attempt.orders for attempt in outcome.attempts) == sum(
        ca.counts["accepted"] for ca in stage.cas.values()
    )
    routes = concrete(spec, rehearsed=twice)
    missed = [attempt for attempt in outcome.attempts if is_worth_another(attempt)]
    bound = len(routes) + min(len(missed), sum(route.challenge == "dns-01" for route in routes))
    # That a CA does not reuse authorizations is known only after the order.
    bound += sum(not ca.behaviour.reuses or twice for ca in stage.cas.values() if ca.asked)
    assert asked <= (2 * bound if twice else bound)
    made = [attempt.route.ca for attempt in outcome.attempts for _ in range(attempt.orders)]
    assert Counter(made) == Counter(
        {name: ca.counts["accepted"] for name, ca in stage.cas.items() if ca.counts["accepted"]}
    )


def concrete(spec: CertificateSpec, *, rehearsed: bool) -> set[Route]:
    """Return the routes with CA and accounts; a route without accounts stands for one route each."""
    found = set()
    for route in spec.routes:
        ca = "stage" if rehearsed else route.ca or spec.ca
        several = [route.dns] if route.dns or route.challenge == "http-01" else [(account,) for account in ACCOUNTS]
        found |= {replace(route, ca=ca, dns=dns) for dns in several}
    return found


def is_worth_another(attempt: Attempt) -> bool:
    """Return whether the CA did not see a value that was visible here."""
    error = attempt.error
    codes = [problem.get("code", "") for problem in error.subproblems] if isinstance(error, CAError) else []
    return isinstance(error, AttemptError) and NextAction.AGAIN in {next_action(error), *map(action_for_code, codes)}


def attempts_are_reported(stage: RunStage, spec: CertificateSpec, outcome: Outcome) -> None:
    """Every attempt is reported in order, with its error. Only the last one may have no error."""
    *failed, last = outcome.attempts or [None]
    assert all(attempt is not None and attempt.error is not None for attempt in failed)
    if last is None:
        return
    if outcome.status in {"renewed", "rehearsed"}:
        assert last.error is None
        assert outcome.route == last.route
        failed_ones = failed
    else:
        assert last.error is not None
        deferred = outcome.status == "deferred"  # then the error is the ledger's
        assert outcome.error in [each.error for each in outcome.attempts] if deferred else last.error is outcome.error
        failed_ones = [*failed, last]
    reported = [
        (reported["ca"], reported["challenge"], reported["dns"], reported["error"]["code"])
        for reported in stage.event_data("route-failed")
    ]
    seen = [event_of(attempt) for attempt in failed_ones if attempt is not None]
    assert reported == [each for each in seen if each is not None]
    for attempt in outcome.attempts:
        is_complete(spec, attempt)
    skipped = [attempt for attempt in outcome.attempts if not attempt.orders and not attempt.seconds]
    assert len({(id(each.error), str(each.route)) for each in skipped}) == len(skipped)


def event_of(attempt: Attempt) -> tuple[str, str, list[str], str] | None:
    """Return the data of the event of a failed attempt. Return None if no route failed."""
    if not isinstance(attempt.error, AttemptError):
        return None
    return attempt.route.ca, attempt.route.challenge, list(attempt.route.dns), attempt.error.code


def is_complete(spec: CertificateSpec, attempt: Attempt) -> None:
    """A mixed route has its names, and the numbers are not negative."""
    route = attempt.route
    if route.names is not None:
        assert set(route.names) == set(spec.domains)
        kinds = {way["challenge"] for way in route.names.values()}
        assert kinds == (set(KINDS) if route.challenge == "mixed" else {"dns-01"})
        assert {account for way in route.names.values() for account in way["dns"]} == set(route.dns)
        assert all(route.names[name]["challenge"] == "dns-01" for name in route.names if is_wildcard(name))
    else:
        assert route.challenge in KINDS
    assert attempt.orders >= 0
    assert attempt.seconds >= 0


def is_whole(stage: RunStage, spec: CertificateSpec) -> None:
    """The stored certificate has all names, the right key, and is in force."""
    state = stage.store.read_state("home")
    stored = stage.store.certificate("home", state)
    assert stored is not None
    key = x509.key_from_pem(stored.private_key_pem.encode())
    x509.check_chain(stored.fullchain_pem, key, spec.identifiers, stage.clock.now())
    current = stage.store.current("home")
    assert (current / "fullchain.pem").read_text() == stored.fullchain_pem
