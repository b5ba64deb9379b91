"""The story of one certificate, from "is it due?" to "it is in force".

Read it top to bottom: :func:`renew_certificate` looks whether anything is to be done, takes the
lock, looks again and makes an attempt; :func:`_obtain` is that attempt, in the order in which
things happen (RFC 8555 section 7.1): place the challenges, order, publish, wait, let the CA look,
finalize, check, withdraw.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew import due, workers
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsRenewError, LockedError, StoreError
from dnsrenew.model import Attempt, Outcome, Route, RouteTaken, Status

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew import x509
    from dnsrenew.ca import Authorization, CAClient, Challenge
    from dnsrenew.challenges.dns01 import Dns01, Placement, Value
    from dnsrenew.context import Context
    from dnsrenew.model import CertificateSpec, Notice, Reason
    from dnsrenew.store import State, Store

_logger = logging.getLogger("dnsrenew.renewal")


@dataclass(frozen=True, slots=True)
class Services:
    """What a renewal works with; made once a run and shared by all certificates.

    :ivar ca: gives the client for a CA, by name.
    """

    store: Store
    dns01: Dns01
    ca: Callable[[str], CAClient]


@dataclass(frozen=True, slots=True)
class Issued:
    """What a successful attempt brings."""

    fullchain_pem: str
    key_pem: bytes
    facts: x509.Facts


@dataclass(slots=True)
class _Way:
    """The way that is gone for one certificate, as far as it got."""

    ca: str
    routes: dict[str, Route]
    dns: tuple[str, ...] = ()
    orders: int = 0

    def taken(self) -> RouteTaken:
        return RouteTaken(ca=self.ca, challenge="dns-01", dns=self.dns)


def renew_certificate(
    spec: CertificateSpec,
    services: Callable[[], Services],
    store: Store,
    context: Context,
    *,
    force: bool = False,
    wait: float = 0,
) -> Outcome:
    """Renew one certificate if it is due; whatever happens, the answer is an outcome.

    :param services: called only when there is something to do.
    :param force: renew although it is not due.
    :param wait: seconds to wait for another run that works on it.
    """
    state: State | None = None
    reason: Reason | None = None
    try:
        state, reason = look(spec, store, context, force=force)
        if reason is None:
            return outcome(spec, store, state, "not-due", context)
        with store.lock(spec.name, context=context, wait=wait):
            # Another run may have renewed it while we waited for the lock.
            state, reason = look(spec, store, context, force=force)
            if reason is None:
                return outcome(spec, store, state, "not-due", context)
            context.emit("certificate-started", reason=reason, domains=list(spec.domains))
            return _renew(spec, services(), state, reason, context)
    except LockedError as error:
        return outcome(spec, store, state, "locked", context, reason=reason, error=error)
    except Cancelled as error:
        return outcome(spec, store, state, "interrupted", context, reason=reason, error=error)
    except DnsRenewError as error:
        return outcome(spec, store, state, "failed", context, reason=reason, error=error)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        return outcome(spec, store, state, "failed", context, reason=reason, error=_unexpected(error, context))


def look(
    spec: CertificateSpec, store: Store, context: Context, *, force: bool = False
) -> tuple[State | None, Reason | None]:
    """Return what is stored, and why it has to be renewed now (None: it does not)."""
    state = store.read_state(spec.name)
    whole = state is not None and store.is_whole(spec.name, state)
    reason = due.why_due(spec, state, context.clock.now(), whole=whole)
    return state, reason or ("forced" if force else None)


def _renew(spec: CertificateSpec, services: Services, state: State | None, reason: Reason, context: Context) -> Outcome:
    """Make the attempt, keep what it brought, and say what became of it."""
    store = services.store
    store.prove_writable(spec.name)  # nothing is ordered that could not be stored
    way = _way(spec)
    started = context.clock.monotonic()

    def attempt(error: DnsRenewError | None) -> tuple[Attempt, ...]:
        seconds = context.clock.monotonic() - started
        return (Attempt(route=way.taken(), orders=way.orders, seconds=seconds, error=error),)

    context.emit("route-started", ca=way.ca, challenge="dns-01", dns=[])
    try:
        issued = _obtain(spec, way, services, context)
        new_state = store.keep(spec, way.ca, issued.fullchain_pem, issued.key_pem, issued.facts)
    except DnsRenewError as error:
        context.emit("route-failed", **way.taken().to_dict(), error=error.to_dict())
        status: Status = "interrupted" if isinstance(error, Cancelled) else "failed"
        if isinstance(error, AttemptError):
            _remember(spec, store, error, context.clock.now())
        return outcome(spec, store, state, status, context, reason=reason, error=error, attempts=attempt(error))
    context.emit(
        "certificate-stored",
        path=str(store.current(spec.name)),
        serial=issued.facts.serial,
        not_after=issued.facts.not_after.isoformat(),
    )
    return outcome(spec, store, new_state, "renewed", context, reason=reason, route=way.taken(), attempts=attempt(None))


def _obtain(spec: CertificateSpec, way: _Way, services: Services, context: Context) -> Issued:
    """Go the way once: from no order to a certificate that is right.

    :raises AttemptError: it did not lead there; no TXT value of ours is left behind.
    """
    from dnsrenew import x509  # slow to import, and nothing due needs none of it

    challenge, ca = services.dns01, services.ca(way.ca)
    # Meanwhile: an RSA key takes up to a second, and the CA's directory and account some round trips.
    new_key = workers.start(partial(x509.new_key, spec.key))
    opened = workers.start(partial(ca.open, context))

    # What DNS forbids is found out before anything is ordered.
    placements = challenge.place(context, way.routes, spec.propagation.check)
    way.dns = tuple(dict.fromkeys(placement.writer.account.name for placement in placements.values()))
    challenge.unlock(context, placements.values())

    context.join(opened)
    order = ca.new_order(context, spec.identifiers)
    way.orders += 1
    authorizations = ca.authorizations(context, order)
    pending = [authorization for authorization in authorizations if authorization.status == "pending"]
    context.emit(
        "order-created", url=order.url, domains=list(spec.identifiers), pending=[a.identifier for a in pending]
    )
    key = context.join(new_key)
    csr = x509.make_csr(key, spec.identifiers)

    wanted = {authorization.identifier: authorization for authorization in pending}
    values = [_value(ca, challenge, placements, authorization) for authorization in pending]
    with challenge.alone(context, values), contextlib.ExitStack() as published:
        previous: list[Value] = []
        for values_now in challenge.rounds(values):
            if previous:  # the host keeps one value: the CA must have seen it before the next replaces it
                ca.await_valid(context, order, [wanted[value.placement.identifier] for value in previous])
                published.close()
            published.callback(challenge.withdraw, context, values_now)  # also what a failed publish has written
            challenge.publish(context, values_now)
            challenge.wait_visible(context, values_now, spec.propagation)
            ca.answer(context, [_challenge(wanted[value.placement.identifier]) for value in values_now])
            context.emit("challenges-answered", domains=[value.placement.identifier for value in values_now])
            previous = values_now
        chains = ca.issue(context, order, csr)

    facts = x509.check_chain(chains[0], key, spec.identifiers, context.clock.now())
    return Issued(chains[0], x509.key_to_pem(key), facts)


def _way(spec: CertificateSpec) -> _Way:
    """Choose each name's route: the first dns-01 route at the CA of the first; by default the accounts that fit."""
    usable = [route for route in spec.routes if route.challenge == "dns-01"] or [Route("dns-01")]
    return _Way(usable[0].ca or spec.ca, dict.fromkeys(spec.identifiers, usable[0]))


def _challenge(authorization: Authorization) -> Challenge:
    """Return the challenge that can be answered here.

    :raises CAError: the CA does not offer it.
    """
    challenge = authorization.challenge("dns-01")
    if challenge is None or challenge.token is None:
        offered = sorted({challenge.type for challenge in authorization.challenges})
        raise CAError(
            "ca-no-challenge",
            f"The CA does not offer dns-01 for {authorization.identifier}, only {', '.join(offered) or 'nothing'}.",
            fix="Use another CA for this name.",
            evidence={"identifier": authorization.identifier, "offered": offered},
        )
    return challenge


def _value(ca: CAClient, dns01: Dns01, placements: dict[str, Placement], authorization: Authorization) -> Value:
    """Return the TXT value that proves control of the authorization's name, at its place."""
    placement = placements.get(authorization.identifier)
    if placement is None:
        raise CAError(
            "ca-malformed-answer",
            f"The CA asks for proof of {authorization.identifier}, which was not ordered.",
            fix="Try again later, or use another CA.",
            evidence={"identifier": authorization.identifier},
        )
    return dns01.value(placement, ca.dns01_value(_challenge(authorization)))


def outcome(
    spec: CertificateSpec,
    store: Store,
    state: State | None,
    status: Status,
    context: Context,
    *,
    reason: Reason | None = None,
    **more: Any,  # fields of Outcome
) -> Outcome:
    """Return the outcome for one certificate: what is in force now, and what happened."""
    if state is None or state.version is None:
        return Outcome(
            name=spec.name,
            status=status,
            reason=reason or "missing",
            domains=spec.domains,
            warnings=_warnings(state, context),
            **more,
        )
    return Outcome(
        name=spec.name,
        status=status,
        reason=reason or "renew-before",
        domains=spec.domains,
        issuer=state.issuer,
        serial=state.serial,
        not_before=state.not_before,
        not_after=state.not_after,
        next_renewal=due.next_renewal(spec, state),
        path=store.current(spec.name),
        warnings=_warnings(state, context),
        **more,
    )


def _warnings(state: State | None, context: Context) -> tuple[Notice, ...]:
    return (*(() if state is None else state.notices), *context.notices)


def _remember(spec: CertificateSpec, store: Store, error: DnsRenewError, now: datetime) -> None:
    """Keep the failure for ``status``; a store that fails now must not hide the error itself."""
    with contextlib.suppress(StoreError):
        store.note_failure(spec.name, error.code, error.message, now)


def _unexpected(error: Exception, context: Context) -> DnsRenewError:
    """Translate what should not have happened; the traceback goes, without secrets, to the debug log only."""
    redact = context.redactor.redact
    _logger.debug("unexpected error\n%s", redact(traceback.format_exc()))
    cause = f"{type(error).__name__}: {redact(str(error))}"
    return DnsRenewError(
        "internal-error",
        f"Something unexpected went wrong in dnsrenew itself ({type(error).__name__}).",
        fix="Run it again with -vv and report what it prints.",
        evidence={"cause": cause},
    )
