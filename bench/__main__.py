"""`python -m bench [NAME…]`: measure and print the table. All servers run on loopback and are stopped at the end."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import counting, deploying, handshakes, hosts, idle, machine, many, orders, page, starting
from bench.processes import RunFailedError

if TYPE_CHECKING:
    from bench.figures import Figure

MEASUREMENTS: dict[str, Callable[[int | None], list[Figure]]] = {
    "near": orders.near,
    "far": orders.far,
    "lag": orders.lag,
    "fallback": orders.fallback,
    "start": starting.starting,
    "idle": idle.idle,
    "syncs": counting.syncs,
    "memory": counting.memory,
    "many": many.many,
    "hosts": hosts.hosts,
    "nonces": many.nonces,
    "guards": many.guards,
    "deploy": deploying.files,
    "handshakes": handshakes.handshakes,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurements. Exit status 1: one of them failed (a missed goal is no failure)."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.docs and options.names:
        parser.error("--docs needs a run of all measurements")
    figures: list[Figure] = []
    status, begin = 0, time.perf_counter()
    place = machine.words() + machine.busy()
    for name in options.names or MEASUREMENTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            figures += MEASUREMENTS[name](options.rounds)
        except RunFailedError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    print(page.table(figures))
    print(f"\n{place}; {time.perf_counter() - begin:.0f} s in all.")
    if options.json:
        form = {"version": 1, "machine": place, "figures": [figure.to_dict() for figure in figures]}
        options.json.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n")
    if options.docs and not status:
        page.write(figures, place)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures how fast dnsrenew is.")
    known = ", ".join(MEASUREMENTS)
    parser.add_argument("names", nargs="*", type=_known, metavar="NAME", help=f"one of {known}; default: all")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="number of rounds of each (default: depends on the measurement)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument(
        "--docs",
        action="store_true",
        help="also write docs/internals/benchmark.md and our times in the README (needs a run of all)",
    )
    return parser


def _known(name: str) -> str:
    if name not in MEASUREMENTS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(MEASUREMENTS)}")
    return name


if __name__ == "__main__":
    sys.exit(main())
