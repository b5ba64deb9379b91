"""The page with the result of each network fault: ``python -m tests.kit.network_page`` writes it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.kit import network_ca, network_dns, network_hosts
from tests.kit.folders import quick_folder
from tests.kit.network import WRONG, Matrix, Place, Prepare
from tests.lab import Lab, Pebble

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "internals" / "network-faults.md"
SIDES: Final = (*network_ca.SIDES, *network_dns.SIDES, *network_hosts.SIDES)

_HEAD: Final = """\
# Faults of the network

Each line is a renewal, or several, in which one thing on the network was wrong, all the time: with Pebble as the CA
behind a proxy that spoils its answers, and BIND behind a name server that spoils them. A certificate was in force
before. Each run came to its end within its deadlines, with a new certificate or with an error of this code; in no case
was there a traceback or a secret in anything that was said or written, the old certificate was in force and whole
where there was no new one, and no TXT value of ours stood in DNS that was not in the journal, from which `dnsrenew
cleanup` then took it. To another host that a DNS host redirected to, nothing was sent.

- *what is wrong*: at the CA and at the DNS hosts the request was done, and its answer spoilt.
- *what it hits*: which request to the CA, which kind of question to a DNS server, or whether all requests to the DNS
  host or those after the first value stood.
- *what came of it*: `renewed`, or the code of the [error](../reference/errors.md); with the warnings that there were.

This page is written by `python -m tests.kit.network_page`; a test repeats every line.
"""


def section(side: str, results: Mapping[Place, str]) -> str:
    """Return a part of the page: a line for each fault and its result."""
    lines = [f"\n## {side}\n", "| what is wrong | what it hits | what came of it |", "|---|---|---|"]
    grouped: dict[tuple[str, str], list[str]] = {}
    mine = {place: result for place, result in results.items() if place.side == side}
    for fault in dict.fromkeys(place.fault for place in mine):
        for place, result in mine.items():
            if place.fault == fault:
                grouped.setdefault((fault, result), []).append(place.where)
    lines += [f"| {fault} | {'; '.join(places)} | {result} |" for (fault, result), places in grouped.items()]
    return "\n".join(lines) + "\n"


def run(lab: Lab, sides: Iterable[str], faults: Collection[str] | None = None) -> dict[Place, str]:
    """Run the cells of some parts, and return the results; run them again if the CA crashed.

    `faults`: only these; None: all. The CA is a separate one: a small test CA may not survive two dozen clients that
    break off their requests.
    """
    wanted = set(sides)
    with lab.another_pebble() as pebble:
        results = _results(lab, pebble, wanted, faults)
        if pebble.process.running:
            return results
    with lab.another_pebble() as pebble:
        return _results(lab, pebble, wanted, faults)


def _results(lab: Lab, pebble: Pebble, wanted: set[str], faults: Collection[str] | None) -> dict[Place, str]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(quick_folder())
        cells: dict[Place, Prepare] = network_ca.cells()
        if not wanted.isdisjoint(network_dns.SIDES):
            servers = network_dns.NameServers(lab)
            stack.enter_context(servers.running())
            cells |= network_dns.cells(servers)
        if not wanted.isdisjoint(network_hosts.SIDES):
            cells |= network_hosts.cells(stack.enter_context(network_hosts.Api.running(lab)))
        mine = {place: cell for place, cell in cells.items() if place.side in wanted}
        chosen = {place: cell for place, cell in mine.items() if faults is None or place.fault in faults}
        return Matrix(lab, pebble, folder, chosen).results()


def page(results: Mapping[Place, str]) -> str:
    """Return the whole page."""
    return _HEAD + "".join(section(side, results) for side in SIDES)


def main() -> None:
    """Run everything, and write the page."""
    with Lab.start() as lab:
        results = run(lab, SIDES)
    wrong = [f"{place}: {result}" for place, result in results.items() if result.startswith(WRONG)]
    if wrong:
        raise SystemExit("\n".join(wrong))
    PAGE.write_text(page(results), "utf-8")


if __name__ == "__main__":
    main()
