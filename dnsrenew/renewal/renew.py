"""The renewal of one certificate (RFC 8555 section 7.1). Read it top to bottom.

:class:`Renewals` renews several certificates at the same time, and deploys them together. For one of them,
:func:`renew_certificate` takes the lock and checks again whether the certificate is due. :func:`_renew` tries one route
selection after another; :mod:`dnsrenew.renewal.planner` decides which. :func:`_preflight` finds impossible routes
before an order. :func:`_issue` orders, publishes, waits until the values are visible, answers the challenges, finalizes
and checks the certificate; published values are withdrawn while the CA issues, and after every error. :func:`_keep`
stores the result. The module is imported only when a certificate is due, because that takes long.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from dnsrenew.acme import Authorization, Challenge, Order
from dnsrenew.base import threads, x509
from dnsrenew.base.checks import denials
from dnsrenew.base.model import CertificateSpec, Outcome, OutcomeStatus, RenewalReason, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import grouped, replace
from dnsrenew.challenges import CHALLENGES, leftovers
from dnsrenew.challenges.records import writers_of
from dnsrenew.challenges.solver import Placements, Value
from dnsrenew.drivers.loading import warm_up
from dnsrenew.errors import AttemptError, CAError, DnsRenewError, ProviderError, StoreError
from dnsrenew.renewal import deploying, due, failure, port_programs, renewal_info, resume, texts
from dnsrenew.renewal.due import Due, Job, Run, RunOptions, check_due, outcome, stopped_by
from dnsrenew.renewal.planner import ActiveAttempt, FallbackPlanner, Reselect
from dnsrenew.renewal.renewal_info import RenewalInfoQuery
from dnsrenew.renewal.resume import Issued
from dnsrenew.store import State
from dnsrenew.store.zone_locks import ZoneLocks

_PATIENCE: Final = 60.0
"""Seconds that a new certificate waits for the other renewals of its run, so that they are deployed together."""
_LAST_SECONDS: Final = 5.0
"""Seconds that each certificate has to withdraw its published values after a cancel."""


class Renewals(Run):
    """The part of a :class:`Batch` for due certificates, and for leftovers of interrupted runs."""

    def go(self, waiting: Sequence[tuple[CertificateSpec, Due | None]], limit: int) -> list[Outcome]:
        """Renew and deploy. Certificates whose programs stop a server come last, when all others are deployed."""
        groups = {None: [], **grouped(waiting, lambda each: port_programs.that_stop_others(each[0]))}
        done: dict[str, Outcome] = {}
        for programs, group in groups.items():
            # No deployment may need a stopped server, so it runs when all of the group have ended.
            done |= self._renew_group(group, limit, patience=math.inf if programs else _PATIENCE)
        return [done[spec.name] for spec, _ in waiting]

    def _renew_group(
        self, group: Sequence[tuple[CertificateSpec, Due | None]], limit: int, *, patience: float
    ) -> dict[str, Outcome]:
        """Renew certificates at the same time, and deploy them together.

        :param patience: seconds to wait for the others. After that, the finished ones are deployed.
        """
        pool = threads.ThreadPool(limit)
        tasks = pool.start([partial(self.renew, spec, before, pool) for spec, before in group])
        left = dict(zip((spec for spec, _ in group), tasks, strict=True))
        outcomes: dict[str, Outcome] = {}
        with self.context.ending(tasks, _LAST_SECONDS):  # every certificate withdraws its published values
            while left:
                waited = 0.0
                for task in left.values():
                    while waited < patience and not task.done.wait(threads.SLICE):
                        waited += threads.SLICE
                ended = [spec for spec, task in left.items() if task.done.is_set()]
                outcomes |= self._deploy_all([(spec, left.pop(spec).result()) for spec in ended], limit)
        return outcomes

    def _deploy_all(self, renewed: Sequence[tuple[CertificateSpec, Outcome]], limit: int) -> dict[str, Outcome]:
        """Deploy pending entries of certificates whose renewal has ended; return their outcomes."""
        done = {spec.name: outcome for spec, outcome in renewed}
        store, context, wait = self.store, self.context, self.options.wait
        jobs = [
            partial(deploying.deploy_after_renewal, spec, outcome, store, context.for_certificate(spec.name), wait=wait)
            for spec, outcome in renewed
            if may_deploy(spec, self.options)
            and outcome.status not in {"locked", "interrupted"}
            and not isinstance(outcome.error, StoreError)
        ]
        done |= {one.name: one for one in deploying.deploy_together(jobs, store, context, limit, wait)}
        for spec, _ in renewed:
            if may_deploy(spec, self.options):
                self.context.for_certificate(spec.name).emit("certificate-finished", **done[spec.name].to_dict())
        return done

    def renew(self, spec: CertificateSpec, before: Due | None, pool: threads.ThreadPool | None = None) -> Outcome:
        """Renew one certificate, and deploy it if the options say so.

        :param pool: the pool of a run with several certificates, or None if there is no other one to deploy together.
        """
        self._warm_up(spec)
        options = self.options if pool is None else replace(self.options, deploy=False)
        context = replace(self.context.for_certificate(spec.name), pool=pool)
        done = renew_certificate(self, spec, before, context, options)
        if pool is not None and not may_deploy(spec, self.options):  # otherwise it is deployed later
            context.emit("certificate-finished", **done.to_dict())
        return done

    def _warm_up(self, spec: CertificateSpec) -> None:
        """Let the first drivers get ready while the modules for the CA are loaded and the order is created.

        A route that leaves the choice between several accounts is ignored.
        """
        route = spec.routes[0] if spec.routes else None
        accounts = self.config.accounts
        if route is None or not CHALLENGES[route.challenge].writes_dns or not (route.dns or len(accounts) == 1):
            return
        for name in route.dns or accounts:
            warm_up(self.config.providers[accounts[name].provider], self.context.remembered.setdefault(name, {}))

    def clean_up(self) -> None:
        """Run the ``after`` programs of interrupted runs, and remove their TXT values, as :meth:`Batch.clean_up`."""
        port_programs.pay_debts(self.store.debts, self.context, insist=self.config.insist)
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Complete the renames of interrupted runs, and remove their TXT values."""
        deploying.complete_renames_of_killed_runs(self.store, self.context)
        writers, locks = writers_of(self.config.accounts, self.config.providers), ZoneLocks(self.store)
        left = leftovers.Leftovers(self.store.journal, writers, locks, self.get_services().dns.values)
        leftovers.cleanup_before_run(self.context, left)


def renew_certificate(
    run: Renewals, spec: CertificateSpec, before: Due | None, context: Context, options: RunOptions
) -> Outcome:
    """Renew one due certificate; always return an outcome.

    :param run: its services are made only if the certificate is still due.
    :param before: the findings before the lock; None if the state could not be read then.
    """
    store = run.store
    state: State | None = None if before is None else before.state
    reason: RenewalReason | None = None if before is None else before.reason
    try:
        if before is None:
            state = store.read_state(spec.name)
        turn = store.turn(context, alone=port_programs.that_stop_others(spec) is not None, wait=options.wait)
        with turn, store.lock(spec.name, context=context, wait=options.wait):
            # Another run may have renewed it while this one waited for the lock.
            state = store.read_state(spec.name)
            found = check_due(spec, state, store, context, options)
            if isinstance(found, Due):
                reason = found.reason
                context.emit("certificate-started", reason=reason, domains=list(spec.domains))
                found, state = _renew(Job(spec, run.get_services(), state, reason, context, options))
            # Even after a failed renewal, try the deployments that have not succeeded yet.
            return deploying.deploy_pending(spec, found, state, store, context) if may_deploy(spec, options) else found
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        status, problem = stopped_by(error, context)
        return outcome(spec, store, state, status, context, reason=reason, error=problem)


def may_deploy(spec: CertificateSpec, options: RunOptions) -> bool:
    """Return whether the pending deployments of a certificate are tried."""
    return bool(spec.deploy) and options.deploy and not options.dry_run


def _renew(job: Job) -> tuple[Outcome, State]:
    """Try one route selection after another until one leads to a certificate or no route is left.

    :returns: the outcome, and the stored state.
    """
    _check_store(job)
    renewal_info.check_request(job)
    planner = FallbackPlanner(job.spec, job.state, job.context, job.services.effective_ca)
    for attempt in planner.next_attempts(resume.load_pending(job)):
        try:
            return _keep(job, planner, attempt, _obtain(job, planner, attempt))
        except Reselect:
            continue
        except AttemptError as error:
            explained = job.services.solvers.explain(job.context, attempt.selection.routes, error)
            planner.failed(attempt, explained)
            failure.record(job, attempt, explained)
        except DnsRenewError as error:  # not of a route: the store, a secret, a cancel
            return failure.abort(job, planner, attempt, error)
    return failure.finish(job, planner)


def _check_store(job: Job) -> None:
    """Refuse to order if the result could not be stored. A dry run keeps only the account.

    :raises StoreError: the store cannot be written.
    """
    store = job.services.store
    store.prove_writable(None if job.options.dry_run else job.spec.name)
    if not job.options.dry_run:
        store.report_damage(job.spec.name, job.state, job.context)


def _obtain(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt) -> Issued:
    """Resume the order of an interrupted run, or try one route selection.

    :raises Reselect: the preflight ruled a route out, or the pending order can no longer succeed.
    :raises AttemptError: the attempt failed; all its published values are withdrawn.
    :raises LockedError: another run uses a name or port that allows one run at a time; nothing was ordered.
    """
    failure.check_pinned(job, attempt.selection)
    if attempt.pending_order is not None:
        return resume.fetch(job, attempt, attempt.pending_order)
    context, services, ca_name = job.context, job.services, attempt.selection.ca
    blocked = None if job.may_replace(ca_name) else _refusal(job, ca_name)
    if blocked is not None:
        raise blocked
    with services.ports.around(context, job.spec, attempt.selection.routes):
        placements = _preflight(job, attempt)
        if planner.apply_preflight(attempt, placements):
            raise Reselect
        names = job.spec.identifiers
        same_names = services.locks.hold_all(context, ca_name, names)
        elsewhere = services.store.lock_names(names, context=context, wait=job.options.wait)
        with same_names, elsewhere, services.solvers.exclusive(context, placements.placements.values()):
            return _issue(job, attempt, placements)


def _preflight(job: Job, attempt: ActiveAttempt) -> Placements:
    """Find out where the challenge responses go, and which routes cannot work, before an order.

    :raises CAError: the CA cannot be reached, is not an ACME server, or refuses the account.
    :raises SecretError: the secret of a needed account cannot be read.
    """
    context, solvers = job.context, job.services.solvers
    ca = job.services.ca(attempt.selection.ca)
    # This takes some round trips, while DNS is queried.
    opening = threads.start(partial(ca.open, context, requests=len(job.spec.identifiers)))
    check = job.spec.propagation.check
    url_of_account = partial(context.join, opening)
    placements = solvers.preflight(context, attempt.selection.routes, check, attempt.validated, url_of_account)
    if placements.blockers:
        return placements
    caa = threads.start(partial(job.services.dns.caa, context, list(placements.routes)))
    try:
        solvers.prepare(context, placements.needed())
    except ProviderError as error:
        placements.refuse(error)
        return placements
    account_url, records = context.join(opening), context.join(caa)
    identities = ca.caa_identities(context)
    if denied := denials(records, placements.routes, identities, account_url):  # an answer over UDP is easily forged
        records = {**records, **job.services.dns.caa_by_tcp(context, list(denied))}
    placements.forbid(records, identities, account_url)
    return placements


def _refusal(job: Job, ca: str) -> CAError | None:
    """Return why the CA would refuse a request or an order for these names now, according to the ledger."""
    held = None if job.options.now else job.services.ledger(ca).may_begin(expires=job.state.not_after)
    return held or job.refusal(ca)


def _issue(job: Job, attempt: ActiveAttempt, placements: Placements) -> Issued:
    """Order, validate and issue, and return a checked certificate.

    :raises AttemptError: the attempt failed; all its published values are withdrawn.
    """
    spec, context, ca_name = job.spec, job.context, attempt.selection.ca
    solvers, ca = job.services.solvers, job.services.ca(ca_name)
    context.emit("route-started", **attempt.taken.to_dict())
    new_key = threads.start(partial(renewal_info.key_for, job))  # an RSA key takes up to a second

    order, authorizations = _order(job, attempt)
    pending = {one.identifier: one for one in authorizations if one.status == "pending"}
    attempt.pending = [identifier for identifier in spec.identifiers if identifier in pending]
    context.emit("order-created", url=order.url, domains=list(spec.identifiers), pending=attempt.pending)
    key = context.join(new_key)
    csr = x509.make_csr(key, spec.identifiers)

    challenges = {identifier: _challenge(authorization, attempt) for identifier, authorization in pending.items()}
    values = [
        value
        for identifier in attempt.pending
        for value in solvers.make_values(ca, placements.placement(identifier), challenges[identifier])
    ]
    with solvers.journaled(context, values), contextlib.ExitStack() as published:
        last: list[Value] = []
        for batch in solvers.batches(values):
            if last:  # the host keeps one value: the CA must have seen it before the next one replaces it
                ca.await_valid(context, order, [pending[identifier] for identifier in _identifiers(last)])
                published.close()
            published.callback(solvers.withdraw, context, batch)  # even values of a failed publish
            solvers.publish(context, batch)
            solvers.wait_visible(context, batch, spec.propagation, attempt.settle)
            attempt.visible = spec.propagation.check != "none"
            solvers.wait_caches(context, batch, ca_name)
            ca.answer(context, [challenges[identifier] for identifier in _identifiers(batch)])
            attempt.answered = True
            context.emit("challenges-answered", domains=_identifiers(batch))
            solvers.note_answered(context, batch, ca_name)
            last = batch
        # While the CA validates. If this run is killed from here on, the next one resumes the order.
        withdraw = partial(_close_meanwhile, context, published)
        chain = resume.issue(job, attempt, order, key, csr, on_finalized=withdraw)

    facts = x509.check_chain(chain, key, spec.identifiers, context.clock.now())
    return Issued(chain, x509.holder_to_pem(key), facts, order.profile, order.not_after)


def _close_meanwhile(context: Context, published: contextlib.ExitStack) -> None:
    """Withdraw the values in another thread while the CA issues. The stack waits for that, even after a cancel."""
    values = published.pop_all()
    published.callback(values.close)  # does nothing, unless no thread could be started
    published.callback(context.outwait, threads.start(values.close))


def _order(job: Job, attempt: ActiveAttempt) -> tuple[Order, tuple[Authorization, ...]]:
    """Order, unless the CA would refuse according to the ledger; return the order with its authorizations.

    :raises CAError: the CA refuses, or would refuse.
    """
    spec, context, ca_name = job.spec, job.context, attempt.selection.ca
    ca = job.services.ca(ca_name)
    replaces = renewal_info.replaced_cert_id(job, ca_name)
    blocked = job.refusal(ca_name, replaces=replaces is not None)
    if blocked is not None:
        raise blocked
    end = _wanted_end(job)
    order = ca.new_order(context, spec.identifiers, replaces=replaces, profile=spec.profile, not_after=end)
    attempt.orders += 1
    authorizations = ca.authorizations(context, order)
    if job.options.dry_run and any(one.status == "valid" for one in authorizations):
        # A dry run tests the validation, so it deactivates authorizations of an earlier order.
        ca.deactivate_authorizations(context, order)
        order = ca.new_order(context, spec.identifiers, profile=spec.profile, not_after=end)
        attempt.orders += 1
        authorizations = ca.authorizations(context, order)
    return order, authorizations


def _wanted_end(job: Job) -> datetime | None:
    """Return the end of the validity that ``lifetime`` requests now, in whole seconds."""
    if job.spec.lifetime is None:
        return None
    return (job.context.clock.now() + timedelta(seconds=job.spec.lifetime)).replace(microsecond=0)


def _challenge(authorization: Authorization, attempt: ActiveAttempt) -> Challenge:
    """Return the challenge for the route of the name.

    :raises CAError: the CA does not offer it, or requires a name that was not ordered.
    """
    identifier, ca = authorization.identifier, attempt.selection.ca
    offered = sorted({challenge.type for challenge in authorization.challenges})
    route: Route | None = attempt.selection.routes.get(identifier)
    if route is None:
        raise CAError.of(texts.NOT_ORDERED, ca=ca, identifier=identifier, offered=offered)
    challenge = authorization.challenge(route.challenge)
    if challenge is not None and (challenge.token is not None or not CHALLENGES[route.challenge].has_token):
        return challenge
    text = texts.NOT_OFFERED if offered else texts.NOTHING_OFFERED
    raise CAError.of(text, ca=ca, challenge=route.challenge, identifier=identifier, offered=offered)


def _identifiers(values: list[Value]) -> list[str]:
    """Return the identifiers that the values validate, without duplicates."""
    return list(dict.fromkeys(value.identifier for value in values))


def _keep(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt, issued: Issued) -> tuple[Outcome, State]:
    """Store the new certificate, make it current, and remember failed and successful routes."""
    clock, dry_run = job.context.clock, job.options.dry_run
    if dry_run:  # otherwise the state has it
        for notice in due.lifetime_warnings(job.spec, issued.facts.not_after, issued.wanted_end):
            job.context.warn_of(notice)
    state = job.state if dry_run else _store(job, planner, attempt, issued)
    attempts = (*planner.attempts, attempt.ended(None, clock.monotonic()))
    status: OutcomeStatus = "rehearsed" if dry_run else "renewed"
    return job.outcome(status, state=state, route=attempt.taken, attempts=attempts), state


def _store(job: Job, planner: FallbackPlanner, attempt: ActiveAttempt, issued: Issued) -> State:
    spec, store, context, services = job.spec, job.services.store, job.context, job.services
    ca, facts = attempt.selection.ca, issued.facts
    services.ledger(ca).note_certificate(spec.identifiers)
    renewal_info.warn_of_unknown_root(job, ca, issued.fullchain_pem)
    now = context.clock.now()
    query = RenewalInfoQuery(services.ca(ca), ca, issued.fullchain_pem, context, unresponsive=services.unresponsive)
    without_profile = spec.profile is not None and issued.profile is None
    until = due.end_of_pause(job.state, job.reason, now)

    def remember(state: State) -> State:
        state = replace(state, without_profile=without_profile, past_window_until=until)
        state = state.asked(job.options.asked_by, now).ordered(spec.lifetime, issued.wanted_end)
        state = state.requested(due.request_mark(spec))
        return query.with_window(planner.with_route_history(state, now, attempt.selection.distinct()))

    state = store.keep(spec, ca, issued.fullchain_pem, issued.key_pem, facts, state=job.state, remember=remember)
    issued.tell_stored(store, spec.name, job.state, context)
    return query.settle(store, spec.name, state)
