"""Zones whose servers do not answer, in the preflight of dns-01."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dnsrenew.base.model import Route
from dnsrenew.base.runtime import Context
from dnsrenew.challenges.dns01 import AccountChoice
from dnsrenew.dns import Target
from dnsrenew.errors import DnsError


class SomeSilent:
    """A view of DNS in which the servers of some zones do not answer.

    :ivar lookups: how many names each lookup had.
    """

    def __init__(self, *silent: str, code: str = "dns-unreachable") -> None:
        self._silent = silent
        self._code = code
        self.lookups: list[int] = []

    def challenge_targets(self, _context: Context, identifiers: Sequence[str], **_: Any) -> dict[str, Target]:
        """Return the targets, or raise the error of the first silent zone."""
        self.lookups.append(len(identifiers))
        for zone in self._silent:
            if any(name == zone or name.endswith(f".{zone}") for name in identifiers):
                raise DnsError(
                    self._code, f"None of the name servers of {zone} answers.", fix="", evidence={"zone": zone}
                )
        return {name: Target(f"_acme-challenge.{name}.", (), f"{name}.") for name in identifiers}


def found(dns: SomeSilent, *names: str) -> tuple[set[str], dict[str, str]]:
    """Return the names with a target, and the zone that each other one was refused for."""
    choice = AccountChoice(dns, {})  # type: ignore[arg-type]
    targets, refused = choice.targets(Context(), names, Route("dns-01"), "authoritative")
    return set(targets), {name: error.evidence["zone"] for name, error in refused.items()}


def test_the_names_of_other_zones_keep_the_route() -> None:
    """Only the names in a zone whose servers do not answer are refused, after one lookup for each such zone."""
    dns = SomeSilent("dead.test", "gone.test")
    names = ("dead.test", "*.dead.test", "good.test", "www.gone.test", "*.good.test")
    targets, refused = found(dns, *[name.removeprefix("*.") for name in names])
    assert targets == {"good.test"}
    assert refused == {"dead.test": "dead.test", "www.gone.test": "gone.test"}
    assert len(dns.lookups) == 3


def test_many_silent_zones_cost_no_lookup_each() -> None:
    """After three zones without an answer the other names are refused too."""
    dns = SomeSilent(*(f"dead{number}.test" for number in range(20)))
    targets, refused = found(dns, *(f"dead{number}.test" for number in range(20)), "good.test")
    assert targets == set()
    assert len(refused) == 21
    assert len(dns.lookups) == 3


@pytest.mark.parametrize("code", ["dns-no-zone", "cname-loop"])
def test_another_error_of_one_name_refuses_only_that_name(code: str) -> None:
    """After any other error each name is looked up alone."""
    targets, refused = found(SomeSilent("bad.test", code=code), "bad.test", "good.test", "fine.test")
    assert targets == {"good.test", "fine.test"}
    assert set(refused) == {"bad.test"}
