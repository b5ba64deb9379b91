"""Rate limits of the CA: the Retry-After in both forms, and the address that ends a pause."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from dnsrenew.errors import CAError
from tests.kit.ca_box import Box, refused
from tests.lab import Response

UNPAUSE = "https://portal.ca.test/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.e30."


def limited(box: Box, response: Response) -> CAError:
    """Order, with this answer of the CA."""
    box.proxy.on_request = lambda request: response if request.kind == "newOrder" else None
    return refused(lambda: box.client().new_order(box.context, ["example.test"]))


@pytest.mark.parametrize("seconds", [90, 86400])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_limit_has_the_wait_that_the_ca_asks_for(box: Box, form: str, seconds: int) -> None:
    """A Retry-After in seconds or as a date is in the error. The attempt ends without a wait."""
    date = format_datetime(box.clock.now() + timedelta(seconds=seconds), usegmt=True)
    after = str(seconds) if form == "seconds" else date
    error = limited(box, Response.problem(429, "rateLimited", "too many", ("Retry-After", after)))
    assert (error.code, error.type, error.detail) == ("ca-rate-limited", "rateLimited", "too many")
    assert error.retry_after == pytest.approx(seconds, abs=1)
    assert box.proxy.counts["newOrder"] == 1
    assert box.clock.waits == []


@pytest.mark.parametrize("kind", ["directory", "newAccount", "newOrder", "authorization"])
def test_a_short_wait_is_kept_within_the_run(box: Box, kind: str) -> None:
    """A 429 with a Retry-After of up to a minute does not end the order: the request is sent again after it."""
    limit = Response.problem(429, "rateLimited", "slowly", ("Retry-After", "7"))
    box.proxy.on_request = lambda request: limit if request.kind == kind and request.number == 1 else None
    client = box.client()
    order = client.new_order(box.context, ["example.test"])
    assert len(client.authorizations(box.context, order)) == 1
    assert box.clock.waits == [7]


@pytest.mark.parametrize("end", [".", ")", " and wait", ""])
def test_a_pause_shows_where_it_is_ended(box: Box, end: str) -> None:
    """The evidence and the message have the address that ends the pause."""
    address = UNPAUSE + "c2ln"
    words = f"Your account is temporarily prevented from requesting certificates. Please visit: {address}{end}"
    error = limited(box, Response.problem(429, "rateLimited", words))
    assert error.evidence["url"] == address
    assert address in error.message
    assert "Open the address" in error.fix
    assert error.retry_after is None


def test_a_long_address_is_shown_whole(box: Box) -> None:
    """The CA's words are truncated, the address is not."""
    address = UNPAUSE + "c2ln" * 400
    error = limited(box, Response.problem(429, "rateLimited", f"Paused. Visit {address}"))
    assert error.evidence["url"] == address
    assert error.message.endswith(address)


def test_a_page_about_limits_is_no_pause(box: Box) -> None:
    """An address that only explains a limit, in the text or as a link, is not a pause."""
    error = limited(box, Response.problem(429, "rateLimited", "too many: see https://ca.test/docs/limits/#x."))
    assert (error.evidence["help"], "url" in error.evidence) == ("https://ca.test/docs/limits/#x", False)
    link = ("Link", '<https://x.test/dir>;rel="index", <https://ca.test/limits>; rel="help"')
    error = limited(box, Response.problem(429, "rateLimited", "too many", link))
    assert (error.evidence["help"], "url" in error.evidence) == ("https://ca.test/limits", False)


@pytest.mark.parametrize("detail", [None, 7, ["https://x.test/unpause"], "http://", "https://\x1b[31m/unpause"])
def test_odd_words_are_harmless(box: Box, detail: object) -> None:
    """The detail of a problem may be any JSON value."""
    body = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail}
    error = limited(box, Response.of_json(429, body))
    assert error.code == "ca-rate-limited"
    assert "\x1b" not in str(error.to_dict())


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [(429, None, "ca-rate-limited"), (429, "novelty", "ca-rate-limited"), (500, "novelty", "ca-server-error")],
)
def test_the_status_decides_if_the_type_is_unknown(box: Box, status: int, kind: str | None, code: str) -> None:
    """If the type is unknown or missing, the status decides. The type is kept."""
    body = {"detail": "no"} | ({"type": f"urn:ietf:params:acme:error:{kind}"} if kind else {})
    error = limited(box, Response.of_json(status, body, ("Retry-After", "60")))
    assert (error.code, error.type, error.retry_after) == (code, kind, 60)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("accountDoesNotExist", "ca-account-refused"),
        ("badCSR", "ca-bad-csr"),
        ("badPublicKey", "ca-bad-csr"),
        ("caa", "ca-caa"),
        ("connection", "ca-connection"),
        ("dns", "ca-dns"),
        ("externalAccountRequired", "ca-eab-required"),
        ("incorrectResponse", "ca-incorrect-response"),
        ("invalidProfile", "ca-profile-unknown"),
        ("malformed", "ca-error"),
        ("rateLimited", "ca-rate-limited"),
        ("rejectedIdentifier", "ca-rejected-identifier"),
        ("serverInternal", "ca-server-error"),
        ("tls", "ca-connection"),
        ("unauthorized", "ca-account-refused"),
        ("unsupportedIdentifier", "ca-rejected-identifier"),
        ("userActionRequired", "ca-user-action-required"),
        ("novelty", "ca-error"),
    ],
)
def test_every_type_keeps_the_fields_of_the_problem(box: Box, kind: str, code: str) -> None:
    """Errors of every type have the problem's type, detail, subproblems and Retry-After."""
    subproblem = {"type": "urn:ietf:params:acme:error:dns", "detail": "sub", "identifier": {"value": "a.test"}}
    body = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "words", "subproblems": [subproblem]}
    error = limited(box, Response.of_json(400, body, ("Retry-After", "600")))
    assert (error.code, error.type, error.detail, error.retry_after) == (code, kind, "words", 600)
    assert error.subproblems == ({"type": "dns", "code": "ca-dns", "detail": "sub", "identifier": "a.test"},)
    assert error.evidence["type"] == kind
