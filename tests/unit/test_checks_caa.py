"""The meaning of CAA records for a CA, an account and a method (RFC 8659, RFC 8657)."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsrenew.base import checks as caa
from dnsrenew.base.checks import CaaAnswer, CaaRecord, Issuer, parse_issuer, parse_methods
from dnsrenew.base.model import Route
from dnsrenew.renewal.policy import NextAction, next_action

CA = ("letsencrypt.org", "le.test")
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/7"


def answer(*records: tuple[int, str, str], owner: str = "example.com") -> CaaAnswer:
    """The set of example.com."""
    return CaaAnswer(tuple(CaaRecord(*record) for record in records), "example.com", owner)


def verdict(
    *records: tuple[int, str, str],
    identifier: str = "www.example.com",
    challenge: str = "dns-01",
    ca: tuple[str, ...] = CA,
    account: str | None = ACCOUNT,
) -> tuple[str, str | None]:
    """The result for these records, and the scope of a denial."""
    found = caa.judge(answer(*records), identifier, challenge, ca_identities=ca, account_url=account)
    assert bool(found.fix) == (found.result == "bad")
    json.dumps(found.evidence)
    return found.result, found.evidence.get("scope")


OK, UNKNOWN = ("ok", None), ("unknown", None)
NOT_CA, NOT_ACCOUNT, NOT_METHOD = ("bad", "ca"), ("bad", "account"), ("bad", "method")


# ── values ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("ca.example", Issuer("ca.example")),
        (" \tCA.example \t", Issuer("ca.example")),
        ("ca.example;", Issuer("ca.example")),
        ("ca.example ; ", Issuer("ca.example")),
        ("a--b.x", Issuer("a--b.x")),
        ("", Issuer("")),
        (";", Issuer("")),
        (" ; ", Issuer("")),
        ("; policy=ev", Issuer("", (("policy", "ev"),))),
        ("ca.example; account=230123", Issuer("ca.example", (("account", "230123"),))),
        ("ca.example;a = b\t; C=", Issuer("ca.example", (("a", "b"), ("c", "")))),
        ("ca.example; a=b=c", Issuer("ca.example", (("a", "b=c"),))),
        ("ca.example; a=b; a=c", Issuer("ca.example", (("a", "b"), ("a", "c")))),
    ],
)
def test_a_value_is_read(value: str, parsed: Issuer) -> None:
    """A value is parsed by the grammar of RFC 8659 section 4.2, with optional white space."""
    assert parse_issuer(value) == parsed


@pytest.mark.parametrize(
    "value",
    [
        "%%%%%", "ca.example.", ".ca.example", "ca..example", "-a.example", "a-.example", "ca example", "ca_x.example",
        "ca.example\n", "ca.example; ;", "ca.example; a=b;", "ca.example; a", "ca.example; =b", "ca.example; a=b c",
        "ca.example; a b=c", "ca.example; -a=b", "ca.example; a=b\x00", "ca.example; a=\xe4", "\xe4.example",
        "ca.example, other.example",
    ],
)  # fmt: skip
def test_a_malformed_value_is_reported(value: str) -> None:
    """A malformed value allows no CA, as the CA itself treats it."""
    assert parse_issuer(value) is None
    assert verdict((0, "issue", value)) == NOT_CA
    assert verdict((0, "issue", value), (0, "issue", "letsencrypt.org")) == OK


def test_methods_are_read() -> None:
    """Methods are a list with commas, without blanks."""
    assert parse_methods("dns-01,ca-x") == ("dns-01", "ca-x")
    assert parse_methods("") == ()
    assert [parse_methods(value) for value in ("dns-01,", "a b", ",", "a,,b", "dns_01")] == [None] * 5


# Near the grammar, so that more than the first character is looked at.
VALUES = st.one_of(
    st.text(),
    st.text(st.sampled_from("ab-.;= \t,\n\x00\xff%"), max_size=30),
    st.lists(st.sampled_from(["letsencrypt.org", ";", "=", " ", "accounturi", "validationmethods", "dns-01", ","])).map(
        "".join
    ),
)


@given(VALUES)
def test_no_value_is_an_exception(value: str) -> None:
    """No text raises an exception, and a parsed value survives writing and parsing."""
    issuer = parse_issuer(value)
    if issuer is not None:
        assert parse_issuer(str(issuer)) == issuer
    parse_methods(value)


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.sampled_from(["issue", "IssueWild", "iodef", "tbs"]) | st.text(), VALUES)
    ),
    st.sampled_from(["www.example.com", "*.example.com"]),
    st.none() | st.just(ACCOUNT),
)
def test_no_set_of_records_is_an_exception(
    records: list[tuple[int, str, str]], identifier: str, account: str | None
) -> None:
    """Every set of records has a verdict, which does not depend on their order. A denial's error has the fix."""
    assert verdict(*records, identifier=identifier, account=account) == verdict(
        *reversed(records), identifier=identifier, account=account
    )
    found = caa.judge(answer(*records), identifier, "dns-01", ca_identities=CA, account_url=account)
    if found.result == "bad":
        assert found.fix in str(caa.to_error(found))


@given(
    st.sampled_from(["ca", "account", "method"]), st.booleans(), st.sampled_from(["dns-01", "http-01"]), st.booleans()
)
def test_the_record_that_is_asked_for_mends_it(scope: str, wild: bool, challenge: str, strict: bool) -> None:
    """After adding the record that the fix names, issuance is allowed."""
    value = {
        "ca": "else.test",
        "account": "le.test; accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/8; validationmethods=x-01",
        "method": "le.test; policy=x; validationmethods=x-01",
    }[scope]
    records = [(0, "issuewild" if strict else "issue", value)]
    identifier = "*.example.com" if wild or strict else "example.com"
    found = caa.judge(answer(*records), identifier, challenge, ca_identities=CA, account_url=ACCOUNT)
    assert found.evidence["scope"] == scope
    owner, kind, flags, tag, wanted = found.evidence["wanted"].split(" ", 4)
    assert (owner, kind) == ("example.com.", "CAA")
    assert found.fix == f"Add this record at the DNS host of example.com: {found.evidence['wanted']}"
    assert verdict(*records, (int(flags), tag, wanted.strip('"')), identifier=identifier, challenge=challenge) == OK


# ── sets ────────────────────────────────────────────────────────────────────────────────


def test_no_record_is_no_restriction() -> None:
    """Without CAA records issuance is allowed. If the lookup fails, the result is unknown."""
    free = caa.judge(CaaAnswer(), "example.com", "dns-01", ca_identities=CA, account_url=None)
    assert (free.code, free.result) == ("caa", "ok")
    unknown = caa.judge(
        CaaAnswer(unknown_reason="The servers do not {answer}."),
        "example.com",
        "dns-01",
        ca_identities=CA,
        account_url=None,
    )
    assert unknown.result == "unknown"
    assert (
        unknown.summary
        == "dnsrenew could not find out whether CAA records restrict example.com. The servers do not {answer}."
    )


@pytest.mark.parametrize(
    ("records", "plain", "wild"),
    [
        ([(0, "issue", "letsencrypt.org")], OK, OK),
        ([(0, "issue", "LE.test")], OK, OK),
        ([(0, "issue", "else.test")], NOT_CA, NOT_CA),
        ([(0, "issue", ";")], NOT_CA, NOT_CA),
        ([(0, "issue", ";"), (0, "issue", "le.test")], OK, OK),
        ([(0, "issue", "else.test"), (0, "issuewild", "le.test")], NOT_CA, OK),
        ([(0, "issue", "le.test"), (0, "issuewild", ";")], OK, NOT_CA),
        ([(0, "issuewild", "else.test")], OK, NOT_CA),
        ([(0, "ISSUE", "else.test"), (0, "IssueWild", "le.test")], NOT_CA, OK),
        ([(0, "iodef", "mailto:a@b"), (0, "tbs", "x")], OK, OK),
        ([(128, "issue", "le.test"), (128, "iodef", "x")], OK, OK),
        ([(128, "tbs", "x")], NOT_CA, NOT_CA),
        ([(255, "tbs", "x"), (0, "issue", "le.test")], NOT_CA, NOT_CA),
        ([(64, "tbs", "x"), (0, "issue", "le.test")], OK, OK),
        ([(1, "tbs", "x")], UNKNOWN, UNKNOWN),
        ([(128, "issuemail", "x")], UNKNOWN, UNKNOWN),
        ([(128, "issuemail", "x"), (0, "issue", "else.test")], NOT_CA, NOT_CA),
    ],
)
def test_a_set_is_judged(records: list[tuple[int, str, str]], plain: tuple[str, str], wild: tuple[str, str]) -> None:
    """A set is judged by RFC 8659 section 4. If CAs are known to differ, the result is unknown."""
    assert verdict(*records) == plain
    assert verdict(*records, identifier="*.example.com") == wild


def test_a_ca_without_names_is_not_judged() -> None:
    """Whether a CA without CAA identities is one that a record names is unknown."""
    assert verdict((0, "issue", "else.test"), ca=()) == UNKNOWN
    assert verdict((0, "issue", ";"), (0, "issue", "else.test"), ca=()) == UNKNOWN
    assert verdict((128, "issuemail", "x"), (0, "issue", "else.test"), ca=()) == UNKNOWN


def test_records_that_let_every_ca_issue_need_no_names_of_the_ca() -> None:
    """Without an issue record for this kind of name every CA may issue (RFC 8659 sections 4.2 and 4.3)."""
    assert verdict((0, "iodef", "mailto:a@else.test"), ca=()) == OK
    assert verdict((0, "issuewild", ";"), ca=()) == OK
    assert verdict((0, "issuewild", ";"), ca=(), identifier="*.example.com") == NOT_CA
    assert verdict((0, "issuemail", "x"), ca=()) == OK
    assert verdict((128, "issuemail", "x"), ca=()) == UNKNOWN
    assert verdict((1, "tbs", "x"), ca=()) == UNKNOWN


def test_a_critical_tag_that_no_ca_knows_needs_no_names_of_the_ca() -> None:
    """An unknown critical tag denies every CA (RFC 8659 section 4.1), and a run stops before the order."""
    for more in ((), ((0, "issue", "else.test"),), ((0, "iodef", "mailto:a@b"),)):
        assert verdict((128, "tbs", "x"), *more, ca=()) == NOT_CA
    denied = caa.denials({"www.example.com": answer((128, "tbs", "x"))}, {"www.example.com": Route("dns-01")}, [], None)
    assert [error.code for error in denied.values()] == ["caa"]


def test_records_that_let_no_ca_issue_need_no_names_of_the_ca() -> None:
    """Records with only empty or malformed issuer domains forbid every CA (RFC 8659 section 4.2)."""
    assert verdict((0, "issue", ";"), ca=()) == NOT_CA
    assert verdict((0, "issue", ";"), (0, "issue", "%%%"), ca=()) == NOT_CA
    assert verdict((0, "issue", "else.test"), (0, "issuewild", ";"), ca=()) == UNKNOWN
    assert verdict((0, "issue", "else.test"), (0, "issuewild", ";"), ca=(), identifier="*.example.com") == NOT_CA


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        (f"accounturi={ACCOUNT}", OK),
        (f"AccountURI={ACCOUNT}", OK),
        ("accounturi=https://acme-v02.api.letsencrypt.org/acme/acct/8", NOT_ACCOUNT),
        ("accounturi=https://acme-v01.api.letsencrypt.org/acme/reg/7", UNKNOWN),
        ("accounturi=", NOT_ACCOUNT),
        (f"accounturi={ACCOUNT}; accounturi={ACCOUNT}", NOT_CA),
        ("validationmethods=dns-01", OK),
        ("validationmethods=http-01,dns-01", OK),
        ("validationmethods=http-01", NOT_METHOD),
        ("validationmethods=", NOT_CA),
        ("validationmethods=dns-01,", NOT_CA),
        ("validationmethods=dns-01; validationmethods=dns-01", NOT_CA),
        (f"accounturi={ACCOUNT}; validationmethods=http-01", NOT_METHOD),
        ("accounturi=x; validationmethods=http-01", NOT_ACCOUNT),
        ("accounturi=x; validationmethods=dns-01", NOT_ACCOUNT),
        ("policy=ev", OK),
    ],
)
def test_account_and_method_are_judged(parameters: str, wanted: tuple[str, str]) -> None:
    """`accounturi` and `validationmethods` (RFC 8657) are judged, with different results for account and method."""
    assert verdict((0, "issue", f"letsencrypt.org; {parameters}")) == wanted


def test_an_account_that_is_not_known_yet_is_not_denied() -> None:
    """Before the first order the account is unknown, and so is the result. A method is denied even then."""
    assert verdict((0, "issue", f"le.test; accounturi={ACCOUNT}"), account=None) == UNKNOWN
    assert verdict((0, "issue", "le.test; accounturi=x; validationmethods=http-01"), account=None) == NOT_METHOD


def test_the_mildest_denial_counts() -> None:
    """If several records deny, the verdict is the one that is easiest to satisfy: method, then account, then CA."""
    account, method = (0, "issue", "le.test; accounturi=x"), (0, "issue", "le.test; validationmethods=http-01")
    assert verdict(account, method, (0, "issue", "else.test")) == NOT_METHOD
    assert verdict(account, (0, "issue", "else.test")) == NOT_ACCOUNT


# ── what a person reads ─────────────────────────────────────────────────────────────────


def text(*records: tuple[int, str, str], owner: str = "example.com", challenge: str = "dns-01") -> str:
    """The error's text."""
    found = caa.judge(
        answer(*records, owner=owner), "www.example.com", challenge, ca_identities=CA, account_url=ACCOUNT
    )
    return str(caa.to_error(found))


def test_the_text_of_each_denial() -> None:
    """The error shows the existing records and the one record to add."""
    assert text((0, "issue", "b.test"), (0, "issue", "a.test")) == (
        "The CAA records at example.com allow only b.test and a.test, not letsencrypt.org, to issue for "
        "www.example.com. "
        'Add this record at the DNS host of example.com: example.com. CAA 0 issue "letsencrypt.org"'
    )
    assert text((0, "issue", ";"), owner="cdn.test").startswith(
        "The CAA records at example.com (through its CNAME record, at cdn.test) allow no CA to issue for "
        "www.example.com. "
        "Add this record at the DNS host of cdn.test: cdn.test. CAA"
    )
    assert "allow no CA to issue for www.example.com (a malformed record allows no CA)" in text((0, "issue", "%"))
    assert "(a record names this CA, but its conditions cannot be met)" in text(
        (0, "issue", "le.test; validationmethods=")
    )
    assert text((0, "issue", "le.test; accounturi=x")) == (
        "The CAA records at example.com allow le.test to issue for www.example.com, but only to a different account. "
        f'Add this record at the DNS host of example.com: example.com. CAA 0 issue "le.test; accounturi={ACCOUNT}"'
    )
    assert text((0, "issue", "le.test; validationmethods=http-01,x-01")).startswith(
        "The CAA records at example.com allow le.test to issue for www.example.com only by http-01 or x-01, "
        "not by dns-01. "
    )
    assert text((128, "tbs", 'a"b\\\xff')).endswith(
        'Remove this record at the DNS host of example.com: example.com. CAA 128 tbs "a\\"b\\\\\\255"'
    )


def test_denials_are_for_those_who_are_denied() -> None:
    """Only denied identifiers have an error, which survives pickling. An identifier without an answer is not judged."""
    answers = {"a.test": answer((0, "issue", ";")), "b.test": CaaAnswer(), "c.test": CaaAnswer(unknown_reason="x")}
    routes = dict.fromkeys(["a.test", "b.test", "c.test", "d.test"], Route("dns-01"))
    errors = caa.denials(answers, routes, CA, ACCOUNT)
    assert list(errors) == ["a.test"]
    error = pickle.loads(pickle.dumps(errors["a.test"]))
    assert error.code == "caa"
    assert next_action(error) is NextAction.LEAVE_CA
    assert error.evidence["records"] == ['example.com. CAA 0 issue ";"']
