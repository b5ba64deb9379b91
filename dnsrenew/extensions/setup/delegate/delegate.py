"""Delegates the TXT values for a domain to another name, by a CNAME record that a person sets once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import Any, Final, Self

from dnsrenew.acme import Authorization, CAClient, Challenge
from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, Propagation, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, replace
from dnsrenew.challenges import persist_record
from dnsrenew.challenges.dns01 import AccountChoice, Dns01
from dnsrenew.challenges.persist_record import PersistPlacement, PersistValue, by_record
from dnsrenew.challenges.records import OWN_LABEL, TxtPlacement, writers_of
from dnsrenew.challenges.solver import Placements, SolverResources
from dnsrenew.challenges.texts import PERSIST_NOT_THERE, PERSIST_NOT_TOLD
from dnsrenew.config import Config
from dnsrenew.dns import Target
from dnsrenew.errors import CAError, ConfigError, DnsError, LockedError, Message, StoreError
from dnsrenew.extensions.doctor.accounts.probe import random_value, try_values
from dnsrenew.extensions.setup.delegate import account as accounts
from dnsrenew.extensions.setup.delegate.account import DelegateAccount, DelegatedDomains
from dnsrenew.extensions.setup.delegate.route import RouteToAdd, has_route, takes_account, write_routes
from dnsrenew.extensions.setup.delegate.wait import CnameRecord, CnameWait
from dnsrenew.operations import texts
from dnsrenew.operations.selection import shared_certificates
from dnsrenew.renewal import failure, history
from dnsrenew.renewal import texts as renewal_texts
from dnsrenew.renewal.batch import DRIVEN
from dnsrenew.renewal.due import Job, RunOptions
from dnsrenew.renewal.planner import Selection
from dnsrenew.renewal.services import Services, make_services
from dnsrenew.store import Store
from dnsrenew.store.state import State
from dnsrenew.store.zone_locks import ZoneLocks

PERSIST: Final = "dns-persist-01"
"""A challenge type instead of an account: its only TXT record is set in place of a CNAME record."""


class Delegated(Frozen, kw_only=True):
    """The result of a delegation.

    :ivar records: the records, which every name server shows.
    :ivar route: the route that uses them.
    :ivar is_tested: whether a test value was written and seen.
    :ivar written: the files of the configuration to which the route was written.
    :ivar to_add: the lines that a person must add to the configuration, because it could not be edited.
    """

    certificates: tuple[str, ...]
    records: tuple[CnameRecord | PersistText, ...]
    route: Route
    is_tested: bool
    written: tuple[str, ...] = ()
    to_add: tuple[RouteToAdd, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "records": [record.to_dict() for record in self.records],
            "done": not self.to_add,
            "tested": self.is_tested,
            "route": {"challenge": self.route.challenge, "dns": list(self.route.dns)},
            "written": self.written[0] if self.written else None,
            "to_add": [{key: getattr(each, key) for key in ("certificate", "file", "lines")} for each in self.to_add],
        }


def delegate(context: Context, config: Config, store: Store, name: str, to: str | None) -> Delegated:
    """Delegate the TXT values of domains to other names, by CNAME records that a person sets once.

    The event ``cname-needed`` has the records. This waits until every name server shows them, tests the account with a
    temporary value, and writes the route to the file of each certificate if needed. The next run tries failed
    certificates again.

    :param name: a certificate, or a domain of one.
    :param to: the DNS account that writes, or a zone of an account; None for the only possible one. ``dns-persist-01``:
        set the only TXT record of that challenge instead, which costs an order.
    :raises ConfigError: ``certificate-unknown``, ``delegate-account``, ``delegate-not-needed``.
    :raises AttemptError: DNS, the DNS host or the CA makes it impossible.
    :raises SecretError: a secret of the account cannot be resolved.
    :raises StoreError: ``acme-dns-unwritable``, or the journal cannot be written.
    :raises LockedError: another run uses the DNS account.
    :raises Cancelled: the wait was cancelled; a second call continues it.
    """
    try:
        chosen = accounts.choose_domains(config, name)
    except ConfigError:
        _refuse_fleet(config, store, name)
        raise
    its = context.for_certificate(chosen.specs[0].name)
    store.check_ground()
    with closing(make_services(config, store, context)) as services, context.redactor.guard_logs(*DRIVEN):
        if to == PERSIST:
            done = _persist(its, config, services, chosen, name)
        else:
            done = _by_cname(its, config, services, chosen, accounts.choose_account(config, to, chosen.domains))
    to_add = {each.certificate for each in done.to_add}
    _end_waits(context, store, [each for each in done.certificates if each not in to_add])
    return done


def _end_waits(context: Context, store: Store, certificates: Sequence[str]) -> None:
    """Let the next run try at once, because an earlier attempt without the record had to fail."""
    for name in certificates:
        if store.read_state(name).next_attempt is None:
            continue
        try:
            with store.lock(name, context=context):
                store.update(name, _without_wait)
        except LockedError:
            continue  # another run is trying it now


def _without_wait(state: State) -> State:
    """Return the state without the wait after a failure. A wait that a CA asked for stays."""
    return state if history.was_asked_to_wait(state) else replace(state, next_attempt=None, attempt_set_at=None)


def _refuse_fleet(config: Config, store: Store, name: str) -> None:
    """Refuse a certificate of a fleet, which has no table for a route.

    :raises ConfigError: ``certificate-unknown``.
    """
    shared = shared_certificates(config, store)
    if shared is not None and shared.domains_of(name) is not None:
        raise ConfigError.of(texts.DELEGATE_FLEET, name=name) from None


def _by_cname(
    context: Context, config: Config, services: Services, chosen: DelegatedDomains, account: DelegateAccount
) -> Delegated:
    """Ask for CNAME records that lead to an account."""
    records = _records(context, account, _own_zones(context, services, chosen.domains))
    CnameWait(context, services.dns, records).until_there(account.name)
    placements = _placements(config, services, account.name, _targets(context, services, records))
    is_tested = probe(context, config, services, placements, chosen.specs[0].propagation)
    route = Route("dns-01", dns=account.name)
    first = partial(_first_accounts, config, services, records)
    needed = [each for each in chosen.specs if not (has_route(each, route) or takes_account(each, route, first))]
    return _written(config, chosen, needed, records=tuple(records), route=route, is_tested=is_tested)


def _persist(context: Context, config: Config, services: Services, chosen: DelegatedDomains, name: str) -> Delegated:
    """Ask for the only TXT record of dns-persist-01."""
    try:
        records = persist(context, services, chosen)
    except DnsError as error:
        if error.code == "dns-persist-missing":  # the fix of this error is for a renewal
            error.fix = texts.DELEGATE_PERSIST_AGAIN.format(name=name, lines=error.evidence["lines"])
        raise
    route = Route(PERSIST)
    needed = [spec for spec in chosen.specs if not has_route(spec, route)]
    return _written(config, chosen, needed, records=tuple(records), route=route, is_tested=False)


def _own_zones(context: Context, services: Services, domains: Sequence[str]) -> dict[str, Target]:
    """Return the zone of the challenge's name of each domain.

    :raises DnsError: the name is in no zone, or is a zone itself.
    """
    found = services.dns.challenge_targets(context, domains, follow_cname=False)
    for target in found.values():
        if target.name == target.served_zone:
            raise DnsError.of(texts.DELEGATE_OWN_ZONE, name=names.relative(target.name))
    return found


def _records(context: Context, account: DelegateAccount, zones: dict[str, Target]) -> list[CnameRecord]:
    """Return the records to set. At an acme-dns server, one name is enough for all domains."""
    registered = accounts.registered_name(context, account.writer) if account.zone is None else ""
    found = []
    for domain, target in zones.items():
        value = registered or accounts.target_name(domain, account.zone or "")
        found.append(CnameRecord(domain, f"{OWN_LABEL}.{domain}", value, names.relative(target.served_zone)))
    return found


def _targets(context: Context, services: Services, records: Sequence[CnameRecord]) -> dict[str, Target]:
    """Return the targets of the CNAME records, as a renewal finds them.

    :raises DnsError: a target is not the name that the account writes.
    """
    targets = services.dns.challenge_targets(context, [record.domain for record in records])
    for record in records:
        end = names.relative(targets[record.domain].name)
        if names.labels(end) != names.labels(record.value):
            raise DnsError.of(texts.DELEGATE_CHAIN, name=record.name, target=end, value=record.value)
    return targets


def _placements(config: Config, services: Services, account: str, targets: dict[str, Target]) -> list[TxtPlacement]:
    choice = AccountChoice(services.dns, writers_of(config.accounts, config.providers), attended=True)
    route = Route("dns-01", dns=account)
    return [choice.place(domain, target, route) for domain, target in targets.items()]


def _first_accounts(
    config: Config, services: Services, records: Sequence[CnameRecord], route: Route
) -> list[tuple[str, ...]]:
    """Return the accounts that a route without accounts uses first for each record."""
    choice = AccountChoice(services.dns, writers_of(config.accounts, config.providers))
    found = [choice.routes(names.absolute(record.value), route)[:1] for record in records]
    return [each[0].dns if each else () for each in found]


def _written(config: Config, chosen: DelegatedDomains, needed: Sequence[CertificateSpec], **done: Any) -> Delegated:
    """Write the route to the certificates that need it, and return the result."""
    routes, names = write_routes(config, needed, done["route"]), tuple(spec.name for spec in chosen.specs)
    return Delegated(certificates=names, written=routes.files, to_add=routes.to_add, **done)


# ── probe ──────────────────────────────────────────────────────────────────────────────

# A test value behind the CNAME records: written by the account, seen at every name server, and removed.
#
# It works like a renewal, with locks, the journal, calls of the DNS host and the wait.


def probe(
    context: Context, config: Config, services: Services, placements: Sequence[TxtPlacement], how: Propagation
) -> bool:
    """Write a test value at each place, wait until it is visible, and always remove it; return whether all were.

    The served value of a host that keeps one is not replaced, with a warning.

    :raises AttemptError: the account cannot write there, or the value is not seen in time.
    :raises SecretError: a secret of the account cannot be resolved.
    :raises ConfigError: an option of the account is wrong.
    :raises LockedError: another run uses the place.
    :raises StoreError: the journal cannot be written; nothing was written to DNS.
    """
    store = services.store
    resources = SolverResources(
        services.dns, config.accounts, config.providers, ZoneLocks(store), store.journal, attended=True
    )
    solver = Dns01(resources)
    once = list({placement.name: placement for placement in placements}.values())
    solver.prepare(context, once)
    with solver.exclusive(context, once):
        free = [each for each in once if not _is_in_use(context, services, each)]
        values = [value for each in free for value in solver.values(each, random_value(context))]
        for batch in solver.batches(values):
            tried = try_values(context, solver, {"": batch}, how)
            if error := tried.groups[""]["error"] or tried.unseen:
                raise error
    return len(free) == len(once)


def _is_in_use(context: Context, services: Services, placement: TxtPlacement) -> bool:
    """Return whether a value is served that the test value would replace and that must be removed once."""
    for writer, _zone in placement.writers:
        behaviour = writer.provider.behaviour
        if behaviour.most_values == 1 and behaviour.removes and services.dns.values(context, placement.name):
            name = names.relative(placement.name)
            context.warn(*texts.DELEGATE_IN_USE.fill(account=writer.account.name, name=name))
            return True
    return False


# ── persist ────────────────────────────────────────────────────────────────────────────

# Asks an account that can hold it to set the only TXT record of dns-persist-01. It is never removed.
#
# If the CA is known to accept the record, it is shown before an order. Whether the CA offers the challenge
# is only shown in an order, so that costs an order without a result.

_ROUTE: Final = Route("dns-persist-01")


class PersistText(Frozen):
    """The TXT record for a domain.

    :ivar name: the owner name, without the final dot.
    """

    domain: str
    name: str
    value: str

    @classmethod
    def of(cls, value: PersistValue) -> Self:
        """Return the record to set."""
        return cls(names.base_domain(value.identifier), names.relative(value.placement.name), str(value.wanted))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"name": self.name, "type": "TXT", "value": self.value}


class PersistCheck(PersistText):
    """The values in DNS, and the record that the CA requires for a domain.

    :ivar seen: the TXT values in DNS.
    :ivar alias: the target of a CNAME record, or None.
    :ivar until: when the longest valid record expires; None if it does not expire or does not exist.
    :ivar soon: whether it expires soon.
    :ivar reason: why the CA would not accept these values, as a clause; None if it would.
    """

    ca: str
    seen: tuple[str, ...]
    alias: str | None
    until: str | None
    soon: bool
    reason: Message | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        more = {"domain": self.domain, "ca": self.ca, "seen": list(self.seen), "cname": self.alias, "until": self.until}
        return {**super().to_dict(), **more, "accepted": self.reason is None, "reason": self.reason}


def persist(context: Context, services: Services, chosen: DelegatedDomains) -> list[PersistText]:
    """Look for the record of each domain, let an account write missing ones, and wait until they are visible.

    :raises CAError: ``ca-no-challenge``: the CA does not offer it, and no record is written; or the order was refused.
    :raises DnsError: ``dns-persist-missing``: no account can write a record; the error contains it.
    :raises AttemptError: the account cannot write the record, or it is not seen in time.
    """
    spec = chosen.specs[0]
    placements = _placed(context, services, chosen, spec.ca)
    ca = services.ca(spec.ca)
    ca.open(context)
    expected = _expected(ca, placements)
    if expected:
        shown = [PersistText.of(group[0]).to_dict() for group in by_record(expected)]
        context.emit("txt-needed", records=shown, ca=spec.ca)
        services.solvers.of_type(PERSIST).decide(context, expected)
    services.solvers.prepare(context, placements.needed())
    values = _wanted(context, services, placements, spec.ca)
    with services.solvers.exclusive(context, placements.needed()):
        services.solvers.publish(context, values)
        services.solvers.wait_visible(context, values, spec.propagation, 0.0)
    return [_shown(context, services, value) for value in {value.placement.name: value for value in values}.values()]


def check_persist(context: Context, config: Config, store: Store, name: str) -> list[PersistCheck]:
    """Compare the values in DNS with the record that the CA requires for each domain, without changes.

    An order is spent, and given up, only for a CA whose record is not known without it.

    :param name: a certificate, or a domain of one.
    :raises ConfigError: ``certificate-unknown``, ``delegate-not-needed``.
    :raises StoreError: ``account-missing``: the record would name the account, which does not exist.
    :raises AttemptError: DNS or the CA cannot be asked, or the CA does not offer the challenge.
    """
    chosen = accounts.choose_domains(config, name)
    spec = chosen.specs[0]
    its = context.for_certificate(spec.name)
    ca_name = next((each.ca for each in spec.routes if each.challenge == PERSIST and each.ca), spec.ca)
    with closing(make_services(config, store, its)) as services, context.redactor.guard_logs(*DRIVEN):
        placements = _placed(its, services, chosen, ca_name)
        ca = services.ca(ca_name)
        if ca.account_info(its) is None:
            raise StoreError.of(texts.ACCOUNT_MISSING, ca=ca_name)
        ca.open(its)
        values = _expected(ca, placements) or _wanted(its, services, placements, ca_name)
        there = services.solvers.of_type(PERSIST).look_up(its, {value.placement.name for value in values})
        groups = by_record(values)
        return [_checked(group[0], there[group[0].placement.name], its.clock.now()) for group in groups]


def _checked(value: PersistValue, seen: set[str] | None, now: datetime) -> PersistCheck:
    wanted = PersistText.of(value)
    label = f"{persist_record.LABEL}.{wanted.domain}"
    newest = value.newest(seen or (), now)
    reason = PERSIST_NOT_TOLD if seen is None else value.problem(seen) or PERSIST_NOT_THERE
    until = None if newest is None else newest[1].until
    return PersistCheck(
        domain=wanted.domain,
        name=label,
        value=wanted.value,
        ca=value.offer.ca,
        seen=tuple(sorted(seen or ())),
        alias=None if names.labels(wanted.name) == names.labels(label) else wanted.name,
        until=None if until is None else persist_record.time_text(until),
        soon=newest is not None and not newest[1].is_valid_at(now + persist_record.RENEWED_BEFORE),
        reason=reason if newest is None else None,
    )


def _placed(context: Context, services: Services, chosen: DelegatedDomains, ca: str) -> Placements:
    """Find out where the record of each domain is, before any object is created at the CA."""
    spec = chosen.specs[0]
    identifiers = [each for each in spec.identifiers if names.base_domain(each) in chosen.domains]
    selection = Selection(ca, dict.fromkeys(identifiers, _ROUTE))
    state = services.store.read_state(spec.name)
    failure.check_pinned(Job(spec, services, state, "missing", context, RunOptions()), selection)
    placements = services.solvers.preflight(context, selection.routes, spec.propagation.check)
    if placements.blockers:
        raise placements.blockers[0].error
    return placements


def _expected(ca: CAClient, placements: Placements) -> list[PersistValue]:
    """Return the values that the CA will probably require; empty if only an order shows them."""
    values = []
    for identifier, placement in placements.placements.items():
        offer = persist_record.expected_offer(ca.identity, names.base_domain(identifier))
        if offer is None or not isinstance(placement, PersistPlacement):
            return []
        values.append(PersistValue(identifier, placement, offer))
    return values


def _shown(context: Context, services: Services, value: PersistValue) -> PersistText:
    """Return the record that validates a domain: the existing one, or the new one."""
    name = value.placement.name
    newest = value.newest(services.dns.known_values(context, name) or (), context.clock.now())
    text = str(value.wanted) if newest is None else newest[0]
    return PersistText(names.base_domain(value.identifier), names.relative(name), text)


def _wanted(context: Context, services: Services, placements: Placements, ca_name: str) -> list[PersistValue]:
    """Order once, return the value that each challenge requires, and give up the order."""
    ca, identifiers = services.ca(ca_name), list(placements.placements)
    blocked = services.ledger(ca_name).may_order(identifiers, attended=True)
    if blocked is not None:
        raise blocked
    order = ca.new_order(context, identifiers)
    challenges = {each.identifier: _challenge(each, ca_name) for each in ca.authorizations(context, order)}
    ca.deactivate_authorizations(context, order)  # a CA limits the number of pending ones
    made = [
        value
        for identifier, challenge in challenges.items()
        for value in services.solvers.make_values(ca, placements.placement(identifier), challenge)
    ]
    return [value for value in made if isinstance(value, PersistValue)]


def _challenge(authorization: Authorization, ca: str) -> Challenge:
    challenge = authorization.challenge(_ROUTE.challenge)
    if challenge is not None:
        return challenge
    identifier, offered = authorization.identifier, sorted({each.type for each in authorization.challenges})
    if authorization.status == "valid":
        raise CAError.of(texts.DELEGATE_VALIDATED, ca=ca, identifier=identifier, offered=offered)
    text = renewal_texts.NOT_OFFERED if offered else renewal_texts.NOTHING_OFFERED
    raise CAError.of(text, ca=ca, challenge=_ROUTE.challenge, identifier=identifier, offered=offered)
