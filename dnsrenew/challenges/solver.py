"""The challenges of one order, whatever their kinds: one shape for all (RFC 8555 section 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dnsrenew.base.names import relative
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01 import records
from dnsrenew.checks.caa import denials
from dnsrenew.errors import AttemptError, PropagationError, ProviderError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.ca import CAClient, Challenge
    from dnsrenew.challenges import dns01, http01
    from dnsrenew.checks.caa import CaaFacts
    from dnsrenew.dns import Target
    from dnsrenew.model import Propagation, PropagationCheck, Route
    from dnsrenew.runtime.context import Context

    Placement = records.Placement | http01.HttpPlacement
    Value = records.TxtValue | http01.HttpValue

LONGEST_CACHING: Final = 60
"""Seconds that the resolvers of a CA keep an answer at most, whatever its TTL."""


class Blocker(Frozen):
    """Why a route cannot work for some names; certain, and known before anything is ordered."""

    route: Route
    identifiers: tuple[str, ...]
    error: AttemptError


@dataclass(slots=True)
class Placements:
    """What came of looking where the proofs of a mix go.

    :ivar routes: for each identifier the route it takes: of one that stands for several accounts, the first.
    :ivar opened: identifiers whose route stands for several, one for each account that fits: that route, and those.
    :ivar validated: identifiers that the CA will hardly want proved: nothing stands in their way, unless it does.
    """

    routes: dict[str, Route]
    validated: Collection[str] = ()
    placements: dict[str, Placement] = field(default_factory=dict)
    blockers: list[Blocker] = field(default_factory=list)
    opened: dict[str, tuple[Route, list[Route]]] = field(default_factory=dict)

    _in_the_way: dict[str, AttemptError] = field(default_factory=dict)

    def block(self, route: Route, identifiers: Sequence[str], error: AttemptError) -> None:
        """Take in that a route cannot work for some names; for those that are proved it need not."""
        self._in_the_way.update(dict.fromkeys(identifiers, error))
        concerned = tuple(identifier for identifier in identifiers if identifier not in self.validated)
        if concerned:
            self.blockers.append(Blocker(route, concerned, error))

    def placement(self, identifier: str) -> Placement:
        """Return where a proof goes that is wanted.

        :raises AttemptError: there is no place: the CA asks again for what was proved.
        """
        if identifier not in self.placements:
            raise self._in_the_way[identifier]
        return self.placements[identifier]

    def needed(self) -> list[Placement]:
        """Return where the proofs go that will be wanted."""
        return [place for identifier, place in self.placements.items() if identifier not in self.validated]

    def refuse(self, error: ProviderError) -> None:
        """Take in that an account cannot be used as it is configured: the routes by which it writes cannot be gone."""
        for route in dict.fromkeys(self.routes.values()):
            if error.evidence.get("account") in route.dns:
                users = [identifier for identifier, its in self.routes.items() if its == route]
                self.block(route, users, error)

    def forbid(self, answers: Mapping[str, CaaFacts], ca_identities: Sequence[str], account_url: str) -> None:
        """Take in what CAA records say of the routes (RFC 8659, RFC 8657)."""
        for identifier, error in denials(answers, self.routes, ca_identities, account_url).items():
            self.block(self.routes[identifier], [identifier], error)


class ResolverCacheWindow:
    """How long the resolvers of a CA may hold what they saw before at a name, for this or another certificate."""

    def __init__(self, dns: dns01.Dns01) -> None:
        self._dns = dns
        self._until: dict[tuple[str, str], float] = {}

    def wait(self, context: Context, ca: str, values: Sequence[Value]) -> None:
        """Wait until no resolver of the CA can hold an older answer any more."""
        owners = {value.record.name for value in _split(values)[0]}
        until = max((self._until.get((ca, owner), 0.0) for owner in owners), default=0.0)
        seconds = until - context.clock.monotonic()
        if seconds > 0:
            context.emit("caches-waiting", seconds=round(seconds, 1))
            context.wait(seconds)

    def note(self, context: Context, ca: str, values: Sequence[Value]) -> None:
        """Note that the CA looks at the values now."""
        for value in _split(values)[0]:
            # A host that keeps one value decides on its TTL too: what it really is, only its servers know.
            alone = value.single_value_key is not None
            ttl = self._ttl(context, value.record.name) if alone else value.record.ttl
            until = context.clock.monotonic() + min(ttl, LONGEST_CACHING)
            self._until[ca, value.record.name] = until

    def _ttl(self, context: Context, name: str) -> int:
        try:
            return self._dns.ttl(context, name)
        except AttemptError:  # the CA is at it already: not to know is no reason to give up
            return LONGEST_CACHING


class Solver:
    """Places, publishes, waits for and withdraws the proofs of an order; one for a run, thread-safe.

    :ivar caches: what the resolvers of the CAs may remember.
    """

    def __init__(self, dns: dns01.Dns01, http: http01.Http01) -> None:
        self._dns = dns
        self._http = http
        self.caches = ResolverCacheWindow(dns)

    def place(
        self, context: Context, routes: Mapping[str, Route], check: PropagationCheck, validated: Collection[str] = ()
    ) -> Placements:
        """Find out where the proof of each identifier goes; nothing is written yet.

        :param validated: identifiers that the CA will hardly want proved.
        """
        placements = Placements(dict(routes), validated)
        for route in dict.fromkeys(routes.values()):
            identifiers = [identifier for identifier, its in routes.items() if its == route]
            if route.challenge == "dns-01":
                self._place_dns(context, identifiers, route, check, placements)
            else:
                self._place_http(context, identifiers, route, placements)
        return placements

    def _place_dns(
        self,
        context: Context,
        identifiers: Sequence[str],
        route: Route,
        check: PropagationCheck,
        placements: Placements,
    ) -> None:
        targets, refused = self._dns.targets(context, identifiers, route, check)
        for identifier, error in refused.items():
            placements.block(route, [identifier], error)
        for identifier, target in targets.items():
            self._place_at(identifier, target, route, placements)
        self._dns.warn_shadows(context, targets)

    def _place_at(self, identifier: str, target: Target, route: Route, placements: Placements) -> None:
        several = self._dns.routes(target.name, route)
        if not several:
            error = self._dns.no_account(identifier, target.name)
            placements.block(route, [identifier], error)
            return
        if several != [route]:
            placements.opened[identifier] = (route, several)
        placements.routes[identifier] = several[0]
        try:
            placements.placements[identifier] = self._dns.place(identifier, target, several[0])
        except AttemptError as error:
            placements.block(several[0], [identifier], error)

    def _place_http(self, context: Context, identifiers: Sequence[str], route: Route, placements: Placements) -> None:
        try:
            placements.placements.update(self._http.place(context, dict.fromkeys(identifiers, route)))
        except AttemptError as error:
            placements.block(route, identifiers, error)

    def prepare_drivers(self, context: Context, placements: Collection[Placement]) -> None:
        """Read the secrets that will be needed, before anything is ordered.

        :raises SecretError: a reference leads to nothing.
        :raises ConfigError: an option is wrong, or a driver is not installed.
        :raises ProviderError: a driver refuses its options.
        """
        self._dns.prepare_drivers(context, _of_dns(placements))

    def values(self, ca: CAClient, placement: Placement, challenge: Challenge) -> list[Value]:
        """Return what has to be published to answer a challenge."""
        if isinstance(placement, records.Placement):
            return list(self._dns.values(placement, ca.dns01_value(challenge)))
        return [self._http.value(placement, challenge.token or "", ca.key_authorization(challenge))]

    def rounds(self, values: Sequence[Value]) -> list[list[Value]]:
        """Split the values into rounds that can stand at the same time; one, but for hosts that keep one value."""
        dns, http = _split(values)
        rounds: list[list[Value]] = [list(some) for some in records.batches(dns)]
        if http:
            rounds[:1] = [[*http, *(rounds[0] if rounds else [])]]
        return rounds

    def alone(self, context: Context, placements: Placements) -> AbstractContextManager[None]:
        """Keep others away, as long as we need them, from the places that can hold only one value.

        :raises LockedError: another run is there.
        """
        return self._dns.alone(context, _of_dns(placements.placements.values()))

    def journaled(self, context: Context, values: Sequence[Value]) -> AbstractContextManager[None]:
        """Have the values that go to DNS in the journal meanwhile, and afterwards those that could not be removed.

        :raises StoreError: it cannot be written; then nothing may be published.
        """
        return self._dns.journaled(context, _split(values)[0])

    def publish(self, context: Context, values: Sequence[Value]) -> None:
        """Publish the values.

        :raises ProviderError: a DNS host refused or did not answer; any part may have been written.
        :raises ChallengeError: this host cannot answer by HTTP.
        """
        dns, http = _split(values)
        if http:
            self._http.publish(context, http)
        if dns:
            self._dns.publish(context, dns)

    def wait_visible(self, context: Context, values: Sequence[Value], wanted: Propagation, settle: float) -> None:
        """Wait until the values can be seen.

        :param settle: seconds more than is wanted, for a route that the CA saw nothing of.
        :raises PropagationError: not in time.
        :raises ChallengeError: not even from here.
        """
        dns, http = _split(values)
        if http:
            self._http.wait_visible(context, http)
        if dns:
            try:
                self._dns.wait_visible(context, dns, wanted, settle)
            except PropagationError as error:
                raise _about(error, dns) from None

    def explain(self, context: Context, routes: Mapping[str, Route], error: AttemptError) -> None:
        """Add to an error what can be found out about it; it raises nothing."""
        if any(route.challenge == "http-01" for route in routes.values()):
            from dnsrenew.challenges.http01 import diagnosis  # rarely needed

            diagnosis.explain(context, self._dns, routes, error)

    def withdraw(self, context: Context, values: Sequence[Value]) -> None:
        """Take the values back; it raises nothing: what is left is said in a warning."""
        dns, http = _split(values)
        if http:
            self._http.withdraw(context, http)
        if dns:
            self._dns.withdraw(context, dns)


def _about(error: PropagationError, values: Sequence[records.TxtValue]) -> PropagationError:
    """Say of the names that are missing in DNS whose proofs they are, and who has written them."""
    missing = error.evidence.get("names", ())
    late = [value for value in values if relative(value.record.name) in missing] or values
    identifiers = list(dict.fromkeys(value.identifier for value in late))
    accounts = list(dict.fromkeys(value.writer.account.name for value in late))
    return error.with_evidence(identifiers=identifiers, accounts=accounts)


def _of_dns(placements: Iterable[Placement]) -> list[records.Placement]:
    return [placement for placement in placements if isinstance(placement, records.Placement)]


def _split(values: Sequence[Value]) -> tuple[list[records.TxtValue], list[http01.HttpValue]]:
    dns: list[records.TxtValue] = []
    http: list[http01.HttpValue] = []
    for value in values:
        if isinstance(value, records.TxtValue):
            dns.append(value)
        else:
            http.append(value)
    return dns, http
