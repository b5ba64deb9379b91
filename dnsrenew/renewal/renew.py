"""The story of one certificate, from "is it due?" to "it is in force".

Read it top to bottom. :func:`glance` looks whether anything is to be done; :func:`renew_certificate` takes
the lock and looks again. :func:`_renew` goes one way after the other until one leads to a certificate; what
a failure changes is decided in :mod:`dnsrenew.fallback.planner`. An order that a killed run left behind is taken up
(:mod:`dnsrenew.renewal.resume`). :func:`_look_ahead` finds out, before anything is ordered, what cannot work.
:func:`_obtain` goes the way (RFC 8555 section 7.1): order, publish, wait, let the CA look, finalize, check;
and takes back what it has published, whatever happens. :func:`_keep` puts the certificate into force.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.base.values import replace
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsRenewError, LockedError, ProviderError
from dnsrenew.fallback import history
from dnsrenew.fallback.planner import FallbackPlanner
from dnsrenew.model import rfc3339
from dnsrenew.renewal import due, previous, resume
from dnsrenew.renewal.failure import finish, record, record_unrelated
from dnsrenew.renewal.job import Issued, Job, RunOptions, Services
from dnsrenew.renewal.outcomes import deferred, outcome, unexpected
from dnsrenew.renewal.renewal_info import RenewalInfoQuery

if TYPE_CHECKING:
    from dnsrenew.ca import Authorization, Challenge, Order
    from dnsrenew.challenges.solver import Placements, Value
    from dnsrenew.fallback.attempt import ActiveAttempt
    from dnsrenew.model import CertificateSpec, Outcome, Reason, Route, Status
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store


_ENDS: Final[Mapping[type[DnsRenewError], Status]] = {Cancelled: "interrupted", LockedError: "locked"}
"""What becomes of a certificate after an error that is no route's; after any other it has failed."""


def renew_certificate(
    spec: CertificateSpec, services: Callable[[], Services], store: Store, context: Context, options: RunOptions
) -> Outcome:
    """Renew one certificate if it is due; whatever happens, the answer is an outcome.

    :param services: called only when there is something to do.
    """
    state: State | None = None
    reason: Reason | None = None
    try:
        state = store.read_state(spec.name)
        reason = why(spec, store, state, context, options)
        with store.lock(spec.name, context=context, wait=options.wait):
            # Another run may have renewed it while we waited for the lock.
            state = store.read_state(spec.name)
            done = glance(spec, store, state, context, options)
            if done is not None:
                return done
            reason = why(spec, store, state, context, options) or "forced"
            context.emit("certificate-started", reason=reason, domains=list(spec.domains))
            return _renew(Job(spec, services(), state, reason, context, options))
    except LockedError as error:
        return outcome(spec, store, state, "locked", context, reason=reason, error=error)
    except Cancelled as error:
        return outcome(spec, store, state, "interrupted", context, reason=reason, error=error)
    except DnsRenewError as error:
        return outcome(spec, store, state, "failed", context, reason=reason, error=error)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        return outcome(spec, store, state, "failed", context, reason=reason, error=unexpected(error, context))


def why(spec: CertificateSpec, store: Store, state: State, context: Context, options: RunOptions) -> Reason | None:
    """Return why the certificate has to be renewed now; None: it does not."""
    reason = due.why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if options.force or options.dry_run else None)


def glance(spec: CertificateSpec, store: Store, state: State, context: Context, options: RunOptions) -> Outcome | None:
    """Return the outcome of a certificate that nothing is to be done for now; None for the others."""
    reason = why(spec, store, state, context, options)
    if reason is None:
        return outcome(spec, store, state, "not-due", context)
    if options.force or options.now or options.dry_run or _was_edited(spec, state, options):
        return None
    return deferred(spec, store, state, reason, context)


def _was_edited(spec: CertificateSpec, state: State, options: RunOptions) -> bool:
    """Tell whether what failed may have been mended; what a CA asked for holds all the same."""
    if state.tried_with is None or history.was_asked_to_wait(state):
        return False
    return options.fingerprint(spec) not in {None, state.tried_with}


def _renew(job: Job) -> Outcome:
    """Go one way after the other until one leads to a certificate."""
    # Nothing is ordered that could not be stored; a rehearsal keeps nothing but the account.
    job.services.store.prove_writable(None if job.options.dry_run else job.spec.name)
    if not job.options.dry_run:
        job.services.store.report_damage(job.spec.name, job.state, job.context)
    clock = job.context.clock
    planner = FallbackPlanner(job.spec, job.state, job.context, job.services.effective_ca)
    left = resume.load_pending(job)
    attempt = planner.next() if left is None else resume.attempt_for(job, left)
    while attempt is not None:
        try:
            issued = _go(job, planner, attempt) if left is None else resume.fetch(job, attempt, left)
            if issued is not None:
                state = job.state if job.options.dry_run else _keep(job, planner, attempt, issued)
                attempts = (*planner.attempts, attempt.attempt(None, clock.monotonic()))
                status: Status = "rehearsed" if job.options.dry_run else "renewed"
                return job.outcome(status, state=state, route=attempt.taken(), attempts=attempts)
        except AttemptError as error:
            job.services.challenges.explain(job.context, attempt.selection.routes, error)
            planner.failed(attempt, error)
            record(job, attempt, error)
        except DnsRenewError as error:  # of no route: the store, a secret, Ctrl-C
            attempts = (*planner.attempts, attempt.attempt(error, clock.monotonic()))
            record_unrelated(job, error)
            return job.outcome(_ENDS.get(type(error), "failed"), error=error, attempts=attempts)
        left, attempt = None, planner.next()
    return finish(job, planner)


def _go(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt) -> Issued | None:
    """Go a way to its end; None where it turns out before an order that another one is to be gone.

    :raises AttemptError: it did not lead to a certificate.
    :raises LockedError: another run is where only one can be at a time; nothing was ordered.
    """
    placements = _look_ahead(job, attempt)
    if planner.apply_preflight(attempt, placements):
        return None
    context, services = job.context, job.services
    with (
        services.turns.turn(context, attempt.selection.ca, job.spec.identifiers),
        services.challenges.alone(context, placements),
    ):
        return _obtain(job, attempt, placements)


def _look_ahead(job: Job, attempt: ActiveAttempt) -> Placements:
    """Find out where the proofs go, and what forbids it for certain, before anything is ordered.

    :raises CAError: the CA cannot be reached, is none, or refuses the account.
    :raises SecretError: the secret of an account that is needed cannot be read.
    """
    context, challenges, ca = job.context, job.services.challenges, job.services.ca(attempt.selection.ca)
    held = (
        None
        if job.options.now or job.may_replace(attempt.selection.ca)
        else job.services.ledger(attempt.selection.ca).may_begin()
    )
    if held is not None:
        raise held
    opened = threads.start(partial(ca.open, context))  # some round trips; meanwhile DNS is asked
    placements = challenges.place(context, attempt.selection.routes, job.spec.propagation.check, attempt.validated)
    if placements.blockers:
        return placements
    answers = threads.start(partial(job.services.dns.caa, context, list(placements.routes)))
    try:
        challenges.prepare_drivers(context, placements.needed())
    except ProviderError as error:
        placements.refuse(error)
        return placements
    account_url, records = context.join(opened), context.join(answers)
    placements.forbid(records, ca.caa_identities(context), account_url)
    return placements


def _obtain(job: Job, attempt: ActiveAttempt, placements: Placements) -> Issued:
    """Go the way: from no order to a certificate that is right.

    :raises AttemptError: it did not lead there; nothing that we published is left behind.
    """
    from dnsrenew import x509

    spec, context = job.spec, job.context
    challenges, ca = job.services.challenges, job.services.ca(attempt.selection.ca)
    context.emit("route-started", **attempt.taken().to_dict())
    new_key = threads.start(partial(previous.key_for, job))  # an RSA key takes up to a second

    order, authorizations = _order(job, attempt)
    wanted = {one.identifier: one for one in authorizations if one.status == "pending"}
    attempt.pending = [identifier for identifier in spec.identifiers if identifier in wanted]
    context.emit("order-created", url=order.url, domains=list(spec.identifiers), pending=attempt.pending)
    key = context.join(new_key)
    csr = x509.make_csr(key, spec.identifiers)

    answers = {identifier: _challenge(authorization, attempt) for identifier, authorization in wanted.items()}
    values = [
        value
        for identifier in attempt.pending
        for value in challenges.values(ca, placements.placement(identifier), answers[identifier])
    ]
    with challenges.journaled(context, values), contextlib.ExitStack() as published:
        before: list[Value] = []
        for now in challenges.rounds(values):
            if before:  # the host keeps one value: the CA must have seen it before the next one replaces it
                ca.await_valid(context, order, [wanted[identifier] for identifier in _identifiers(before)])
                published.close()
            published.callback(challenges.withdraw, context, now)  # also what a failed publish has written
            challenges.publish(context, now)
            challenges.wait_visible(context, now, spec.propagation, attempt.settle)
            attempt.seen = True
            challenges.caches.wait(context, attempt.selection.ca, now)
            ca.answer(context, [answers[identifier] for identifier in _identifiers(now)])
            context.emit("challenges-answered", domains=_identifiers(now))
            challenges.caches.note(context, attempt.selection.ca, now)
            before = now
        # While the CA looks; a run that is killed from here on is taken up by the next one.
        chain = resume.issue(job, attempt, order, key, csr)

    facts = x509.check_chain(chain, key, spec.identifiers, context.clock.now())
    return Issued(chain, x509.key_to_pem(key), facts, order.profile)


def _order(job: Job, attempt: ActiveAttempt) -> tuple[Order, tuple[Authorization, ...]]:
    """Order, unless it is known that the CA would refuse; return the order and what it wants proved.

    :raises CAError: the CA refuses, or would.
    """
    spec, context, ca = job.spec, job.context, job.services.ca(attempt.selection.ca)
    replaces = previous.replaced_cert_id(job, attempt.selection.ca)
    if not job.options.now:
        held = job.services.ledger(attempt.selection.ca).may_order(spec.identifiers, replaces=replaces is not None)
        if held is not None:
            raise held
    order = ca.new_order(context, spec.identifiers, replaces=replaces, profile=spec.profile)
    attempt.orders += 1
    authorizations = ca.authorizations(context, order)
    if job.options.dry_run and any(one.status == "valid" for one in authorizations):
        # What an earlier rehearsal has proved would not be proved again.
        ca.deactivate_authorizations(context, order)
        order = ca.new_order(context, spec.identifiers, profile=spec.profile)
        attempt.orders += 1
        authorizations = ca.authorizations(context, order)
    return order, authorizations


def _challenge(authorization: Authorization, attempt: ActiveAttempt) -> Challenge:
    """Return the challenge that the name's route answers.

    :raises CAError: the CA does not offer it, or asks for a name that was not ordered.
    """
    route: Route | None = attempt.selection.routes.get(authorization.identifier)
    challenge = None if route is None else authorization.challenge(route.challenge)
    if route is not None and challenge is not None and challenge.token is not None:
        return challenge
    ca = attempt.selection.ca
    offered = sorted({challenge.type for challenge in authorization.challenges})
    what = "asks for proof of a name that was not ordered" if route is None else f"does not offer {route.challenge}"
    raise CAError(
        "ca-no-challenge",
        f"The CA {ca} {what}: {authorization.identifier} (it offers {', '.join(offered) or 'nothing'}).",
        fix="Use another route or another CA for this name.",
        evidence={"identifier": authorization.identifier, "offered": offered},
    )


def _identifiers(values: list[Value]) -> list[str]:
    """Return whose values they are, each once."""
    return list(dict.fromkeys(value.identifier for value in values))


# ── the end of a run ────────────────────────────────────────────────────────────────────


def _keep(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt, issued: Issued) -> State:
    """Put the new certificate into force, and remember which ways failed and which led to it."""
    spec, store, context = job.spec, job.services.store, job.context
    job.services.ledger(attempt.selection.ca).note_certificate(spec.identifiers)
    now = context.clock.now()

    pem, key, facts = issued.fullchain_pem, issued.key_pem, issued.facts
    ca, services = attempt.selection.ca, job.services
    question = RenewalInfoQuery(
        services.ca(ca), ca, pem, context, reason=job.reason, unresponsive=services.unresponsive
    )

    without_profile = spec.profile is not None and issued.profile is None

    def remember(state: State) -> State:
        state = replace(state, without_profile=without_profile)
        return question.noted(planner.remembered(state, now, attempt.selection.distinct()))

    state = store.keep(spec, ca, pem, key, facts, remember=remember)
    store.orders.clear(spec.name)
    store.set_damaged_aside(spec.name, job.state)  # not before: what is damaged may still be of use to others
    not_after = rfc3339(facts.not_after)
    context.emit("certificate-stored", path=str(store.current(spec.name)), serial=facts.serial, not_after=not_after)
    return question.settle(store, spec.name, state)
