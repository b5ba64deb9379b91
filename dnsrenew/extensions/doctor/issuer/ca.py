"""Whether a CA can be reached, and if not, which stage of the connection fails: dns, tcp, tls, http or acme."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import dnsrenew.base.http
from dnsrenew.acme.new_order import clock_fault
from dnsrenew.acme.resources import MAX_WORD, one_line
from dnsrenew.acme.transport import Directory, Transport, read_directory
from dnsrenew.base import threads, x509
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.http import Response
from dnsrenew.base.model import CA, CertificateSpec, Check, CheckResult, mac_key_fault, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import Policy
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.cas import BUILT_IN, is_built_in
from dnsrenew.config.texts import TERMS
from dnsrenew.errors import CAError, Cancelled, StoreError, Text
from dnsrenew.extensions.doctor.accounts import accounts
from dnsrenew.extensions.doctor.facts import ALL, Facts
from dnsrenew.extensions.doctor.host.internet import cas_used
from dnsrenew.extensions.doctor.issuer import texts
from dnsrenew.extensions.doctor.issuer.stages import ConnectionStages, connect_by_stages, port_of

_UNCERTAIN: Final = frozenset({"silent", "no-answer"})
_FAULTS: Final[Mapping[tuple[str, str], Text]] = {
    ("dns", "silent"): texts.DNS_NO_ANSWER,
    ("dns", "no-answer"): texts.DNS_NO_ANSWER,
    ("dns", "no-name"): texts.DNS_NO_NAME,
    ("tcp", "silent"): texts.TCP_SILENT,
    ("tcp", "refused"): texts.TCP_REFUSED,
    ("tcp", "unreachable"): texts.TCP_FAILED,
    ("tls", "silent"): texts.TLS_SILENT,
    ("tls", "untrusted"): texts.TLS_UNTRUSTED,
    ("tls", "dates"): texts.TLS_DATES,
    ("tls", "other-name"): texts.TLS_OTHER_NAME,
    ("tls", "no-tls"): texts.TLS_FAILED,
}
"""The texts by stage and fault."""
_PROXY_FAULTS: Final[Mapping[tuple[str, str], Text]] = {
    ("dns", "silent"): texts.PROXY_NO_ANSWER,
    ("dns", "no-answer"): texts.PROXY_NO_ANSWER,
    ("dns", "no-name"): texts.PROXY_NO_NAME,
    ("dns", "proxy"): texts.PROXY_INVALID,
    ("tcp", "silent"): texts.PROXY_SILENT,
    ("tcp", "refused"): texts.PROXY_REFUSED,
    ("tcp", "unreachable"): texts.PROXY_REFUSED,
    ("tcp", "proxy"): texts.PROXY_DENIES,
}
"""The texts for the stages of a proxy."""
_OF_BUILT_IN: Final[Mapping[Text, Text]] = {
    texts.DNS_NO_NAME: texts.BUILT_IN_NO_NAME,
    texts.TCP_REFUSED: texts.BUILT_IN_REFUSED,
    texts.TLS_UNTRUSTED: texts.BUILT_IN_UNTRUSTED,
    texts.TLS_OTHER_NAME: texts.BUILT_IN_OTHER_NAME,
    texts.TLS_FAILED: texts.BUILT_IN_NO_TLS,
    texts.HTTP_STATUS: texts.BUILT_IN_STATUS,
    texts.NOT_ACME: texts.BUILT_IN_NOT_ACME,
}
"""The texts whose fix concerns the configuration."""


class _Place(Frozen):
    """The point where an examination of the stages ended."""

    stage: str
    result: CheckResult
    text: Text
    more: Mapping[str, Any]


def ca_reachable(facts: Facts, ca: str) -> Check:
    """Check that the CA sends its directory. Check the stages of a connection only without a quick answer."""
    its, context = facts.its.cas[ca], facts.context
    connect = partial(facts.once, ("stages", its.directory), partial(_connect, its))
    asking = threads.start(partial(ask, facts, its))
    stages = None
    try:
        context.within(1.0).wait_for(asking.done)
    except Cancelled:  # most CAs answer at once
        context.check()
        stages = connect()
    if stages is not None and stages.last.fault and not asking.done.is_set():
        answer = DirectoryAnswer(None, None, sum(stage.seconds for stage in stages.stages))
    else:
        answer = context.join(asking)
    trust_fails = answer.error is not None and answer.error.code == "trust-unreadable"
    if answer.directory is None and stages is None and not trust_fails:
        stages = connect()
    return judge(its, answer, stages, context.clock.now())


def _connect(ca: CA, context: Context) -> ConnectionStages:
    with closing(dnsrenew.base.http.HttpClient()) as http:
        proxy = http.proxy_for(ca.directory)
    return connect_by_stages(context, ca.directory, trust=ca.trust, proxy=proxy)


def judge(ca: CA, answer: DirectoryAnswer, stages: ConnectionStages | None, now: datetime) -> Check:
    """Return the verdict.

    :param stages: the stages of a later connection; None if they were not checked.
    :param now: the time of this machine's clock.
    """
    evidence: dict[str, Any] = {"ca": ca.name, "directory": ca.directory, "seconds": answer.seconds}
    if answer.directory is not None:
        return Check.of(texts.CA_ANSWERS, "ok", {**evidence, "stage": "acme"})
    if stages is None:
        return Check.of(texts.TRUST_UNREADABLE, "bad", {**evidence, "stage": "tls", "path": str(ca.trust)}, blocks=ALL)
    place = _in_connection(stages, now) or _in_answer(answer.error)
    stage, result = place.stage, place.result
    listed: list[dict[str, Any]] = [
        {"stage": each.name, "result": result if each.fault else "ok", "seconds": each.seconds}
        for each in stages.stages
    ]
    if stage == "acme":
        listed.append({"stage": "http", "result": "ok"})
    if stage in {"http", "acme"}:
        listed.append({"stage": stage, "result": result})
    evidence |= {"stage": stage, **_address(ca, stages), "stages": listed, **place.more}
    text = _OF_BUILT_IN.get(place.text, place.text) if is_built_in(ca) else place.text
    return Check.of(text, result, evidence, blocks=ALL)


def _in_connection(stages: ConnectionStages, now: datetime) -> _Place | None:
    """Return where the connection ended, or None if it was established."""
    last, key = stages.last, (stages.last.name, stages.last.fault)
    if not last.fault:
        return None
    result: CheckResult = "unknown" if last.fault in _UNCERTAIN else "bad"
    more: dict[str, Any] = {"error": last.detail} if last.detail else {}
    if last.name == "tls" and result == "bad":
        more |= {"error": last.detail, "issuer": _issuer(last.certificate), "now": rfc3339(now)}
    return _Place(last.name, result, text=(stages.through_proxy and _PROXY_FAULTS.get(key)) or _FAULTS[key], more=more)


def _in_answer(error: CAError | None) -> _Place:
    """Return the fault after the connection was established."""
    if error is None or (error.code == "ca-unreachable" and error.evidence["stage"] == "timeout"):
        return _Place("http", "unknown", text=texts.HTTP_SILENT, more={})
    status, more = error.evidence.get("status", 0), {"error": error.code}
    if status >= 400:
        text = texts.HTTP_BUSY if status >= 500 or status == 429 else texts.HTTP_STATUS
        return _Place("http", "bad", text=text, more={"status": status, **more})
    if error.code == "ca-unreachable" and error.evidence["stage"] == "reset":
        return _Place("http", "bad", text=texts.HTTP_RESET, more=more)
    if error.code in {"ca-unreachable", "ca-untrusted"}:  # at a stage that has worked since
        return _Place("http", "unknown", text=texts.HTTP_UNSTEADY, more=more)
    more = {"content_type": error.evidence.get("content_type", ""), **more}
    return _Place("acme", "bad", text=texts.NOT_ACME, more=more)


def _address(ca: CA, stages: ConnectionStages) -> dict[str, Any]:
    if not stages.through_proxy:
        return {"host": stages.host, "port": stages.port}
    target = urlsplit(ca.directory)
    proxy = f"{stages.host}:{stages.port}" if stages.host else None
    return {"host": target.hostname, "port": port_of(target), "proxy": proxy}


def _issuer(certificate: bytes) -> str:
    """Return the issuer of a certificate (DER), which may be forged; "?" if unreadable."""
    try:
        return one_line(x509.read_certificate(ssl.DER_cert_to_PEM_cert(certificate)).issuer, MAX_WORD) or "?"
    except ValueError:
        return "?"


# ── account ────────────────────────────────────────────────────────────────────────────

# Whether a CA would create an account here: the terms of service, and the external account binding (RFC 8555).


def ca_terms(facts: Facts, ca: str) -> Check:
    """Check that an account exists, or that the CA's requirements for a new one are met."""
    its = facts.its.cas[ca]
    url = account_url(facts, ca)
    return judge_terms(its, url, None if url else ask(facts, its).directory, agreed=facts.its.agree_terms)


def account_url(facts: Facts, ca: str) -> str | None:
    """Return the URL of our account at a CA, or None before it exists.

    :raises StoreError: the account cannot be read.
    """
    return facts.store.accounts(facts.its.cas[ca].directory, ca, facts.context).registered_url()


def judge_terms(ca: CA, url: str | None, found: Directory | None, *, agreed: bool) -> Check:
    """Return the verdict.

    :param url: the URL of the account; None without an account.
    :param found: the directory of the CA; None if unknown.
    :param agreed: whether the user agrees to the terms of service.
    """
    evidence: dict[str, Any] = {"ca": ca.name, "account": url, "agreed": agreed, "eab": ca.eab is not None}
    if url is not None:
        return Check.of(texts.TERMS_ACCOUNT, "ok", evidence)
    if found is None:
        if is_built_in(ca) and not agreed:
            return Check.of(texts.TERMS_NOT_AGREED, "bad", {**evidence, "terms": TERMS[ca.name]}, blocks=ALL)
        if agreed and ca.eab is not None:
            return Check.of(texts.TERMS_OK, "ok", evidence)
        return Check.of(texts.TERMS_UNKNOWN, "unknown", evidence, blocks=ALL)
    evidence["terms"] = found.terms_of_service
    if found.terms_of_service and not agreed:
        return Check.of(texts.TERMS_NOT_AGREED, "bad", evidence, blocks=ALL)
    if found.binding_required and ca.eab is None:
        return Check.of(texts.EAB_MISSING, "bad", evidence, blocks=ALL)
    return Check.of(texts.TERMS_OK, "ok", evidence)


def secrets(facts: Facts, ca: str) -> Check | None:
    """Check that the key of the external account binding can be read and is valid."""
    eab = facts.its.cas[ca].eab
    if eab is None or eab == "email":
        return None
    evidence = {"ca": ca, "key": "eab.hmac", "reference": eab.hmac.reference}
    value = accounts.read(facts, eab.hmac)
    if not isinstance(value, str):
        return accounts.unreadable(value, evidence, ALL)
    if mac_key_fault(value) is not None:
        return Check.of(texts.HMAC_MALFORMED, "bad", evidence, blocks=ALL)
    return Check.of(texts.HMAC_OK, "ok", evidence)


# ── directory ──────────────────────────────────────────────────────────────────────────

# The answer of a CA to a request for its directory. Several checks need it, so it is requested once.


class DirectoryAnswer(Frozen):
    """The answer of a CA. Without a directory and an error, no answer came in time.

    :ivar seconds: the seconds until the answer, or until the end of the wait.
    :ivar ahead: how far this machine's clock was ahead of the ``Date`` of any answer, even an error; or None.
    """

    directory: Directory | None
    error: CAError | None
    seconds: float
    ahead: timedelta | None = None


def ask(facts: Facts, ca: CA) -> DirectoryAnswer:
    """Return the answer of the CA, without retrying a failed request."""
    return facts.once(("directory", ca.directory), partial(_ask, ca))


def _ask(ca: CA, context: Context) -> DirectoryAnswer:
    started = context.clock.monotonic()
    directory, error, ahead = None, None, list[timedelta]()

    def note(response: Response) -> None:
        if (date := dnsrenew.base.http.date_of(response.headers)) is not None:
            ahead.append(context.clock.now() - date)

    try:
        directory = _read(ca, context.within(4.0), note)
    except CAError as refusal:
        error = refusal
    except Cancelled:
        context.check()
    seconds = round(context.clock.monotonic() - started, 3)
    return DirectoryAnswer(directory, error, seconds, ahead[-1] if ahead else None)


def _read(ca: CA, context: Context, note: Callable[[Response], object]) -> Directory:
    with closing(dnsrenew.base.http.HttpClient(trust=ca.trust)) as http:
        transport = Transport(ca.name or ca.directory, http, note)
        return context.call(lambda: read_directory(context, transport, ca.directory, policy=Policy(tries=1)))


# ── clock ──────────────────────────────────────────────────────────────────────────────

# Whether the clock of this machine is right, by the ``Date`` that CAs send.


def clock(facts: Facts) -> Check:
    """Compare the clock with each CA's clock; without a configuration, with Let's Encrypt's."""
    cas = [BUILT_IN["letsencrypt"]] if facts.config is None else cas_used(facts)
    answers = {ca.name or ca.directory: ask(facts, ca) for ca in cas}
    readings = {name: answer.ahead for name, answer in answers.items() if answer.ahead is not None}
    doubted = next((name for name, answer in answers.items() if _is_doubted(answer)), None)
    return judge_clock(readings, facts.context.clock.now(), doubted)


def _is_doubted(answer: DirectoryAnswer) -> bool:
    """Return whether the certificate of the CA is not valid according to this machine's clock."""
    error = answer.error
    return error is not None and error.code == "ca-untrusted" and rejects_dates(error.evidence.get("reason", ""))


def judge_clock(readings: Mapping[str, timedelta], now: datetime, doubted: str | None = None) -> Check:
    """Return the verdict. One server that agrees with this machine is enough, because it has a different clock.

    :param readings: how far the clock is ahead of each server's clock.
    :param now: the time of this machine's clock.
    :param doubted: a CA whose certificate is not valid according to that clock.
    """
    evidence: dict[str, Any] = {"now": rfc3339(now)}
    if not readings and doubted is not None:
        return Check.of(texts.CLOCK_DOUBTED, "unknown", {**evidence, "source": doubted}, blocks=ALL)
    if not readings:
        return Check.of(texts.CLOCK_UNKNOWN, "unknown", evidence)
    source, ahead = min(readings.items(), key=lambda reading: abs(reading[1]))
    evidence |= {"date": rfc3339(now - ahead), "ahead": round(ahead.total_seconds()), "source": source}
    fault = clock_fault(ahead)
    if fault == "wrong":
        return Check.of(texts.CLOCK_WRONG, "bad", evidence, blocks=ALL)
    if fault == "ahead":
        return Check.of(texts.CLOCK_AHEAD, "bad", evidence)
    return Check.of(texts.CLOCK_OK, "ok", evidence)


# ── limits ─────────────────────────────────────────────────────────────────────────────

# Whether a CA would refuse an order now according to the ledger: its limits, its Retry-After, its pauses.


def ca_limits(facts: Facts, spec: CertificateSpec, ca: str) -> Check:
    """Check that the CA has no known reason to refuse an order for these names now."""
    ledger = replace(facts.store.ledger(facts.its.cas[ca].directory, ca, facts.context), read_only=True)
    expires, is_ours, has_failed = _stored(facts, spec, ca)
    blocked = None if is_ours else ledger.may_begin(expires=expires)
    if blocked is None:
        # An order can name the certificate that it replaces (RFC 9773), and then limits do not count.
        found = ask(facts, facts.its.cas[ca]).directory if is_ours else None
        replaces = is_ours and (found is None or found.resource("renewalInfo") is not None)
        blocked = ledger.may_order(spec.identifiers, replaces=replaces, expires=expires, attended=has_failed)
    return judge_limits(ca, spec.name, blocked)


def judge_limits(ca: str, certificate: str, blocked: CAError | None) -> Check:
    """Return the verdict. Failed orders hold back only a person who retries repeatedly, not the schedule."""
    if blocked is None:
        return Check.of(texts.LIMITS_OK, "ok", {"ca": ca, "certificate": certificate})
    known = ("until", "limit", "identifier", "url", "count", "window")
    evidence: dict[str, Any] = {"ca": ca, **{key: blocked.evidence[key] for key in known if key in blocked.evidence}}
    if evidence["limit"] == "failed-orders":
        return Check.of(texts.LIMITS_BY_HAND, "bad", {**evidence, "certificate": certificate})
    return Check("ca-limits", "bad", blocked.message, evidence, blocked.fix, ALL)


def _stored(facts: Facts, spec: CertificateSpec, ca: str) -> tuple[datetime | None, bool, bool]:
    """Return when the stored certificate ends, whether it is valid and from this CA, and whether failures count.

    Failures before the last obtained certificate do not count.
    """
    try:
        state = facts.state(spec.name)
    except StoreError:  # the check `store` reports this
        return None, False, True
    ends = state.not_after
    is_valid = ends is not None and facts.context.clock.now() < ends
    return ends, state.ca == ca and is_valid, not is_valid or bool(state.last_failure or state.forced_failure)
