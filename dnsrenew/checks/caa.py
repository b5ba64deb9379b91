"""Whether CAA records let a CA issue (RFC 8659), from this account and by this method (RFC 8657).

Pure: the records come from elsewhere. Only what is certain is a denial; where CAs are known to differ, or where
something is not known here, the verdict is unknown, and the CA is to decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.checks import Verdict
from dnsrenew.checks.caa_value import Issuer, parse_issuer, parse_methods
from dnsrenew.errors import DnsError

if TYPE_CHECKING:
    from dnsrenew.model import Route

CODE: Final = "caa"

_CRITICAL: Final = 128
_TAKEN_FOR_CRITICAL: Final = 1
"""Many take the lowest bit for the critical one, and Let's Encrypt follows them."""
_UNDERSTOOD: Final = frozenset({"issue", "issuewild", "iodef"})
_ELSEWHERE: Final = frozenset({"issuemail", "issuevmc", "contactemail", "contactphone"})
"""Registered, and not about web servers: a CA may understand them or not."""


class Record(Protocol):
    """One CAA record."""

    @property
    def flags(self) -> int:
        """The flags octet."""

    @property
    def tag(self) -> str:
        """The property's tag, in any case."""

    @property
    def value(self) -> str:
        """The value, one character for each octet."""


class CaaFacts(Protocol):
    """The records that count for a domain (RFC 8659 section 3)."""

    @property
    def records(self) -> Sequence[Record]:
        """The records; empty when neither the domain nor any above it has some."""

    @property
    def found_at(self) -> str | None:
        """The domain that has them: the domain itself or one above."""

    @property
    def owner(self) -> str | None:
        """The name that holds them: another one when ``found_at`` has a CNAME record."""

    @property
    def unknown_reason(self) -> str:
        """Why nothing can be said about them; a clause without a full stop. Empty when something can."""


class _Grade(Enum):
    """What one ``issue`` or ``issuewild`` record says to us."""

    FITS = 1
    DOUBT = 2
    METHOD = 3  # another method would do
    ACCOUNT = 4  # another account would do
    OTHER = 5  # not this CA, or nobody


class _Case(Frozen):
    """What is to be judged."""

    identifier: str
    answer: CaaFacts
    identities: tuple[str, ...]
    account_url: str | None
    challenge: str

    def evidence(self, **more: Any) -> dict[str, Any]:  # JSON values
        """Return what every verdict shows."""
        return {
            "identifier": self.identifier,
            "found_at": self.answer.found_at,
            "owner": self.answer.owner,
            "records": [self.text(record) for record in self.answer.records],
            **more,
        }

    def text(self, record: Record) -> str:
        """Return a record as a line of a zone file."""
        return _line(self.answer.owner or "", record.flags, record.tag, record.value)

    @property
    def where(self) -> str:
        """The domain that has the records, and the name that holds them where it is another."""
        found_at, owner = self.answer.found_at, self.answer.owner
        return f"{found_at}" if owner == found_at else f"{found_at} (through its CNAME record, at {owner})"


def judge(
    answer: CaaFacts, identifier: str, challenge: str, *, ca_identities: Sequence[str], account_url: str | None
) -> Verdict:
    """Return whether the CA may issue for the identifier.

    :param identifier: A-labels; a wildcard is judged by ``issuewild`` (RFC 8659 section 4.3).
    :param challenge: the method, such as ``"dns-01"``.
    :param ca_identities: the names by which records mean this CA (``caaIdentities`` of its directory); without any
        nothing can be said.
    :param account_url: of our account there; None when it is not known yet.
    """
    identities = tuple(identity.lower() for identity in ca_identities)
    case = _Case(identifier, answer, identities, account_url, challenge)
    if answer.unknown_reason:
        return _unknown(case, f"It could not be found out whether CAA records restrict {identifier}: {answer.unknown_reason}.")
    if not answer.records:
        return Verdict(CODE, "ok", f"No CAA record restricts who may issue for {identifier}.", case.evidence())
    if not identities:
        return _unknown(case, f"There are CAA records at {case.where}, but the CA does not say which names mean it.")
    return _judge_records(case)


def to_error(verdict: Verdict) -> DnsError:
    """Return the error for a denial.

    Its ``evidence["scope"]``: ``"ca"`` when this CA may not issue whatever the account and the method,
    ``"account"`` when it may not from our account, ``"method"`` when it may not by this method.
    """
    return DnsError(CODE, verdict.summary, fix=verdict.fix, evidence=verdict.evidence)


def denials(
    answers: Mapping[str, CaaFacts], routes: Mapping[str, Route], ca_identities: Sequence[str], account_url: str | None
) -> dict[str, DnsError]:
    """Return the error of each identifier that CAA certainly keeps from the route it is to take.

    :param answers: by identifier; one that is missing is not judged.
    :param routes: by identifier, all of one CA.
    """
    verdicts = {
        identifier: judge(
            answers[identifier], identifier, route.challenge, ca_identities=ca_identities, account_url=account_url
        )
        for identifier, route in routes.items()
        if identifier in answers
    }
    return {identifier: to_error(verdict) for identifier, verdict in verdicts.items() if verdict.result == "bad"}


# ── the set of records ──────────────────────────────────────────────────────────────────


def _judge_records(case: _Case) -> Verdict:
    strange = [record for record in case.answer.records if record.tag.lower() not in _UNDERSTOOD]
    critical = [record for record in strange if record.flags & _CRITICAL]
    for record in critical:
        if record.tag.lower() not in _ELSEWHERE:
            return _critical(case, record)
    issuers = _relevant(case)
    grades = {record: _grade(case, record.value) for record in issuers}
    if issuers and not {_Grade.FITS, _Grade.DOUBT} & set(grades.values()):
        return _denied(case, grades)
    doubtful = critical or [record for record in strange if record.flags & _TAKEN_FOR_CRITICAL]
    if issuers and _Grade.FITS not in grades.values():
        doubtful = [record for record, grade in grades.items() if grade is _Grade.DOUBT]
    if doubtful:
        shown = case.text(doubtful[0])
        return _unknown(case, f"Whether the CA may issue for {case.identifier} hangs on how it reads {shown}.")
    return Verdict(CODE, "ok", f"The CAA records at {case.where} allow it.", case.evidence())


def _relevant(case: _Case) -> list[Record]:
    """Return the records that say who may issue for this kind of name; none: anybody may."""
    by_tag: dict[str, list[Record]] = {"issue": [], "issuewild": []}
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
        return _Grade.OTHER  # nobody can fulfil it: RFC 8657 sections 3 and 4
    account = _is_ours(accounts[0], case.account_url) if accounts else True
    if account is False:
        return _Grade.ACCOUNT
    if allowed is not None and case.challenge not in allowed:
        return _Grade.METHOD
    return _Grade.FITS if account else _Grade.DOUBT


def _is_ours(uri: str, account_url: str | None) -> bool | None:
    """Tell whether the URI is our account's; None when the CA may know it under this one too.

    Let's Encrypt does: its older servers had the same accounts at other addresses, with the same number at the end.
    """
    if account_url is None:
        return None
    if uri == account_url:
        return True
    return None if uri.rpartition("/")[2] == account_url.rpartition("/")[2] else False


# ── the verdicts ────────────────────────────────────────────────────────────────────────


def _unknown(case: _Case, summary: str) -> Verdict:
    return Verdict(CODE, "unknown", summary, case.evidence())


def _critical(case: _Case, record: Record) -> Verdict:
    return Verdict(
        CODE,
        "bad",
        f"A CAA record at {case.where} has a tag that CAs do not know ({_escaped(record.tag)}) and is marked critical, "
        f"so no CA may issue for {case.identifier}.",
        case.evidence(scope="ca", record=case.text(record)),
        f"Remove this record at the DNS host of {case.answer.owner}: {case.text(record)}",
    )


def _denied(case: _Case, grades: Mapping[Record, _Grade]) -> Verdict:
    scopes = {_Grade.METHOD: "method", _Grade.ACCOUNT: "account", _Grade.OTHER: "ca"}
    grade = next(grade for grade in scopes if grade in grades.values())
    record = next(record for record, its in grades.items() if its is grade)
    issuer = parse_issuer(record.value)
    identity = case.identities[0] if issuer is None or issuer.domain not in case.identities else issuer.domain
    said = f"The CAA records at {case.where}"
    if grade is _Grade.OTHER:
        wanted = Issuer(identity)
        summary = f"{said} let {_who_may(case, grades)} issue for {case.identifier}."
    else:
        assert issuer is not None  # noqa: S101  # _grade parsed it: only so can it be one of these
        wanted = issuer.extended(case.account_url, case.challenge)
        only = "from an account that is not ours" if grade is _Grade.ACCOUNT else f"by {_methods(issuer)}"
        way = "" if grade is _Grade.ACCOUNT else f", not by {case.challenge}"
        summary = f"{said} let {identity} issue for {case.identifier} only {only}{way}."
    line = _line(case.answer.owner or "", 0, record.tag.lower(), str(wanted))
    return Verdict(
        CODE,
        "bad",
        summary,
        case.evidence(scope=scopes[grade], record=case.text(record), wanted=line),
        f"Add this record at the DNS host of {case.answer.owner}: {line}",
    )


def _who_may(case: _Case, grades: Mapping[Record, _Grade]) -> str:
    issuers = [parse_issuer(record.value) for record in grades]
    domains = dict.fromkeys(issuer.domain for issuer in issuers if issuer is not None and issuer.domain)
    others = [domain for domain in domains if domain not in case.identities]
    who = f"only {' and '.join(others)}, not {case.identities[0]}," if others else "no CA"
    if None in issuers:
        return f"{who} (a record is malformed, and so names nobody)"
    return who if len(others) == len(domains) else f"{who} (a record names this CA, but nobody can meet its conditions)"


def _methods(issuer: Issuer) -> str:
    return " or ".join(parse_methods(issuer.all("validationmethods")[0]) or ())


def _line(owner: str, flags: int, tag: str, value: str) -> str:
    return f'{owner}. CAA {flags} {_escaped(tag)} "{_escaped(value)}"'


def _escaped(text: str) -> str:
    """Return a text as it is written in a zone file (RFC 1035 section 5.1)."""
    return "".join(
        f"\\{char}" if char in '"\\' else char if " " <= char <= "~" else f"\\{ord(char):03d}" for char in text
    )
