"""The client's order loop against a real Pebble, through a proxy that counts and misbehaves."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.acme import CAClient
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient
from dnsrenew.base.model import CA
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import FAILURE_SECONDS
from dnsrenew.errors import CAError
from tests.kit.ca_box import Box, MemoryStore, answer_pending, ca_clock, refused
from tests.kit.clock import RealClock
from tests.kit.fallback_stage import refusing
from tests.lab import DROP, AcmeProxy, LabCA, Pebble, Request, Response
from tests.lab.ports import reserve

THREE = ["a.example.test", "b.example.test", "c.example.test"]
HTML = Response(200, b"<html>busy</html>", (("Content-Type", "text/html"),))


# ── without faults ──────────────────────────────────────────────────────────────────────


def test_a_name_and_its_wildcard_are_distinguished(box: Box) -> None:
    """Both authorizations are for one domain; `identifier` is the ordered name, and the TXT values differ."""
    client, context = box.client(), Context()
    order = client.new_order(context, ["example.test", "*.example.test"])
    both = client.authorizations(context, order)
    assert {each.identifier for each in both} == {"example.test", "*.example.test"}
    assert {each.domain for each in both} == {"example.test"}
    assert len({client.dns01_value(each.challenges[0]) for each in both}) == 2


def test_an_order_that_is_ready_at_once_answers_nothing(run_pebble: Callable[..., Box]) -> None:
    """Valid authorizations are reused: no challenge is answered."""
    box = run_pebble(always_valid=True, authz_reuse=100)
    client, context = box.client(), Context()
    box.issue(["a.example.test", "b.example.test"], client=client)
    before = box.proxy.counts["challenge"]
    order = client.new_order(context, ["a.example.test", "b.example.test"])
    assert order.status == "ready"
    assert answer_pending(client, context, order) == 0
    key = x509.new_key("ecdsa-p256")
    assert client.issue(context, order, x509.make_csr(key, order.identifiers))
    assert box.proxy.counts["challenge"] == before


def test_names_done_in_groups_are_awaited_one_after_the_other(box: Box) -> None:
    """For a DNS host with one value, each group of names is valid before the next is answered."""
    client, context = box.client(), Context()
    names = ["one.example.test", "two.example.test"]
    order = client.new_order(context, names)
    for authorization in client.authorizations(context, order):
        client.answer(context, [authorization.challenges[0]])
        client.await_valid(context, order, [authorization])
    key = x509.new_key("ecdsa-p256")
    assert client.issue(context, order, x509.make_csr(key, names))


def test_optional_and_unordered_fields_are_accepted(box: Box) -> None:
    """Unknown challenge types, missing tokens, lists in any order, dates with fractions, unknown fields."""

    def odd(request: Request, response: Response) -> Response:
        if request.kind not in {"newOrder", "order", "authorization"}:
            return response
        body = response.json()
        body |= {"novelty": [1], "expires": "2027-01-01T00:00:00.123+02:00"}
        for key in ("authorizations", "identifiers", "challenges"):
            if isinstance(body.get(key), list):
                body[key].reverse()
        if request.kind == "authorization":
            persist = {"type": "dns-persist-01", "url": "https://x.test/", "status": "pending"}
            body["challenges"] = [persist, {"type": 7}, "?", *body["challenges"]]
            body["challenges"] += [{"type": "tkauth-01", "url": "https://x.test/", "status": "sleeping"}]
        return response.with_json(body)

    box.proxy.on_response = odd
    assert box.issue(["a.example.test", "b.example.test"])


# ── nonces, lost answers, busy servers ──────────────────────────────────────────────────


def test_refused_nonces_are_replaced(run_pebble: Callable[..., Box]) -> None:
    """The CA refuses six of ten nonces; the next request has the nonce of the refusal."""
    box = run_pebble(always_valid=True, nonce_reject=60)
    assert box.issue(THREE)
    assert box.proxy.counts["newNonce"] <= 2


def test_all_nonces_refused_ends_with_an_error(run_pebble: Callable[..., Box]) -> None:
    """After 25 retries with refused nonces the request fails, and the error has no nonce."""
    box = run_pebble(always_valid=True, nonce_reject=100)
    error = refused(lambda: box.client().open(box.context))
    assert error.code == "ca-error"
    assert error.evidence["type"] == "badNonce"
    sent = box.proxy.of_kind("newAccount")
    assert len(sent) == 26
    assert not any(exchange.request.header["nonce"] in str(error.to_dict()) for exchange in sent)


def test_what_was_signed_is_not_quoted(box: Box) -> None:
    """If the CA repeats the nonce and the signature in its error, our message has none of them."""

    def quote(request: Request) -> Response | None:
        if request.kind != "newOrder":
            return None
        words = f"bad request {request.body.decode()} with {request.header['nonce']}"
        return Response.problem(400, "malformed", words)

    box.proxy.on_request = quote
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    (sent,) = box.proxy.of_kind("newOrder")
    for secret in (sent.request.header["nonce"], *json.loads(sent.request.body).values()):
        assert secret not in str(error.to_dict())
    assert "bad request" in error.message


@pytest.mark.parametrize(
    "kind", ["directory", "newAccount", "newOrder", "authorization", "challenge", "finalize", "certificate"]
)
def test_a_lost_answer_is_requested_again(box: Box, kind: str) -> None:
    """After a lost answer the request is sent again. After finalize the order is read instead."""

    def lose(request: Request, response: Response) -> Response:
        return DROP if request.kind == kind and request.number == 1 else response

    box.proxy.on_response = lose
    assert box.issue(["example.test"], box.context)
    assert box.proxy.counts[kind] == (1 if kind == "finalize" else 2)


def test_a_lost_new_order_is_sent_once_more_only(box: Box) -> None:
    """A lost newOrder is sent once more, and then fails."""
    box.proxy.on_response = lambda request, response: DROP if request.kind == "newOrder" else response
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    assert (error.code, error.evidence["stage"]) == ("ca-unreachable", "reset")
    assert box.proxy.counts["newOrder"] == 2


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("kind", ["directory", "newNonce", "newOrder", "challenge", "finalize", "order"])
def test_a_busy_ca_is_waited_for(box: Box, kind: str, form: str) -> None:
    """After a 503 the client waits for the Retry-After, in seconds or as a date."""

    def busy(request: Request) -> Response | None:
        if request.kind != kind or request.number > 1:
            return None
        date = format_datetime(box.clock.now() + timedelta(seconds=7), usegmt=True)
        after = "7" if form == "seconds" else date
        return Response(503, b"<html>busy</html>", (("Content-Type", "text/html"), ("Retry-After", after)))

    box.proxy.on_request = busy
    assert box.issue(["example.test"], box.context)
    assert [wait for wait in box.clock.waits if 6 <= wait <= 7]


def test_a_ca_that_stays_busy_ends_with_its_own_wait(box: Box) -> None:
    """A Retry-After longer than our wait ends the request, and is in the error for the next attempt."""
    headers = (("Content-Type", "text/html"), ("Retry-After", "3600"))
    box.proxy.on_request = lambda _request: Response(503, b"<html>", headers)
    error = refused(lambda: box.client().open(box.context))
    assert (error.code, error.retry_after) == ("ca-server-error", 3600)
    assert box.clock.waits == []


def test_a_rate_limit_is_not_tried_again(box: Box) -> None:
    """A 429 with a long Retry-After is not repeated. The error has the CA's words and its Retry-After."""
    box.proxy.on_request = refusing(
        "newOrder", Response.problem(429, "rateLimited", "too many certificates", ("Retry-After", "86400"))
    )
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    assert (error.code, error.type, error.retry_after) == ("ca-rate-limited", "rateLimited", 86400)
    assert "too many certificates" in error.message
    assert error.evidence["retry_after"] == 86400
    assert box.proxy.counts["newOrder"] == 1


# ── failed validations ──────────────────────────────────────────────────────────────────


def change_authorization(name: str, **changes: Any) -> Callable[[Request, Response], Response]:
    """Return a hook that changes one name's authorization, and leaves the order pending."""

    def hook(request: Request, response: Response) -> Response:
        if request.kind in {"order", "newOrder"}:
            return response.with_json({**response.json(), "status": "pending"})
        if request.kind == "finalize":
            return Response.problem(
                403, "orderNotReady", "not yet", ("Replay-Nonce", response.header("Replay-Nonce") or "")
            )
        if request.kind == "authorization" and request.number > 3:
            body = response.json()
            if body["identifier"]["value"] == name:
                return response.with_json({**body, **changes})
        return response

    return hook


DENIED = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "Wrong TXT"}


def failed_challenge(status: str) -> list[dict[str, Any]]:
    """The challenges of a failed authorization."""
    return [{"type": "dns-01", "url": "https://x.test/c", "token": "t" * 22, "status": status, "error": DENIED}]


def test_an_order_that_stays_pending_after_a_failure_is_noticed(box: Box) -> None:
    """The authorizations are polled too; the error names the failed one of three, with the CA's words."""
    box.proxy.on_response = change_authorization(
        "b.example.test", status="invalid", challenges=failed_challenge("invalid")
    )
    error = refused(lambda: box.issue(THREE, box.context))
    assert (error.code, error.type) == ("ca-unauthorized", "unauthorized")
    assert error.evidence["identifiers"] == ["b.example.test"]
    assert "b.example.test" in error.message
    assert "Wrong TXT" in error.message
    assert error.subproblems == (
        {"type": "unauthorized", "code": "ca-unauthorized", "detail": "Wrong TXT", "identifier": "b.example.test"},
    )
    assert box.clock.elapsed < 20


def pending_until(box: Box, name: str, seconds: float) -> Callable[[Request, Response], Response]:
    """Return a hook: one name has failed, and another one fails after these seconds."""
    fails = change_authorization("b.example.test", status="invalid", challenges=failed_challenge("invalid"))
    waits = change_authorization(name, status="pending", challenges=[])
    ends = change_authorization(name, status="invalid", challenges=failed_challenge("invalid"))

    def hook(request: Request, response: Response) -> Response:
        over = box.clock.elapsed >= seconds
        return (ends if over else waits)(request, fails(request, response))

    return hook


def test_a_pending_validation_is_waited_for_after_a_failure(box: Box) -> None:
    """The next order should fix all names at once, so the client waits as long as the CA may take."""
    box.proxy.on_response = pending_until(box, "a.example.test", 30)
    error = refused(lambda: box.issue(THREE, box.context))
    assert set(error.evidence["identifiers"]) == set(THREE[:2])
    assert "undecided" not in error.evidence
    assert 30 <= box.clock.elapsed <= 42


def test_an_undecided_name_is_reported(box: Box) -> None:
    """A name that is still pending after another one failed is in the error."""
    box.proxy.on_response = pending_until(box, "a.example.test", 300)
    error = refused(lambda: box.issue(THREE, box.context))
    assert error.evidence["identifiers"] == ["b.example.test"]
    assert error.evidence["undecided"] == ["a.example.test"]
    assert 60 <= box.clock.elapsed <= 65


def test_unanswered_challenges_are_not_waited_for(box: Box) -> None:
    """If names are validated one after the other, the others cannot end by themselves."""
    client, context = box.client(), box.context
    order = client.new_order(context, THREE)
    found = client.authorizations(context, order)
    (second,) = (each for each in found if each.domain == "b.example.test")
    challenge = second.challenge("dns-01")
    assert challenge is not None
    box.proxy.on_response = change_authorization(
        "b.example.test", status="invalid", challenges=failed_challenge("invalid")
    )
    client.answer(context, [challenge])
    error = refused(lambda: client.await_valid(context, order, [second]))
    assert error.evidence["identifiers"] == ["b.example.test"]
    assert set(error.evidence["undecided"]) == {"a.example.test", "c.example.test"}
    assert box.clock.elapsed <= 1


def test_a_failed_challenge_that_stays_pending_ends_at_the_time_out(box: Box) -> None:
    """If an authorization stays pending until the time-out, the error of its challenge is the reason."""
    box.proxy.on_response = change_authorization(
        "a.example.test", status="pending", challenges=failed_challenge("pending")
    )
    error = refused(lambda: box.issue(THREE, box.context))
    assert error.code == "ca-unauthorized"
    assert error.evidence["timeout"] == 60
    assert 60 <= box.clock.elapsed <= 70


def test_a_deactivated_authorization_is_a_failure(box: Box) -> None:
    """A deactivated authorization has no error, and is a failure."""
    box.proxy.on_response = change_authorization("a.example.test", status="deactivated", challenges=[])
    error = refused(lambda: box.issue(THREE, box.context))
    assert error.code == "ca-order-invalid"
    assert error.evidence["identifiers"] == ["a.example.test"]


def test_a_ca_that_never_decides_ends_at_the_time_out(box: Box) -> None:
    """An authorization that stays pending without an error ends at the time-out."""
    box.proxy.on_response = change_authorization("a.example.test", status="pending", challenges=[])
    error = refused(lambda: box.issue(THREE, box.context))
    assert (error.code, error.evidence["identifiers"]) == ("ca-timeout", ["a.example.test"])
    assert 60 <= box.clock.elapsed <= 61


def test_every_name_that_failed_is_named(run_pebble: Callable[..., Box]) -> None:
    """If the CA finds no DNS, one error has all three names with their reasons."""
    box = run_pebble()
    error = refused(lambda: box.issue(THREE))
    assert set(error.evidence["identifiers"]) == set(THREE)
    assert {each["identifier"] for each in error.subproblems} == set(THREE)
    assert all(name in error.message for name in THREE)


def test_a_failed_group_ends_the_waiting_for_it(run_pebble: Callable[..., Box]) -> None:
    """A failed name ends the wait also if names are validated one after the other."""
    box = run_pebble()
    client, context = box.client(), Context()
    order = client.new_order(context, ["example.test"])
    answer_pending(client, context, order)
    error = refused(lambda: client.await_valid(context, order, client.authorizations(context, order)))
    assert error.evidence["identifiers"] == ["example.test"]


def test_a_name_that_the_ca_never_certifies_is_named(box: Box) -> None:
    """After `rejectedIdentifier` for one of three names, the error has that name."""
    names = ["a.example.test", "www.blocked.test", "c.example.test"]
    error = refused(lambda: box.client().new_order(box.context, names))
    assert (error.code, error.type) == ("ca-rejected-identifier", "rejectedIdentifier")
    assert "blocked.test" in error.message


def test_subproblems_name_the_identifiers(box: Box) -> None:
    """Names come from subproblems (RFC 8555 section 6.7.1), also with an unknown type or control characters."""
    subproblems = [
        {
            "type": "urn:ietf:params:acme:error:caa",
            "detail": "CAA\x1b[31m\nforbids",
            "identifier": {"type": "dns", "value": "b.test"},
        },
        {"type": "urn:example:new", "detail": "?"},
    ]
    body = {"type": "urn:ietf:params:acme:error:compound", "detail": "Some names", "subproblems": subproblems}
    box.proxy.on_request = refusing("newOrder", Response.of_json(403, body))
    error = refused(lambda: box.client().new_order(box.context, ["a.test", "b.test"]))
    assert error.code == "ca-order-invalid"
    assert "b.test (caa): CAA [31m forbids" in error.message
    assert error.subproblems[0]["identifier"] == "b.test"


# ── issuing ─────────────────────────────────────────────────────────────────────────────


def processing(retry_after: str) -> Callable[[Request, Response], Response]:
    """Return a hook: the order stays `processing`, with this Retry-After."""

    def hook(request: Request, response: Response) -> Response:
        if request.kind in {"finalize", "order"} and response.status == 200:
            body = {**response.json(), "status": "processing"}
            return response.with_json(body).with_header("Retry-After", retry_after)
        return response

    return hook


def test_processing_for_ever_ends_at_the_time_out(box: Box) -> None:
    """An order that stays `processing` ends at the time-out, and the CA's Retry-After is respected until then."""
    box.proxy.on_response = processing("8")
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert error.code == "ca-timeout"
    assert error.evidence["timeout"] == 60
    assert 60 <= box.clock.elapsed <= 61
    assert box.proxy.counts["order"] <= 10


def test_a_retry_after_of_an_hour_ends_the_attempt(box: Box) -> None:
    """A Retry-After of an hour ends the attempt without a wait, and is in the error."""
    box.proxy.on_response = processing("3600")
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert (error.code, error.retry_after) == ("ca-timeout", 3600)
    assert box.clock.elapsed < 1


def test_a_finalize_too_early_waits_for_the_order(box: Box) -> None:
    """After orderNotReady the order is polled and finalize is sent again."""

    def early(request: Request) -> Response | None:
        if request.kind == "finalize" and request.number == 1:
            return Response.problem(403, "orderNotReady", "not yet")
        return None

    box.proxy.on_request = early
    assert box.issue(["example.test"], box.context)
    assert box.proxy.counts["finalize"] == 2


def test_finalize_that_is_always_lost_ends(box: Box) -> None:
    """A finalize whose answers are all lost is sent three times, and then the attempt fails."""
    box.proxy.on_request = lambda request: DROP if request.kind == "finalize" else None
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert error.code == "ca-unreachable"
    assert box.proxy.counts["finalize"] == 3


def test_an_order_never_ready_for_finalize_ends_at_the_time_out(box: Box) -> None:
    """An order that is `ready` while finalize answers orderNotReady ends at the time-out."""
    box.proxy.on_request = refusing("finalize", Response.problem(403, "orderNotReady", "not yet"))
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert error.code == "ca-timeout"


def test_caa_at_finalize(box: Box) -> None:
    """If an order becomes invalid although all names are valid, its own error is the reason."""
    caa = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA record forbids"}

    def forbid(request: Request, response: Response) -> Response:
        if request.kind == "order":
            return response.with_json({**response.json(), "status": "invalid", "error": caa})
        return response

    box.proxy.on_response = forbid
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert (error.code, error.detail) == ("ca-caa", "CAA record forbids")


def test_a_refused_csr(box: Box) -> None:
    """A CSR that is refused with badCSR is not sent again."""
    box.proxy.on_request = refusing("finalize", Response.problem(400, "badCSR", "key too short"))
    assert refused(lambda: box.issue(["example.test"], box.context)).code == "ca-bad-csr"
    assert box.proxy.counts["finalize"] == 1


# ── other servers, and untrusted ones ───────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["newOrder", "authorization", "challenge", "finalize", "order", "certificate"])
def test_html_in_place_of_json_is_a_typed_error(box: Box, kind: str) -> None:
    """HTML in place of JSON, as from a captive portal, is an error. If the CA has the request, the order continues."""
    box.proxy.on_response = lambda request, response: HTML if request.kind == kind else response
    if kind in {"challenge", "finalize"}:
        assert box.issue(["example.test"], box.context)
    else:
        assert refused(lambda: box.issue(["example.test"], box.context)).code == "ca-malformed-answer"


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}", b'{"status": 7}', b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("kind", ["newOrder", "authorization"])
def test_json_of_the_wrong_form_is_a_typed_error(box: Box, kind: str, body: bytes) -> None:
    """JSON with wrong types is an error."""
    location = ("Location", f"{box.proxy.url}/my-order/1")
    box.proxy.on_request = lambda request: Response(201, body, (location,)) if request.kind == kind else None
    assert refused(lambda: box.issue(["example.test"], box.context)).code == "ca-malformed-answer"


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        Response(404, b"no"),
        Response.of_json(200, {}),
        Response.of_json(200, []),
        Response.of_json(200, {"newNonce": 1}),
    ],
)
def test_an_invalid_directory(box: Box, answer: Response) -> None:
    """The error of an invalid directory has the configured address."""
    box.proxy.on_request = lambda request: answer
    error = refused(lambda: box.client().open(box.context))
    assert error.code == "ca-not-acme"
    assert box.proxy.directory_url in error.message


def test_an_endpoint_with_a_foreign_certificate_is_not_trusted(pebble: Pebble, lab_ca: LabCA, tmp_path: Path) -> None:
    """An endpoint with an untrusted certificate gets no request, and the connection is not tried again."""
    with AcmeProxy(pebble, lab_ca, endpoint=LabCA(tmp_path)) as proxy:
        box = Box(pebble, lab_ca, proxy)
        error = refused(lambda: box.client().open(box.context))
    assert error.code == "ca-untrusted"
    assert box.clock.waits == []


def test_a_ca_that_is_down_is_tried_three_times(lab_ca: LabCA) -> None:
    """If the connection is refused three times, the request fails with `ca-unreachable`."""
    clock = ca_clock()
    with reserve("127.0.0.1") as port:
        ca = CA(f"https://127.0.0.1:{port.number}/dir", name="lab")
        client = CAClient(ca, HttpClient(trust=lab_ca.trust_pem), MemoryStore(), contact=[], agree_terms=True)
        error = refused(lambda: client.open(Context(clock=clock)))
    assert (error.code, error.evidence["stage"]) == ("ca-unreachable", "connect")
    assert error.evidence["address"] in error.message
    assert len(clock.waits) == 2


def test_an_answer_over_a_mebibyte_is_refused(box: Box) -> None:
    """An answer of more than one MiB is an error, which limits the memory."""
    box.proxy.on_response = lambda request, response: (
        Response(200, b"x" * (1 << 20) + b"x", response.headers) if request.kind == "certificate" else response
    )
    error = refused(lambda: box.issue(["example.test"], box.context))
    assert error.code == "ca-malformed-answer"
    assert "1048576" in error.message


def test_a_redirect_of_a_signed_request_is_refused(box: Box) -> None:
    """A redirect of a signed request is not followed, because the signature has its URL."""
    redirect = Response(307, b"", (("Location", "https://elsewhere.test/"),))
    box.proxy.on_request = lambda request: redirect if request.kind == "newOrder" else None
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    assert error.code == "ca-not-acme"
    assert "elsewhere.test" in error.message


# ── the account ─────────────────────────────────────────────────────────────────────────


def test_eight_threads_make_one_account(box: Box) -> None:
    """Eight threads read the directory once and create one account."""
    client = box.client()
    tasks = Context().call_all([lambda: client.open(Context())] * 8, 8)
    assert {task.result() for task in tasks} == {box.store.account.url}
    assert (box.proxy.counts["newAccount"], box.proxy.counts["directory"]) == (1, 1)


def test_a_failed_opening_is_shared_and_kept_for_a_moment(box: Box) -> None:
    """If the CA refuses the account, eight threads share one request, and so do those soon after."""
    gate = threading.Event()

    def refuse(request: Request) -> Response | None:
        if request.kind != "newAccount" or request.number > 1:
            return None
        gate.wait(5)
        return Response.problem(403, "unauthorized", "go away")

    box.proxy.on_request = refuse
    client, errors = box.client(), []

    def open_it() -> None:
        with pytest.raises(CAError) as caught:
            client.open(Context())
        errors.append(caught.value)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    while client._session._opened._task is None:
        pass
    threading.Timer(0.3, gate.set).start()
    for thread in threads:
        thread.join()
    assert {error.code for error in errors} == {"ca-account-refused"}
    open_it()
    assert box.proxy.counts["newAccount"] == 1
    assert client.open(Context(clock=RealClock(ahead=FAILURE_SECONDS)))


def test_a_new_process_finds_the_account(box: Box) -> None:
    """A new process uses the known account without a request. Without its URL the account is found by its key."""
    url = box.client().open(Context())
    box.issue(["example.test"])
    assert box.proxy.counts["newAccount"] == 1
    box.store.account = AccountData(box.store.account.key_pem)
    assert box.client().open(Context()) == url
    assert box.proxy.counts["newAccount"] == 2


def test_an_account_that_the_ca_lost_is_made_again_with_the_same_key(box: Box, run_pebble: Callable[..., Box]) -> None:
    """After accountDoesNotExist the account is created once again with the same key, and the request is repeated."""
    old = box.client().open(Context())
    key = box.store.account.key_pem
    box.proxy.upstream = run_pebble(always_valid=True).pebble
    client = box.client()
    client.open(Context())
    tasks = Context().call_all([lambda: client.new_order(Context(), ["example.test"])] * 6, 6)
    assert [task.error for task in tasks] == [None] * 6
    assert box.proxy.counts["newAccount"] == 2
    assert box.store.account.key_pem == key
    assert box.store.account.url != old


def test_a_ca_that_takes_the_account_and_does_not_know_it_ends(box: Box) -> None:
    """If the CA does not know the account that it has just created, it is created again only once."""
    box.proxy.on_request = refusing("newOrder", Response.problem(400, "accountDoesNotExist", "unknown account"))
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    assert (error.code, box.proxy.counts["newAccount"]) == ("ca-account-refused", 2)


def test_terms_that_were_not_agreed_to_are_shown(box: Box) -> None:
    """Without agreement the error has the address of the terms. No key and no account is created."""
    error = refused(lambda: box.client(agree_terms=False).open(Context()))
    assert error.code == "ca-terms"
    assert error.evidence["terms"] in error.message
    assert error.evidence["terms"].startswith("data:")
    assert box.proxy.counts["newAccount"] == 0
    assert box.store.saved == 0


def test_changed_terms_are_shown(box: Box) -> None:
    """The error for `userActionRequired` has the address to visit."""
    body = {
        "type": "urn:ietf:params:acme:error:userActionRequired",
        "detail": "Terms changed",
        "instance": "https://t.test/",
    }
    box.proxy.on_request = refusing("newOrder", Response.of_json(403, body))
    error = refused(lambda: box.client().new_order(box.context, ["example.test"]))
    assert error.code == "ca-user-action-required"
    assert "https://t.test/" in error.message


def test_a_refused_account(box: Box) -> None:
    """If the CA refuses the account, the error has its words, and the key is kept for the next try."""
    box.proxy.on_request = refusing("newAccount", Response.problem(400, "invalidContact", "example.test is forbidden"))
    error = refused(lambda: box.client().open(Context()))
    assert error.code == "ca-account-refused"
    assert "example.test is forbidden" in error.message
    assert box.store.account.url is None


def test_a_missing_binding(run_pebble: Callable[..., Box]) -> None:
    """A CA with `externalAccountRequired` is reported if no binding is configured."""
    box = run_pebble(eab={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"})
    assert refused(lambda: box.client().open(Context())).code == "ca-eab-required"


def test_a_changed_contact_is_sent_once(box: Box) -> None:
    """A changed contact is sent once. If the CA refuses it, there is a warning."""
    box.client().open(Context())
    box.client(contact=["you@example.test"]).open(Context())
    assert box.store.account.contact == ("mailto:you@example.test",)
    box.client(contact=["you@example.test"]).open(Context())
    assert box.proxy.counts["account"] == 1
    box.proxy.on_request = refusing("account", Response.problem(400, "invalidContact", "no"))
    context = Context()
    box.client(contact=["other@example.test"]).open(context)
    assert [notice.code for notice in context.notices] == ["contact-refused"]


def test_every_request_has_a_user_agent(box: Box) -> None:
    """Requests have the User-Agent and content type of RFC 8555 sections 6.1 and 6.2, and contacts are mailto URLs."""
    box.issue(["example.test"])
    for exchange in box.proxy.exchanges:
        headers = {key.lower(): value for key, value in exchange.request.headers.items()}
        assert headers["user-agent"].startswith("dnsrenew/")
        if exchange.request.method == "POST":
            assert headers["content-type"] == "application/jose+json"
            assert exchange.request.header["alg"] == "ES256"
    (made,) = box.proxy.of_kind("newAccount")
    assert made.request.payload == {"contact": ["mailto:me@example.test"], "termsOfServiceAgreed": True}
