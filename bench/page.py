"""The table, docs/internals/benchmark.md around it, and the two rows of it that the README shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.processes import ROOT

if TYPE_CHECKING:
    from bench.figures import Figure

_LOADING = (
    "Almost two thirds of the processor time is Python loading modules. Most of these are urllib3, cryptography "
    "and dnspython, which the bare script loads too; josepy and dnsrenew's own are a quarter more. The rest hardly "
    "grows with the number of names: finding the zone and its servers, CAA, the store, two connections to the CA "
    "instead of one, and removing the TXT values"
)
_WAITING = (
    "The processor time is about that of the bare script: some 50 ms more that do not depend on the number of names "
    "(most of it loads dnsrenew's modules and josepy, the rest is finding the zone, CAA, the store, and two "
    "connections to the CA instead of one), and less for each name. Before the order is finalized "
    "and polled there is a short wait (30 ms for 100 names, more on a busy machine), "
    "which keeps the number of requests at 4 + 2 N"
)
_FAR = (
    "The rest is round trips that cannot run in parallel: the CA and the name servers answer a limited number of "
    "requests at a time, and each step needs the one before it"
)
_PACE = (
    "Each name server is polled again after a fiftieth of the time waited so far, so dnsrenew notices the last "
    "update with a delay: up to 60 ms after 3 s, 200 ms after 10 s. The rest is the time that one name takes "
    "without any lag, most of it loading modules before the wait; no module is loaded after it"
)
_START = (
    "Two thirds of it is the bare interpreter, see its line above; the rest finds and loads a few small modules, "
    "and is other work on the same cores"
)
_IDLE = (
    "Of the processor time, 50 ms on this machine, a fifth is the bare interpreter, two fifths load 75 modules of "
    "the standard library, a third loads 80 of dnsrenew, and less than a tenth is the work and the end of the "
    "process. No other library is loaded. The rest of the measured time is other work on the same cores"
)
_EACH = (
    "Each certificate takes about 40 µs of processor time: a quarter reads its table in the configuration, half looks "
    "at its state and its files, and the rest reads its line of the index of due times and makes its outcome. The "
    "rest of the measured time is other work on the same cores"
)
_STATUS = (
    "Each certificate takes about 70 µs of processor time: a sixth reads its table in the configuration, two thirds "
    "read its state and look at its files, and the rest makes its row. The rest of the measured time is other work on "
    "the same cores"
)
_SHARED = (
    "Eight workers keep the program and the servers busy all the time, and they share the cores of this machine: "
    "the rest is work, and more workers could not use it"
)
_REFUSED = (
    "The number of refusals of each request is random, and with it the number of requests that are signed and sent "
    "again: the slowest issuance had bad luck, on a machine that also runs the CA"
)
_GUARDS = (
    "It is a few milliseconds in every run: files that are written, locked, read and removed, and the modules for "
    "it, which have to be loaded"
)
WHY = {
    "near-1": _LOADING,
    "near-20": _LOADING,
    "near-100": _WAITING,
    "far-100": _FAR,
    "lag-3": _PACE,
    "lag-10": _PACE,
    "version": _START,
    "help": _START,
    "idle-1": _IDLE,
    "idle-1000": _EACH,
    "idle-10000": _EACH,
    "idle-100000": _EACH,
    "status": _STATUS,
    "many-workers": _SHARED,
    "nonces": _REFUSED,
    "guards": _GUARDS,
}
"""Why a goal is missed, by the key of its figure. Written by a person, shown only while it is missed."""

_ROUNDS_NOTE = (
    "*Measured* is the median of the rounds, or the ratio of two medians; *best* is the same with the minimum."
)


def table(figures: Sequence[Figure]) -> str:
    """The table as Markdown that is also fit for a terminal."""
    head = ("what", "goal", "measured", "", "best", "rounds", "detail")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    mark = {None: "", True: "met", False: "MISSED"}[figure.met]
    text = figure.unit.text
    best = "" if figure.rounds == 1 else text(figure.best)
    return (figure.what, figure.goal_text, text(figure.value), mark, best, str(figure.rounds), figure.detail)


def write(figures: Sequence[Figure], machine: str) -> None:
    """Write docs/internals/benchmark.md, and our times in the README's comparison."""
    text = _PAGE.format(table=table(figures), machine=machine, note=_ROUNDS_NOTE, missed=_missed(figures))
    (ROOT / "docs" / "internals" / "benchmark.md").write_text(text, "utf-8")
    readme = ROOT / "README.md"
    readme.write_text(with_our_times(readme.read_text("utf-8"), figures), "utf-8")


def with_our_times(readme: str, figures: Sequence[Figure]) -> str:
    """Return the README with our times of these figures in its comparison."""
    times = {figure.key: figure.detail.partition(" s : ")[0] for figure in figures}
    for key, row in (("near-1", "1 name, nothing to wait for"), ("near-100", "100 names")):
        readme = re.sub(rf"^(\| {row} \|) [\d.]+ s", rf"\1 {float(times[key]):.1f} s", readme, flags=re.MULTILINE)
    return readme


def _missed(figures: Sequence[Figure]) -> str:
    missed = [figure for figure in figures if figure.met is False]
    if not missed:
        return "Every goal is met on this machine."
    return "\n".join(
        f"- {_by_how_much(figure)}. {WHY.get(figure.key, 'The reason is not known yet')}." for figure in missed
    )


def _by_how_much(figure: Figure) -> str:
    goal = figure.goal or 0.0
    over = f"{(figure.value / goal - 1) * 100:.0f} %" if goal else figure.unit.text(figure.value)
    return f"**{figure.what}**: {figure.unit.text(figure.value)}, {over} over the goal of {figure.unit.text(goal)}"


_PAGE = """\
# How fast it is

<!-- Made by `python -m bench --docs`; change bench/page.py, not this file. -->

`make bench` repeats the measurements on your machine in a few minutes. All servers are real and run on loopback: Pebble
as the CA, a BIND primary, a BIND secondary and a BIND resolver. The program and the servers share the cores.

The figures below are from this machine: {machine}.

{table}

{note} Other work on the machine can only add to a time. The two sides of a ratio were measured alternately, in one run.

## Goals that are missed

{missed}

## Others

Measured with the same servers, whole process, nothing to wait for:

| what | lego | certbot | acme.sh |
|---|---|---|---|
| 1 name | 1.6 s | 3.3 s (62 s with its defaults) | 5.2 s |
| 100 names | 431 s | 6.8 s | 260 s |
| nothing due among 1,000 certificates | — | 2.6 s | 20 s |

## What is measured

- **The bare script** (`bench/bare.py`) does the minimum of a Python client for the same order at the same Pebble: one
  `requests.Session`, cryptography and dnspython, one thread. It has no store, no config, no checks, no retries, and
  does not remove its TXT values. Its arguments contain the zone and its servers, which dnsrenew has to find. It polls
  DNS and the CA every 20 ms and ignores Retry-After, which dnsrenew respects after one early poll.
- **Whole process**: from the start of a fresh Python to its end, with a new store and a new account each time. dnsrenew
  runs as a command, and removes its TXT values. The first run of each kind is not counted: it fills the caches.
- **50 ms round trip**: proxies in front of the CA, the resolver and both authoritative servers delay each
  direction by 25 ms, for TCP (with the connection set-up) and UDP. The CA's own DNS queries are not delayed.
- **Secondary lags**: the primary's NOTIFY reaches the secondary late, by this number of seconds; until then it serves
  the old zone. The figure is the total time minus the lag, and includes the start of Python.
- **Nothing due**: `dnsrenew renew` on a config and a store with this number of valid certificates, each with stored
  renewal information (ARI). It sends no request.
- **fsyncs**: the number of calls of `os.fsync` and similar functions in the process (`bench/count_syncs.py`).
- **Peak memory**: the maximum resident set size by the kernel's count (`ru_maxrss`).
- **200 certificates**: of one name each, from one CA, in one zone, in one run with an empty store. One worker is
  measured with one certificate and with 20, and the time for 200 is calculated from these.
- **Through dns-lexicon**: the DNS host is a real PowerDNS, whose HTTP API dns-lexicon uses in a process of its own
  (`bench/hosts.py`). The slow host is the same behind a proxy that waits before each request; each certificate has a
  zone of its own there, and the time for one worker is calculated from one certificate and from four.
- **Nonces refused**: Pebble refuses this share of the valid nonces; each refusal has a new one, which is used at once.
- **With journal, locks and proofs**: a normal run against one without the journal of TXT values, without locks,
  without the test that the store is writable, and without the pending order on disk
  (`bench/unguarded.py`). On both sides fsync does nothing: fsyncs are counted above.
"""
