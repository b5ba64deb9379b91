"""The solver of dns-persist-01: finds the TXT record, or writes it if an account may, and never removes it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

from dnsrenew import errors
from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base import names
from dnsrenew.base.model import Propagation, PropagationCheck, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import FairLock, all_held
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import persist_record, texts
from dnsrenew.challenges.dns01 import AccountChoice, Dns01
from dnsrenew.challenges.persist_record import PersistPlacement, PersistValue
from dnsrenew.challenges.records import RecordWriter, TxtPlacement, TxtValue, waits, writers_of
from dnsrenew.challenges.solver import Placements, Solver, SolverResources
from dnsrenew.dns import Target
from dnsrenew.drivers.provider import Behaviour

_LOOKS: Final = 8
"""The number of names that are looked up at once."""
_REMOVAL_SECONDS: Final = 60.0

_Key = tuple[str | None, tuple[str, str]]


class DnsPersist01(Solver[PersistPlacement, PersistValue]):
    """Uses the record that is in DNS. Without one, an account writes it, or the error shows it to a person.

    A written record is not a leftover, so it is not in the journal and no cleanup removes it. Only a dry run journals
    and removes its records, because they are for the staging CA.
    """

    def __init__(self, resources: SolverResources) -> None:
        self._dns = resources.dns
        self._accounts = writers_of(resources.accounts, resources.providers)
        self._choice = AccountChoice(resources.dns, self._accounts)
        self._writer = Dns01(resources)
        self._attended = resources.attended
        self._dry_run = resources.dry_run
        self._names = FairLock()
        self._written: dict[str, set[str]] = {}
        self._used: dict[_Key, tuple[str | None, bool]] = {}

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self, context: Context, identifiers: Sequence[str], route: Route, check: PropagationCheck, found: Placements
    ) -> None:
        """Follow CNAMEs, find zones, and choose the accounts that would write."""
        targets, refused = self._choice.targets(context, identifiers, route, check, persist_record.LABEL)
        for identifier, error in refused.items():
            found.block(route, [identifier], error)
        until = persist_record.end_of(context.clock.now())
        wild = {names.base_domain(identifier) for identifier in identifiers if names.is_wildcard(identifier)}
        for identifier, target in targets.items():
            writers, unable = self._writers(target, route)
            name, zone, wildcard = target.name, target.served_zone, names.base_domain(identifier) in wild
            zones = tuple((writer, writer.zone_of(name) or zone) for writer in writers)
            found.placements[identifier] = PersistPlacement(
                identifier, name, zone, wildcard, until, zones, is_named=bool(route.dns), unable=unable
            )

    def _writers(self, target: Target, route: Route) -> tuple[list[RecordWriter], tuple[str, ...]]:
        """Return all accounts of the route if each can write, otherwise the account with the longest zone.

        Behind a CNAME, only an account with ``zones`` writes, because a CNAME alone must not decide where a
        permanent record is set.
        """
        named = [self._accounts[name] for name in route.dns] or list(self._accounts.values())
        able = [writer for writer in named if persist_record.can_hold(writer, attended=self._attended)]
        fitting = [writer for writer in able if _may_write(writer, target)]
        if route.dns:
            unable = tuple(writer.account.name for writer in named if writer not in fitting)
            return ([] if unable else fitting), unable
        fitting.sort(key=lambda writer: len(names.labels(writer.zone_of(target.name) or "")), reverse=True)
        return fitting[:1], ()

    def prepare(self, context: Context, placements: Collection[PersistPlacement]) -> None:
        """Read the secrets of the accounts that will probably write, unless the record already exists.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: the host has timed out for another certificate of this run.
        """
        writing = [placement for placement in placements if placement.writers]
        there = self.look_up(context, {placement.name for placement in writing})
        now = context.clock.now()
        needed = [each for each in writing if not persist_record.may_be_there(there[each.name], now)]
        self._writer.prepare(context, [_txt_placement(each) for each in needed if each.is_named])
        with contextlib.suppress(errors.ProviderError):  # no route names the account: writing will fail
            self._writer.prepare(context, [_txt_placement(each) for each in needed if not each.is_named])

    # ── values ──────────────────────────────────────────────────────────────────────────

    def make_values(self, ca: CAClient, placement: PersistPlacement, challenge: Challenge) -> list[PersistValue]:
        """Return the value that validates the identifier.

        :raises CAError: ``ca-dns-persist-malformed``.
        """
        domain = names.base_domain(placement.identifier)
        offer = persist_record.read_offer(challenge, ca.identity, domain)
        return [PersistValue(placement.identifier, placement, offer)]

    def journaled(self, context: Context, values: Sequence[PersistValue]) -> AbstractContextManager[None]:
        """Keep the values of a dry run in the journal. A permanent record is not in it."""
        if not self._dry_run:
            return contextlib.nullcontext()
        return self._writer.journaled(context, _txt_values(persist_record.by_record(values)))

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[PersistValue]) -> None:
        """Look for the records, and write a record that is missing or expires soon.

        :raises DnsError: ``dns-persist-missing``: a person has to set a record; nothing is written.
        :raises ProviderError: a host refused or did not respond.
        """
        groups = persist_record.by_record(values)
        owners = sorted({value.placement.name for value in values})
        with all_held(self._names.hold(context, name) for name in owners):  # other certificates of this run wait
            decision, there = self.decide(context, values)
            use, write = decision.use, decision.write
            if write:
                try:
                    self._write(context, write)
                except (errors.ProviderError, errors.ConfigError, errors.SecretError) as error:
                    if not all(group[0].key in use for group in write):
                        raise
                    warn_not_renewed(context, write, there, error)
                    write = []
        for group in groups:
            written = group in write
            text = str(group[0].wanted) if written else use[group[0].key]
            self._used[context.certificate, group[0].key] = text, written

    def decide(self, context: Context, values: Sequence[PersistValue]) -> tuple[Decision, There]:
        """Look for the records; return the decision for each and the records that exist. Write nothing.

        :raises DnsError: ``dns-persist-missing``: a person has to set a record.
        """
        there = self.look_up(context, {value.placement.name for value in values})
        return decide(context, persist_record.by_record(values), there), there

    def look_up(self, context: Context, owners: Collection[str]) -> dict[str, set[str] | None]:
        """Return the values at each name that DNS serves or this run has written, or None if DNS does not answer."""
        ordered = sorted(owners)
        tasks = context.call_all([partial(self._dns.known_values, context, name) for name in ordered], _LOOKS)
        there: dict[str, set[str] | None] = {}
        for name, task in zip(ordered, tasks, strict=True):
            served, written = task.result(), self._written.get(name)
            there[name] = (served or set()) | written if written else served
        return there

    def _write(self, context: Context, groups: Sequence[Sequence[PersistValue]]) -> None:
        self._writer.publish(context, _txt_values(groups))
        for group in groups:
            name, text = group[0].key
            self._written.setdefault(name, set()).add(text)

    def wait_visible(
        self, context: Context, values: Sequence[PersistValue], wanted: Propagation, settle: float
    ) -> None:
        """Wait until every name server shows the records, then remove the old records that they replace.

        :raises PropagationError: they were not visible in time.
        """
        groups = persist_record.by_record(values)
        used = [(group, *self._used[context.certificate, group[0].key]) for group in groups]
        written = [group for group, _text, is_new in used if is_new]
        behaviours = [writer.provider.behaviour for group in written for writer, _zone in group[0].placement.writers]
        known = [(group[0].placement, text) for group, text, _is_new in used if text is not None]
        records = [TxtRecord(placement.zone, placement.name, text, 0) for placement, text in known]
        timeout, pause = waits(behaviours or [Behaviour()], wanted)
        settle += pause if behaviours else 0.0
        try:
            self._dns.wait_visible(context, records, timeout=timeout, settle=settle, check=wanted.check)
        except errors.PropagationError as error:
            raise _about(error, values) from None
        if not self._dry_run:
            for group in written:
                self._remove_superseded(context, group[0])

    def _remove_superseded(self, context: Context, value: PersistValue) -> None:
        """Remove older records of our account. A failure is only a warning."""
        name = value.placement.name
        cleanup = context.within(_REMOVAL_SECONDS)
        old: list[str] = []
        try:
            old = value.superseded(self._dns.known_values(cleanup, name) or ())
            records = [value.txt_value(writer, zone, text) for text in old for writer, zone in value.placement.writers]
            if records:
                self._writer.remove(cleanup, records)
                self._written.get(name, set()).difference_update(old)
        except errors.Cancelled:
            context.check()
        except errors.DnsRenewError as error:
            line = persist_record.line(name, ", ".join(old))
            context.warn(*texts.PERSIST_OLD_KEPT.fill(name=names.relative(name), error=error.message, line=line))

    def withdraw(self, context: Context, values: Sequence[PersistValue]) -> None:
        """Remove the records of a dry run. A permanent record is kept."""
        if self._dry_run:
            self._writer.withdraw(context, _txt_values(persist_record.by_record(values)))
            for value in values:
                self._written.pop(value.placement.name, None)


def _txt_placement(placement: PersistPlacement) -> TxtPlacement:
    return TxtPlacement(placement.identifier, placement.name, placement.zone, placement.writers)


def _may_write(writer: RecordWriter, target: Target) -> bool:
    return writer.zone_of(target.name) is not None if target.hops else writer.may_write(target.name)


def _txt_values(groups: Sequence[Sequence[PersistValue]]) -> list[TxtValue]:
    return [value for group in groups if group[0].can_be_written for value in group[0].txt_values()]


def _about(error: errors.PropagationError, values: Sequence[PersistValue]) -> errors.PropagationError:
    """Add to the evidence the identifiers whose records are missing."""
    late = errors.about(error).names
    concerned = [value for value in values if names.relative(value.placement.name) in late] or values
    return error.with_evidence(identifiers=list(dict.fromkeys(value.identifier for value in concerned)))


# ── decision ───────────────────────────────────────────────────────────────────────────

# Decides for each record whether the one in DNS is used, a new one is written, or a person has to set it.

Group = Sequence[PersistValue]
"""Values that one record validates."""
There = Mapping[str, set[str] | None]
"""The TXT values at each name; None if DNS does not answer."""


class Decision(Frozen):
    """The decision for each group.

    :ivar use: the text of the record in DNS that a group can use, by the key of its values; None if the CA finds it.
    :ivar write: the groups for which a new record is written.
    """

    use: dict[tuple[str, str], str | None]
    write: list[Group]


def decide(context: Context, groups: Sequence[Group], there: There) -> Decision:
    """Decide for each group; warn of a record that expires soon and that no account can renew.

    :raises DnsError: ``dns-persist-missing``, for all groups that need a person.
    """
    now = context.clock.now()
    done, missing = Decision({}, []), list[Group]()
    for group in groups:
        value = group[0]
        values = there[value.placement.name]
        newest = value.newest(values or (), now)
        if newest is not None:
            done.use[value.key] = newest[0]
            if newest[1].is_valid_at(now + persist_record.RENEWED_BEFORE):
                continue
        if value.can_be_written:
            done.write.append(group)
        elif newest is not None:
            shown = {**_expiry(group, newest[1].until), "line": persist_record.line(value.placement.name, value.wanted)}
            context.warn(*texts.PERSIST_EXPIRES.fill(**shown))
        elif values is None:
            done.use[value.key] = None
        else:
            missing.append(group)
    if missing:
        raise _missing(missing, there)
    return done


def warn_not_renewed(context: Context, groups: Sequence[Group], there: There, error: errors.DnsRenewError) -> None:
    """Warn of records that expire soon and could not be replaced."""
    now = context.clock.now()
    for group in groups:
        newest = group[0].newest(there[group[0].placement.name] or (), now)
        evidence = _expiry(group, newest[1].until if newest else None)
        context.warn(*texts.PERSIST_NOT_RENEWED.fill(**evidence, error=error.message, error_fix=error.fix))


def _expiry(group: Group, until: int | None) -> dict[str, Any]:
    return {
        "name": names.relative(group[0].placement.name),
        "identifiers": [value.identifier for value in group],
        "until": "" if until is None else persist_record.time_text(until),
    }


def _missing(groups: Sequence[Group], there: There) -> errors.DnsError:
    """Return the error with the exact records to set."""
    first = groups[0][0]
    seen = there[first.placement.name] or set()
    records = [{"name": names.relative(group[0].placement.name), "value": str(group[0].wanted)} for group in groups]
    reason, unable = first.problem(seen), first.placement.unable
    evidence = {
        "ca": first.offer.ca,
        "account_url": first.offer.account_url,
        "identifiers": [value.identifier for group in groups for value in group],
        **records[0],
        "records": records,
        "lines": [persist_record.line(record["name"], record["value"]) for record in records],
        "seen": sorted(seen),
        "accounts": list(unable),
        "reason": reason or "",
    }
    text = texts.PERSIST_MISSING if reason is None else texts.PERSIST_NOT_VALID
    return errors.DnsError.of(texts.PERSIST_NOT_WRITABLE if unable else text, **evidence)
