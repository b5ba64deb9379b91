"""The domains whose records no DNS account can write, unless a CNAME leads into one of its zones."""

from __future__ import annotations

from itertools import filterfalse
from typing import TYPE_CHECKING, Final

from dnsrenew.base.model import Notice
from dnsrenew.base.names import base_domain, is_ip
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import texts
from dnsrenew.config.loader import first_few

if TYPE_CHECKING:
    from dnsrenew.base.model import Route
    from dnsrenew.config.loader import Draft

_SIMILAR: Final = 0.8
"""The least similarity of a zone to the end of a domain, to be meant."""


def domains_outside_zones(draft: Draft) -> list[Notice]:
    """Return one warning for all domains with the same zones."""
    outside: dict[tuple[str, ...], dict[str, None]] = {}
    for spec in draft.certificates.specs:
        for domain in filterfalse(is_ip, spec.identifiers):
            if not any(_can_fit(draft, route, domain) for route in spec.routes):
                accounts = [name for route in spec.routes for name in route.dns or draft.accounts.names]
                zones = tuple(draft.accounts.zones_of(accounts) or ())
                outside.setdefault(zones, {})[base_domain(domain)] = None  # a wildcard has the same records
    return [_notice(list(domains), zones) for zones, domains in outside.items()]


def _can_fit(draft: Draft, route: Route, domain: str) -> bool:
    if not CHALLENGES[route.challenge].writes_dns:  # for others a person may set a record
        return not CHALLENGES[route.challenge].is_unfit(domain)
    if route.alias is not None or not route.follow_cname:  # those outside the zones are mistakes
        return True
    return draft.accounts.covers(route.dns or draft.accounts.names, base_domain(domain))


def _notice(domains: list[str], zones: tuple[str, ...]) -> Notice:
    evidence = {"domains": first_few(domains), "zones": first_few(zones)}
    meant = _nearest(domains[0], zones) if len(domains) == 1 else None
    if meant is None:
        return Notice(*texts.OUTSIDE_ALL_ZONES.fill(**evidence))
    return Notice(*texts.OUTSIDE_ALL_ZONES_NEAREST.fill(**evidence, nearest=meant))


def _nearest(domain: str, zones: tuple[str, ...]) -> str | None:
    """Return the domain with the zone that was probably meant, such as ``a.duckdns.org`` for ``a.duckdns.rog``."""
    import difflib  # needed only for a warning

    labels = domain.split(".")
    for zone in zones:
        meant = zone.removeprefix("*.")
        length = meant.count(".") + 1
        end = ".".join(labels[-length:])
        if end != meant and difflib.SequenceMatcher(None, end, meant).ratio() >= _SIMILAR:
            return ".".join([*labels[:-length], meant])
    return None
