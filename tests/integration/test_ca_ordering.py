"""Fields of an order: `replaces` and profiles; and names that no CA can certify."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from dnsrenew.acme.client import cert_id
from dnsrenew.base import x509
from dnsrenew.base.model import Profile
from dnsrenew.base.runtime import Context
from tests.kit.ca_box import Box, answer_pending, not_offered, refused
from tests.kit.fallback_stage import refusing, with_meta
from tests.lab import DROP, Request, Response

REPLACES = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def sent(box: Box) -> list[dict[str, Any]]:
    """Return the payload of each newOrder."""
    return [exchange.request.payload or {} for exchange in box.proxy.of_kind("newOrder")]


def refuse_orders(kind: str, field: str, status: int = 400) -> Callable[[Request], Response | None]:
    """Return a hook that refuses every order with this field."""

    def hook(request: Request) -> Response | None:
        if request.kind == "newOrder" and field in (request.payload or {}):
            return Response.problem(status, kind, f"not with {field}")
        return None

    return hook


# ── replaces (RFC 9773 section 5) ───────────────────────────────────────────────────────


def test_replaces_is_accepted_once(box: Box) -> None:
    """A real Pebble accepts the first order with it; the second is refused (409) and sent without it."""
    client, context = box.client(), Context()
    names = ["example.test"]
    replaces = ""
    while ".A" in replaces or not replaces:  # Pebble 2.6 stumbles over a leading zero octet
        order = client.new_order(context, names)
        answer_pending(client, context, order)
        chain = client.issue(context, order, x509.make_csr(x509.new_key("ecdsa-p256"), names))
        replaces = cert_id(chain)
    before = len(sent(box))
    first = client.new_order(context, names, replaces=replaces)
    assert first.replaces == replaces
    answer_pending(client, context, first)
    assert client.issue(context, first, x509.make_csr(x509.new_key("ecdsa-p256"), names))
    second = client.new_order(context, names, replaces=replaces)
    assert second.replaces is None
    assert [each.get("replaces") for each in sent(box)[before:]] == [replaces, replaces, None]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(409, "alreadyReplaced"), (409, "malformed"), (500, "serverInternal"), (403, "unauthorized"), (404, "malformed")],
)
def test_a_refused_replaces_is_left_out(box: Box, status: int, kind: str) -> None:
    """If the CA refuses `replaces` for any reason, the order is sent again without it."""
    box.proxy.on_request = refuse_orders(kind, "replaces", status)
    order = box.client().new_order(box.context, ["example.test"], replaces=REPLACES)
    assert (order.status, order.replaces) == ("pending", None)
    assert [each.get("replaces") for each in sent(box)] == [REPLACES, None]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_order_with_replaces_is_sent_once_more_only(box: Box, lost: int) -> None:
    """A lost order with `replaces` is sent once more, without it."""
    box.proxy.on_response = lambda request, response: (
        DROP if request.kind == "newOrder" and request.number <= lost else response
    )
    if lost == 1:
        assert box.client().new_order(box.context, ["example.test"], replaces=REPLACES).replaces is None
    else:
        error = refused(lambda: box.client().new_order(box.context, ["example.test"], replaces=REPLACES))
        assert (error.code, error.evidence["stage"]) == ("ca-unreachable", "reset")
    assert [each.get("replaces") for each in sent(box)] == [REPLACES, None]


def test_a_rate_limit_is_not_circumvented(box: Box) -> None:
    """A rate-limited order with `replaces` is not sent again without it."""
    box.proxy.on_request = refusing("newOrder", Response.problem(429, "rateLimited", "slowly", ("Retry-After", "3600")))
    error = refused(lambda: box.client().new_order(box.context, ["example.test"], replaces=REPLACES))
    assert (error.code, error.retry_after) == ("ca-rate-limited", 3600)
    assert len(sent(box)) == 1


def test_without_renewal_info_no_replaces_is_sent(box: Box) -> None:
    """`replaces` is sent only if the directory has renewalInfo."""
    box.proxy.on_response = not_offered("renewalInfo")
    assert box.client().new_order(box.context, ["example.test"], replaces=REPLACES).replaces is None
    assert sent(box) == [{"identifiers": [{"type": "dns", "value": "example.test"}]}]


# ── profiles ────────────────────────────────────────────────────────────────────────────


def test_a_profile_on_offer_is_ordered(box: Box) -> None:
    """An offered profile is ordered, whether it is required, preferred or given by its name."""
    box.proxy.on_response = with_meta(profiles={"short": "six days", "odd": 7}, caaIdentities=["CA.test", 5])
    client, context = box.client(), box.context
    assert client.caa_identities(context) == ("ca.test",)
    assert box.proxy.counts["newAccount"] == 0
    for profile in (Profile("short"), Profile("short", required=False), "short"):
        client.new_order(context, ["example.test"], profile=profile)
    assert [each["profile"] for each in sent(box)] == ["short"] * 3
    assert context.notices == []


def test_a_required_profile_that_is_not_there_orders_nothing(box: Box) -> None:
    """If a required profile is not offered, no order is sent, and the error names the offered ones."""
    box.proxy.on_response = with_meta(profiles={"classic": "", "short": ""})
    error = refused(lambda: box.client().new_order(box.context, ["example.test"], profile=Profile("tiny")))
    assert error.code == "ca-profile-unknown"
    assert error.evidence["offered"] == ["classic", "short"]
    assert sent(box) == []


def test_a_preferred_profile_that_is_not_there_is_a_warning(box: Box) -> None:
    """If a preferred profile is not offered, there is a warning, and the default one is ordered."""
    client, context = box.client(), box.context
    client.new_order(context, ["example.test"], profile=Profile("tiny", required=False))
    (notice,) = context.notices
    assert notice.code == "profile-unknown"
    assert "profile" not in sent(box)[0]
    assert refused(lambda: client.new_order(context, ["example.test"], profile=Profile("tiny"))).code == (
        "ca-profile-unknown"
    )


@pytest.mark.parametrize("required", [True, False])
def test_a_profile_that_is_offered_and_refused(box: Box, required: bool) -> None:
    """After `invalidProfile` a required profile is an error; a preferred one is a warning and an order without it."""
    box.proxy.on_response = with_meta(profiles={"short": "for the chosen few"})
    box.proxy.on_request = refuse_orders("invalidProfile", "profile")
    client, context = box.client(), box.context
    profile = Profile("short", required=required)
    if required:
        error = refused(lambda: client.new_order(context, ["example.test"], profile=profile))
        assert (error.code, error.type) == ("ca-profile-unknown", "invalidProfile")
    else:
        assert client.new_order(context, ["example.test"], profile=profile).status == "pending"
        assert [notice.code for notice in context.notices] == ["profile-unknown"]
    assert [each.get("profile") for each in sent(box)] == ["short"] if required else ["short", None]


# ── fresh authorizations ────────────────────────────────────────────────────────────────


def test_authorizations_are_ended_so_that_the_next_are_fresh(run_pebble: Callable[..., Box]) -> None:
    """A rehearsal needs new validations; those that have ended already are skipped."""
    box = run_pebble(always_valid=True, authz_reuse=100)
    client, context = box.client(), Context()
    names = ["a.example.test", "b.example.test"]
    box.issue(names, client=client)
    order = client.new_order(context, names)
    assert order.status == "ready"
    assert client.deactivate_authorizations(context, order) == 2
    assert client.new_order(context, names).status == "pending"
    box.proxy.on_request = refusing("authorization", Response.problem(400, "malformed", "it has ended"))
    assert client.deactivate_authorizations(context, order) == 0


# ── names ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "named"), [("*.*.test", 1), ("exa_mple.test", 2)])
def test_a_name_that_no_ca_can_certify(box: Box, name: str, named: int) -> None:
    """A malformed name is in the error. If Pebble does not say which name it is, the error has all names."""
    error = refused(lambda: box.client().new_order(box.context, ["example.test", name]))
    assert (error.code, error.type) == ("ca-malformed-name", "malformed")
    assert error.evidence["identifiers"] == ["example.test", name][-named:]


def test_a_malformed_name_in_a_subproblem(box: Box) -> None:
    """A malformed name in a subproblem, as from Let's Encrypt, is in the error."""
    malformed = "urn:ietf:params:acme:error:malformed"
    subproblem = {"type": malformed, "detail": "bad", "identifier": {"type": "dns", "value": "b..test"}}
    body = {"type": malformed, "detail": "Error creating new order", "subproblems": [subproblem]}
    box.proxy.on_request = refusing("newOrder", Response.of_json(400, body))
    error = refused(lambda: box.client().new_order(box.context, ["a.test", "b..test"]))
    assert (error.code, error.evidence["identifiers"]) == ("ca-malformed-name", ["b..test"])


@pytest.mark.parametrize(
    "words", ["no", "see https://a.test/help", "about www.a.test", "about a.test.example", "https://x.test/a.test/"]
)
def test_a_malformed_order_that_is_not_about_a_name(box: Box, words: str) -> None:
    """A malformed order without a name blames no name, because another CA may accept it."""
    box.proxy.on_request = refusing("newOrder", Response.problem(400, "malformed", words))
    assert refused(lambda: box.client().new_order(box.context, ["a.test"])).code == "ca-error"


def test_a_plain_order_has_only_identifiers(box: Box) -> None:
    """An order without options has only its identifiers, so that old servers accept it."""
    box.client().new_order(box.context, ["example.test"])
    assert json.dumps(sent(box)[0]) == '{"identifiers": [{"type": "dns", "value": "example.test"}]}'


@pytest.mark.parametrize("count", [1001, 20_000])
def test_too_many_authorizations_are_refused(box: Box, count: int) -> None:
    """An order with too many authorizations is an error, because each would be a request."""

    def respond(request: Request, response: Response) -> Response:
        if request.kind != "newOrder":
            return response
        return response.with_json({**response.json(), "authorizations": [f"{box.proxy.url}/authZ/1"] * count})

    box.proxy.on_response = respond
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert error.code == "ca-malformed-answer"
    assert str(count) in error.message
    assert box.proxy.counts["authorization"] == 0


# ── two clocks ──────────────────────────────────────────────────────────────────────────


def at(box: Box, **wrong: float) -> Context:
    """Return a context whose clock is wrong by this much."""
    box.clock.suspended += timedelta(**wrong).total_seconds()
    return box.context


@pytest.mark.parametrize(
    "wrong", [{"minutes": -62}, {"days": -400}, {"days": 400}], ids=["an-hour-behind", "a-year-behind", "a-year-ahead"]
)
def test_nothing_is_ordered_by_a_clock_that_is_far_off(box: Box, wrong: dict[str, float]) -> None:
    """If the CA's Date shows that our clock is far off, nothing is ordered."""
    context = at(box, **wrong)
    error = refused(lambda: box.client().new_order(context, ["example.test"]))
    assert error.code == "clock-wrong"
    assert abs(error.evidence["ahead"] - timedelta(**wrong).total_seconds()) < 120
    assert box.proxy.counts["newOrder"] == 0


@pytest.mark.parametrize("wrong", [{"minutes": -50}, {"days": 3}], ids=["a-little-behind", "days-ahead"])
def test_a_clock_that_is_a_little_off_stops_nothing(box: Box, wrong: dict[str, float]) -> None:
    """A clock that is off by days causes a warning, and the order is sent."""
    context = at(box, **wrong)
    assert box.issue(["example.test"], context)
    assert [notice.code for notice in context.notices] == (["clock-ahead"] if "days" in wrong else [])


def test_a_clock_that_may_be_right_is_not_warned_of(box: Box) -> None:
    """A difference of less than a day causes no warning, because the CA's clock may be wrong."""
    context = at(box, hours=20)
    assert box.client().new_order(context, ["example.test"])
    assert context.notices == []


@pytest.mark.parametrize("date", ["soon", None])
def test_a_ca_without_a_date_is_trusted(box: Box, date: str | None) -> None:
    """If the CA sends no Date, the order is sent."""
    box.proxy.on_response = lambda _request, response: response.with_header("Date", date)
    assert box.client().new_order(at(box, days=-400), ["example.test"])
