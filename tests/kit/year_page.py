"""The page docs/internals/renewal-year.md: the results of the simulated years."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tests.kit.acme_server import DAY, FAILED, HOUR, ORDERS, SAME_SET
from tests.kit.year import HALF, SIX_DAYS, Gap, Run, Scene, Year, live

SCENES: Final = (
    Scene(90 * DAY, 30 * DAY),
    Scene(90 * DAY, 30 * DAY, ari=False),
    Scene(64 * DAY, 10 * DAY),
    Scene(64 * DAY, 10 * DAY, ari=False),
    Scene(45 * DAY, 7 * HOUR),
    Scene(45 * DAY, 7 * HOUR, ari=False),
    Scene(SIX_DAYS, 7 * HOUR),
    Scene(SIX_DAYS, 7 * HOUR, ari=False),
    Scene(SIX_DAYS, 7 * HOUR, second=True),
)
"""Let's Encrypt until 2027-02-10, until 2028-02-16, after that, and its profile `shortlived`."""

_INTRO: Final = """\
# A year of renewals

What becomes of one certificate in a year in which everything goes wrong that can. The year is simulated: the renewer
and the store are the real ones, the clock, DNS, the web server and the CA are not. The CA keeps the limits of
Let's Encrypt and counts. Certificates and validations last as long as there: 90 days and 30 days, from 2027-02-10 on
64 days and 10 days, from 2028-02-16 on 45 days and 7 hours; with the profile `shortlived` 160 hours and 7 hours.

This page is made by `make docs` from `tests/kit/year.py`; a test compares it.

- The certificate has two routes: `http-01` first, `dns-01` second.
- The program runs once a day, for certificates of six days (160 hours) four times, each time up
  to an hour later by chance: as `dnsrenew schedule` does it.
- **The host is switched off for a week** and **the CA is down for four days**, each at the worst moment: when the
  renewal has just become due.
- **Port 80 closes** half-way through the year, for good, and nobody changes the configuration.

## The year in figures
"""

_OUTRO: Final = """\
## What to learn from it

- Certificates of 45, 64 and 90 days stand all of it: no day without a valid one.
- A certificate of six days is renewed with 80 hours left. A host that is off for a week when it is due comes back to an
  expired certificate, whatever the program does; what can be had is a new one at the first run.
- Four days without the only CA are more than those 80 hours too: the first run after it renews. **Name a second
  CA** for certificates of six days (last column): the outage then costs nothing.
- A route that fails for good costs one order and one failed proof at each renewal, because it is tried again after a
  day. Far from every limit; but take it out of the configuration, or put the one that works first.
"""


def page() -> str:
    """Return the page, in Markdown."""
    years = [live(scene) for scene in SCENES]
    return "\n".join([_INTRO, *_figures(years), "", "## The incidents", "", *_incidents(years), "", _OUTRO])


# ── the figures ─────────────────────────────────────────────────────────────────────────


def _figures(years: list[Year]) -> list[str]:
    rows: dict[str, Callable[[Year], object]] = {
        "runs of the program": lambda year: len(year.runs),
        "renewals, with the first": lambda year: len(year.renewals),
        "… because of": _reasons,
        "orders": lambda year: sum(run.orders for run in year.runs),
        "… most in one run": lambda year: max(run.orders for run in year.runs),
        "attempts that failed: port 80": lambda year: _count(year, "http-unreachable"),
        "attempts that failed: CA down": lambda year: _count(year, "ca-unreachable"),
        "runs without a certificate": lambda year: sum(run.status == "failed" for run in year.runs),
        "runs deferred by an earlier failure": lambda year: sum(run.status == "deferred" for run in year.runs),
        "least time left at a renewal": _least,
        "gaps that could have been avoided": lambda year: len(year.avoidable),
        "time without a valid certificate": lambda year: _added([gap.end - gap.start for gap in year.gaps]),
        "… why": lambda year: "<br>".join(_why(year, gap) for gap in year.gaps) or "–",
        f"orders left of {ORDERS[0]} in 3 hours, at least": lambda year: min(
            each.orders.least for each in year.limits.values()
        ),
        f"certificates left of {SAME_SET[0]} in a week": lambda year: min(
            each.same_set.least for each in year.limits.values()
        ),
        f"failed proofs left of {FAILED[0]} in an hour": lambda year: min(
            each.failed.least for each in year.limits.values()
        ),
        "orders beyond a limit": lambda year: sum(len(each.exceeded) for each in year.limits.values()),
    }
    head = ["", *(_title(year.scene) for year in years)]
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * len(years) + "|"]
    return [*lines, *(f"| {what} | {' | '.join(str(tell(year)) for year in years)} |" for what, tell in rows.items())]


def _title(scene: Scene) -> str:
    return f"{scene.lifetime.days} days, {'ARI' if scene.ari else 'no ARI'}{', a second CA' if scene.second else ''}"


def _reasons(year: Year) -> str:
    reasons = Counter(run.outcome.reason for run in year.renewals)
    return "<br>".join(f"`{reason}` {count}" for reason, count in sorted(reasons.items(), key=str))


def _count(year: Year, code: str) -> int:
    """Count the runs in which an attempt failed with this code."""
    return sum(code in run.codes for run in year.runs)


def _least(year: Year) -> str:
    left = [run.left for run in year.renewals if run.left is not None]
    return _span(min(left)) if min(left) > timedelta(0) else "expired"


def _why(year: Year, gap: Gap) -> str:
    """Return the reason of a gap, as far as the runs show it."""
    length = _span(gap.end - gap.start)
    if year.off is not None and year.off[0] <= gap.start < year.off[1]:
        return f"{length}: switched off"
    return f"{length}: CA down" + (", then our own pause" if gap.missed else "")


# ── the incidents ───────────────────────────────────────────────────────────────────────


def _incidents(years: list[Year]) -> list[str]:
    lines = [
        "| certificate | what | from | to | runs after that | renewed | then left |",
        "|---|---|---|---|---|---|---|",
    ]
    for year in years:
        for what, time in (("host off", year.off), ("CA down", year.down)):
            if time is not None:
                runs = year.until_renewed(time[0])
                after = ", ".join(f"{count} {status}" for status, count in Counter(run.status for run in runs).items())
                lines.append(
                    f"| {_title(year.scene)} | {what} | {_date(time[0])} | {_date(time[1])} | {after} "
                    f"| {_date(runs[-1].time)} | {_left(runs[-1])} |"
                )
        closed = [run for run in year.renewals if run.time >= HALF]
        lines.append(
            f"| {_title(year.scene)} | port 80 closed | {_date(HALF)} | – | {len(closed)} renewed by dns-01, "
            f"{sum(run.orders for run in closed)} orders | {_date(closed[0].time)} | {_left(closed[0])} |"
        )
    return lines


def _left(run: Run) -> str:
    if run.left is None:
        return "–"
    return _span(run.left) if run.left > timedelta(0) else f"expired for {_span(-run.left)}"


def _date(time: datetime) -> str:
    return f"{time:%m-%d %H:%M}"


def _added(spans: list[timedelta]) -> str:
    return _span(sum(spans, timedelta(0))) if spans else "none"


def _span(span: timedelta) -> str:
    """Return a span as text."""
    return f"{span / DAY:.1f} d" if span >= 2 * DAY else f"{span / HOUR:.1f} h"
