"""``dnsrenew fleet status``: how a fleet is doing, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.cli import formatting, texts

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.extensions.fleet.status import CaLimits, FleetStatus


def fleet_status(invocation: Invocation) -> int:
    """Show the status of the fleet; return the exit status.

    :raises StoreError: the database cannot be read.
    """
    terminal = invocation.terminal
    tag = invocation.options.tag
    found, now = invocation.signals.run(partial(_read, invocation.config(), tag))
    terminal.write_document(found.to_dict())
    terminal.write_result("\n".join(status_lines(found, now, terminal.out.size()[0], tag)))
    return 0


def _read(config: Config, tag: str | None) -> tuple[FleetStatus, datetime]:
    """Return the status, and the time of the database: that of this machine may be another one."""
    from dnsrenew.extensions.fleet import status
    from dnsrenew.extensions.fleet.fleet import store_of

    store = store_of(config)
    try:
        store.check_ground()
        documents = None if config.fleet is None else config.fleet.documents
        return status.fleet_status(store.database, config.cas, tag, documents), store.database.clock.now()
    finally:
        store.close()


def status_lines(found: FleetStatus, now: datetime, columns: int | None, tag: str | None = None) -> list[str]:
    """Return the status as lines.

    :param columns: the width of the terminal; None: it is none.
    :param tag: only certificates with this tag were counted.
    """
    lines = list(_counted(found, columns, tag))
    for heading, pairs in _sections(found, now):
        if pairs:
            lines += formatting.wrap(texts.FLEET_HEADINGS[heading], columns, "", "")
            lines += formatting.fields(pairs, columns)
    return lines


def _counted(found: FleetStatus, columns: int | None, tag: str | None) -> Iterator[str]:
    if sum(found.counts.values()):
        yield from _states(found, columns)
    elif tag is not None:
        yield from formatting.wrap(texts.FLEET_EMPTY_TAG.format(tag=tag), columns, "", "  ")
    elif not found.stored_only:
        yield texts.FLEET_EMPTY
    if found.stored_only:
        yield from formatting.wrap(texts.FLEET_STORED.format(count=f"{found.stored_only:,}"), columns, "", "  ")


def _states(found: FleetStatus, columns: int | None) -> Iterator[str]:
    total = sum(found.counts.values())
    states = [
        texts.FLEET_STATE.format(count=f"{count:,}", state=texts.STATE_WORDS[state])
        for state, count in found.counts.items()
        if count
    ]
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
    yield "refused", [(name, formatting.listed(keys)) for name, keys in found.refused.items()]


def _limits(limits: CaLimits) -> str:
    if limits.pause_url is not None:
        text = texts.FLEET_PAUSED.format(url=limits.pause_url)
    elif limits.until is not None:
        text = texts.FLEET_UNTIL.format(time=formatting.moment(limits.until))
    elif limits.left is not None:
        text = texts.FLEET_LEFT.format(orders=formatting.count(limits.left, texts.FLEET_ORDERS))
    else:
        text = texts.FLEET_TAKES_ORDERS
    if limits.held:
        text = texts.FLEET_HELD.format(limits=text, sets=formatting.count(limits.held, texts.FLEET_SETS))
    return text
