"""Every network fault at every place: the run ends in time, with success or with an error that has a code.

Each line of docs/internals/network-faults.md is repeated. tests/kit/network.py has the checks of every case, and
tests/kit/network_page.py writes the page.
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


@pytest.mark.slow
@pytest.mark.parametrize("sides", PARTS, ids=lambda sides: sides[0])
def test_each_fault_has_the_result_of_the_page(lab: Lab, sides: tuple[str, ...]) -> None:
    """A renewal with each fault has the result of the page.

    Cases that differ are repeated alone: when two dozen runs share the machine, a server that takes more than 0.6 s is
    not the first to answer, and another one is queried.
    """
    results = network_page.run(lab, sides)
    late = {line.split(" | ")[0].removeprefix("| ") for side in sides for line in differing(side, results)}
    if late:
        results |= network_page.run(lab, sides, late)
    for side in sides:
        assert differing(side, results) == [], side


def differing(side: str, results: Mapping[Place, str]) -> list[str]:
    """The lines of a part that are only on the page or only in the results."""
    (there,) = [part for part in PAGE.read_text("utf-8").split("\n## ") if part.startswith(f"{side}\n")]
    listed, found = (text.strip().splitlines() for text in (f"## {there}", section(side, results)))
    return [line for line in [*found, *listed] if (line in found) != (line in listed)]


@pytest.mark.parametrize("days", [-400, -3, 400])
def test_after_the_clock_is_corrected_the_run_succeeds(workspace: Workspace, days: int) -> None:
    """With the wrong clock nothing is ordered, and what that run stored delays no later run."""
    stage = Stage(workspace)
    with workspace.lab.acme_proxy() as proxy:
        outcome = stage.one(through(proxy), later=timedelta(days=days))
        assert outcome.error is not None
        assert (outcome.error.code, proxy.counts["newOrder"]) == ("clock-wrong", 0)
        stage.renewed(through(proxy))


def test_the_page_has_every_part() -> None:
    """The page has all parts in the order in which they are written, and a test repeats each of them."""
    titles = [part.partition("\n")[0] for part in PAGE.read_text("utf-8").split("\n## ")[1:]]
    assert titles == list(network_page.SIDES)
    assert [side for sides in PARTS for side in sides] == titles
