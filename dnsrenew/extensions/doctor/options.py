"""The routes that each name of a certificate could take, as a renewal would expand them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES
from dnsrenew.errors import Cancelled, DnsRenewError
from dnsrenew.extensions.doctor.accounts.placements import AccountPlacements, accounts_of, placements
from dnsrenew.extensions.doctor.facts import DNS

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Route
    from dnsrenew.extensions.doctor.facts import Facts

Options = Mapping[str, list["Route"]]
"""The routes of each identifier in their order, each with its CA, and dns-01 with its accounts."""


def options(facts: Facts, spec: CertificateSpec) -> Options:
    """Return the routes of each identifier; where DNS does not tell which accounts write, the configuration does."""
    found = _placements(facts, spec)
    return {
        identifier: list(
            dict.fromkeys(
                each
                for route in spec.routes
                if not CHALLENGES[route.challenge].is_unfit(identifier)
                for each in _expanded(facts, replace(route, ca=route.ca or spec.ca), identifier, found)
            )
        )
        for identifier in spec.identifiers
    }


def _placements(facts: Facts, spec: CertificateSpec) -> AccountPlacements:
    if not facts.challenges(spec).isdisjoint(DNS):
        try:
            return placements(facts, spec)
        except (Cancelled, DnsRenewError):  # the checks say so
            pass
    return AccountPlacements({}, {})


def _expanded(facts: Facts, route: Route, identifier: str, found: AccountPlacements) -> Iterator[Route]:
    """Give the routes that a route stands for, for one name."""
    if route.challenge not in DNS:
        yield route
    elif identifier in found.placements:
        for accounts in (tuple(accounts_of(each)) for each in found.placements[identifier]):
            if not route.dns or set(accounts) == set(route.dns):
                yield replace(route, dns=route.dns or accounts)
    elif route.dns:
        yield route
    else:
        yield from (replace(route, dns=(name,)) for name in facts.its.accounts if facts.may_write(name, identifier))
