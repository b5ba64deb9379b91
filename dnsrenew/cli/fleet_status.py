"""``dnsrenew fleet status``: how a fleet is doing, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.fleet.status import CaLimits, FleetStatus


def fleet_status(invocation: Invocation) -> int:
    """Show the status of the fleet; return the exit status.

    :raises StoreError: the database cannot be read.
    """
    from dnsrenew.fleet.fleet import Fleet

    fleet, tag = Fleet(invocation.config()), invocation.options.tag
    terminal = invocation.terminal
    found = invocation.signals.run(partial(fleet.status, tag))
    terminal.write_document(found.to_dict())
    terminal.write_result("\n".join(status_lines(found, invocation.clock.now(), terminal.out.size()[0])))
    return 0


def status_lines(found: FleetStatus, now: datetime, columns: int | None) -> list[str]:
    """Return the status as lines.

    :param columns: the width of the terminal; None: it is none.
    """
    lines = list(_counted(found, columns))
    for heading, pairs in _sections(found, now):
        if pairs:
            lines += [texts.FLEET_HEADINGS[heading], *formatting.fields(pairs, columns)]
    return lines


def _counted(found: FleetStatus, columns: int | None) -> Iterator[str]:
    total = sum(found.counts.values())
    if not total:
        yield texts.FLEET_EMPTY
        return
    states = [texts.FLEET_STATE.format(count=f"{count:,}", state=state) for state, count in found.counts.items()]
    states = [shown for shown, count in zip(states, found.counts.values(), strict=True) if count]
    certificates = formatting.count(total, texts.CERTIFICATE)
    line = texts.FLEET_COUNTS.format(certificates=certificates, states=texts.SEPARATOR.join(states))
    yield from formatting.wrap(line, columns, "", "  ")
    if found.due or found.failing:
        yield texts.FLEET_DUE.format(due=f"{found.due:,}", failing=f"{found.failing:,}")


def _sections(found: FleetStatus, now: datetime) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    """Give the sections: the key of each heading, and rows of label and text."""
    yield (
        "overdue",
        [(name, texts.FLEET_SINCE.format(span=formatting.span(now - since))) for name, since in found.most_overdue],
    )
    workers = [
        (
            texts.FLEET_WORKER.format(pid=worker.pid, host=worker.host),
            formatting.listed(worker.doing) if worker.doing else texts.FLEET_IDLE,
        )
        for worker in found.workers
    ]
    yield "workers", workers or [(texts.FLEET_NONE, texts.FLEET_NO_WORKER)]
    yield "hour", [(ca, f"{count:,}") for ca, count in found.last_hour.items()]
    yield "limits", [(ca, _limits(limits)) for ca, limits in found.limits.items()]
    yield "lacking", [(name, formatting.listed(lacks)) for name, lacks in found.lacking.items()]


def _limits(limits: CaLimits) -> str:
    if limits.pause_url is not None:
        text = texts.FLEET_PAUSED.format(url=limits.pause_url)
    elif limits.until is not None:
        text = texts.FLEET_UNTIL.format(time=formatting.moment(limits.until))
    else:
        text = texts.FLEET_TAKES_ORDERS
    if limits.held:
        text = texts.FLEET_HELD.format(limits=text, sets=formatting.count(limits.held, texts.FLEET_SETS))
    return text
