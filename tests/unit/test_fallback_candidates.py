"""Candidates: the route of each name, for any routes and any failures."""

from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base.model import Route
from dnsrenew.renewal.planner import Candidates, Selection

HTTP = Route("http-01", listen=":80", ca="one")
DNS = Route("dns-01", dns=("a",), ca="one")
BACKUP = Route("dns-01", dns=("b",), ca="two")
ROUTES = [HTTP, DNS, BACKUP, Route("dns-01", dns=("c",), ca="two"), Route("http-01", listen=":80", ca="two")]


def test_each_name_takes_its_first_route_in_one_order() -> None:
    """The apex takes http-01, the wildcard dns-01, both at one CA."""
    plan = Candidates({"x.test": [HTTP, DNS], "*.x.test": [DNS]}, ROUTES)
    assert plan.choose() == Selection("one", {"x.test": HTTP, "*.x.test": DNS})


def test_a_failed_route_is_left_by_all_who_used_it() -> None:
    """After http-01 has failed for one name, no name tries it again."""
    plan = Candidates({"x.test": [HTTP, DNS], "y.test": [HTTP, DNS]}, ROUTES)
    plan.failed(HTTP, keep=[])
    assert plan.choose() == Selection("one", {"x.test": DNS, "y.test": DNS})


def test_a_proved_name_keeps_its_route() -> None:
    """A validated name keeps its route; the other names no longer get it."""
    plan = Candidates({"x.test": [HTTP, DNS], "y.test": [HTTP, DNS], "z.test": [DNS, HTTP]}, ROUTES)
    assert plan.failed(HTTP, keep=["y.test"])
    assert plan.choose() == Selection("one", {"x.test": DNS, "y.test": HTTP, "z.test": DNS})
    plan.drop(DNS, ["z.test"])
    assert plan.choose() is None


def test_a_route_that_failed_does_not_come_with_one_that_stands_for_it() -> None:
    """The wildcard has tried the account. The expanded route of the apex, which took http-01, does not include it."""
    several = Route("dns-01", ca="one")
    other = Route("dns-01", dns=("c",), ca="one")
    plan = Candidates({"x.test": [HTTP, several], "*.x.test": [several]}, [HTTP, several])
    plan.expand("*.x.test", several, [DNS, other])
    plan.failed(DNS, keep=[])
    plan.failed(HTTP, keep=[])
    plan.expand("x.test", several, [DNS, other])
    assert plan.choose() == Selection("one", {"x.test": other, "*.x.test": other})


def test_whether_anything_was_taken_is_reported() -> None:
    """failed() returns whether any name had the route, so that a run ends."""
    plan = Candidates({"x.test": [HTTP, DNS]}, ROUTES)
    assert not plan.failed(HTTP, keep=["x.test"])
    assert plan.failed(HTTP, keep=[])
    assert not plan.failed(HTTP, keep=[])


def test_the_list_is_followed_from_ca_to_ca_and_back() -> None:
    """The second route comes second, although the first CA has another route."""
    plan = Candidates({"x.test": [HTTP, BACKUP, DNS]}, [HTTP, BACKUP, DNS])
    assert plan.choose() == Selection("one", {"x.test": HTTP})
    plan.failed(HTTP, keep=[])
    assert plan.choose() == Selection("two", {"x.test": BACKUP})
    plan.failed(BACKUP, keep=[])
    assert plan.choose() == Selection("one", {"x.test": DNS})


def test_the_order_is_that_of_the_list_whatever_the_first_name_is() -> None:
    """A wildcard that comes first does not make the other names skip http-01."""
    plan = Candidates({"*.x.test": [BACKUP, DNS], "x.test": [HTTP, BACKUP, DNS]}, [HTTP, BACKUP, DNS])
    assert plan.choose() == Selection("one", {"*.x.test": DNS, "x.test": HTTP})


def test_all_names_go_to_one_ca() -> None:
    """If a name has no route left at the first CA, all names move to the second if they can."""
    plan = Candidates({"x.test": [HTTP, BACKUP], "*.x.test": [DNS, BACKUP]}, ROUTES)
    plan.drop(DNS, ["*.x.test"])
    assert plan.choose() == Selection("two", {"x.test": BACKUP, "*.x.test": BACKUP})


def test_no_route_left_is_no_choice() -> None:
    """If no route is left, choose() returns None and stuck() the names without a route."""
    plan = Candidates({"x.test": [HTTP], "y.test": [DNS]}, ROUTES)
    plan.drop(HTTP, ["x.test"])
    assert plan.choose() is None
    assert plan.stuck() == ["x.test"]


def test_leaving_a_ca_tells_what_was_left_there() -> None:
    """drop_ca() returns the routes that were left, so that each can be reported as skipped."""
    plan = Candidates({"x.test": [HTTP, DNS, BACKUP]}, ROUTES)
    plan.failed(HTTP, keep=[])
    assert plan.drop_ca("one") == [DNS]
    assert plan.choose() == Selection("two", {"x.test": BACKUP})


@given(
    st.permutations(ROUTES),
    st.lists(st.lists(st.sampled_from(ROUTES), min_size=1, unique=True), min_size=1, max_size=4),
    st.data(),
)
def test_a_run_ends_with_at_most_one_order_for_each_route(
    order: list[Route], options: list[list[Route]], data: st.DataObject
) -> None:
    """For any failures at a CA that reuses authorizations, there are never more orders than routes."""
    wanted = {f"n{number}.test": sorted(routes, key=order.index) for number, routes in enumerate(options)}
    plan = Candidates(wanted, order)
    orders = 0
    validated: dict[str, set[str]] = {"one": set(), "two": set()}
    while (choice := plan.choose()) is not None:
        orders += 1
        assert all(choice.routes[name] in wanted[name] for name in wanted)
        assert {route.ca for route in choice.routes.values()} == {choice.ca}
        keep = validated[choice.ca]
        pending = [name for name in wanted if name not in keep]
        if not pending:
            for route in choice.distinct():
                plan.failed(route, [])
            continue
        failed = data.draw(st.lists(st.sampled_from(pending), min_size=1, unique=True))
        keep |= set(data.draw(st.lists(st.sampled_from(pending), unique=True))) - set(failed)
        for route in {choice.routes[name] for name in failed}:
            assert plan.failed(route, keep.intersection(choice.users(route)))
    assert orders <= len({route for routes in options for route in routes})
