"""The story of one certificate, from "is it due?" to "it is in force".

Read it top to bottom. :func:`glance` looks whether anything is to be done; :func:`renew_certificate` takes
the lock and looks again. :func:`_renew` goes one way after the other until one leads to a certificate; what
a failure changes is decided in :mod:`dnsrenew.course`. :func:`_look_ahead` finds out, before anything is
ordered, what cannot work. :func:`_obtain` goes the way (RFC 8555 section 7.1): order, publish, wait, let the
CA look, finalize, check; and takes back what it has published, whatever happens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew import due, memory, workers
from dnsrenew.course import Course
from dnsrenew.errors import AttemptError, CAError, Cancelled, DnsRenewError, LockedError, ProviderError, StoreError
from dnsrenew.model import rfc3339
from dnsrenew.outcomes import deferred, outcome, unexpected
from dnsrenew.turns import Turns
from dnsrenew.way import Way
from dnsrenew.wishes import Question

if TYPE_CHECKING:
    from dnsrenew import x509
    from dnsrenew.ca import Authorization, CAClient, Challenge, Order
    from dnsrenew.challenges.mix import Challenges, Places, Value
    from dnsrenew.context import Context
    from dnsrenew.dns import DnsView
    from dnsrenew.model import CertificateSpec, Outcome, Reason, Route, Status
    from dnsrenew.store import State, Store
    from dnsrenew.store.ledger import Ledger
    from dnsrenew.x509 import PrivateKey


@dataclass(frozen=True, slots=True)
class Services:
    """What renewals work with; made once a run and shared by all certificates.

    :ivar ca: gives the client for a CA, by name.
    :ivar ledger: gives the ledger of our account there.
    :ivar authority: for the name of a CA the one that is really asked: itself, or in a rehearsal its staging twin.
    :ivar close: ends all connections.
    :ivar deaf: the CAs that did not tell in time when they would like a new certificate renewed.
    :ivar turns: taken by certificates for the same names.
    """

    store: Store
    dns: DnsView
    challenges: Challenges
    ca: Callable[[str], CAClient]
    ledger: Callable[[str], Ledger]
    authority: Mapping[str, str]
    close: Callable[[], None]
    deaf: set[str] = field(default_factory=set)
    turns: Turns = field(default_factory=Turns)


def _unknown_edition(_spec: CertificateSpec) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a run was asked for.

    :ivar force: renew also what is not due, and although an earlier failure says later.
    :ivar now: renew what is due although an earlier failure or the ledger says later.
    :ivar rehearse: go all the way at the staging twin of the CA, and keep nothing.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar edition: gives that of what a certificate depends on: what failed with another one is tried again at once.
    """

    force: bool = False
    now: bool = False
    rehearse: bool = False
    wait: float = 0
    edition: Callable[[CertificateSpec], int | None] = _unknown_edition


@dataclass(frozen=True, slots=True)
class Job:
    """One certificate that is to be renewed now.

    :ivar state: what is stored.
    :ivar reason: why.
    """

    spec: CertificateSpec
    services: Services
    state: State
    reason: Reason
    context: Context
    wishes: Wishes

    def outcome(self, status: Status, *, state: State | None = None, **more: Any) -> Outcome:
        """Return the outcome of this job."""
        stored = state or self.state
        more |= {"reason": self.reason, "before": self.state}
        return outcome(self.spec, self.services.store, stored, status, self.context, **more)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a way that led there brings."""

    fullchain_pem: str
    key_pem: bytes
    facts: x509.Facts


def renew_certificate(
    spec: CertificateSpec, services: Callable[[], Services], store: Store, context: Context, wishes: Wishes
) -> Outcome:
    """Renew one certificate if it is due; whatever happens, the answer is an outcome.

    :param services: called only when there is something to do.
    """
    state: State | None = None
    reason: Reason | None = None
    try:
        state = store.read_state(spec.name)
        reason = why(spec, store, state, context, wishes)
        with store.lock(spec.name, context=context, wait=wishes.wait):
            # Another run may have renewed it while we waited for the lock.
            state = store.read_state(spec.name)
            done = glance(spec, store, state, context, wishes)
            if done is not None:
                return done
            reason = why(spec, store, state, context, wishes) or "forced"
            context.emit("certificate-started", reason=reason, domains=list(spec.domains))
            return _renew(Job(spec, services(), state, reason, context, wishes))
    except LockedError as error:
        return outcome(spec, store, state, "locked", context, reason=reason, error=error)
    except Cancelled as error:
        return outcome(spec, store, state, "interrupted", context, reason=reason, error=error)
    except DnsRenewError as error:
        return outcome(spec, store, state, "failed", context, reason=reason, error=error)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        return outcome(spec, store, state, "failed", context, reason=reason, error=unexpected(error, context))


def why(spec: CertificateSpec, store: Store, state: State, context: Context, wishes: Wishes) -> Reason | None:
    """Return why the certificate has to be renewed now; None: it does not."""
    reason = due.why_due(spec, state, context.clock.now(), whole=store.is_whole(spec.name, state))
    return reason or ("forced" if wishes.force or wishes.rehearse else None)


def glance(spec: CertificateSpec, store: Store, state: State, context: Context, wishes: Wishes) -> Outcome | None:
    """Return the outcome of a certificate that nothing is to be done for now; None for the others."""
    reason = why(spec, store, state, context, wishes)
    if reason is None:
        return outcome(spec, store, state, "not-due", context)
    if wishes.force or wishes.now or wishes.rehearse or _was_edited(spec, state, wishes):
        return None
    return deferred(spec, store, state, reason, context)


def _was_edited(spec: CertificateSpec, state: State, wishes: Wishes) -> bool:
    """Tell whether what failed may have been mended; what a CA asked for holds all the same."""
    if state.tried_with is None or memory.was_asked_to_wait(state):
        return False
    return wishes.edition(spec) not in {None, state.tried_with}


def _renew(job: Job) -> Outcome:
    """Go one way after the other until one leads to a certificate."""
    # Nothing is ordered that could not be stored; a rehearsal keeps nothing but the account.
    job.services.store.prove_writable(None if job.wishes.rehearse else job.spec.name)
    clock = job.context.clock
    course = Course(job.spec, job.state, job.context, job.services.authority)
    while (way := course.next()) is not None:
        try:
            places = _look_ahead(job, way)
            if course.learn(way, places):
                continue
            with job.services.turns.turn(job.context, way.choice.ca, job.spec.identifiers):
                issued = _obtain(job, way, places)
            state = job.state if job.wishes.rehearse else _keep(job, course, way, issued)
        except AttemptError as error:
            job.services.challenges.explain(job.context, way.choice.routes, error)
            course.failed(way, error)
            _note(job, way, error)
        except DnsRenewError as error:  # of no route: the store, a secret, Ctrl-C
            attempts = (*course.attempts, way.attempt(error, clock.monotonic()))
            interrupted = isinstance(error, Cancelled)
            _tell_of(job, error)
            return job.outcome("interrupted" if interrupted else "failed", error=error, attempts=attempts)
        else:
            attempts = (*course.attempts, way.attempt(None, clock.monotonic()))
            status: Status = "rehearsed" if job.wishes.rehearse else "renewed"
            return job.outcome(status, state=state, route=way.taken(), attempts=attempts)
    return _give_up(job, course)


def _look_ahead(job: Job, way: Way) -> Places:
    """Find out where the proofs go, and what forbids it for certain, before anything is ordered.

    :raises CAError: the CA cannot be reached, is none, or refuses the account.
    :raises SecretError: the secret of an account that is needed cannot be read.
    """
    context, challenges, ca = job.context, job.services.challenges, job.services.ca(way.choice.ca)
    held = None if job.wishes.now or _may_replace(job, way) else job.services.ledger(way.choice.ca).may_begin()
    if held is not None:
        raise held
    opened = workers.start(partial(ca.open, context))  # some round trips; meanwhile DNS is asked
    places = challenges.place(context, way.choice.routes, job.spec.propagation.check, way.proved)
    if places.obstacles:
        return places
    answers = workers.start(partial(job.services.dns.caa, context, list(places.routes)))
    try:
        challenges.unlock(context, places.needed())
    except ProviderError as error:
        places.refuse(error)
        return places
    account_url, records = context.join(opened), context.join(answers)
    places.forbid(records, ca.caa_identities(context), account_url)
    return places


def _obtain(job: Job, way: Way, places: Places) -> Issued:
    """Go the way: from no order to a certificate that is right.

    :raises AttemptError: it did not lead there; nothing that we published is left behind.
    """
    from dnsrenew import x509

    spec, context = job.spec, job.context
    challenges, ca = job.services.challenges, job.services.ca(way.choice.ca)
    context.emit("route-started", **way.taken().to_dict())
    new_key = workers.start(partial(_key, job))  # an RSA key takes up to a second

    order, authorizations = _order(job, way)
    wanted = {one.identifier: one for one in authorizations if one.status == "pending"}
    way.pending = [identifier for identifier in spec.identifiers if identifier in wanted]
    context.emit("order-created", url=order.url, domains=list(spec.identifiers), pending=way.pending)
    key = context.join(new_key)
    csr = x509.make_csr(key, spec.identifiers)

    answers = {identifier: _challenge(authorization, way) for identifier, authorization in wanted.items()}
    values = [
        value
        for identifier in way.pending
        for value in challenges.values(ca, places.placement(identifier), answers[identifier])
    ]
    with challenges.alone(context, values), contextlib.ExitStack() as published:
        before: list[Value] = []
        for now in challenges.rounds(values):
            if before:  # the host keeps one value: the CA must have seen it before the next one replaces it
                ca.await_valid(context, order, [wanted[identifier] for identifier in _identifiers(before)])
                published.close()
            published.callback(challenges.withdraw, context, now)  # also what a failed publish has written
            challenges.publish(context, now)
            challenges.wait_visible(context, now, spec.propagation, way.settle)
            way.seen = True
            challenges.caches.wait(context, way.choice.ca, now)
            ca.answer(context, [answers[identifier] for identifier in _identifiers(now)])
            context.emit("challenges-answered", domains=_identifiers(now))
            challenges.caches.note(context, way.choice.ca, now)
            before = now
        chains = ca.issue(context, order, csr, preferred_chain=spec.preferred_chain)

    facts = x509.check_chain(chains[0], key, spec.identifiers, context.clock.now())
    return Issued(chains[0], x509.key_to_pem(key), facts)


def _order(job: Job, way: Way) -> tuple[Order, tuple[Authorization, ...]]:
    """Order, unless it is known that the CA would refuse; return the order and what it wants proved.

    :raises CAError: the CA refuses, or would.
    """
    spec, context, ca = job.spec, job.context, job.services.ca(way.choice.ca)
    replaces = _replaces(job, way)
    if not job.wishes.now:
        held = job.services.ledger(way.choice.ca).may_order(spec.identifiers, replaces=replaces is not None)
        if held is not None:
            raise held
    order = ca.new_order(context, spec.identifiers, replaces=replaces, profile=spec.profile)
    way.orders += 1
    authorizations = ca.authorizations(context, order)
    if job.wishes.rehearse and any(one.status == "valid" for one in authorizations):
        # What an earlier rehearsal has proved would not be proved again.
        ca.deactivate_authorizations(context, order)
        order = ca.new_order(context, spec.identifiers, profile=spec.profile)
        way.orders += 1
        authorizations = ca.authorizations(context, order)
    return order, authorizations


def _replaces(job: Job, way: Way) -> str | None:
    """Return the ARI identifier of the certificate that is replaced, if it is this CA's (RFC 9773 section 5)."""
    from dnsrenew.ca import ari

    stored = job.services.store.certificate(job.spec.name, job.state) if _may_replace(job, way) else None
    if stored is None:
        return None
    if not job.services.ca(way.choice.ca).offers_renewal_info(job.context):
        return None
    try:
        return ari.cert_id(stored.certificate_path.read_text("ascii"))
    except (OSError, ValueError):
        return None  # it only makes the renewal count less


def _may_replace(job: Job, way: Way) -> bool:
    """Tell whether the certificate that stands is valid and this CA's: no limit holds back what replaces it."""
    ends, ours = job.state.not_after, job.state.ca == way.choice.ca
    return ours and not job.wishes.rehearse and ends is not None and job.context.clock.now() < ends


def _key(job: Job) -> PrivateKey:
    """Return the key for the new certificate: a new one, or the one that stands."""
    from dnsrenew import x509

    spec = job.spec
    # The key of a revoked certificate may be in other hands, and some CAs refuse it from then on.
    reused = spec.reuse_key and job.state.key == spec.key and not job.state.revoked
    stored = job.services.store.certificate(spec.name, job.state) if reused else None
    return x509.new_key(spec.key) if stored is None else x509.key_from_pem(stored.private_key_path.read_bytes())


def _challenge(authorization: Authorization, way: Way) -> Challenge:
    """Return the challenge that the name's route answers.

    :raises CAError: the CA does not offer it, or asks for a name that was not ordered.
    """
    route: Route | None = way.choice.routes.get(authorization.identifier)
    challenge = None if route is None else authorization.challenge(route.challenge)
    if route is not None and challenge is not None and challenge.token is not None:
        return challenge
    offered = sorted({challenge.type for challenge in authorization.challenges})
    what = "asks for proof of a name that was not ordered" if route is None else f"does not offer {route.challenge}"
    raise CAError(
        "ca-no-challenge",
        f"The CA {way.choice.ca} {what}: {authorization.identifier} (it offers {', '.join(offered) or 'nothing'}).",
        fix="Use another route or another CA for this name.",
        evidence={"identifier": authorization.identifier, "offered": offered},
    )


def _identifiers(values: list[Value]) -> list[str]:
    """Return whose values they are, each once."""
    return list(dict.fromkeys(value.identifier for value in values))


# ── the end of a run ────────────────────────────────────────────────────────────────────


def _keep(job: Job, course: Course, way: Way, issued: Issued) -> State:
    """Put the new certificate into force, and remember which ways failed and which led to it."""
    spec, store, context = job.spec, job.services.store, job.context
    job.services.ledger(way.choice.ca).note_certificate(spec.identifiers)
    now = context.clock.now()

    pem, key, facts = issued.fullchain_pem, issued.key_pem, issued.facts
    ca, services = way.choice.ca, job.services
    question = Question(services.ca(ca), ca, pem, context, reason=job.reason, deaf=services.deaf)

    def remember(state: State) -> State:
        return question.noted(course.remembered(state, now, way.choice.distinct()))

    state = store.keep(spec, ca, pem, key, facts, remember=remember)
    not_after = rfc3339(facts.not_after)
    context.emit("certificate-stored", path=str(store.current(spec.name)), serial=facts.serial, not_after=not_after)
    return question.settle(store, spec.name, state)


def _note(job: Job, way: Way, error: AttemptError) -> None:
    """Write down what makes the CA refuse the next order."""
    if job.wishes.rehearse:
        return
    ledger = job.services.ledger(way.choice.ca)
    failed = way.failed_names(error)
    if failed and way.seen:
        ledger.note_failed_validation(failed)
    if not isinstance(error, CAError) or error.code != "ca-rate-limited":
        return
    # A name that the CA has paused waits for a person, also where another CA fails after it.
    unpause = error.evidence.get("url")
    after = error.retry_after or (memory.DAY.total_seconds() if unpause else None)
    if after is not None:
        about_order = error.evidence.get("stage", "newOrder") == "newOrder" and not way.pending
        ledger.note_retry_after(after, list(way.choice.routes) if about_order else None, url=unpause)


def _tell_of(job: Job, error: DnsRenewError) -> None:
    """Let ``status`` tell of a failure that no CA or DNS host had a part in; the next run tries again."""
    if job.wishes.rehearse or isinstance(error, Cancelled | StoreError):
        return
    now = job.context.clock.now()
    with contextlib.suppress(StoreError):
        job.services.store.update(job.spec.name, lambda state: state.failed(error.code, error.message, now))


def _give_up(job: Job, course: Course) -> Outcome:
    """Remember the failure, and say when the next attempt is made."""
    error, now = course.error, job.context.clock.now()
    after = course.asked_to_wait()
    attempts = tuple(course.attempts)
    if course.only_held() and after is not None:  # nothing was tried, and so nothing failed
        until = now + timedelta(seconds=after)
        return job.outcome("deferred", error=error, attempts=attempts, next_attempt=until)
    if job.wishes.rehearse:
        return job.outcome("failed", error=error, attempts=attempts)

    def remember(state: State) -> State:
        failed = memory.after_failure(state, error, now, job.context.random, retry_after=after, attempts=attempts)
        return replace(course.remembered(failed, now), tried_with=job.wishes.edition(job.spec))

    state = job.state
    with contextlib.suppress(StoreError):  # it must not hide the error itself
        state = job.services.store.update(job.spec.name, remember)
    return job.outcome("failed", state=state, error=error, attempts=attempts, next_attempt=state.next_attempt)
