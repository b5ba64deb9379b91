"""``dnsrenew status``: which certificates are shown, in which form, and the exit status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.attention import needs_attention
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.schedule_note import active_schedule, needs_person
from dnsrenew.cli.status_problems import ProblemText
from dnsrenew.cli.status_text import StatusText
from dnsrenew.cli.terminal import dim

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.operations.status import CertificateStatus

_STATES: Final = ("valid", "due", "missing", "expired", "revoked", "unconfigured")
"""The order in which the states are counted."""


def status(invocation: Invocation) -> int:
    """Show the certificates of the configuration; return the exit status."""
    config = invocation.config(needs_certificates=invocation.options.check)
    terminal, now = invocation.terminal, invocation.clock.now()
    renewer = invocation.renewer(config, PlainProgress(terminal).write_warning)  # its events are warnings only
    found = invocation.signals.run(partial(renewer.status, invocation.options.names or None))
    if terminal.json:
        terminal.write_document(
            {
                "certificates": [certificate.to_dict() for certificate in _chosen(invocation, found, now)],
                "schedule": active_schedule(config).to_dict(),
                "counts": _counts(found),
            }
        )
    else:
        _show(invocation, config, found, now)
    return int(invocation.options.check and any(needs_attention(certificate, now) for certificate in found))


def _chosen(invocation: Invocation, found: Sequence[CertificateStatus], now: datetime) -> list[CertificateStatus]:
    """Return the certificates that ``--failing`` and ``--expiring`` leave; with ``-q`` only what needs attention."""
    options = invocation.options
    only_failing = options.failing or (invocation.terminal.quiet and not invocation.terminal.json)
    return [
        certificate
        for certificate in found
        if (not only_failing or needs_attention(certificate, now))
        and (options.expiring is None or _expires_within(certificate, now, options.expiring))
    ]


def _expires_within(certificate: CertificateStatus, now: datetime, seconds: float) -> bool:
    return certificate.not_after is not None and certificate.not_after - now <= timedelta(seconds=seconds)


def _counts(found: Sequence[CertificateStatus]) -> dict[str, int]:
    counts = Counter(certificate.state for certificate in found)
    return {state: counts[state] for state in _STATES if counts[state]}


def _show(invocation: Invocation, config: Config, found: Sequence[CertificateStatus], now: datetime) -> None:
    terminal, chosen = invocation.terminal, _chosen(invocation, found, now)
    if not found:
        terminal.write_result(dim(texts.NO_CERTIFICATES if config.fleet is None else texts.FLEET_EMPTY))
        return
    if terminal.quiet and not chosen:
        return
    schedule, columns = active_schedule(config), terminal.out.size()[0]
    by_hand = needs_person(config, {certificate.name for certificate in found})
    text = StatusText(now, columns, verbose=terminal.verbose > 0, schedule=schedule, by_hand=by_hand)
    problems = ProblemText(
        now,
        columns,
        path=str(config.path),
        manual=schedule.installed is False,
        tables=None if config.fleet is None else [spec.name for spec in config.certificates],
        workers=0 if config.fleet is None else invocation.ask_shared(config, lambda shared: shared.workers()),
    )
    lines = text.certificates(chosen) if chosen else [_nothing_chosen(invocation)]
    lines += problems.lines(chosen)
    if not terminal.quiet:
        lines = [*text.summary(found, _counts(found)), *lines, *text.schedule(found)]
    terminal.write_result("\n".join(lines))


def _nothing_chosen(invocation: Invocation) -> str:
    options = invocation.options
    if options.expiring is None:
        return texts.NONE_FAILING
    template = texts.NONE_CHOSEN if options.failing else texts.NONE_EXPIRING
    return template.format(time=formatting.span(timedelta(seconds=options.expiring)))
