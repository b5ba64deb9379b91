"""When and why a certificate is renewed, the options of a renewal, and the outcome of one certificate."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew import errors
from dnsrenew.base.model import CertificateSpec, Notice, Outcome, OutcomeStatus, RenewalReason, RenewBefore, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.renewal import history, texts
from dnsrenew.store.state import State, lacks_key

if TYPE_CHECKING:
    from dnsrenew.base.runtime import Context
    from dnsrenew.config import Config
    from dnsrenew.renewal.services import Services
    from dnsrenew.store import Store

SHORT_LIFETIME = timedelta(days=10)
"""Certificates with a shorter lifetime are renewed when half of it is left, others when a third is left."""
_NEAR = timedelta(hours=1)
"""The difference up to which the CA has kept to ``lifetime``."""
LONGEST_POLL = timedelta(days=1)
"""Longest time between two queries (RFC 9773 section 4.3.2). A later time means that the clock has jumped."""
PAST_WINDOW_PAUSE = timedelta(days=1)
"""The time for which a certificate that was renewed for a past window is not renewed for such a window again."""


def renewal_time(not_before: datetime, not_after: datetime, wanted: RenewBefore | None) -> datetime:
    """Return when to renew, as a share of the lifetime, because CAs shorten lifetimes."""
    lifetime = not_after - not_before
    before = lifetime / 2 if lifetime < SHORT_LIFETIME else lifetime / 3
    if wanted is not None and wanted.fraction is not None:
        before = lifetime * wanted.fraction
    # Ignore a margin as long as the lifetime, which would renew at every run.
    if wanted is not None and wanted.seconds is not None and timedelta(seconds=wanted.seconds) < lifetime:
        before = timedelta(seconds=wanted.seconds)
    return not_after - before


def next_renewal(spec: CertificateSpec, state: State | None) -> datetime | None:
    """Return when the stored certificate will be renewed, or None if no certificate is stored.

    The window that the CA suggests (ARI, RFC 9773) can only make a renewal earlier.
    """
    if state is None or state.not_before is None or state.not_after is None:
        return None
    own = renewal_time(state.not_before, state.not_after, spec.renew_before)
    if (back := state.rolled_back) is not None and own <= back["time"]:
        own = renewal_time(back["time"], state.not_after, spec.renew_before)  # by the remaining time
    suggested = _suggested_time(state)
    return own if suggested is None or own <= suggested else suggested


def next_reason(state: State, at: datetime | None) -> RenewalReason:
    """Return the reason for the renewal at the time of :func:`next_renewal`."""
    return "ari" if at is not None and at == _suggested_time(state) else "renew-before"


def _suggested_time(state: State) -> datetime | None:
    """Return the chosen time in the CA's window; None without a window, or if it was over before a rollback."""
    if state.ari and state.ari["end"] and state.rolled_back and state.ari["end"] <= state.rolled_back["time"]:
        return None
    return _waits_until(state) or (state.ari["chosen"] if state.ari else None)


def _waits_until(state: State) -> datetime | None:
    """Return the time until which a past window has to wait; None without such a window or wait."""
    if state.past_window_until is None or state.ari is None or state.ari["chosen"] is None:
        return None
    was_past = state.ari["chosen"] == state.ari["end"]
    return state.past_window_until if was_past else None


def is_poll_due(state: State, now: datetime) -> bool:
    """Return whether it is time to ask the CA about a certificate. An expired certificate is never polled."""
    if state.not_after is None or not state.ca or now >= state.not_after:
        return False
    return state.ari is None or not now < state.ari["next_poll"] <= now + LONGEST_POLL


def end_of_pause(replaced: State, reason: RenewalReason, now: datetime) -> datetime | None:
    """Return the time before which a new certificate is not renewed for a past window; None if there is no pause.

    A CA may suggest such windows for all its certificates, even new ones. Each is then renewed once a day and not at
    every run.

    :param replaced: the state of the certificate that it replaces.
    :param reason: why the certificate is replaced.
    """
    end = replaced.ari["end"] if replaced.ari else None
    is_past = reason == "ari" and end is not None and end <= now
    return (now + PAST_WINDOW_PAUSE).replace(microsecond=0) if is_past else None


def ari_warnings(state: State, explained: State | None = None) -> tuple[Notice, ...]:
    """Return warnings with the CA's explanation of its window, if any, and about a past window that has to wait.

    :param explained: the state with the window that the CA explains, if it is not ``state``.
    """
    ari, until = (explained or state).ari, _waits_until(state)
    found: tuple[Notice, ...] = ()
    if ari is not None and ari["explanation"] is not None:
        found = (Notice(*texts.ARI_EXPLANATION.fill(url=ari["explanation"])),)
    if until is not None:
        found = (*found, Notice(*texts.ARI_PAST_WINDOW.fill(until=rfc3339(until))))
    return found


def renew_before_warnings(spec: CertificateSpec, state: State) -> tuple[Notice, ...]:
    """Return a warning that ``renew_before`` is not used, because it is as long as the certificate's lifetime."""
    wanted = None if spec.renew_before is None else spec.renew_before.seconds
    if wanted is None or state.not_before is None or state.not_after is None:
        return ()
    if timedelta(seconds=wanted) < state.not_after - state.not_before:
        return ()
    begin, end = rfc3339(state.not_before), rfc3339(state.not_after)
    return (Notice(*texts.RENEW_BEFORE_LONG.fill(begin=begin, end=end)),)


def state_warnings(spec: CertificateSpec, state: State, store: Store) -> tuple[Notice, ...]:
    """Return the warnings about a stored certificate: damage, its key, ``renew_before``, ``lifetime``."""
    fault = store.unreadable_key(spec.name, state)
    key = [Notice(fault.code, fault.message, fault.fix)] if fault else []
    wanted_end = state.lifetime["until"] if state.lifetime else None
    others = (*renew_before_warnings(spec, state), *lifetime_warnings(spec, state.not_after, wanted_end))
    return (*state.notices, *key, *others)


def lifetime_warnings(spec: CertificateSpec, not_after: datetime | None, asked: datetime | None) -> tuple[Notice, ...]:
    """Return a warning if the CA has not kept to ``lifetime``.

    :param asked: the requested end of validity; None if the order did not request one.
    """
    if spec.lifetime is None or not_after is None or asked is None or abs(not_after - asked) <= _NEAR:
        return ()
    return (Notice(*texts.LIFETIME_DIFFERS.fill(not_after=rfc3339(not_after), wanted=rfc3339(asked))),)


def has_changed(spec: CertificateSpec, state: State) -> bool:
    """Return whether the configuration differs from the stored certificate in its names, key type, CA or profile.

    An unknown value (the store was damaged and repaired) does not count as a change. After a rollback, the version
    stays despite its differences until the configuration changes.
    """
    if (back := state.rolled_back) is not None:
        return back["wanted"] != wanted(spec)
    profile = spec.profile.name if spec.profile else ""
    return (
        (state.identifiers != spec.identifiers and set(state.identifiers) != set(spec.identifiers))
        or state.key not in {"", spec.key}
        or (state.ca not in {"", spec.ca} and state.ca not in {route.ca for route in spec.routes})
        or state.profile not in {"", profile}
        or bool(profile and state.ca and not state.profile)
        or _is_of_other_lifetime(spec, state)
        or _is_of_other_request(spec, state)
        or bool(spec.profile and spec.profile.required and state.without_profile)
    )


def _is_of_other_lifetime(spec: CertificateSpec, state: State) -> bool:
    """Return whether the certificate was ordered for another ``lifetime``.

    If unknown, return whether a lifetime is set.
    """
    if (asked := state.lifetime) is not None or spec.lifetime is None:
        return (asked["seconds"] if asked else None) != spec.lifetime
    if not state.ca or state.not_before is None or state.not_after is None:  # installed by hand: until it is due
        return False
    lived = (state.not_after - state.not_before).total_seconds()
    return abs(lived - spec.lifetime) > spec.lifetime / 10


def _is_of_other_request(spec: CertificateSpec, state: State) -> bool:
    """Return whether the certificate was ordered with another request, or with one that is no longer configured."""
    if spec.csr is None:
        return lacks_key(state.sizes)
    if not state.ca:  # installed by hand: until it is due
        return False
    return state.request != request_mark(spec) if state.request else not lacks_key(state.sizes)


def request_mark(spec: CertificateSpec) -> str | None:
    """Return a text that identifies the given request; None without a request."""
    return None if spec.csr is None else hashlib.sha256(spec.csr.der).hexdigest()[:16]


def wanted(spec: CertificateSpec) -> str:
    """Return a text for the certificate that the configuration requires. It changes if the certificate would."""
    parts = (
        (sorted(spec.identifiers), spec.key, spec.reuse_key, spec.preferred_chain, spec.lifetime),
        spec.profile and (spec.profile.name, spec.profile.required),
        request_mark(spec),
        (spec.ca, sorted(route.ca or "" for route in spec.routes)),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def why_due(spec: CertificateSpec, state: State | None, now: datetime, *, whole: bool) -> RenewalReason | None:
    """Return why the certificate is due now, or None.

    :param whole: whether the files of the current version exist.
    """
    at = next_renewal(spec, state)
    if state is None or at is None or state.not_after is None or not whole:
        return "missing"
    if now >= state.not_after:
        return "expired"
    if state.revoked:
        return "revoked"
    if has_changed(spec, state):
        return "changed"
    return next_reason(state, at) if now >= at else None


# ── fingerprints ───────────────────────────────────────────────────────────────────────

# A number for everything that a failed certificate depended on. After an edit, the certificate is tried at once.


def fingerprint(config: Config, store: Store, spec: CertificateSpec, failed: State) -> int | None:
    """Return the fingerprint of the settings of a failed certificate; None if the store has no key.

    :param failed: the state, whose last failure names the DNS accounts that were tried.
    """
    try:
        key = store.fingerprint_key()
    except errors.StoreError:  # without the key, no edit ends a wait
        return None
    return config.fingerprint_of(spec, key, history.accounts_tried(failed))


# ── options ────────────────────────────────────────────────────────────────────────────


class RunOptions(Frozen, kw_only=True):
    """The options of a run.

    :ivar force: also renew certificates that are not due, despite earlier failures.
    :ivar now: renew due certificates, despite earlier failures and the ledger.
    :ivar attended: renew due certificates despite earlier failures, because a person waits for the result, but not
        while a CA has asked to wait, and not after too many orders within an hour.
    :ivar dry_run: issue at the staging CA and keep nothing.
    :ivar deploy: also try the pending deployments.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar asked_by: the asker of the certificates: the path of the configuration; "" for a program.
    :ivar fingerprint: returns a number for the settings of a failed certificate. After an edit, the number is
        different, and the certificate is tried at once.
    """

    force: bool = False
    now: bool = False
    attended: bool = False
    dry_run: bool = False
    deploy: bool = True
    wait: float = 0
    asked_by: str = ""
    fingerprint: Callable[[CertificateSpec, State], int | None] = lambda _spec, _failed: None


class Run(Frozen):
    """A run over many certificates.

    :ivar get_services: called only if there is something to do.
    """

    config: Config
    store: Store
    get_services: Callable[[], Services]
    context: Context
    options: RunOptions


# ── check due ──────────────────────────────────────────────────────────────────────────

# Decides whether to renew a certificate now. It is called before and after taking the lock.


class Due(Frozen):
    """A certificate to be renewed now.

    :ivar state: the stored state.
    :ivar reason: why the certificate is due.
    """

    state: State
    reason: RenewalReason


def check_due(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> Due | Outcome:
    """Return why to renew now, or the final outcome if there is nothing to do now.

    :raises StoreError: the certificate cannot be read.
    """
    reason = why(spec, state, store, context, options)
    if reason is None:
        return outcome(spec, store, state, "not-due", context)
    held = None if _is_tried_at_once(spec, state, context, options) else deferred(spec, store, state, reason, context)
    return held or Due(state, reason)


def why(
    spec: CertificateSpec, state: State, store: Store, context: Context, options: RunOptions
) -> RenewalReason | None:
    """Return why the certificate is due, or None.

    :raises StoreError: the certificate cannot be read.
    """
    reason = why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if options.force or options.dry_run else None)


def _is_tried_at_once(spec: CertificateSpec, state: State, context: Context, options: RunOptions) -> bool:
    """Return whether the certificate is tried now despite an earlier failure.

    A person at a terminal, or an edit, has probably fixed the cause. A wait that a CA asked for still applies.
    """
    if options.force or options.now or options.dry_run or history.deferred_until(state, context.clock.now()) is None:
        return True
    if not (options.attended or _was_edited(spec, state, options)):
        return False
    return not history.was_asked_to_wait(state) or _has_other_ca(spec, state, context)


def _was_edited(spec: CertificateSpec, state: State, options: RunOptions) -> bool:
    """Return whether the settings that the last failure depended on have changed."""
    return state.tried_with is not None and options.fingerprint(spec, state) not in {None, state.tried_with}


def _has_other_ca(spec: CertificateSpec, state: State, context: Context) -> bool:
    """Return whether another CA, which did not ask to wait, can be tried, and no usable certificate exists.

    The ledger still holds back an order at the CAs that asked to wait.
    """
    if state.not_after is not None and context.clock.now() < state.not_after:
        return False
    attempts = (state.last_failure or {}).get("attempts") or ()
    asked = {(attempt.get("route") or {}).get("ca") for attempt in attempts}
    return any((route.ca or spec.ca) not in asked for route in spec.routes)


# ── outcomes ───────────────────────────────────────────────────────────────────────────

# Creates the outcome of one certificate.

_logger = logging.getLogger("dnsrenew.renewal.renew")
_KINDS: Final[Mapping[str, type[errors.DnsRenewError]]] = {
    kind.__name__: kind for kind in (*errors.AttemptError.__subclasses__(), errors.SecretError, errors.ConfigError)
}
"""The possible classes of the error of a failed run."""


def outcome(
    spec: CertificateSpec,
    store: Store,
    state: State | None,
    status: OutcomeStatus,
    context: Context,
    *,
    reason: RenewalReason | None = None,
    before: State | None = None,
    **more: Any,
) -> Outcome:
    """Return the outcome of one certificate: its current state and the result of the run.

    :param state: None if it cannot be read.
    :param before: the state before the run if it differs. The CA's explanation is about its suggested window.
    """
    warnings = _warnings(spec, store, state, before, context)
    more |= {"name": spec.name, "status": status, "domains": spec.domains, "warnings": warnings}
    found = in_current(spec.name, store) if state is None else state
    if found is None:  # it may exist, so it is not reported as missing
        return Outcome(reason=None, **more)
    if state is None:
        reason = why_due(spec, found, context.clock.now(), whole=True)
    # A damaged certificate counts as missing. If nothing is due, it was checked before.
    elif state.version is None or (status != "not-due" and not _exists(spec.name, store, state)):
        return Outcome(reason=reason or "missing", **more)
    at = next_renewal(spec, found)
    more |= {name: getattr(found, name) for name in ("issuer", "serial", "not_before", "not_after")}
    return Outcome(reason=reason or next_reason(found, at), next_renewal=at, path=store.current(spec.name), **more)


def _exists(name: str, store: Store, state: State) -> bool:
    """Return whether the files of the current certificate exist; True if that cannot be checked."""
    try:
        return store.is_whole(name, state)
    except errors.StoreError:
        return True


def in_current(name: str, store: Store) -> State | None:
    """Return the state according to the certificate in ``current``, for a state file that cannot be read.

    Other programs use this certificate in any case. None if it does not exist or cannot be read either.
    """
    from dnsrenew.base import x509  # slow to load, and rarely needed

    try:
        facts = x509.read_certificate(store.read_part(name, None, "fullchain.pem") or b"")
    except (errors.StoreError, ValueError):
        return None
    return State(**facts.dated, domains=facts.names, identifiers=facts.names)


def deferred(
    spec: CertificateSpec, store: Store, state: State, reason: RenewalReason, context: Context
) -> Outcome | None:
    """Return the outcome of a certificate that an earlier failure defers, or None."""
    now = context.clock.now()
    until = history.deferred_until(state, now)
    if until is None:
        return None
    after = (until - now).total_seconds() if history.was_asked_to_wait(state) else None
    error = _last_error(state.last_failure, until, after)
    return outcome(spec, store, state, "deferred", context, reason=reason, error=error, next_attempt=until)


def _last_error(failure: Mapping[str, Any] | None, until: datetime, after: float | None) -> errors.DnsRenewError:
    """Return the error of the last failure, in its class. It says how to try again earlier.

    :param after: the seconds for which the CA has asked to wait, or None.
    """
    if failure is None or not failure.get("message"):
        code, message, fix = texts.FAILED_BEFORE.fill()
        evidence = {}
    else:
        cause, cause_fix = failure["message"], failure.get("fix") or texts.FAILED_BEFORE.fill()[2]
        _, message, fix = texts.DEFERRED.fill(cause=cause, cause_fix=cause_fix, until=rfc3339(until))
        evidence = {key: value for key, value in failure.items() if key in {"time", "url"}}
        evidence["failure"] = cause
        code = failure.get("code") or texts.FAILED_BEFORE.code
    if after is None:
        kind = _KINDS.get((failure or {}).get("class", ""), errors.AttemptError)
        return kind(code, message, fix=fix, evidence=evidence)
    return errors.CAError(code, message, fix=fix, evidence=evidence, retry_after=after)


def _warnings(
    spec: CertificateSpec, store: Store, state: State | None, before: State | None, context: Context
) -> tuple[Notice, ...]:
    stored: tuple[Notice, ...] = ()
    if state is not None:
        stored = (*state_warnings(spec, state, store), *ari_warnings(state, before))
    if stored and context.certificate is None:  # a context for each of ten thousand takes time
        context = context.for_certificate(spec.name)
    for notice in stored:  # all others were emitted when they were recorded
        context.emit("warning", **notice.to_dict())
    return (*stored, *context.run_notices, *context.notices)


def stopped_by(error: Exception, context: Context) -> tuple[OutcomeStatus, errors.DnsRenewError]:
    """Return the status and the error of a certificate whose renewal ended with an exception."""
    if isinstance(error, errors.LockedError):
        return "locked", error
    if isinstance(error, errors.Cancelled):
        return "interrupted", error
    return "failed", error if isinstance(error, errors.DnsRenewError) else unexpected(error, context)


def unexpected(error: Exception, context: Context) -> errors.DnsRenewError:
    """Translate an unexpected exception. The traceback, without secrets, goes only to the debug log."""
    redact = context.redactor.redact
    _logger.debug("unexpected error\n%s", redact(traceback.format_exc()))
    return errors.internal(error, f"{type(error).__name__}: {redact(str(error))}")


# ── the renewal of one certificate ─────────────────────────────────────────────────────


class Job(Frozen):
    """One certificate to be renewed now.

    :ivar state: the stored state, read under the lock.
    :ivar reason: why the certificate is due.
    """

    spec: CertificateSpec
    services: Services
    state: State
    reason: RenewalReason
    context: Context
    options: RunOptions

    @property
    def is_only_forced(self) -> bool:
        """Whether the certificate is not due, so that a failure says nothing about its next renewal."""
        return self.reason == "forced"

    def may_replace(self, ca: str) -> bool:
        """Return whether the stored certificate is valid and from this CA: no limit applies to its replacement."""
        ends, ours = self.state.not_after, self.state.ca == ca
        return ours and not self.options.dry_run and ends is not None and self.context.clock.now() < ends

    def refusal(self, ca: str, *, replaces: bool = False) -> errors.CAError | None:
        """Return why the CA would refuse an order now, according to the ledger."""
        if self.options.now:
            return None
        ledger, names, attended = self.services.ledger(ca), self.spec.identifiers, self.options.attended
        return ledger.may_order(names, replaces=replaces, expires=self.state.not_after, attended=attended)

    def outcome(self, status: OutcomeStatus, *, state: State | None = None, **more: Any) -> Outcome:
        """Return the outcome of this renewal."""
        stored = state or self.state
        more |= {"reason": self.reason, "before": self.state}
        return outcome(self.spec, self.services.store, stored, status, self.context, **more)
