"""The history: when to try again, and which route first, after any failures and any clock jump."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dnsrenew.base.model import Attempt, Route, RouteTaken
from dnsrenew.errors import CAError, DnsError, DnsRenewError
from dnsrenew.operations import status
from dnsrenew.renewal import history, planner
from dnsrenew.renewal.history import DAY, PAUSES
from dnsrenew.store import State
from dnsrenew.store.state import RouteFailure

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
SECOND = timedelta(seconds=1)
FAULT = DnsError("dns-no-zone", "There is no zone.", fix="Register it.")

seeds = st.integers(0, 2**32).map(random.Random)
jumps = st.timedeltas(timedelta(days=-20_000), timedelta(days=40_000))  # 1972 to 2136
waits = st.none() | st.floats(-10, 10**9) | st.just(float("inf"))


def read(state: State) -> State:
    """The state as the next run reads it."""
    return State.from_json(state.to_json())


# ── when to try again ───────────────────────────────────────────────────────────────────


@given(chance=seeds, failures=st.integers(0, 50))
def test_the_pause_grows_to_a_day(chance: random.Random, failures: int) -> None:
    """The pauses are 1, 10 and 100 minutes, then a day, each up to a fifth longer or shorter."""
    state = history.after_failure(State(failures=failures), FAULT, NOW, chance)
    pause = PAUSES[min(failures, 3)]
    assert state.next_attempt is not None
    assert 0.8 * pause <= state.next_attempt - NOW <= 1.2 * pause + SECOND
    assert read(state).next_attempt == state.next_attempt
    assert state.failures == failures + 1
    assert state.last_failure == {
        "time": "2026-11-25T10:00:00Z",
        "code": "dns-no-zone",
        "message": "There is no zone.",
        "fix": "Register it.",
        "class": "DnsError",
    }


@given(chance=seeds, failures=st.integers(0, 50), without=st.integers(0, 50))
def test_what_no_ca_decided_waits_an_hour_at_most(chance: random.Random, failures: int, without: int) -> None:
    """A pause without an order grows too, up to an hour; it makes the pause after an order no longer."""
    before = State(failures=failures + without, last_failure={"without_order": without})
    state = read(history.after_failure(before, FAULT, NOW, chance, ordered=False))
    assert state.next_attempt is not None
    assert timedelta(minutes=0.8) <= state.next_attempt - NOW <= timedelta(hours=1)
    if failures + without >= 2:
        assert state.next_attempt - NOW >= timedelta(minutes=30)
    assert (state.failures, state.without_order) == (failures + without + 1, without + 1)
    state = history.after_failure(state, FAULT, NOW, chance, ordered=True)
    assert state.next_attempt is not None
    assert 0.8 * PAUSES[min(failures, 3)] <= state.next_attempt - NOW <= 1.2 * PAUSES[min(failures, 3)] + SECOND


def attempt(challenge: str, error: DnsRenewError | None, names: int = 0) -> Attempt:
    """An attempt with routes for this many names."""
    each = {f"n{number}.test": {"challenge": challenge, "dns": []} for number in range(names)}
    route = RouteTaken(ca="lab", challenge=challenge, dns=("home",), names=each or None)
    return Attempt(route=route, orders=1, seconds=1.0, error=error)


def test_what_was_tried_is_kept_in_short() -> None:
    """The state keeps the last route and the code of each attempt as JSON."""
    refused = CAError("ca-caa", "No.", fix="Change it.")
    tried = [attempt("http-01", refused), attempt("mixed", FAULT, 2)]
    state = history.after_failure(State(), FAULT, NOW, random.Random(1), attempts=tried)
    failure = read(state).last_failure
    assert failure is not None
    assert failure == state.last_failure
    assert failure["route"] == tried[1].route.to_dict()
    assert failure["attempts"] == [
        {"route": {"ca": "lab", "challenge": "http-01", "dns": ["home"]}, "code": "ca-caa"},
        {"route": failure["route"], "code": "dns-no-zone"},
    ]


def test_what_is_kept_of_many_attempts_is_small() -> None:
    """A hundred names and thirty attempts stay small, because every run reads the state."""
    tried = [attempt("mixed", FAULT, 100)] * 30
    state = history.after_failure(State(), FAULT, NOW, random.Random(1), attempts=tried)
    assert state.last_failure is not None
    assert "names" not in state.last_failure["route"]
    assert len(state.last_failure["attempts"]) == history.MOST_ATTEMPTS
    assert len(state.to_json()) < 2_500


def test_the_pauses_are_those_of_the_facts() -> None:
    """The back-off times are 1, 10, 100 and 1440 minutes, which Let's Encrypt asks of clients."""
    assert [pause.total_seconds() / 60 for pause in PAUSES] == [1, 10, 100, 1440]


@given(chance=seeds, failures=st.integers(0, 9), asked=waits)
def test_a_longer_retry_after_wins(chance: random.Random, failures: int, asked: float | None) -> None:
    """The longer of pause and Retry-After counts, up to a week; the state records that the CA asked."""
    before = State(failures=failures)
    seed = chance.getstate()
    plain = history.after_failure(before, FAULT, NOW, chance)
    chance.setstate(seed)
    state = history.after_failure(before, FAULT, NOW, chance, retry_after=asked)
    requested = NOW + timedelta(seconds=min(max(asked or 0, 0), WEEK.total_seconds()))
    assert state.next_attempt is not None
    assert plain.next_attempt is not None
    assert max(plain.next_attempt, requested) <= state.next_attempt <= max(plain.next_attempt, requested + SECOND)
    assert history.was_asked_to_wait(state) or requested < plain.next_attempt
    assert not history.was_asked_to_wait(state) or requested >= plain.next_attempt - SECOND
    assert not history.was_asked_to_wait(plain)


@given(chance=seeds, failures=st.integers(0, 9), hours=st.floats(8, 24 * 90))
def test_a_retry_after_leaves_a_quarter_of_what_is_left(chance: random.Random, failures: int, hours: float) -> None:
    """A CA that asks for years must not outlast a valid certificate; an expired one sets no bound."""
    left = timedelta(hours=hours)
    state = State(failures=failures, not_after=NOW + left)
    held = history.after_failure(state, FAULT, NOW, chance, retry_after=9e8)
    assert held.next_attempt is not None
    assert min(WEEK, left * 0.75) <= held.next_attempt - NOW <= min(WEEK, left * 0.75) + SECOND
    assert history.was_asked_to_wait(held)
    over = history.after_failure(State(not_after=NOW), FAULT, NOW, chance, retry_after=9e8)
    assert over.next_attempt == NOW + WEEK + SECOND


def test_a_paused_name_waits_for_a_person() -> None:
    """The pause is a day at once, and the state keeps the URL to unpause the name."""
    url = "https://ca.test/unpause?jwt=x"
    error = CAError("ca-rate-limited", "Paused.", fix=f"Visit {url}.", evidence={"url": url})
    state = history.after_failure(State(), error, NOW, random.Random(1))
    assert state.next_attempt is not None
    assert state.next_attempt - NOW >= 0.8 * DAY
    assert state.last_failure is not None
    assert state.last_failure["url"] == url
    assert history.deferred_until(read(state), NOW) is not None


def test_a_new_certificate_is_not_deferred() -> None:
    """A new certificate has no deferral."""
    assert history.deferred_until(State(), NOW) is None


@example(chance=random.Random(1), failures=0, asked=float("inf"), passed=timedelta(0))
@given(chance=seeds, failures=st.integers(0, 9), asked=waits, passed=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_steady_clock_is_believed(
    chance: random.Random, failures: int, asked: float | None, passed: timedelta
) -> None:
    """The attempt is deferred until the time and not after it, also after a round trip through the file."""
    state = read(history.after_failure(State(failures=failures), FAULT, NOW, chance, retry_after=asked))
    assert state.next_attempt is not None
    early = NOW + passed < state.next_attempt
    assert history.deferred_until(state, NOW + passed) == (state.next_attempt if early else None)


@given(chance=seeds, failures=st.integers(0, 9), asked=waits, jump=jumps)
def test_a_clock_that_jumped_never_stops_it(
    chance: random.Random, failures: int, asked: float | None, jump: timedelta
) -> None:
    """After any clock jump, no certificate waits longer than twice the pause, or the pause and a day."""
    state = read(history.after_failure(State(failures=failures), FAULT, NOW, chance, retry_after=asked))
    until = history.deferred_until(state, NOW + jump)
    if until is not None:
        assert state.next_attempt is not None
        pause = state.next_attempt - NOW
        assert until - (NOW + jump) <= min(2 * pause, pause + DAY) + SECOND


@given(until=jumps, since=st.none() | jumps, jump=jumps)
def test_any_two_times_in_the_file(until: timedelta, since: timedelta | None, jump: timedelta) -> None:
    """With any times in the file, no certificate waits longer than a week and a day."""
    state = State(next_attempt=NOW + until, attempt_set_at=None if since is None else NOW + since)
    held = history.deferred_until(state, NOW + jump)
    assert held is None or timedelta(0) < held - (NOW + jump) <= WEEK + DAY + SECOND


def test_without_the_time_of_writing_two_days_are_believed() -> None:
    """Without attempt_set_at, a pause of a day counts. One of a month is ignored."""
    assert history.deferred_until(State(next_attempt=NOW + DAY), NOW) == NOW + DAY
    assert history.deferred_until(State(next_attempt=NOW + 30 * DAY), NOW) is None


# ── which route first ───────────────────────────────────────────────────────────────────

HTTP = Route("http-01", listen=":80")
DNS = Route("dns-01", dns=("cloudflare",))
BACKUP = Route("dns-01", dns=("ovh",), ca="zerossl")
KEYS = {route: planner.route_key(route, "lab") for route in (HTTP, DNS, BACKUP)}


@pytest.mark.parametrize(
    ("route", "key"),
    [
        (HTTP, "lab/http-01/listen=:80"),
        (DNS, "lab/dns-01/dns=cloudflare"),
        (BACKUP, "zerossl/dns-01/dns=ovh"),
        (Route("dns-01"), "lab/dns-01"),
        (Route("dns-01", dns=("a", "b"), follow_cname=False), "lab/dns-01/dns=a+b/no-cname"),
        (Route("dns-01", alias="x.example.net"), "lab/dns-01/alias=x.example.net"),
        (Route("http-01", listen="[::1]:80"), "lab/http-01/listen=[::1]:80"),
        (Route("http-01", webroot="/srv/www/a b"), "lab/http-01/webroot=/srv/www/a%20b"),
    ],
)
def test_the_key_can_be_read(route: Route, key: str) -> None:
    """The key names the CA, the challenge and the options of the route; it is stable between releases."""
    assert planner.route_key(route, "lab") == key


words = st.text(st.sampled_from("ab/=+%:. \udcff"), min_size=1, max_size=3)
any_route = st.builds(
    Route,
    st.sampled_from(["http-01", "dns-01"]) | words,
    dns=st.lists(words, max_size=2).map(tuple),
    ca=words,
    listen=st.none() | words,
    webroot=st.none() | words,
    alias=st.none() | words,
    follow_cname=st.booleans(),
)


@given(any_route, any_route)
def test_two_routes_never_share_a_key(one: Route, other: Route) -> None:
    """Keys are unique for any names and paths, and any key can be written to the file."""
    assert (planner.route_key(one, "lab") == planner.route_key(other, "lab")) == (one == other)
    assert planner.route_key(one, "lab").isascii()


@given(any_route)
def test_a_key_is_read_back(route: Route) -> None:
    """route_from_keys() returns the values that route_key() was given."""
    key = planner.route_key(route, "lab")
    assume("%ED" not in key)  # half a character, which no configuration file can hold
    way = status.route_from_keys((key,))
    assert way is not None
    assert (way.ca, way.challenge, way.dns) == (route.ca, route.challenge, tuple(dict.fromkeys(route.dns)))
    assert status.route_from_keys((f"{key}/%ff", "%ff/%ff/dns=%ff")) is not None


def test_after_a_failure_the_one_that_worked_comes_first() -> None:
    """Failed routes come last for a day; then the order of the configuration applies again."""
    state = planner.remember_success(State(), [KEYS[DNS]], NOW)
    state = read(planner.remember_failures(state, {KEYS[HTTP]: "http-port-taken"}, NOW))
    listed = [HTTP, DNS, BACKUP]
    assert planner.order_routes(listed, "lab", state, NOW + timedelta(hours=23)) == [DNS, BACKUP, HTTP]
    assert planner.order_routes(listed, "lab", state, NOW + DAY) == listed
    assert planner.order_routes(listed, "lab", state, NOW - 2 * DAY) == listed


def test_where_nothing_worked_the_users_order_holds() -> None:
    """The order of the configuration applies if the route that worked is gone or has failed since."""
    failed = {KEYS[HTTP]: "http-port-taken"}
    listed = [HTTP, DNS]
    new = planner.remember_failures(State(), failed, NOW)
    gone = planner.remember_failures(State(worked=(KEYS[BACKUP],)), failed, NOW)
    since = planner.remember_failures(State(worked=(KEYS[DNS],)), {**failed, KEYS[DNS]: "provider-refused"}, NOW)
    for state in (State(), new, gone, since):
        assert planner.order_routes(listed, "lab", state, NOW) == listed


def test_a_mix_remembers_all_its_routes() -> None:
    """The apex used http-01 and the wildcard dns-01: each name tries its own route first."""
    state = planner.remember_failures(State(), {KEYS[BACKUP]: "ca-unreachable"}, NOW)
    state = planner.remember_success(state, [KEYS[HTTP], KEYS[DNS], KEYS[HTTP]], NOW)
    assert state.worked == (KEYS[HTTP], KEYS[DNS])
    assert planner.order_routes([BACKUP, HTTP], "lab", state, NOW) == [HTTP, BACKUP]
    assert planner.order_routes([BACKUP, DNS], "lab", state, NOW) == [DNS, BACKUP]


def test_success_forgets_the_failure_of_a_route() -> None:
    """A success deletes the failure of the same route."""
    state = planner.remember_failures(State(), {KEYS[HTTP]: "x", KEYS[DNS]: "y"}, NOW)
    assert set(planner.remember_success(state, [KEYS[HTTP]], NOW).routes) == {KEYS[DNS]}


def test_old_failures_are_forgotten() -> None:
    """Failures older than a day are deleted, so that the file does not grow."""
    state = planner.remember_failures(State(), {KEYS[HTTP]: "x"}, NOW)
    for later in (DAY, -DAY):
        assert set(planner.remember_failures(state, {KEYS[DNS]: "y"}, NOW + later).routes) == {KEYS[DNS]}
        assert planner.remember_success(state, [KEYS[DNS]], NOW + later).routes == {}


routes = st.permutations([HTTP, DNS, BACKUP]).flatmap(lambda listed: st.integers(0, 3).map(lambda n: listed[:n]))


@given(
    listed=routes,
    worked=st.lists(st.sampled_from(sorted(KEYS.values())), max_size=2).map(tuple),
    failed=st.dictionaries(st.sampled_from(sorted(KEYS.values())), st.integers(-40, 40)),
)
def test_any_memory_orders_any_routes(listed: list[Route], worked: tuple[str, ...], failed: dict[str, int]) -> None:
    """No route is lost, equal routes keep their order, and recent failures come after routes that worked."""
    routes: dict[str, RouteFailure] = {
        key: {"failed": NOW - timedelta(hours=hours), "code": "x"} for key, hours in failed.items()
    }
    state = State(worked=worked, routes=routes)
    found = planner.order_routes(listed, "lab", state, NOW)
    lately = {route for route in listed if abs(failed.get(KEYS[route], 99)) < 24}
    good = [route for route in listed if KEYS[route] in worked and route not in lately]
    assert sorted(map(str, found)) == sorted(map(str, listed))
    for alike in (lately, set(listed) - lately):
        assert [route for route in found if route in alike] == [route for route in listed if route in alike]
    if good:
        assert all(found.index(good[0]) < found.index(route) for route in lately)
    else:
        assert found == listed
