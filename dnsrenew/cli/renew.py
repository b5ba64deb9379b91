"""``dnsrenew renew``: the run, its progress, its result and its exit status."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import text
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.live_progress import make_progress
from dnsrenew.cli.outcome_text import WORDS, OutcomeText
from dnsrenew.cli.terminal import dim, yellow
from dnsrenew.errors import Cancelled

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.cli.progress import Progress
    from dnsrenew.config import Config
    from dnsrenew.events import Event
    from dnsrenew.model import CertificateSpec, Outcome

_MOST_LINES: Final = 10
"""More certificates than this that are not due are told in one line, without ``-v``."""

_ORDER: Final = ("renewed", "rehearsed", "failed", "interrupted", "locked", "deferred", "not-due")


def renew(session: Invocation) -> int:
    """Obtain and renew; return the exit status."""
    config = session.config()
    _certain(session, config)
    seconds = jitter(session)
    if seconds:
        session.interrupt.run(partial(session.context().wait, seconds))
    progress = make_progress(session.screen, session.clock, rehearsing=session.options.dry_run)
    try:
        outcomes = _run(session, config, progress)
    finally:
        progress.close()
    _show(session, outcomes)
    return exit_status(outcomes, session.clock.now(), session.interrupt.status)


def _certain(session: Invocation, config: Config) -> None:
    options = session.options
    if options.all and options.names:
        raise usage("Give names, or --all, not both.", "dnsrenew renew")
    if options.force and not options.dry_run and not options.names and not options.all and len(config.certificates) > 1:
        count = len(config.certificates)
        raise usage(
            f"--force would renew all {count} certificates although they are not due, and CAs limit how often: "
            "name some, or add --all.",
            "dnsrenew renew",
        )


def jitter(session: Invocation) -> float:
    """Return the seconds that ``--jitter`` makes of this start, and say them."""
    longest: float = session.options.jitter
    if longest <= 0:
        return 0.0
    seconds = session.context().random.uniform(0, longest)
    session.screen.note(dim(f"Starting {text.seconds(seconds)} later (--jitter)"))
    return seconds


def _run(session: Invocation, config: Config, progress: Progress) -> list[Outcome]:
    options, interrupt, screen = session.options, session.interrupt, session.screen
    finished: dict[str | None, Mapping[str, Any]] = {}

    def listen(event: Event) -> None:
        if event.kind == "certificate-finished":
            finished[event.certificate] = event.data
        elif event.kind == "run-started":  # what follows takes long, and may leave garbage behind
            gc.enable()
        progress(event)

    renewer = session.renewer(config, listen)
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
        dry_run=options.dry_run,
        workers=options.workers,
        wait=options.wait,
        cancel=interrupt.cancel,
    )
    try:
        return interrupt.run(work, cleans_up=True, tick=tick)
    except Cancelled as error:  # left behind: what it has told until now is all that is known
        told_of = [finished.get(spec.name) or _unfinished(spec, error) for spec in _wanted(session, config)]
        screen.document({"outcomes": told_of, "error": error.to_dict()})
        raise


def _wanted(session: Invocation, config: Config) -> list[CertificateSpec]:
    names = session.options.names
    return [spec for spec in config.certificates if not names or spec.name in names]


def _unfinished(spec: CertificateSpec, error: Cancelled) -> dict[str, Any]:
    """Return the outcome of a certificate of which none was told; the store is not asked, it may be what hangs."""
    from dnsrenew.model import Outcome

    return Outcome(name=spec.name, status="interrupted", reason=None, domains=spec.domains, error=error).to_dict()


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
    return not (_asked_by_ca(outcome) and outcome.not_after is not None and outcome.not_after > now)


def _asked_by_ca(outcome: Outcome) -> bool:
    """Tell whether the CA itself asked to wait: the ledger also holds back what we know that it would refuse."""
    held = [error for error in (outcome.error, *(attempt.error for attempt in outcome.attempts)) if error is not None]
    ours = any(error.code == "ca-ledger" and error.evidence.get("limit") != "retry-after" for error in held)
    return not ours and getattr(outcome.error, "retry_after", None) is not None


# ── the result ──────────────────────────────────────────────────────────────────────────


def _show(session: Invocation, outcomes: Sequence[Outcome]) -> None:
    screen = session.screen
    if screen.json:
        screen.document({"outcomes": [outcome.to_dict() for outcome in outcomes]})
    # Errors reach standard error where the result does not tell them.
    aside = screen.json or screen.quiet
    columns = (screen.err if aside else screen.out).size()[0]
    writer = OutcomeText(session.clock.now(), columns, verbose=screen.verbose > 0, rehearsing=session.options.dry_run)
    not_due = sum(outcome.status == "not-due" and not outcome.deployed for outcome in outcomes)
    short = not_due > _MOST_LINES and not screen.verbose
    lines: list[str] = []
    for outcome in outcomes:
        fine = outcome.status in ("renewed", "not-due", "rehearsed") and all(t.get("ok") for t in outcome.deployed)
        if aside and fine:
            lines += writer.broken(outcome) if screen.quiet else []
            continue
        if short and outcome.status == "not-due" and fine:
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
    parts = [f"{counts[status]:,} {WORDS.get(status, status)}" for status in _ORDER if counts[status]]
    times = [outcome.next_renewal for outcome in outcomes if outcome.next_renewal is not None]
    upcoming = f"; next renewal {text.date(min(times), now)}" if times else ""
    return [dim(f"{text.count(len(outcomes), 'certificate')}: {', '.join(parts)}{upcoming}")]
