"""Texts of a CA: one printable line, short, and read in linear time."""

import json
import logging
import time
from typing import Final

import pytest

from dnsrenew.acme import resources
from dnsrenew.acme.problems import Problems
from dnsrenew.acme.resources import parse_authorization, parse_order
from dnsrenew.acme.transport import Directory
from dnsrenew.base.model import Profile
from dnsrenew.base.secrets import HIDDEN
from dnsrenew.base.translation import Translator
from dnsrenew.errors import CAError
from tests.kit.scripted_ca import ANSWERS, CA_URL, JSON, META, NAMES, PROBLEM, Visit

EVIL = "a.test\n✓ b.test renewed\r\x1b[2J\u202e\x9b" + "x" * 5000
MOST = 20_000
"""Characters of a message, whatever the CA sent."""


def changed(kind: str, **changes: object) -> Visit:
    """A CA that says something else in one kind of answer."""
    status, headers, body = JSON[kind]
    return Visit({kind: (status, headers, json.dumps({**body, **changes}).encode())})


def assert_harmless(*texts: str | None) -> None:
    """One line each, without control characters, and short."""
    for text in texts:
        assert text
        assert text.isprintable()
        assert len(text) < MOST


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://a.test/1>;rel="alternate"', ["https://a.test/1"]),
        ('<https://a.test/i>;rel="index", </1>; title="x" ; REL=alternate', ["/1"]),
        ('</1>;rel="alternate", </2>;rel="alternate"', ["/1", "/2"]),
        ('</1>;rel="up alternate"', ["/1"]),
        ('</1>;rel="alternates", <>;rel=up, rel="alternate"', []),
        ("", []),
    ],
)
def test_links_are_found_by_their_relation(header: str, found: list[str]) -> None:
    """Links are found by their relation (RFC 8288), in the forms that CAs use."""
    assert resources.links(header, "alternate") == found


@pytest.mark.parametrize("part", ["<", "<<a>", "<http://a>;", ">;", '<a>;rel="', "<http://a.test/>;rel=", ";rel=\t"])
@pytest.mark.parametrize("relation", ["alternate", "help"])
def test_a_link_header_of_megabytes_takes_no_time(part: str, relation: str) -> None:
    """Of ninety joined headers of 64 KB only the beginning is read."""
    started = time.process_time()
    resources.links(part * (5_850_000 // len(part)), relation)
    assert time.process_time() - started < 1


def test_a_hostile_link_header_does_not_stop_the_run() -> None:
    """A hostile Link header does not prevent issuance, even with a preferred chain, and is parsed in seconds."""
    status, headers, body = ANSWERS["certificate"]
    started = time.process_time()
    visit = Visit({"certificate": (status, {**headers, "Link": "<" * 200_000}, body)})
    assert visit.whole_way()
    assert time.process_time() - started < 10


def test_the_directory_is_cleaned() -> None:
    """Terms, CAA identities and profiles are cleaned. Entries beyond a hundred are ignored."""
    meta = {"termsOfService": EVIL, "caaIdentities": [EVIL] * 500, "profiles": {EVIL: EVIL}}
    directory = Directory(CA_URL, {"meta": meta})
    assert_harmless(directory.terms_of_service, *directory.caa_identities, *directory.profiles.keys())
    assert_harmless(*directory.profiles.values())
    assert len(directory.caa_identities) == 100
    assert max(map(len, directory.caa_identities)) == resources.MAX_NAME


def test_orders_and_authorizations_are_cleaned() -> None:
    """Identifiers, statuses and types lose control characters. A URL that is too long is refused."""
    name = {"type": "dns", "value": EVIL}
    order = parse_order(CA_URL, {**JSON["newOrder"][2], "status": EVIL, "identifiers": [name, name]})
    assert_harmless(order.status, *order.identifiers)
    challenge = {"type": EVIL, "url": f"{CA_URL}/c", "status": EVIL}
    authorization = parse_authorization(
        CA_URL, {"status": EVIL, "identifier": name, "wildcard": True, "challenges": [challenge] * 5000}
    )
    assert_harmless(authorization.identifier, authorization.status, authorization.challenges[0].type)
    assert_harmless(authorization.challenges[0].status)
    assert len(authorization.challenges) < 100
    with pytest.raises(ValueError, match="ca-malformed-answer"):
        parse_order(CA_URL, {**JSON["newOrder"][2], "finalize": f"{CA_URL}/{'x' * 100_000}"})


def test_the_account_as_the_ca_describes_it_is_cleaned() -> None:
    """The account's fields are cleaned, because `account show` prints them."""
    visit = changed("account", contact=[EVIL] * 200, status=EVIL)
    visit.ca.open(visit.context)
    info = visit.ca.account_info(visit.context)
    assert info is not None
    assert_harmless(info.status, *info.contact)
    assert len(info.contact) == 100


@pytest.mark.parametrize("kind", ["newAccount", "newOrder", "finalize"])
def test_problem_documents_are_cleaned(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """The message for a hostile problem document is one line, and so is each log line."""
    caplog.set_level(logging.DEBUG)
    each = {"type": EVIL, "detail": EVIL[:900], "identifier": {"type": "dns", "value": EVIL[:900]}}
    kinds = ("rateLimited", "userActionRequired", "malformed")
    for problem in [{**PROBLEM, "type": f"urn:ietf:params:acme:error:{word}", "instance": EVIL} for word in kinds]:
        refusal = json.dumps({**problem, "detail": EVIL, "subproblems": [each] * 500}).encode()
        visit = Visit({kind: (403, {"Content-Type": "application/problem+json"}, refusal)})
        visit.whole_way()
        assert visit.errors
        assert_harmless(*(error.message for error in visit.errors))
        assert all(len(error.subproblems) <= 100 for error in visit.errors if isinstance(error, CAError))
    assert all(record.getMessage().isprintable() for record in caplog.records)


def rate_limited(detail: str) -> tuple[int, dict[str, str], bytes]:
    """Return an answer that asks to wait."""
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail}
    return 429, {"Content-Type": "application/problem+json", "Retry-After": "7200"}, json.dumps(problem).encode()


def test_a_secret_with_invisible_characters_is_redacted() -> None:
    """A secret is redacted before its invisible characters become blanks."""
    visit = Visit({"newOrder": rate_limited("The key canary\u200b-1234\u00ad5678 is wrong")})
    visit.context.redactor.add("canary-12345678")
    visit.whole_way()
    assert isinstance(visit.errors[0], CAError)
    assert visit.errors[0].detail == f"The key {HIDDEN} is wrong"


def test_the_end_of_a_wait_can_be_shown_in_local_time() -> None:
    """The error shows the end in UTC and keeps the time itself."""
    visit = Visit({"newOrder": rate_limited("Slower")})
    visit.whole_way()
    fix = visit.errors[0].fix
    assert "2 hours, until 20" in fix
    assert " UTC" in fix
    assert "until noon," in Translator("en", lambda _: "noon").message(fix)


def test_a_thousand_failed_names_make_one_message() -> None:
    """The evidence has all names. The message, which the state keeps, has the first ones."""
    failed = [
        parse_authorization(
            f"{CA_URL}/{number}",
            {
                "status": "invalid",
                "identifier": {"type": "dns", "value": f"n{number}.test"},
                "challenges": [{"type": "dns-01", "url": f"{CA_URL}/c", "error": {"detail": "x" * 5000}}],
            },
        )
        for number in range(1000)
    ]
    error = Problems("lab").failed(failed, None)
    assert_harmless(error.message)
    assert len(error.evidence["identifiers"]) == len(error.subproblems) == 1000


TOKEN: Final = "q3lYtXb5w0Rr0v0oM8mVn1zJwX8m2Wd5bKf4tqS1x2E"
SEEN: Final = {
    "connection": (
        "203.0.113.7: Fetching http://{name}/.well-known/acme-challenge/{token}: Timeout during connect (a firewall?)",
        "a.test, b.test (connection): 203.0.113.7: Timeout during connect (a firewall?).",
    ),
    "unauthorized": (
        "203.0.113.7: Invalid response from http://{name}/.well-known/acme-challenge/{token}: 404",
        "a.test, b.test (unauthorized): 203.0.113.7: Invalid response: 404.",
    ),
    "tls": (
        'Get "http://{name}/.well-known/acme-challenge/{token}": dial tcp 127.0.0.1:80: connect: connection refused',
        "a.test, b.test (tls): dial tcp 127.0.0.1:80: connect: connection refused.",
    ),
}


def failed_validations(kind: str, words: str, *names: str) -> CAError:
    """Return the error of failed validations with the words of a CA."""
    made = []
    for name in names:
        error = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": words.format(name=name, token=TOKEN)}
        challenge = {"type": "http-01", "url": f"{CA_URL}/c", "error": error}
        document = {"status": "invalid", "identifier": {"type": "dns", "value": name}, "challenges": [challenge]}
        made.append(parse_authorization(f"{CA_URL}/{name}", document))
    return Problems("lab").failed(made, None)


@pytest.mark.parametrize("kind", SEEN)
def test_what_a_ca_saw_is_one_line(kind: str) -> None:
    """The message has the names of a cause once, without the URL and its token; detail and evidence have all words."""
    words, expected = SEEN[kind]
    error = failed_validations(kind, words, "a.test", "b.test")
    assert error.message == f"The CA lab could not validate {expected}"
    assert (error.detail or "").count(TOKEN) == 2
    assert all(TOKEN in each["detail"] for each in error.evidence["subproblems"])


def test_the_page_that_a_ca_got_is_cut() -> None:
    """A page of HTML in the words of a CA, and the names and the causes of a hundred failures, take a few lines."""
    page = '203.0.113.7: Invalid response from http://x.test/.well-known/acme-challenge/t: "' + "<p>hello</p> " * 50
    message = failed_validations("unauthorized", page, *(f"n{number}.test" for number in range(99))).message
    assert "n0.test, n1.test, n2.test, … (unauthorized): 203.0.113.7: Invalid response: " in message
    assert len(message) < 300
    assert (
        len(failed_validations("dns", "{name}" + "x" * 500, *(f"{number}.test" for number in range(99))).message) < 800
    )


def test_profiles_that_are_offered_are_listed_in_short() -> None:
    """The message lists few of ten thousand profiles with long names."""
    profiles = {f"{number}{EVIL[:500]}": "" for number in range(1500)}
    visit = changed("directory", meta={**META, "profiles": profiles})
    with pytest.raises(CAError, match="does not offer") as caught:
        visit.ca.new_order(visit.context, NAMES, profile=Profile("mine"))
    assert_harmless(caught.value.message)
