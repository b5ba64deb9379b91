"""A network that misbehaves in every way at every place: the run ends in time, in success or in a typed error.

Each line of docs/internals/network-faults.md is repeated: see network.py for what must hold,
and network_page.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest

from tests.kit import network_ca, network_dns, network_hosts, network_page
from tests.kit.network import Place
from tests.kit.network_page import PAGE, section
from tests.kit.renew_stage import Stage, through
from tests.lab import Lab
from tests.lab.workspace import Workspace

PARTS: Final = (
    (network_ca.ANSWERS,),
    (network_ca.CONNECTIONS, network_ca.POLLS, network_ca.CLOCK),
    network_dns.RECURSIVE_SIDES,
    network_dns.AUTHORITATIVE_SIDES,
    network_hosts.SIDES,
)


@pytest.mark.parametrize("sides", PARTS, ids=lambda sides: sides[0])
def test_what_comes_of_each_fault(lab: Lab, sides: tuple[str, ...]) -> None:
    """Each line of the page holds.

    What differs is repeated by itself: a server that takes more than 0.6 s because two dozen runs share the machine is
    no longer the first to answer, and another one is asked.
    """
    results = network_page.run(lab, sides)
    late = {line.split(" | ")[0].removeprefix("| ") for side in sides for line in differing(side, results)}
    if late:
        results |= network_page.run(lab, sides, late)
    for side in sides:
        assert differing(side, results) == [], side


def differing(side: str, results: Mapping[Place, str]) -> list[str]:
    """The lines of a part that are either on the page or in the results, but not in both."""
    (there,) = [part for part in PAGE.read_text("utf-8").split("\n## ") if part.startswith(f"{side}\n")]
    listed, found = (text.strip().splitlines() for text in (f"## {there}", section(side, results)))
    return [line for line in [*found, *listed] if (line in found) != (line in listed)]


@pytest.mark.parametrize("days", [-400, -3, 400])
def test_a_clock_that_is_set_right_is_all_it_takes(workspace: Workspace, days: int) -> None:
    """What a run has written down by a wrong clock holds back none by the right one, and nothing was ordered before."""
    stage = Stage(workspace)
    with workspace.lab.acme_proxy() as proxy:
        outcome = stage.one(through(proxy), later=timedelta(days=days))
        assert outcome.error is not None
        assert (outcome.error.code, proxy.counts["newOrder"]) == ("clock-wrong", 0)
        stage.renewed(through(proxy))


def test_the_page_has_every_part() -> None:
    """In the order in which it is written, and all of them are repeated here."""
    titles = [part.partition("\n")[0] for part in PAGE.read_text("utf-8").split("\n## ")[1:]]
    assert titles == list(network_page.SIDES)
    assert [side for sides in PARTS for side in sides] == titles
