"""The solver of dns-01: publishes TXT values through DNS accounts, and waits until every name server shows them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from dnsrenew import errors
from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base import names
from dnsrenew.base.model import Propagation, PropagationCheck, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import all_held
from dnsrenew.base.values import replace
from dnsrenew.challenges import records, texts
from dnsrenew.challenges.host_calls import ForeignValues, HostCalls, PublishedValues
from dnsrenew.challenges.records import OWN_LABEL, RecordWriter, TxtPlacement, TxtValue
from dnsrenew.challenges.solver import Placements, Solver, SolverResources
from dnsrenew.dns import DnsView, Target
from dnsrenew.drivers import invoke
from dnsrenew.drivers.hook import check_names
from dnsrenew.drivers.loading import warm_up

_WITHDRAW_SECONDS: Final = 60.0
_WITHDRAW_SILENT: Final = 10.0
"""Time limit in seconds for a host that has just timed out; the next run tries again."""
_WITHDRAW_GRACE: Final = 3.5
"""Time limit in seconds after a cancel, because Ctrl-C must end everything within five seconds."""
LONGEST_CACHING: Final = 60
"""The longest time in seconds that the resolvers of a CA cache an answer, even with a longer TTL."""


class Dns01(Solver[TxtPlacement, TxtValue]):
    """Publishes TXT values through DNS accounts and waits until every name server shows them."""

    def __init__(self, resources: SolverResources) -> None:
        self._dns = resources.dns
        writers = records.writers_of(resources.accounts, resources.providers)
        self._accounts = AccountChoice(resources.dns, writers, attended=resources.attended)
        self._locks = resources.locks
        self._published = PublishedValues(resources.journal)
        self._foreign = ForeignValues(resources.dns, self._published.at_name)
        self._hosts = HostCalls(resources.locks, self._published, self._foreign)
        self._cached_until: dict[tuple[str, str], float] = {}  # monotonic seconds, by CA and name

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self, context: Context, identifiers: Sequence[str], route: Route, check: PropagationCheck, found: Placements
    ) -> None:
        """Follow CNAMEs, find zones, and choose the accounts that write."""
        targets, refused = self._accounts.targets(context, identifiers, route, check, self.label(found))
        for identifier, error in refused.items():
            found.block(route, [identifier], error)
        self._accounts.place_all(context, targets, route, found)

    def label(self, placements: Placements) -> str:
        """Return the labels before the domain at which the CA looks."""
        del placements
        return OWN_LABEL

    def prepare(self, context: Context, placements: Collection[TxtPlacement]) -> None:
        """Read the secrets of the accounts that will write and make their drivers, before an order.

        Warn of names that their TXT records will hide.

        :raises SecretError: a reference cannot be resolved.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: the host has timed out for another certificate of this run.
        """
        writers = {writer.account.name: writer for placement in placements for writer, _zone in placement.writers}
        for writer in writers.values():
            self._hosts.check(context, writer.account.name)
            invoke.prepare(context, writer.provider, writer.account)
            warm_up(writer.provider, context.remembered.setdefault(writer.account.name, {}))
        self._dns.warn_wildcard_shadow(context, {placement.identifier: placement for placement in placements})

    # ── values ──────────────────────────────────────────────────────────────────────────

    def make_values(self, ca: CAClient, placement: TxtPlacement, challenge: Challenge) -> list[TxtValue]:
        """Return the TXT value of a challenge (RFC 8555 section 8.4), once for each account that writes it."""
        return self.values(placement, ca.dns01_value(challenge))

    def values(self, placement: TxtPlacement, text: str) -> list[TxtValue]:
        """Return the finished TXT value for a placement, once for each account that writes it."""
        pairs = [(writer, TxtRecord(zone, placement.name, text, writer.ttl)) for writer, zone in placement.writers]
        return [TxtValue(placement.identifier, writer, record, placement.challenge) for writer, record in pairs]

    def batches(self, values: Sequence[TxtValue]) -> list[list[TxtValue]]:
        """Split the values into batches that can be in DNS at the same time."""
        return records.batches(values)

    def exclusive(self, context: Context, placements: Collection[TxtPlacement]) -> AbstractContextManager[None]:
        """Lock the names and zones that hold one value at a time.

        :raises LockedError: another run holds a lock.
        """
        # Always in the same order, so that two certificates do not deadlock.
        keys = sorted(set().union(*(each.single_value_key for each in placements)))
        return all_held(self._locks.value(context, key) for key in keys)

    def journaled(self, context: Context, values: Sequence[TxtValue]) -> AbstractContextManager[None]:
        """Keep the values in the journal until the end. After that, only values that could not be removed stay there.

        :raises StoreError: the journal cannot be written. Publish nothing then.
        """
        return self._published.journaled(context, [value for value in values if value.is_to_be_removed])

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Write the values, all accounts in parallel.

        :raises ProviderError: a host refused or did not respond; any part may have been written.
        """
        described = [value.described for value in values]
        context.emit("txt-writing", records=described)
        if by_hand := [value.described for value in values if value.writer.provider.behaviour.by_hand]:
            context.emit("txt-by-hand", records=by_hand)
        started = context.clock.monotonic()
        with self._published.exclusive(context, values):
            self._hosts.add(context, values)
        if len(by_hand) < len(values):
            context.emit("txt-written", records=described, seconds=round(context.clock.monotonic() - started, 3))

    def wait_visible(self, context: Context, values: Sequence[TxtValue], wanted: Propagation, settle: float) -> None:
        """Wait until every name server of every zone shows the values.

        :param settle: seconds to wait afterwards, in addition to the configured ones.
        :raises PropagationError: they were not visible in time, or no server responds; ``evidence`` has the
            ``identifiers`` and ``accounts`` concerned.
        """
        timeout, pause = records.waits([value.writer.provider.behaviour for value in values], wanted)
        unique = list({(value.record.name, value.record.value): value.record for value in values}.values())
        try:
            self._dns.wait_visible(context, unique, timeout=timeout, settle=settle + pause, check=wanted.check)
        except errors.PropagationError as error:
            raise _about(error, values) from None
        for account in dict.fromkeys(value.writer.account.name for value in values):
            self._foreign.compare(context, account, "add")

    def wait_caches(self, context: Context, values: Sequence[TxtValue], ca: str) -> None:
        """Wait until no resolver of the CA caches an older value of these names."""
        owners = {value.record.name for value in values}
        until = max((self._cached_until.get((ca, owner), 0.0) for owner in owners), default=0.0)
        seconds = until - context.clock.monotonic()
        if seconds > 0:
            context.emit("caches-waiting", seconds=round(seconds, 1))
            context.wait(seconds)

    def note_answered(self, context: Context, values: Sequence[TxtValue], ca: str) -> None:
        """Record that resolvers of the CA cache these values from now on."""
        for value in values:
            # A host that keeps one value often ignores our TTL: ask its name servers for the real one.
            single = value.single_value_key is not None
            ttl = self._ttl(context, value.record.name) if single else value.record.ttl
            self._cached_until[ca, value.record.name] = context.clock.monotonic() + min(ttl, LONGEST_CACHING)

    def _ttl(self, context: Context, name: str) -> int:
        try:
            return self._dns.ttl(context, name)
        except errors.AttemptError:  # the CA is already querying: an unknown TTL must not stop the order
            return LONGEST_CACHING

    def withdraw(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove the values. Warn of those that stay; raise nothing, so that no other error is hidden."""
        started = [value for value in values if self._published.state(context, value) is not None]
        if by_hand := [value.described for value in started if value.writer.provider.behaviour.by_hand]:
            context.emit("txt-by-hand-over", records=by_hand)
        unsent = [value for value in started if self._published.state(context, value) == "unsent"]
        self._published.forget(context, unsent)
        removable = [value for value in started if value.is_to_be_removed and value not in unsent]
        if not removable:
            return
        silent = any(self._hosts.is_silent(value.writer.account.name) for value in removable)
        calls = sum(value.writer.provider.runs_script for value in removable)
        seconds = _WITHDRAW_SILENT if silent else _WITHDRAW_SECONDS + invoke.SCRIPT_SECONDS * calls
        cleanup = context.for_cleanup(seconds, _WITHDRAW_GRACE)
        begin = context.clock.monotonic()
        try:
            with self._published.exclusive(cleanup, removable):
                removable = self._published.forget_shared(cleanup, removable)
                self._hosts.remove(cleanup, removable)
        except errors.DnsRenewError as error:
            if error.code == "foreign-values-lost":
                context.warn_of(error)
            self._keep(cleanup, removable, error)
        else:
            seconds = round(context.clock.monotonic() - begin, 3)
            if removable:
                context.emit("txt-removed", records=[value.described for value in removable], seconds=seconds)

    def remove(self, context: Context, values: Sequence[TxtValue]) -> None:
        """Remove values that this or an earlier run wrote.

        :raises ProviderError: a host refused or did not respond.
        """
        begin = context.clock.monotonic()
        with self._published.exclusive(context, values):
            self._hosts.remove(context, values)
        seconds = round(context.clock.monotonic() - begin, 3)
        context.emit("txt-removed", records=[value.described for value in values], seconds=seconds)

    def _keep(self, context: Context, values: Sequence[TxtValue], error: errors.DnsRenewError) -> None:
        """Leave values that could not be removed to a later run, except values that were never written."""
        left = [value for value in values if self._published.state(context, value) is not None]  # not removed yet
        refused = [value for value in left if self._was_refused(context, value)]
        self._published.forget(context, refused)
        if kept := [value for value in left if value not in refused]:
            written = any(self._published.state(context, value) == "written" for value in kept)
            self._published.release(context, kept)
            context.emit("txt-kept", records=[value.described for value in kept], error=error.to_dict())
            context.warn(*_kept(kept, error, written=written))

    def _was_refused(self, context: Context, value: TxtValue) -> bool:
        """Return whether a value was certainly not written.

        Only a refusal by the host proves this. If DNS does not serve the value, the host may still be processing it.
        """
        if self._published.state(context, value) != "refused":
            return False
        try:
            return value.record.value not in self._dns.values(context, value.record.name)
        except errors.DnsRenewError:
            return True


def _about(error: errors.PropagationError, values: Sequence[TxtValue]) -> errors.PropagationError:
    """Add to the evidence the identifiers whose values are missing, and the accounts that wrote them."""
    missing = errors.about(error).names
    late = [value for value in values if names.relative(value.record.name) in missing] or values
    identifiers = list(dict.fromkeys(value.identifier for value in late))
    accounts = list(dict.fromkeys(value.writer.account.name for value in late))
    return error.with_evidence(identifiers=identifiers, accounts=accounts)


def _kept(values: Sequence[TxtValue], error: errors.DnsRenewError, *, written: bool) -> tuple[str, str, str]:
    owners = sorted({names.relative(value.record.name) for value in values})
    reason = texts.NO_TIME_LEFT if isinstance(error, errors.Cancelled) else errors.as_clause(error.message)
    return (texts.TXT_KEPT if written else texts.TXT_KEPT_UNSURE).fill(names=owners, reason=reason)


# ── dns accounts ───────────────────────────────────────────────────────────────────────

# Chooses the DNS accounts that write the TXT value of each identifier.

_MOST_SILENT_ZONES: Final = 3
"""The number of zones without an answer that a lookup skips; after that, it stops for all names."""


class AccountChoice:
    """The accounts of a run, and the name at which each identifier is validated."""

    def __init__(self, dns: DnsView, writers: Mapping[str, RecordWriter], *, attended: bool = False) -> None:
        self._dns = dns
        self._writers = writers
        self._attended = attended

    def place_all(self, context: Context, targets: Mapping[str, Target], route: Route, placements: Placements) -> None:
        """Add the placement of each identifier, or the reason why the route cannot work for it."""
        for identifier, target in targets.items():
            several = self.routes(target.name, route)
            if not several:
                missing = records.no_account(identifier, target.name, self._writers.values())
                placements.block(route, [identifier], missing)
                continue
            if several != [route]:
                placements.opened[identifier] = (route, several)
            placements.routes[identifier] = several[0]
            try:
                placement = self.place(identifier, target, several[0])
            except errors.AttemptError as error:
                placements.block(several[0], [identifier], error)
                continue
            placements.placements[identifier] = placement
            if target.hops and route.alias is None:
                self._warn_elsewhere(context, placement)

    def targets(
        self, context: Context, wanted: Collection[str], route: Route, check: PropagationCheck, label: str = OWN_LABEL
    ) -> tuple[dict[str, Target], dict[str, errors.DnsError]]:
        """Find the name for the TXT value of each identifier, or the reason why there is no such name.

        :param wanted: the identifiers.
        :param check: how the visibility of the values will be checked. If that does not use DNS, the lookups here do
            not either.
        :param label: the label that the challenge type puts before the domain.
        """

        def look_up(some: list[str]) -> dict[str, Target]:
            follows, alias = route.follow_cname, route.alias
            return self._dns.challenge_targets(
                context, some, follow_cname=follows, alias=alias, check=check, label=label
            )

        refused: dict[str, errors.DnsError] = {}
        left = list(wanted)
        for tries_left in reversed(range(_MOST_SILENT_ZONES)):  # each zone costs the time of a lookup
            try:
                return look_up(left), refused
            except errors.DnsError as error:
                gives_up = error.code == "dns-unreachable" and not tries_left
                concerned = left if gives_up else _concerned(error, left)
                refused |= dict.fromkeys(concerned, error)
                left = [identifier for identifier in left if identifier not in refused]
                if not concerned or not left:
                    break
        found: dict[str, Target] = {}
        for identifier in left:  # one has failed: look each up alone
            try:
                found |= look_up([identifier])
            except errors.DnsError as refusal:
                refused[identifier] = refusal
        return found, refused

    def routes(self, owner: str, route: Route) -> list[Route]:
        """Expand a route without accounts: one route for each account that fits, the longest zone first."""
        if route.dns:
            return [route]
        fitting = [writer for writer in self._writers.values() if writer.may_write(owner)]
        fitting.sort(key=lambda writer: len(names.labels(writer.zone_of(owner) or "")), reverse=True)
        return [replace(route, dns=(writer.account.name,)) for writer in fitting]

    def place(self, identifier: str, target: Target, route: Route) -> TxtPlacement:
        """Return where the value goes and which accounts write it, without writing it.

        :raises DnsError: ``dns-no-account``, ``dns-not-delegated``: an account may not write there.
        :raises ChallengeError: ``manual-no-terminal``.
        :raises ProviderError: ``hook-name``.
        """
        writers = [self._writers[name] for name in route.dns]
        for writer in writers:
            if not writer.may_write(target.name):
                raise records.no_account(identifier, target.name, [writer])
            if writer.provider.runs_program:
                check_names(writer.account.name, [target.name])
            if writer.provider.behaviour.by_hand and not self._attended:
                record, account = names.relative(target.name), writer.account.name
                has_other = any(each.can_stand_in(identifier) for each in self._writers.values())
                text = texts.BY_HAND_UNATTENDED if has_other else texts.BY_HAND_ALONE
                raise errors.ChallengeError.of(text, identifier=identifier, record=record, account=account)
        zones = tuple((writer, writer.zone_of(target.name) or target.served_zone) for writer in writers)
        return TxtPlacement(identifier, target.name, target.served_zone, zones, route.challenge)

    def _warn_elsewhere(self, context: Context, placement: TxtPlacement) -> None:
        """Warn if a CNAME alone decides in which zone, and beside which records, an account writes.

        The operator of the identifier's DNS can change the CNAME. If the configuration has the ``zones`` of the account
        or the ``alias`` of the route, it decides instead.
        """
        unlimited = {
            writer.account.name: names.relative(zone)
            for writer, zone in placement.writers
            if not (writer.account.zones or writer.provider.behaviour.delegated)
        }
        if not unlimited or placement.name.lower().startswith(OWN_LABEL) or self._is_in_own_zone(context, placement):
            return
        its = {"identifier": placement.identifier, "name": names.relative(placement.name)}
        for account, zone in unlimited.items():
            context.warn(*texts.CNAME_ELSEWHERE.fill(**its, zone=zone, account=account))

    def _is_in_own_zone(self, context: Context, placement: TxtPlacement) -> bool:
        """Return whether the TXT value goes into the zone of the identifier itself, or below it."""
        try:
            own = self._dns.challenge_targets(context, [placement.identifier], follow_cname=False)
        except errors.DnsError:
            return False
        return names.is_at_or_below(placement.name, own[placement.identifier].served_zone)


def _concerned(error: errors.DnsError, identifiers: Sequence[str]) -> Sequence[str]:
    """Return the identifiers that the error of their lookup is certainly about; empty if this is unknown."""
    if len(identifiers) == 1:
        return identifiers
    if error.code != "dns-unreachable":
        return ()
    zone = errors.about(error).zone
    if not zone:  # the recursive servers, which all names use
        return identifiers
    return [each for each in identifiers if names.is_at_or_below(names.base_domain(each), zone)] or identifiers


# ── dns account01 ──────────────────────────────────────────────────────────────────────

# The solver of dns-account-01. It works as dns-01, at a name below a label of the account.

_OCTETS: Final = 10


class DnsAccount01(Dns01):
    """Publishes the value of dns-01 at a separate name for each account: several can validate a domain at once."""

    def label(self, placements: Placements) -> str:
        """Return the labels before the domain."""
        return f"{account_label(placements.account_url())}.{OWN_LABEL}"


def account_label(url: str) -> str:
    """Return the label of an account (draft-ietf-acme-dns-account-label-02 section 3.2).

    :param url: the URL of the account.
    """
    digest = hashlib.sha256(url.encode("ascii")).digest()
    return f"_{base64.b32encode(digest[:_OCTETS]).decode().lower()}"
