"""docs/internals/fleet-figures.md: the table, and what ten million certificates need, calculated from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bench import page as tables

if TYPE_CHECKING:
    from bench.figures import Figure

_MILLIONS: Final = 10
_COUNT: Final = _MILLIONS * 1_000_000
_RENEWED_AFTER: Final = 58.0
"""Days: two thirds of 90, less half of the spread."""
_POLLED_AFTER: Final = 6.75
"""Hours: the Retry-After of Let's Encrypt, and half of the spread."""
_PACE: Final = 125.0
"""Requests to a CA a second, of all machines together."""
_REQUESTS: Final = 7
"""Of a renewal, with the first look at its renewal information: 17.8 renewals a second were the most at one CA."""
_PATIENCE: Final = 10.0
_DAY: Final = 86_400.0


def page(figures: Sequence[Figure], machine: str, certificates: int, renewed: int) -> str:
    """Return the page.

    :param certificates: of the fleet that was measured.
    :param renewed: by each number of workers.
    """
    return _PAGE.format(
        table=tables.table(figures),
        machine=machine,
        missed=_missed(figures),
        certificates=f"{certificates:,}",
        renewed=f"{renewed:,}",
        paper=_paper({figure.key: figure.value for figure in figures}, certificates),
    )


def _missed(figures: Sequence[Figure]) -> str:
    missed = [figure for figure in figures if figure.met is False]
    if not missed:
        return "Every goal is met on this machine."
    texts = [f"{figure.what}: {figure.unit.text(figure.value)} instead of {figure.goal_text}" for figure in missed]
    return "\n".join(["Missed:\n", *(f"- {text}" for text in texts)])


def _paper(found: Mapping[str, float], certificates: int) -> str:
    """Return the rows for ten million certificates."""
    times = _COUNT / certificates
    renewals = _COUNT / (_RENEWED_AFTER * _DAY)
    wanted = _COUNT / (_POLLED_AFTER * 3600)
    polls = min(wanted, _PACE - renewals * _REQUESTS)
    cores = renewals * found["processor-1"] + polls * found["poll"]
    statements = renewals * found["statements-1"] + polls * found["poll-statements"]
    status = found["status-queries"] * times
    rows = [
        ("database", f"{found['size'] * _COUNT / 1e9:,.0f} GB, with three versions of each certificate"),
        ("renewals", f"{renewals:.1f} a second, {renewals * 3600:,.0f} an hour"),
        ("polls of renewal information", _polls(wanted, polls)),
        ("workers", f"{cores:.1f} cores busy all the time; twice as many for what comes together"),
        ("SQL statements", f"{statements:,.0f} a second"),
        ("the index of each server", f"{found['fleet-index-size'] * _COUNT / 1e9:.1f} GB"),
        ("reading it at the start of a server", f"{found['fleet-index-load'] * times:.0f} s"),
        ("`fleet status`", f"{status:.0f} s of queries" + _too_long(status)),
        ("a mass revocation", f"{_COUNT * (_REQUESTS + 1) / _PACE / 3600:.0f} h at {_PACE:.0f} requests a second"),
    ]
    return "\n".join(["| what | needs |", "|---|---|", *(f"| {what} | {needs} |" for what, needs in rows)])


def _polls(wanted: float, polls: float) -> str:
    text = f"{wanted:.0f} a second at the pause that Let's Encrypt asks for"
    if polls >= wanted:
        return text
    return (
        f"{text}. The pace leaves {polls:.0f}, so each certificate is polled once in {_COUNT / polls / 3600:.0f} h; "
        "RFC 9773 wants 24 h at most"
    )


def _too_long(seconds: float) -> str:
    return "" if seconds < _PATIENCE else f", and each has {_PATIENCE:.0f} s: it fails, and so do the metrics"


_PAGE: Final = """\
# How fast a fleet is

<!-- Made by `python -m bench.fleet --docs`; change bench/fleet/fleet_page.py, not this file. -->

`make bench-fleet` repeats the measurements on your machine in half an hour. The figures below are from this machine:
{machine}. PostgreSQL, the CA, the name server and the workers share its cores.

{table}

{missed}

## Ten million certificates, on paper

Calculated from the figures above, for certificates of 90 days from one CA that is asked for renewal information:

{paper}

The figures say what comes first: the CA. Its limit is for an address, and dnsrenew shares one pace for each CA among
all machines, whatever their addresses are. Where that is too slow, divide the fleet into several databases; that also
makes `fleet status`, which counts all rows, as fast as it is above.

## What is measured

- **The fleet**: {certificates} certificates of one name each, written into the tables as workers leave them: three
  versions with chains and sealed keys as long as those of a public CA, states with renewal information, a lock each.
  Two of a thousand have never been issued, two have failed, one is revoked, one has expired.
- **The scan** is what a worker does once a minute: it looks for what is due, and queues a job for each. It queues at
  most 10,000; the fastest fleets do less in a minute.
- **`fleet status`, whole command**: from the start of Python to its end.
- **Renewals**: {renewed} certificates of the fleet are due. Workers are `dnsrenew worker`, each a process of its own
  with 16 certificates at once. The CA is the one of the tests, in a process of its own, over HTTPS; it waits 50 ms
  before each answer, looks for the TXT values, and issues. It does not verify signatures of requests. It has four
  addresses, and so is four CAs: of one, all workers together get 17.8 certificates a second, because dnsrenew sends
  125 requests a second to a CA at most (Let's Encrypt allows 250), and a renewal takes seven. The DNS host is a BIND,
  used by RFC 2136, which is near; dnsrenew looks at it before and after it writes. The time runs from the scan to the
  last certificate. Two workers, the CA, PostgreSQL and BIND keep two cores busy, so four workers are no faster here.
- **Processor time** is that of all workers (user and system), divided by the renewals: 67 ms are 15 a second for each
  core.
- **SQL statements** are counted by the server (`pg_stat_statements`): those of dnsrenew and of procrastinate, with
  everything that workers ask beside. The limits that dnsrenew counts for Let's Encrypt cost five more.
- **A poll**: a certificate is due for a look, its CA is asked for renewal information, and nothing is to be renewed.
- **Memory of a worker**: resident, after it has renewed 100 certificates.
- **Handshakes**: TLS 1.3, both sides in memory; see `bench/fleet_handshakes.py`. 1.11 × are 0.9 of the handshakes a
  second.
- **The mass revocation** is simulated. At its start the CA tells, whenever a certificate is polled, that it is to be
  replaced at once. Each certificate is polled once in 6 to 7.5 hours, so nothing can be faster than that. Real are: the
  tables with {certificates} certificates, the scan of each minute, procrastinate's queue, the decision what is due, the
  spread, the next look, and the pace of requests that all workers share. Every twentieth job is real as a whole, with
  locks, fences, ledger and storing; of the others the rows are read and written by one statement for fifty. Not real
  are: the clock (also that of the database), the CA and DNS. In their place, an order takes eight requests of the
  pace and the time that one core needs for it, and is counted against a model of the limits of Let's Encrypt, which
  exempts orders that say what they replace.
- **The bad night** is real time. Each of {renewed} certificates has a key and dates of its own, and the CA says by
  renewal information that all were to be replaced yesterday. Two workers do it; every 30 seconds one of them is killed,
  and another one started. When a quarter is replaced, the CA answers each order for a minute with 429 and a
  `Retry-After`; when a half is, PostgreSQL is restarted. In the end each certificate is replaced, no TXT value is left,
  and at most as many were ordered once more as the killed workers and the lost connections had under way.
"""
