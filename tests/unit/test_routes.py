"""Which route each name takes, for any routes and any outcome of each."""

from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.model import Route
from dnsrenew.routes import Choice, Plan

HTTP = Route("http-01", listen=":80", ca="one")
DNS = Route("dns-01", dns=("a",), ca="one")
BACKUP = Route("dns-01", dns=("b",), ca="two")


def test_each_name_takes_its_first_route_in_one_order() -> None:
    """The apex goes by http-01, the wildcard by dns-01, at one CA."""
    plan = Plan({"x.test": [HTTP, DNS], "*.x.test": [DNS]})
    assert plan.choose() == Choice("one", {"x.test": HTTP, "*.x.test": DNS})


def test_a_failed_route_is_left_by_all_who_used_it() -> None:
    """After http-01 failed for one name, no name tries it again."""
    plan = Plan({"x.test": [HTTP, DNS], "y.test": [HTTP, DNS]})
    plan.failed(HTTP, valid=[])
    assert plan.choose() == Choice("one", {"x.test": DNS, "y.test": DNS})


def test_a_valid_name_keeps_its_only_route() -> None:
    """It needs no new proof, so the failure of the others does not cost it the CA."""
    plan = Plan({"x.test": [HTTP, DNS], "y.test": [HTTP]})
    plan.failed(HTTP, valid=["y.test"])
    assert plan.choose() == Choice("one", {"x.test": DNS, "y.test": HTTP})


def test_all_names_go_to_one_ca() -> None:
    """A name with nothing left at the first CA takes all to the second, if all can go there."""
    plan = Plan({"x.test": [HTTP, BACKUP], "*.x.test": [DNS, BACKUP]})
    plan.leave(DNS, ["*.x.test"])
    assert plan.choose() == Choice("two", {"x.test": BACKUP, "*.x.test": BACKUP})


def test_no_route_left_is_no_choice() -> None:
    """And the names that are stuck are named."""
    plan = Plan({"x.test": [HTTP], "y.test": [DNS]})
    plan.leave(HTTP, ["x.test"])
    assert plan.choose() is None
    assert plan.stuck() == ["x.test"]


def test_leaving_a_ca_tells_what_was_left_there() -> None:
    """So that each skipped route can be said."""
    plan = Plan({"x.test": [HTTP, DNS, BACKUP]})
    plan.failed(HTTP, valid=[])
    assert plan.leave_ca("one") == [DNS]
    assert plan.choose() == Choice("two", {"x.test": BACKUP})


ROUTES = [HTTP, DNS, BACKUP, Route("dns-01", dns=("c",), ca="two"), Route("http-01", listen=":80", ca="two")]


@given(
    st.lists(
        st.permutations(ROUTES).flatmap(lambda routes: st.integers(1, 5).map(lambda n: routes[:n])),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_a_run_ends_with_at_most_one_order_for_each_route(options: list[list[Route]], data: st.DataObject) -> None:
    """Whatever fails, for whomever: orders never outnumber the routes."""
    wanted = {f"n{number}.test": routes for number, routes in enumerate(options)}
    plan = Plan(wanted)
    orders = 0
    while (choice := plan.choose()) is not None:
        orders += 1
        assert all(choice.routes[name] in wanted[name] for name in wanted)
        assert {route.ca for route in choice.routes.values()} == {choice.ca}
        failed = data.draw(st.sampled_from(choice.distinct()))
        others = [name for name in wanted if choice.routes[name] != failed]
        valid = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
        plan.failed(failed, valid)
    assert orders <= len({route for routes in options for route in routes})
