"""What a CA answers to a request for its directory. Several checks need it, so it is asked for once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import dnsrenew.base.http
from dnsrenew.acme.new_order import clock_fault
from dnsrenew.acme.transport import Directory, Transport, read_directory
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.http import Response
from dnsrenew.base.model import CA, CertificateSpec, Check, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import Policy
from dnsrenew.base.values import Frozen, replace
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import CAError, Cancelled, StoreError
from dnsrenew.extensions.doctor.facts import ALL, Facts
from dnsrenew.extensions.doctor.issuer import texts

_SECONDS: Final = 4.0
_ONCE: Final = Policy(tries=1)


class DirectoryAnswer(Frozen):
    """The answer of a CA; without a directory and an error, there was none in time.

    :ivar seconds: until the answer, or the end of the wait.
    :ivar ahead: by how much the clock of this machine was ahead of the ``Date`` of any answer, even an error; or None.
    """

    directory: Directory | None
    error: CAError | None
    seconds: float
    ahead: timedelta | None = None


def ask(facts: Facts, ca: CA) -> DirectoryAnswer:
    """Return what the CA answers; a failed request is not retried."""
    return facts.once(("directory", ca.directory), partial(_ask, ca))


def _ask(ca: CA, context: Context) -> DirectoryAnswer:
    started = context.clock.monotonic()
    directory, error, ahead = None, None, list[timedelta]()

    def note(response: Response) -> None:
        date = dnsrenew.base.http.date_of(response.headers)
        if date is not None:
            ahead.append(context.clock.now() - date)

    try:
        directory = _read(ca, context.within(_SECONDS), note)
    except CAError as refusal:
        error = refusal
    except Cancelled:
        context.check()
    seconds = round(context.clock.monotonic() - started, 3)
    return DirectoryAnswer(directory, error, seconds, ahead[-1] if ahead else None)


def _read(ca: CA, context: Context, note: Callable[[Response], object]) -> Directory:
    http = dnsrenew.base.http.HttpClient(trust=ca.trust)
    try:
        transport = Transport(ca.name or ca.directory, http, note)
        return context.call(lambda: read_directory(context, transport, ca.directory, policy=_ONCE))
    finally:
        http.close()


# ── clock ──────────────────────────────────────────────────────────────────────────────

# Whether the clock of this machine is right, by the ``Date`` that CAs send.

_WITHOUT_CONFIG: Final = "letsencrypt"


class ClockReading(Frozen):
    """By how much the clock of this machine is ahead of that of a server."""

    source: str
    ahead: timedelta


def clock(facts: Facts) -> Check:
    """Compare the clock with that of each CA; without a configuration, with that of Let's Encrypt."""
    answers = {ca.name or ca.directory: ask(facts, ca) for ca in _cas(facts)}
    readings = [ClockReading(name, answer.ahead) for name, answer in answers.items() if answer.ahead is not None]
    doubted = next((name for name, answer in answers.items() if _is_doubted(answer)), None)
    return judge(readings, facts.context.clock.now(), doubted)


def _cas(facts: Facts) -> list[CA]:
    if facts.config is None:
        return [BUILT_IN[_WITHOUT_CONFIG]]
    used = dict.fromkeys(name for spec in facts.its.certificates for name in facts.cas(spec))
    return [facts.its.cas[name] for name in used or [facts.its.default_ca]]


def _is_doubted(answer: DirectoryAnswer) -> bool:
    """Return whether the certificate of the CA is not valid by the clock of this machine."""
    error = answer.error
    return error is not None and error.code == "ca-untrusted" and rejects_dates(error.evidence.get("reason", ""))


def judge(readings: Sequence[ClockReading], now: datetime, doubted: str | None = None) -> Check:
    """Return the verdict; one server that agrees with this machine is enough, because its own clock is not ours.

    :param now: the time by the clock of this machine.
    :param doubted: a CA whose certificate is not valid by that clock.
    """
    evidence: dict[str, Any] = {"now": rfc3339(now)}
    if not readings and doubted is not None:
        return Check.of(texts.CLOCK_DOUBTED, "unknown", {**evidence, "source": doubted}, blocks=ALL)
    if not readings:
        return Check.of(texts.CLOCK_UNKNOWN, "unknown", evidence)
    nearest = min(readings, key=lambda reading: abs(reading.ahead))
    seconds = round(nearest.ahead.total_seconds())
    evidence |= {"date": rfc3339(now - nearest.ahead), "ahead": seconds, "source": nearest.source}
    fault = clock_fault(nearest.ahead)
    if fault == "wrong":
        return Check.of(texts.CLOCK_WRONG, "bad", evidence, blocks=ALL)
    if fault == "ahead":
        return Check.of(texts.CLOCK_AHEAD, "bad", evidence)
    return Check.of(texts.CLOCK_OK, "ok", evidence)


# ── limits ─────────────────────────────────────────────────────────────────────────────

# Whether a CA would refuse an order now, as far as the ledger knows: its limits, its Retry-After, its pauses.


def ca_limits(facts: Facts, spec: CertificateSpec, ca: str) -> Check:
    """Check that nothing is known because of which the CA would refuse an order for these names now."""
    ledger = replace(facts.store.ledger(facts.its.cas[ca].directory, ca, facts.context), read_only=True)
    expires, is_ours = _stored(facts, spec, ca)
    blocked = None
    if not is_ours:
        blocked = ledger.may_begin(expires=expires)
    if blocked is None:
        replaces = is_ours and _offers_renewal_info(facts, ca)
        blocked = ledger.may_order(spec.identifiers, replaces=replaces, expires=expires, attended=True)
    return judge_limits(ca, spec.name, blocked)


def judge_limits(ca: str, certificate: str, blocked: CAError | None) -> Check:
    """Return the verdict. Failed orders hold back only a person who tries again and again, not the schedule."""
    if blocked is None:
        return Check.of(texts.LIMITS_OK, "ok", {"ca": ca, "certificate": certificate})
    known = ("until", "limit", "identifier", "url", "count", "window")
    evidence: dict[str, Any] = {"ca": ca, **{key: blocked.evidence[key] for key in known if key in blocked.evidence}}
    if evidence["limit"] == "failed-orders":
        return Check.of(texts.LIMITS_BY_HAND, "bad", {**evidence, "certificate": certificate})
    return Check("ca-limits", "bad", blocked.message, evidence, blocked.fix, ALL)


def _stored(facts: Facts, spec: CertificateSpec, ca: str) -> tuple[datetime | None, bool]:
    """Return when the certificate in the store ends, and whether it is valid and this CA's."""
    try:
        state = facts.state(spec.name)
    except StoreError:  # the check `store` reports this
        return None, False
    ends = state.not_after
    return ends, state.ca == ca and ends is not None and facts.context.clock.now() < ends


def _offers_renewal_info(facts: Facts, ca: str) -> bool:
    """Return whether an order can name the certificate that it replaces (RFC 9773): limits do not count then."""
    found = ask(facts, facts.its.cas[ca]).directory
    return found is None or found.resource("renewalInfo") is not None
