"""The table, and docs/benchmark.md around it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Figure

_LOADING = (
    "Almost two thirds of the processor time is Python loading modules. Most of these are requests, cryptography and "
    "dnspython, which the bare script loads too; josepy and our own are a quarter more. What else there is over the "
    "bare script hardly grows with the names: finding the zone and its servers, CAA, the store, four connections to "
    "the CA where it has one, and taking the values back"
)
_WAITING = (
    "In processor time it is about a quarter more than the bare script: some 60 ms that do not depend on the number of "
    "names (half of it loads our modules and josepy, the rest is finding the zone, CAA, the store, and four "
    "connections to the CA instead of one), and half a millisecond for each name. Before each first look at what the "
    "CA is working on there is a short wait (30 ms for 100 names), which keeps the requests at 4 + 2 N"
)
_FAR = (
    "What is left is round trips that cannot be made at once: the CA answers so many requests at a time, and so do the "
    "name servers, and each step needs the one before it"
)
_PACE = (
    "Servers are asked again after a fiftieth of the time waited so far, so the moment at which the last one agrees is "
    "seen up to so much later: 60 ms after 3 s, 200 ms after 10 s. The rest is what one name takes without any lag, "
    "most of it loading modules before the wait; nothing is loaded after it"
)
_START = (
    "Two thirds of it is the bare interpreter, whose line is above; the rest finds and loads a handful of small "
    "modules, and what other work there is on the same cores"
)
_IDLE = (
    "Of the processor time, 50 ms on this machine, a fifth is the bare interpreter, two fifths load 75 modules of the "
    "standard library, a third loads 80 of dnsrenew, and less than a tenth is the work and the end. No other library "
    "is loaded. What the clock shows beyond that is other work on the same cores"
)
_EACH = (
    "Each certificate takes about 70 µs of processor time: a fifth reads its table in the configuration, two thirds "
    "read its state, check the paths it names and make its outcome. What the clock shows beyond that is other work on "
    "the same cores"
)
_SHARED = (
    "Eight workers keep the program and the servers busy all the time, and they share the cores of this machine: what "
    "is left is work, and no waiting that more workers could use"
)
_REFUSED = (
    "Chance decides how often each request is refused, and with it how many more are signed and sent: the slowest "
    "issuance had bad luck, on a machine that runs the CA as well"
)
_GUARDS = (
    "It is a few milliseconds in every run, whatever else it does: files that are written, locked, read and removed, "
    "and the modules for it, which have to be loaded"
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
    "many-workers": _SHARED,
    "nonces": _REFUSED,
    "guards": _GUARDS,
}
"""Why a goal is missed, by the key of its figure. Written by a person, shown only while it is missed."""

_ROUNDS_NOTE = (
    "Measured is the median of the rounds, or the ratio of two medians; best is the same with the least of each."
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


def page(figures: Sequence[Figure], machine: str) -> str:
    """docs/benchmark.md."""
    return _PAGE.format(table=table(figures), machine=machine, note=_ROUNDS_NOTE, missed=_missed(figures))


def _missed(figures: Sequence[Figure]) -> str:
    missed = [figure for figure in figures if figure.met is False]
    if not missed:
        return "Every goal is met on this machine."
    return "\n".join(f"- {_by_how_much(figure)}. {WHY.get(figure.key, 'Why is not known yet')}." for figure in missed)


def _by_how_much(figure: Figure) -> str:
    goal = figure.goal or 0.0
    over = f"{(figure.value / goal - 1) * 100:.0f} %" if goal else figure.unit.text(figure.value)
    return f"**{figure.what}**: {figure.unit.text(figure.value)}, {over} over the goal of {figure.unit.text(goal)}"


_PAGE = """\
# How fast it is

<!-- Made by `python -m bench --docs`; change bench/page.py, not this file. -->

`make bench` measures this anew on your machine in a few minutes. All servers are real and run on loopback: Pebble as
the CA, a BIND primary, a BIND secondary and a BIND resolver; the program and the servers share the cores.

The figures below are of this machine: {machine}.

{table}

{note} Other work on a machine only ever adds to a time. Where a line is a ratio, both sides ran in turns, in one run.

## Goals that are missed

{missed}

## Others

Measured on the same kind of lab, whole process, nothing to wait for:

| what | lego | certbot | acme.sh |
|---|---|---|---|
| 1 name | 1.6 s | 3.3 s (62 s with its defaults) | 5.2 s |
| 100 names | 431 s | 6.8 s | 260 s |
| nothing due among 1,000 certificates | — | 2.6 s | 20 s |

## What is measured

- **The bare script** (`bench/bare.py`) is the least a Python client must do for the same order at the same Pebble: one
  `requests.Session`, cryptography and dnspython, one thread. It has no store, no config, no checks, no retries, and
  leaves its TXT values behind. It is told the zone and its servers, which dnsrenew finds out, and it looks every 20 ms
  at DNS and at the CA, whatever Retry-After the CA sends, which dnsrenew honours after one early look.
- **Whole process**: from the start of a fresh Python to its end, with a new store and a new account each time. dnsrenew
  runs as people run it, and withdraws its TXT values. The first run of each kind is not counted: it fills the caches.
- **50 ms round trip**: proxies in front of the CA, of the resolver and of both authoritative servers delay each
  direction by 25 ms, on TCP and on UDP, the time of connecting included. The CA's own look at DNS is not delayed.
- **Secondary lags**: the primary's NOTIFY reaches the secondary so many seconds late, and until then it serves the old
  zone. What is left after the lag is taken off is everything else, the start of Python included.
- **Nothing due**: `dnsrenew renew` on a config and a store with so many valid certificates, each with a known time
  of the CA's wish (ARI). Nobody is asked anything.
- **fsyncs**: how often `os.fsync` and its like are called in the process (`bench/count_syncs.py`).
- **Peak memory**: the largest resident set that the kernel counted (`ru_maxrss`).
- **200 certificates**: of one name each, from one CA, in one zone, in one run that begins with nothing. One worker is
  measured with one certificate and with 20; each of the others is taken to last as long as one of those.
- **Nonces refused**: Pebble refuses so many of the good nonces; each refusal brings a fresh one, which is used at once.
- **With journal, locks and proofs**: a run as it is, and one without the journal of TXT values, without any lock,
  without the proof that the store can be written, without the order that is kept for a later run
  (`bench/unguarded.py`). On both sides fsync does nothing: fsyncs are counted above.
"""
