"""Chooses the DNS accounts that write the TXT value of each identifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.model import PropagationCheck, Route
from dnsrenew.base.runtime.context import Context
from dnsrenew.base.values import replace
from dnsrenew.challenges.dns01 import texts
from dnsrenew.challenges.dns01.records import OWN_LABEL, RecordWriter, TxtPlacement, no_account
from dnsrenew.challenges.solver import Placements
from dnsrenew.dns import DnsView, Target
from dnsrenew.drivers.hook import check_names
from dnsrenew.errors import AttemptError, ChallengeError, DnsError, about

_MOST_SILENT_ZONES: Final = 3
"""Zones without an answer that one lookup goes on without; after that it goes on for no name."""


class AccountChoice:
    """The accounts of a run, and at which name each identifier is validated."""

    def __init__(self, dns: DnsView, writers: Mapping[str, RecordWriter], *, attended: bool = False) -> None:
        self._dns = dns
        self._writers = writers
        self._attended = attended

    def place_all(self, context: Context, targets: Mapping[str, Target], route: Route, placements: Placements) -> None:
        """Add the placement of each identifier, or what rules the route out for it."""
        for identifier, target in targets.items():
            several = self.routes(target.name, route)
            if not several:
                placements.block(route, [identifier], no_account(identifier, target.name, self._writers.values()))
                continue
            if several != [route]:
                placements.opened[identifier] = (route, several)
            placements.routes[identifier] = several[0]
            try:
                placement = self.place(identifier, target, several[0])
            except AttemptError as error:
                placements.block(several[0], [identifier], error)
                continue
            placements.placements[identifier] = placement
            if target.hops and route.alias is None:
                self._warn_elsewhere(context, placement)

    def targets(
        self,
        context: Context,
        identifiers: Collection[str],
        route: Route,
        check: PropagationCheck,
        label: str = OWN_LABEL,
    ) -> tuple[dict[str, Target], dict[str, DnsError]]:
        """Find out, for each identifier, at which name its TXT value goes, or why it cannot.

        :param check: how the visibility of the values will be checked. If that needs no DNS, the lookups here need none
            either.
        :param label: the label that the challenge type puts before the domain.
        """
        look_up = partial(
            self._dns.challenge_targets,
            context,
            follow_cname=route.follow_cname,
            alias=route.alias,
            check=check,
            label=label,
        )
        refused: dict[str, DnsError] = {}
        left = list(identifiers)
        for tries_left in reversed(range(_MOST_SILENT_ZONES)):  # each zone costs the time of a lookup
            try:
                return look_up(left), refused
            except DnsError as error:
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
            except DnsError as refusal:
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
        """Return where the value goes and which accounts write it; write nothing.

        :raises DnsError: ``dns-no-account``, ``dns-not-delegated``: an account may not write there.
        :raises ChallengeError: ``manual-no-terminal``.
        :raises ProviderError: ``hook-name``.
        """
        writers = [self._writers[name] for name in route.dns]
        for writer in writers:
            if not writer.may_write(target.name):
                raise no_account(identifier, target.name, [writer])
            if writer.provider.runs_program:
                check_names(writer.account.name, [target.name])
            if writer.provider.behaviour.by_hand and not self._attended:
                record, account = names.relative(target.name), writer.account.name
                raise ChallengeError.of(texts.BY_HAND_UNATTENDED, identifier=identifier, record=record, account=account)
        zones = tuple((writer, writer.zone_of(target.name) or target.served_zone) for writer in writers)
        return TxtPlacement(identifier, target.name, target.served_zone, zones, route.challenge)

    def _warn_elsewhere(self, context: Context, placement: TxtPlacement) -> None:
        """Warn if a CNAME alone decides in which zone, and beside which records, an account writes.

        Whoever runs the DNS of the identifier can change the CNAME. The configuration decides instead if it has the
        ``zones`` of the account or the ``alias`` of the route.
        """
        unlimited = [
            (writer, zone)
            for writer, zone in placement.writers
            if not (writer.account.zones or writer.provider.behaviour.delegated)
        ]
        if not unlimited or placement.name.lower().startswith(OWN_LABEL) or self._is_in_own_zone(context, placement):
            return
        for writer, zone in unlimited:
            context.warn(
                *texts.CNAME_ELSEWHERE.fill(
                    identifier=placement.identifier,
                    name=names.relative(placement.name),
                    zone=names.relative(zone),
                    account=writer.account.name,
                )
            )

    def _is_in_own_zone(self, context: Context, placement: TxtPlacement) -> bool:
        """Return whether the TXT value goes into the zone of the identifier itself, or below it."""
        try:
            own = self._dns.challenge_targets(context, [placement.identifier], follow_cname=False)
        except DnsError:
            return False
        return names.is_at_or_below(placement.name, own[placement.identifier].served_zone)


def _concerned(error: DnsError, identifiers: Sequence[str]) -> Sequence[str]:
    """Return the identifiers that the error of their lookup is certainly about; none if that is not known."""
    if len(identifiers) == 1:
        return identifiers
    if error.code != "dns-unreachable":
        return ()
    zone = about(error).zone
    if not zone:  # the recursive servers, which are those of all names
        return identifiers
    return [each for each in identifiers if names.is_at_or_below(names.base_domain(each), zone)] or identifiers
