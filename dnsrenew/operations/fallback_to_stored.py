"""The error of a certificate that could not be obtained, and of which no usable one is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Final

from dnsrenew.base.model import Certificate, Outcome, RenewalFailed, describe_route, first_sentence, is_skip, rfc3339
from dnsrenew.errors import Cancelled, DnsRenewError, StoreError, short_time
from dnsrenew.operations import texts

_logger: Final = logging.getLogger("dnsrenew")
_NO_APP: Final = "http-no-app"
_KEPT: Final = "%s could not be renewed and is kept until %s%s: %s"
_NOT_KEPT: Final = "%s could not be renewed%s: %s"
OTHERS: Final = 180.0
"""Seconds to wait for another process that works on a certificate, if no usable one is stored.

A server may start several workers at once, and each of them asks for the certificate. A renewal seldom takes longer.
"""


def usable(outcome: Outcome, stored: Certificate | None, emit: Callable[..., None]) -> Certificate:
    """Return the stored certificate although its renewal did not succeed; otherwise raise what stopped the renewal.

    :param stored: the certificate in force if it can be used: valid, not revoked, for all names; None: there is none.
    :param emit: emits an event: kind, name, data.
    :raises RenewalFailed: there is none.
    :raises StoreError: the store cannot be read or written.
    :raises Cancelled: the run was cancelled.
    """
    error = _error(outcome)
    if isinstance(error, Cancelled | StoreError):
        raise error
    if stored is None:
        # Without its traceback, whose frames may hold secrets: some tools show the variables of a cause.
        raise not_obtained(outcome, error) from error.with_traceback(None)
    keep(outcome, stored, emit)
    return stored


def keep(outcome: Outcome, stored: Certificate | None, emit: Callable[..., None]) -> None:
    """Log and emit that the renewal failed, until when the stored certificate is valid, and when it is tried again."""
    error, again = _error(outcome), rfc3339(outcome.next_attempt)
    next_try = f"; it is tried again at {again}" if again else ""
    if stored is None:  # it has expired, is revoked, or lacks a name; a server goes on with it all the same
        _logger.warning(_NOT_KEPT, outcome.name, next_try, error)
        return
    until = rfc3339(stored.not_after)
    _logger.warning(_KEPT, outcome.name, until, next_try, error)
    emit("kept", outcome.name, error=error.to_dict(), not_after=until, next_attempt=again)


def not_obtained(outcome: Outcome, cause: DnsRenewError) -> RenewalFailed:
    """Return the error of a failed renewal: every attempt, the cause and its fix.

    Its code is ``renewal-failed``; ``http-no-app`` if nothing but the app of a server was missing.
    """
    details = " ".join(_details(outcome, cause))
    code, message, fix = texts.NOT_OBTAINED.fill(domains=outcome.domains, details=details, cause_fix=cause.fix)
    if {cause.code, *(attempt.error.code for attempt in outcome.attempts if attempt.error)} == {_NO_APP}:
        code = _NO_APP
    evidence = {"cause": cause.to_dict(), "attempts": [attempt.to_dict() for attempt in outcome.attempts]}
    return RenewalFailed(code, message, fix=fix, evidence=evidence, attempts=outcome.attempts)


def _error(outcome: Outcome) -> DnsRenewError:
    return outcome.error or RenewalFailed.of(texts.NO_CAUSE)


def _details(outcome: Outcome, cause: DnsRenewError) -> Iterator[str]:
    """Yield one sentence for each failed attempt, and the whole message of the cause."""
    shown: list[DnsRenewError] = []
    for attempt in outcome.attempts:
        error = attempt.error
        if error is None:
            continue
        skipped, repeated = is_skip(attempt), error in shown
        if repeated:
            text = texts.SKIPPED_SAME if skipped else texts.TRIED_SAME
        else:
            text = texts.SKIPPED if skipped else texts.TRIED
        reason = error.message if error is cause else first_sentence(error.message)
        yield text.format(route=describe_route(attempt.route.to_dict()), reason=reason.strip())
        shown.append(error)
    if outcome.status == "deferred" and outcome.next_attempt is not None:
        text = texts.DEFERRED if shown else texts.DEFERRED_AFTER_FAILURE
        yield text.format(time=short_time(rfc3339(outcome.next_attempt) or ""))
    if cause not in shown:
        yield cause.message.strip()
