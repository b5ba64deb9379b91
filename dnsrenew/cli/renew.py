"""``dnsrenew renew``: the run, its progress, its result and its exit status."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import failures, text
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.later import dry_run_comes_later
from dnsrenew.cli.live import make_progress
from dnsrenew.cli.screen import dim, green, red, yellow
from dnsrenew.cli.story import route_words
from dnsrenew.context import Context

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.cli.progress import Progress
    from dnsrenew.cli.settings import Session
    from dnsrenew.config import Config
    from dnsrenew.model import Outcome

_MOST_LINES: Final = 10
"""More certificates than this that are not due are told in one line, without ``-v``."""

_FILES: Final = ("fullchain.pem", "privkey.pem")
_LABELS: Final = len("  certificate  ")

_ORDER: Final = ("renewed", "failed", "interrupted", "locked", "deferred", "not-due")
_WORDS: Final = {"not-due": "not due", "locked": "locked by another run", "deferred": "put off"}


def renew(session: Session) -> int:
    """Obtain and renew; return the exit status."""
    options = session.options
    if options.dry_run:
        raise dry_run_comes_later()
    config = session.config()
    _certain(session, config)
    seconds = jitter(session)
    if seconds:
        session.interrupt.run(partial(Context(clock=session.clock, cancel=session.interrupt.cancel).wait, seconds))
    progress = make_progress(session.screen, session.clock)
    try:
        outcomes = _run(session, config, progress)
    finally:
        progress.close()
    _show(session, outcomes)
    return exit_status(outcomes, session.clock.now(), session.interrupt.status)


def _certain(session: Session, config: Config) -> None:
    options = session.options
    if options.all and options.names:
        raise usage("Give names, or --all, not both.", "dnsrenew renew")
    if options.force and not options.names and not options.all and len(config.certificates) > 1:
        count = len(config.certificates)
        raise usage(
            f"--force would renew all {count} certificates although they are not due, and CAs limit how often: "
            "name some, or add --all.",
            "dnsrenew renew",
        )


def jitter(session: Session) -> float:
    """Return the seconds that ``--jitter`` makes of this start, and say them."""
    longest: float = session.options.jitter
    if longest <= 0:
        return 0.0
    seconds = Context().random.uniform(0, longest)
    session.screen.note(dim(f"Starting {text.seconds(seconds)} later (--jitter)"))
    return seconds


def _run(session: Session, config: Config, progress: Progress) -> list[Outcome]:
    options, interrupt, screen = session.options, session.interrupt, session.screen
    renewer = session.renewer(config, progress)
    told = False

    def tick() -> None:
        nonlocal told
        if interrupt.status is not None and not told:
            told = True
            screen.say(f"{yellow('!')} Stopping: taking back what was written to DNS. (Once more: stop at once.)")
        progress.tick()

    work = partial(
        renewer.renew,
        options.names or None,
        force=options.force,
        now=options.now,
        workers=options.workers,
        wait=options.wait,
        cancel=interrupt.cancel,
    )
    return interrupt.run(work, cleans_up=True, tick=tick)


def exit_status(outcomes: Sequence[Outcome], now: datetime, interrupted: int | None) -> int:
    """Return the exit status that the contract gives to the outcomes."""
    statuses = {outcome.status for outcome in outcomes}
    if "interrupted" in statuses:
        return interrupted or 130
    if any(_needs_a_person(outcome, now) for outcome in outcomes):
        return 1
    return 3 if "locked" in statuses else 0


def _needs_a_person(outcome: Outcome, now: datetime) -> bool:
    if outcome.status == "failed" or any(not target.get("ok", True) for target in outcome.deployed):
        return True
    if outcome.status != "deferred":
        return False
    asked_by_ca = getattr(outcome.error, "retry_after", None) is not None
    return not (asked_by_ca and outcome.not_after is not None and outcome.not_after > now)


# ── the result ──────────────────────────────────────────────────────────────────────────


def _show(session: Session, outcomes: Sequence[Outcome]) -> None:
    screen = session.screen
    if screen.json:
        screen.document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    # Errors reach standard error where the result does not tell them.
    aside = screen.json or screen.quiet
    columns = (screen.err if aside else screen.out).size()[0]
    writer = Writer(session.clock.now(), columns, verbose=screen.verbose > 0)
    not_due = sum(outcome.status == "not-due" and not outcome.deployed for outcome in outcomes)
    short = not_due > _MOST_LINES and not screen.verbose
    lines: list[str] = []
    for outcome in outcomes:
        fine = outcome.status in ("renewed", "not-due", "rehearsed") and all(t.get("ok") for t in outcome.deployed)
        if (aside and fine) or (short and outcome.status == "not-due" and fine):
            continue
        lines += writer.lines(outcome)
    if not aside:
        lines += _ending(outcomes, session.clock.now(), one=not short)
    if lines:
        (screen.say if aside else screen.result)("\n".join(lines))


def _ending(outcomes: Sequence[Outcome], now: datetime, *, one: bool) -> list[str]:
    """Return the line that sums up; for one certificate there is nothing to sum up."""
    if not outcomes:
        return [dim("No certificates are configured.")]
    if one and len(outcomes) == 1:
        return []
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{counts[status]:,} {_WORDS.get(status, status)}" for status in _ORDER if counts[status]]
    times = [outcome.next_renewal for outcome in outcomes if outcome.next_renewal is not None]
    upcoming = f"; next renewal {text.date(min(times), now)}" if times else ""
    return [dim(f"{text.count(len(outcomes), 'certificate')}: {', '.join(parts)}{upcoming}")]


class Writer:
    """Writes outcomes for people."""

    def __init__(self, now: datetime, columns: int | None, *, verbose: bool) -> None:
        self._now = now
        self._columns = columns
        self._verbose = verbose

    def lines(self, outcome: Outcome) -> list[str]:
        """Return the lines of one outcome."""
        names = text.listed(outcome.domains, 6)
        if outcome.status == "renewed":
            word = "obtained" if outcome.reason == "missing" else "renewed"
            lines = text.wrap(f"{green('✓')} {outcome.name} {word}: {names}", self._columns, "", "  ")
            lines += text.fields([("valid until", self._validity(outcome))], self._columns)
            if outcome.path is not None:
                lines += self._files(str(outcome.path))
        elif outcome.status == "not-due":
            words = f"{outcome.name} not due: valid until {self._validity(outcome)}"
            lines = text.wrap(words, self._columns, f"{dim('·')} ", "  ")
        elif outcome.error is not None:
            lines = self._stopped(outcome, names)
        else:
            lines = [f"{yellow('!')} {outcome.name} {outcome.status}: {names}"]
        return lines + [line for target in outcome.deployed for line in self._deployed(target)]

    def _files(self, folder: str) -> list[str]:
        """Return where the files are. A path stays whole, to be copied, and takes one line if it can."""
        from dnsrenew.config.locate import here

        if self._columns is None:
            where, columns = folder, sys.maxsize
        else:
            where, columns = text.near(folder, here()), self._columns
        pairs = [("certificate", os.path.join(where, _FILES[0])), ("key", os.path.join(where, _FILES[1]))]
        lines = text.fields(pairs, None)
        if max(map(text.width, lines)) <= columns:
            return lines
        names = ", ".join(_FILES)
        if text.width(where) + _LABELS <= columns:
            return text.fields([(f"{'files':{_LABELS - 4}}", f"{where}: {names}")], columns)
        return [f"  files: {names} in", " " * min(max(columns - text.width(where), 0), 2) + where]

    def _stopped(self, outcome: Outcome, names: str) -> list[str]:
        error = outcome.error
        assert error is not None  # noqa: S101  # the caller looked
        if outcome.status in ("locked", "deferred", "interrupted"):
            word = _WORDS.get(outcome.status, outcome.status)
            until = f" until {text.date(outcome.next_attempt, self._now)}" if outcome.next_attempt else ""
            head = f"{yellow('!')} {outcome.name} {word}{until}: "
            return text.wrap(f"{error.message.strip()} {error.fix.strip()}", self._columns, head, "  ")
        rows = []
        for attempt in outcome.attempts:
            cost = f" ({text.count(attempt.orders, 'order')}, {text.seconds(attempt.seconds)})"
            why = f": {attempt.error.message}" if attempt.error and len(outcome.attempts) > 1 else ""
            rows.append(("tried", f"{route_words(attempt.route.to_dict())}{cost}{why}"))
        head = f"{red('✗')} {outcome.name} failed: {names}"
        lines = failures.block(head, rows, error, self._columns, verbose=self._verbose)
        return [*lines, *text.wrap(self._left(outcome), self._columns, "  ", "  ")]

    def _left(self, outcome: Outcome) -> str:
        """Say what the sites are served with meanwhile."""
        if outcome.not_after is None:
            return "There is no certificate yet."
        if outcome.not_after <= self._now:
            return f"The stored certificate expired {text.distance(outcome.not_after, self._now)}."
        return (
            "The stored certificate stays in use: valid until "
            f"{text.date(outcome.not_after, self._now)} ({text.distance(outcome.not_after, self._now)})."
        )

    def _validity(self, outcome: Outcome) -> str:
        if outcome.not_after is None:
            return "unknown"
        life = outcome.not_after - outcome.not_before if outcome.not_before else None
        end = text.date(outcome.not_after, self._now, life)
        again = f", next renewal {text.date(outcome.next_renewal, self._now, life)}" if outcome.next_renewal else ""
        return f"{end} ({text.distance(outcome.not_after, self._now)}){again}"

    def _deployed(self, target: object) -> list[str]:
        from collections.abc import Mapping

        if not isinstance(target, Mapping):
            return []
        where = f"{target.get('to')} {target.get('target') or ''}".strip()
        if target.get("ok"):
            return [f"  deployed: {where}"]
        error = target.get("error")
        why = f"{error.get('message', '')} {error.get('fix', '')}" if isinstance(error, Mapping) else str(error or "")
        return text.wrap(f"not deployed: {where}: {why.strip()}", self._columns, f"  {red('✗')} ", "    ")
