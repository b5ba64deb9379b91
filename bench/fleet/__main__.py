"""`python -m bench.fleet [NAME…]`: measure and print the table.

All servers run on loopback and are stopped at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import machine, page
from bench.fleet import fleet_page
from bench.fleet.measurements import MEASUREMENTS, Scale
from bench.processes import ROOT, RunFailedError

if TYPE_CHECKING:
    from bench.figures import Figure

FULL: Final = Scale(certificates=100_000, renewed=2_000)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measurements. Exit status 1: one of them failed (a missed goal is no failure)."""
    parser = _parser()
    options = parser.parse_args(argv)
    scale = Scale(certificates=options.certificates, renewed=options.renewed)
    if options.docs and (options.names or scale != FULL):
        parser.error("--docs needs a run of all measurements with the default numbers")
    figures: list[Figure] = []
    status, begin = 0, time.perf_counter()
    place = machine.words() + machine.busy()
    for name in options.names or MEASUREMENTS:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            figures += MEASUREMENTS[name](scale)
        except RunFailedError as error:
            print(f"{name}: {error}", file=sys.stderr)
            status = 1
    print(page.table(figures))
    print(f"\n{place}; {time.perf_counter() - begin:.0f} s in all.")
    if options.json:
        form = {"version": 1, "machine": place, "figures": [figure.to_dict() for figure in figures]}
        options.json.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n")
    if options.docs and not status:
        (ROOT / "docs" / "internals" / "fleet-figures.md").write_text(
            fleet_page.page(figures, place, FULL.certificates, FULL.renewed)
        )
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description="Measures how fast a fleet is.")
    known = ", ".join(MEASUREMENTS)
    parser.add_argument(
        "names", nargs="*", choices=[*MEASUREMENTS, []], metavar="NAME", help=f"one of {known}; default: all"
    )
    parser.add_argument("--certificates", type=int, default=FULL.certificates, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--renewed",
        type=int,
        default=FULL.renewed,
        metavar="N",
        help="renewals by each number of workers (%(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_argument("--docs", action="store_true", help="also write docs/internals/fleet-figures.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
