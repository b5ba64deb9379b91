"""TXT values (RFC 8555 section 8.4): the accounts that write them, their placement, and their batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from typing import Final

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, DnsAccount, Propagation, TxtRecord
from dnsrenew.base.names import absolute, base_domain, is_ip
from dnsrenew.base.values import Frozen, field, grouped
from dnsrenew.challenges import CHALLENGES, texts
from dnsrenew.drivers import catalogue
from dnsrenew.drivers.provider import Behaviour, Provider
from dnsrenew.errors import AttemptError, CAError, DnsError
from dnsrenew.store.journal import WrittenValue
from dnsrenew.store.zone_locks import WRITING

_SCRIPT_TURN: Final = 600.0
"""Seconds to wait for a run whose script writes, because the script is called for each value."""
OWN_LABEL: Final = "_acme-challenge"
"""The first label of the name that a CA queries for a value, unless a CNAME points elsewhere."""


class RecordWriter(Frozen):
    """An account and the provider file of its host."""

    account: DnsAccount
    provider: Provider

    def zone_of(self, owner: str) -> str | None:
        """Return the zone of ``owner`` in this account, or None if only DNS can tell."""
        if (by_suffix := catalogue.zone_for(self.provider, owner)) is not None:
            return by_suffix
        fitting = [zone for zone in self.account.zones if names.is_at_or_below(owner, zone)]
        return names.absolute(max(fitting, key=lambda zone: len(names.labels(zone)))) if fitting else None

    def single_value_key(self, zone: str, name: str) -> str | None:
        """Return the name or zone that holds one value (or two) at a time; None if there is no such limit."""
        behaviour = self.provider.behaviour
        if behaviour.most_values is None:
            return None
        return zone if behaviour.scope == "zone" else name

    @property
    def ttl(self) -> int:
        """TTL in seconds of the records that it writes."""
        return self.account.ttl or self.provider.behaviour.ttl

    @property
    def host_fingerprint(self) -> int:
        """A fingerprint of the host; it changes when the account is configured for another host."""
        return self.provider.host_fingerprint(self.account)

    def turns(self, zones: Iterable[str]) -> dict[str, float]:
        """Return what allows one call at a time, each with the seconds to wait for other runs.

        This is a zone of an ``exclusive`` host, or the account of a script.
        """
        if self.provider.runs_script:
            return {f"{self.account.name}.acme.sh": _SCRIPT_TURN}
        return dict.fromkeys(sorted(set(zones)), WRITING) if self.provider.behaviour.exclusive else {}

    def may_write(self, owner: str) -> bool:
        """Return whether the account's zones, or the suffixes of its host, allow the name."""
        if self.provider.behaviour.delegated and OWN_LABEL in names.labels(owner)[:2]:
            return False
        return self.zone_of(owner) is not None or not (self.account.zones or self.provider.zone_suffixes)

    def can_stand_in(self, domain: str) -> bool:
        """Return whether ``dnsrenew delegate`` may choose this account as the target of a CNAME of the domain."""
        behaviour, own = self.provider.behaviour, f"{OWN_LABEL}.{base_domain(domain)}"
        return behaviour.delegated or bool(self.account.zones and not behaviour.by_hand and not self.may_write(own))


def writers_of(accounts: Mapping[str, DnsAccount], providers: Mapping[str, Provider]) -> dict[str, RecordWriter]:
    """Return every DNS account with the provider file of its host."""
    return {name: RecordWriter(account, providers[account.provider]) for name, account in accounts.items()}


def described(value: WrittenValue) -> dict[str, str]:
    """Return a value as in events and in the result of a cleanup."""
    record, account = value
    return {"zone": record.zone, "name": record.name, "value": record.value, "dns": account}


class TxtPlacement(Frozen):
    """Where the TXT values of one identifier go.

    :ivar name: the owner name of the TXT record; absolute.
    :ivar served_zone: the zone of that name in DNS; absolute.
    :ivar writers: the accounts that write it, each with its zone (absolute). Several hosts of one zone mean several
        accounts.
    """

    identifier: str
    name: str
    served_zone: str
    writers: tuple[tuple[RecordWriter, str], ...]
    challenge: str = "dns-01"

    @property
    def single_value_key(self) -> set[str]:
        """The names or zones that can hold only one value (or two) at a time."""
        keys = {writer.single_value_key(zone, self.name) for writer, zone in self.writers}
        return {key for key in keys if key is not None}


class TxtValue(Frozen):
    """One TXT value, written by one account."""

    identifier: str
    writer: RecordWriter
    record: TxtRecord
    challenge: str = "dns-01"

    @property
    def described(self) -> dict[str, str]:
        """The value as in events."""
        return described(self.written)

    @property
    def written(self) -> WrittenValue:
        """The value as in the journal."""
        return self.record, self.writer.account.name

    @property
    def is_to_be_removed(self) -> bool:
        """Whether the host needs the value to be removed."""
        return self.writer.provider.behaviour.removes

    @property
    def single_value_key(self) -> str | None:
        """The name or zone that holds one value (or two) at a time; None if there is no such limit."""
        return self.writer.single_value_key(self.record.zone, self.record.name)

    @property
    def limit(self) -> dict[tuple[str, str], int]:
        """The number of values that the name or zone holds at a time, by account and key; empty if it has no limit."""
        key, most = self.single_value_key, self.writer.provider.behaviour.most_values
        return {} if key is None or most is None else {(self.writer.account.name, key): most}


def batches(values: Sequence[TxtValue]) -> list[list[TxtValue]]:
    """Split the values into batches that can be in DNS at the same time. Values of one identifier stay together.

    One batch is enough, unless a host keeps one value (or two) for a name or for a whole zone.
    """
    split: list[list[TxtValue]] = []
    taken: list[Counter[tuple[str, str]]] = []  # the number of values that each limited name or zone has in each batch
    for group in grouped(values, lambda value: value.identifier).values():
        limits = {key: most for value in group for key, most in value.limit.items()}
        has_room = (all(used[key] < most for key, most in limits.items()) for used in taken)
        index = next((number for number, room in enumerate(has_room) if room), len(split))
        if index == len(split):
            split.append([])
            taken.append(Counter())
        split[index].extend(group)
        taken[index].update(limits.keys())
    return split


def waits(behaviours: Sequence[Behaviour], wanted: Propagation) -> tuple[float, float]:
    """Return the seconds that some hosts have to show the values, and the seconds to wait afterwards."""
    timeout, settle = wanted.timeout, wanted.settle
    if timeout is None or any(each.by_hand for each in behaviours):  # setting records by hand takes longer than an API
        timeout = max(each.propagation_timeout for each in behaviours)
    return timeout, max(each.settle for each in behaviours) if settle is None else settle


def no_account(identifier: str, owner: str, candidates: Collection[RecordWriter]) -> DnsError:
    """Return the error for a name that no candidate may write."""
    if candidates and all(writer.provider.behaviour.delegated for writer in candidates):
        accounts = [writer.account.name for writer in candidates]
        return DnsError.of(
            texts.NOT_DELEGATED, identifier=identifier, name=owner, record=names.relative(owner), accounts=accounts
        )
    zones = sorted({zone for writer in candidates for zone in (*writer.account.zones, *writer.provider.zone_suffixes)})
    text = texts.NO_ACCOUNT if zones else texts.NO_ACCOUNT_NO_ZONES
    return DnsError.of(text, identifier=identifier, name=owner, record=names.relative(owner), zones=zones)


# ── dns instead ────────────────────────────────────────────────────────────────────────

# The way without an open port, as the first advice if every route of a certificate needs an open port and fails.

_OF_A_PORT: Final = ("http-unreachable", "http-port-", "http-address-", "http-not-served", "tls-alpn-")
_OUTSIDE: Final = frozenset({"ca-connection", "ca-dns", "ca-unauthorized", "ca-incorrect-response", "ca-order-invalid"})


class DnsInstead(Frozen):
    """The DNS accounts that can prove a certificate's names.

    :ivar has_file: whether there is a configuration file; a Python program has none.
    """

    accounts: Mapping[str, DnsAccount] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    has_file: bool = False

    def error(self, spec: CertificateSpec, error: AttemptError) -> AttemptError:
        """Return an error with this advice first, if it is about a port that DNS would not need."""
        if not (needs_port(spec) and _is_about_port(error)):
            return error
        told = copy(error)  # others may have the same failure
        told.fix = self.advice(spec, error.fix)
        return told

    def advice(self, spec: CertificateSpec, fix: str) -> str:
        """Return the advice: the route to add if an account can write, then what would open the port."""
        if route := self.route(spec):
            return texts.ROUTE_INSTEAD.format(route=route, name=spec.name, fix=fix)
        if self.has_file:  # init would find the certificate there
            return texts.ACCOUNT_INSTEAD.format(name=spec.name, fix=fix)
        return texts.DNS_INSTEAD.format(fix=fix)

    def route(self, spec: CertificateSpec) -> str | None:
        """Return the route to add, ready to paste; None if no account may write for the names by itself."""
        owners = [absolute(f"{OWN_LABEL}.{base_domain(identifier)}") for identifier in spec.identifiers]
        for name, account in self.accounts.items():
            writer = RecordWriter(account, self.providers[account.provider])
            if not writer.provider.behaviour.by_hand and all(map(writer.may_write, owners)):
                return f'{{ challenge = "dns-01", dns = "{name}" }}'
        return None


def needs_port(spec: CertificateSpec) -> bool:
    """Return whether every route of a certificate needs an open port, and DNS could prove its names without it."""
    by_port = bool(spec.routes) and all(CHALLENGES[route.challenge].port is not None for route in spec.routes)
    return by_port and not any(map(is_ip, spec.identifiers))


def _is_about_port(error: AttemptError) -> bool:
    problems = error.subproblems if isinstance(error, CAError) else ()
    codes = [error.code, *(problem.get("code") or "" for problem in problems)]
    return any(code in _OUTSIDE or code.startswith(_OF_A_PORT) for code in codes)
