"""The search for the zones of names, without servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.message

from dnsrenew.base.model import Resolver
from dnsrenew.base.runtime import Context
from dnsrenew.dns import wire
from dnsrenew.dns.lookup import Lookup, Recursion
from dnsrenew.dns.wire import Name
from dnsrenew.dns.zones import ZoneOf, Zones, no_zone

HERE = wire.from_text("home.example.test")
ABOVE = wire.from_text("example.test")


class PrivateNetwork(Zones):
    """The servers of ``home.example.test`` can be reached, those of ``example.test`` cannot."""

    def __init__(self) -> None:
        lookup = Lookup()
        super().__init__(Recursion(Resolver(), lookup, lambda *_: None), lookup, 53)  # type: ignore[arg-type]
        self.enclosed: list[set[Name]] = []

    def enclosing(self, context: Context, names: Sequence[Name]) -> dict[Name, Name]:
        """Answer as the recursive server of the network."""
        del context
        self.enclosed.append(set(names))
        return {name: HERE if name.is_subdomain(HERE) else ABOVE for name in names}

    def _descend(self, context: Context, zones: Mapping[Name, Name], located: dict[Name, ZoneOf]) -> dict[Name, Name]:
        del context
        for name, zone in zones.items():
            located[name] = ZoneOf(zone, dns.message.Message() if zone == HERE else None, {})
        return {}


def test_a_zone_is_found_whose_parent_cannot_be_reached() -> None:
    """If the servers of the topmost zone do not answer, the search begins at the nearest zone of each name."""
    zones = PrivateNetwork()
    names = [wire.from_text(f"_acme-challenge.{name}") for name in ("example.test", "nas.home.example.test")]
    located = zones.locate(Context(), names)
    assert [located[name].zone for name in names] == [ABOVE, HERE]
    assert [located[name].answer is None for name in names] == [True, False]
    assert zones.enclosed[0] == {ABOVE}


def test_a_name_of_other_letters_is_shown_in_these() -> None:
    """The message names a name as people write it; the evidence has its A-label."""
    error = no_zone("_acme-challenge.xn--wnu286bc9czuf.")
    assert "for 我的网站:" in error.message
    assert error.evidence["name"] == "xn--wnu286bc9czuf"
