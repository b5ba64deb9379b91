"""Whether CAA records allow a CA to issue (RFC 8659), for this account and by this method (RFC 8657).

Pure: the caller looks up the records. A verdict is "bad" only if the denial is certain. If CAs are known to differ, or
if a fact is missing, it is "unknown", and the CA decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.checks import texts
from dnsrenew.base.model import Check, Route
from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsError, Phrase, Text

_CRITICAL: Final = 128
_MISREAD_CRITICAL: Final = 1
"""Many zones set the lowest bit by mistake, and Let's Encrypt treats it as critical too."""
_UNDERSTOOD: Final = frozenset({"issue", "issuewild", "iodef"})
_REGISTERED: Final = frozenset({"issuemail", "issuevmc", "contactemail", "contactphone"})
"""Registered tags that do not concern web servers. A CA may or may not support them."""


class CaaRecord(Frozen):
    """One CAA record (RFC 8659 section 4.1).

    :ivar value: one character for each octet.
    """

    flags: int
    tag: str
    value: str


class CaaAnswer(Frozen):
    """The CAA records that apply to a domain.

    :ivar records: empty if neither the domain nor a name above it has records, or if they are unknown.
    :ivar found_at: the domain that has them, without the final dot: the domain itself or a name above it.
    :ivar owner: the name that holds them, which differs if ``found_at`` has a CNAME record.
    :ivar unknown_reason: why they are unknown, as a sentence; empty if they are known.
    :ivar is_tcp: whether they, and the absence of nearer records, were seen over TCP. If not, they may be forged.
    """

    records: tuple[CaaRecord, ...] = ()
    found_at: str | None = None
    owner: str | None = None
    unknown_reason: str = ""
    is_tcp: bool = False


class _Grade(Enum):
    """The meaning of one ``issue`` or ``issuewild`` record for this CA, account and method."""

    FITS = 1
    DOUBT = 2
    METHOD = 3  # another method is allowed
    ACCOUNT = 4  # another account is allowed
    OTHER = 5  # another CA is allowed, or no CA


class _Case(Frozen):
    """The input of one verdict."""

    identifier: str
    answer: CaaAnswer
    identities: tuple[str, ...]
    account_url: str | None
    challenge: str

    def evidence(self, **more: Any) -> dict[str, Any]:  # JSON values
        """Return the evidence that every verdict has."""
        return {
            "identifier": self.identifier,
            "found_at": self.answer.found_at,
            "owner": self.answer.owner,
            "records": [self.text(record) for record in self.answer.records],
            "transport": "tcp" if self.answer.is_tcp else "udp",
            **more,
        }

    def text(self, record: CaaRecord) -> str:
        """Return a record as a line of a zone file."""
        return _line(self.answer.owner or "", record.flags, record.tag, record.value)

    @property
    def place(self) -> str:
        """The domain that has the records, with the name that holds them if it differs."""
        found_at, owner = self.answer.found_at, self.answer.owner
        return f"{found_at}" if owner == found_at else texts.CNAME_PLACE.format(found_at=found_at, owner=owner)


def judge(
    answer: CaaAnswer, identifier: str, challenge: str, *, ca_identities: Sequence[str], account_url: str | None
) -> Check:
    """Return whether the CA may issue for the identifier.

    :param identifier: A-labels; for a wildcard, ``issuewild`` decides (RFC 8659 section 4.3).
    :param challenge: the method, such as ``"dns-01"``.
    :param ca_identities: the CA's identities in CAA records (``caaIdentities`` of its directory); without identities,
        the verdict is unknown, unless the records forbid or allow every CA.
    :param account_url: the URL of the account at this CA; None if it is not known yet.
    """
    identities = tuple(identity.lower() for identity in ca_identities)
    case = _Case(identifier, answer, identities, account_url, challenge)
    if answer.unknown_reason:
        return Check.of(texts.CAA_UNKNOWN, "unknown", case.evidence(), reason=answer.unknown_reason)
    if not answer.records:
        return Check.of(texts.CAA_UNRESTRICTED, "ok", case.evidence())
    return _judge_records(case)


def to_error(check: Check) -> DnsError:
    """Return the error for a denial.

    Its ``evidence["scope"]`` is ``"ca"`` if this CA may not issue for any account or method, ``"account"`` if it may
    not issue for this account, ``"method"`` if it may not issue by this method.
    """
    return DnsError(check.code, check.summary, fix=check.fix, evidence=check.evidence)


def denials(
    answers: Mapping[str, CaaAnswer], routes: Mapping[str, Route], ca_identities: Sequence[str], account_url: str | None
) -> dict[str, DnsError]:
    """Return the error of each identifier whose route is certainly denied by CAA records.

    :param answers: the answers by identifier; an identifier without an answer is skipped.
    :param routes: the routes by identifier, all of one CA.
    """
    judged = partial(judge, ca_identities=ca_identities, account_url=account_url)
    checks = {name: judged(answers[name], name, route.challenge) for name, route in routes.items() if name in answers}
    return {name: to_error(check) for name, check in checks.items() if check.result == "bad"}


# ── the set of records ──────────────────────────────────────────────────────────────────


def _judge_records(case: _Case) -> Check:
    unknown = [record for record in case.answer.records if record.tag.lower() not in _UNDERSTOOD]
    critical = [record for record in unknown if record.flags & _CRITICAL]
    for record in critical:
        if record.tag.lower() not in _REGISTERED:
            evidence = case.evidence(scope="ca", record=case.text(record))
            return Check.of(texts.CAA_CRITICAL, "bad", evidence, place=case.place, tag=_escaped(record.tag))
    issuers = _relevant(case)
    if issuers and not case.identities:
        return _of_nameless_ca(case, issuers)
    grades = {record: _grade(case, record.value) for record in issuers}
    if issuers and not {_Grade.FITS, _Grade.DOUBT} & set(grades.values()):
        return _denied(case, grades)
    doubtful = critical or [record for record in unknown if record.flags & _MISREAD_CRITICAL]
    if issuers and _Grade.FITS not in grades.values():
        doubtful = [record for record, grade in grades.items() if grade is _Grade.DOUBT]
    if doubtful:
        return Check.of(texts.CAA_DOUBTFUL, "unknown", case.evidence(), record=case.text(doubtful[0]))
    return Check.of(texts.CAA_ALLOWED, "ok", case.evidence(), place=case.place)


def _of_nameless_ca(case: _Case, issuers: Sequence[CaaRecord]) -> Check:
    parsed = [parse_issuer(record.value) for record in issuers]
    # Without a CA: an empty issuer domain, or a malformed value (RFC 8659 section 4.2).
    if not any(issuer is not None and issuer.domain for issuer in parsed):
        evidence = case.evidence(scope="ca", record=case.text(issuers[0]), wanted=None)
        return Check.of(texts.CAA_FORBIDS_ALL, "bad", evidence, place=case.place)
    return Check.of(texts.CAA_NO_IDENTITIES, "unknown", case.evidence(), place=case.place)


def _relevant(case: _Case) -> list[CaaRecord]:
    """Return the ``issue`` or ``issuewild`` records for this kind of name. Without such records, every CA may issue."""
    by_tag: dict[str, list[CaaRecord]] = {"issue": [], "issuewild": []}
    for record in case.answer.records:
        by_tag.setdefault(record.tag.lower(), []).append(record)
    wild = names.is_wildcard(case.identifier)
    return (by_tag["issuewild"] if wild else []) or by_tag["issue"]


def _grade(case: _Case, value: str) -> _Grade:
    issuer = parse_issuer(value)
    if issuer is None or issuer.domain not in case.identities:
        return _Grade.OTHER
    accounts, methods = issuer.all("accounturi"), issuer.all("validationmethods")
    allowed = parse_methods(methods[0]) if methods else None
    if len(accounts) > 1 or len(methods) > 1 or (methods and not allowed):
        return _Grade.OTHER  # no CA can meet it (RFC 8657 sections 3 and 4)
    account = _is_ours(accounts[0], case.account_url) if accounts else True
    if account is False:
        return _Grade.ACCOUNT
    if allowed is not None and case.challenge not in allowed:
        return _Grade.METHOD
    return _Grade.FITS if account else _Grade.DOUBT


def _is_ours(uri: str, account_url: str | None) -> bool | None:
    """Return whether the URI is this account's; None if it may be an alias of it.

    Let's Encrypt has aliases, because its older servers had the same accounts at other URLs with the same number at the
    end.
    """
    if account_url is None:
        return None
    if uri == account_url:
        return True
    return None if uri.rpartition("/")[2] == account_url.rpartition("/")[2] else False


# ── the verdicts ────────────────────────────────────────────────────────────────────────


def _denied(case: _Case, grades: Mapping[CaaRecord, _Grade]) -> Check:
    scopes = {_Grade.METHOD: "method", _Grade.ACCOUNT: "account", _Grade.OTHER: "ca"}
    grade = next(grade for grade in scopes if grade in grades.values())
    record = next(record for record, its in grades.items() if its is grade)
    issuer = parse_issuer(record.value)
    ca = case.identities[0] if issuer is None or issuer.domain not in case.identities else issuer.domain
    fields = {"place": case.place, "ca": ca, "challenge": case.challenge}
    if grade is _Grade.OTHER:
        wanted = Issuer(ca)
        text, issuers = _other_ca(case, grades)
        fields["issuers"] = _listed(issuers, texts.AND)
    else:
        assert issuer is not None  # noqa: S101  # _grade parsed it, else the grade would be OTHER
        wanted = issuer.extended(case.account_url, case.challenge)
        text = texts.CAA_OTHER_ACCOUNT if grade is _Grade.ACCOUNT else texts.CAA_OTHER_METHOD
        fields["methods"] = _methods(issuer)
    line = _line(case.answer.owner or "", 0, record.tag.lower(), str(wanted))
    evidence = case.evidence(scope=scopes[grade], record=case.text(record), wanted=line)
    return Check.of(text, "bad", evidence, blocks=(), **fields)


def _other_ca(case: _Case, grades: Mapping[CaaRecord, _Grade]) -> tuple[Text, list[str]]:
    """Return the text for a denial of this CA, and the other CAs that may issue."""
    issuers = [parse_issuer(record.value) for record in grades]
    domains = list(dict.fromkeys(issuer.domain for issuer in issuers if issuer is not None and issuer.domain))
    others = [domain for domain in domains if domain not in case.identities]
    if None in issuers:
        text = texts.CAA_OTHER_CA_MALFORMED if others else texts.CAA_NO_CA_MALFORMED
    elif len(others) < len(domains):
        text = texts.CAA_OTHER_CA_UNMEETABLE if others else texts.CAA_NO_CA_UNMEETABLE
    else:
        text = texts.CAA_OTHER_CA if others else texts.CAA_NO_CA
    return text, others


def _methods(issuer: Issuer) -> str:
    """Return the methods that the record allows; empty if it does not restrict them."""
    methods = [method for value in issuer.all("validationmethods") for method in parse_methods(value) or ()]
    return _listed(methods, texts.OR)


def _listed(words: Sequence[str], template: Phrase) -> str:
    """Return an enumeration; empty without words."""
    return template.format(some=list(words[:-1]), last=words[-1]) if len(words) > 1 else "".join(words)


def _line(owner: str, flags: int, tag: str, value: str) -> str:
    return f'{owner}. CAA {flags} {_escaped(tag)} "{_escaped(value)}"'


def _escaped(text: str) -> str:
    """Return a text with the escapes of a zone file (RFC 1035 section 5.1)."""
    return "".join(
        f"\\{char}" if char in '"\\' else char if " " <= char <= "~" else f"\\{ord(char):03d}" for char in text
    )


# ── caa value ──────────────────────────────────────────────────────────────────────────

# Parses the value of a CAA ``issue`` or ``issuewild`` record strictly (RFC 8659 section 4.2, RFC 8657).

_BLANK: Final = " \t"
_LABEL: Final = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TAG: Final = re.compile(_LABEL)
_TEXT: Final = re.compile(r"[!-:<-~]*")
_METHODS: Final = re.compile(r"(?:[A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*)?")


class Issuer(Frozen):
    """A CA that may issue, and the conditions.

    :ivar domain: the domain in lower case; empty if no CA may issue.
    :ivar parameters: tags in lower case with their values, in order.
    """

    domain: str
    parameters: tuple[tuple[str, str], ...] = ()

    def all(self, tag: str) -> list[str]:
        """Return every value of a tag."""
        return [value for its, value in self.parameters if its == tag]

    def extended(self, account_url: str | None, challenge: str) -> Issuer:
        """Return a copy with this account instead of the named one, and with this method as an allowed one too."""
        changed = ((tag, _extended(tag, value, account_url, challenge)) for tag, value in self.parameters)
        return Issuer(self.domain, tuple(changed))

    def __str__(self) -> str:
        return "; ".join([self.domain, *(f"{tag}={value}" for tag, value in self.parameters)])


def parse_issuer(value: str) -> Issuer | None:
    """Return the parsed value, or None if it is malformed and so allows no CA.

    It never raises, regardless of the text.
    """
    head, *rest = value.split(";")  # no part may contain a semicolon
    domain = head.strip(_BLANK)
    if domain and not _DOMAIN.fullmatch(domain):
        return None
    if len(rest) == 1 and not rest[0].strip(_BLANK):
        rest = []
    parameters = [_parse_parameter(text) for text in rest]
    known = [parameter for parameter in parameters if parameter is not None]
    return Issuer(domain.lower(), tuple(known)) if len(known) == len(parameters) else None


def parse_methods(value: str) -> tuple[str, ...] | None:
    """Return the methods in a ``validationmethods`` value, or None if it is malformed."""
    if not _METHODS.fullmatch(value):
        return None
    return tuple(method for method in value.split(",") if method)


def _parse_parameter(text: str) -> tuple[str, str] | None:
    tag, equals, value = (part.strip(_BLANK) for part in text.partition("="))
    if not equals or not _TAG.fullmatch(tag) or not _TEXT.fullmatch(value):
        return None
    return tag.lower(), value


def _extended(tag: str, value: str, account_url: str | None, challenge: str) -> str:
    if tag == "accounturi":
        return account_url or value
    if tag == "validationmethods":
        return ",".join(dict.fromkeys([*(parse_methods(value) or ()), challenge]))
    return value
