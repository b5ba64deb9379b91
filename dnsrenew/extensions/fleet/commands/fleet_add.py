"""``dnsrenew fleet add`` and ``dnsrenew fleet sync``: certificates into the fleet, from a file or the configuration."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.command_types import Runner
from dnsrenew.cli.invocation import Invocation, confirm
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.config import Config
from dnsrenew.config.sources import here
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet import fleet, moving, status
from dnsrenew.extensions.fleet.adding import FleetAdder
from dnsrenew.extensions.fleet.database.wanted import AddedCounts, WantedCertificates
from dnsrenew.extensions.fleet.fleet import RemovedCertificates, adder, store_of
from dnsrenew.extensions.fleet.moving import MovedStore, initialize
from dnsrenew.extensions.fleet.status import CaLimits, FleetStatus

_STANDARD_INPUT: Final = "-"


def fleet_add(invocation: Invocation) -> int:
    """Add or change the certificates of JSON lines; return the exit status.

    :raises ConfigError: with the mistakes of all lines; nothing was added. Or the file cannot be read.
    :raises LockedError: another program adds certificates.
    :raises StoreError: the database cannot be written.
    """

    def add(adder: FleetAdder) -> AddedCounts:
        with _opened(invocation.options.file) as file:
            return adder.add_lines(file, invocation.options.file)

    _show(invocation, _done(invocation, add))
    return 0


def fleet_sync(invocation: Invocation) -> int:
    """Write the tables of the configuration into the fleet; return the exit status. Errors are those of ``add``."""
    _show(invocation, _done(invocation, lambda adder: adder.sync()))
    return 0


def _done(invocation: Invocation, work: Callable[[FleetAdder], AddedCounts]) -> AddedCounts:
    config = invocation.config()
    store = store_of(config)
    try:
        return invocation.signals.run(lambda: work(adder(config, store, invocation.context())), cleans_up=True)
    finally:
        store.close()


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input.

    :raises ConfigError: ``fleet-file-unreadable``.
    """
    if path == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        file = open(os.path.join(here(), os.path.expanduser(path)), "rb")  # noqa: SIM115  # closed below
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError.of(texts.FLEET_FILE_UNREADABLE, file=path, reason=reason) from None
    with file:
        yield file


def _show(invocation: Invocation, counts: AddedCounts) -> None:
    terminal = invocation.terminal
    terminal.write_document(dict(vars(counts)))
    if terminal.quiet:
        return
    columns = terminal.out.size()[0]
    changed = counts.added or counts.changed
    mark = green("✓") if changed else dim("·")
    line = texts.FLEET_ADDED.format(**{key: f"{count:,}" for key, count in vars(counts).items()})
    lines = formatting.wrap(line, columns, f"{mark} ", "  ")
    if changed:
        lines += formatting.wrap(texts.FLEET_NEXT, columns, f"{yellow('→')} ", "  ")
    terminal.write_result("\n".join(lines))


# ── fleet init ─────────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet init``: the tables of a fleet.


def fleet_init(invocation: Invocation) -> int:
    """Make the tables, or bring them to this version; return the exit status.

    :raises ConfigError: the store is a folder.
    :raises StoreError: the database cannot be used, a later version made the tables, or keys are not sealed.
    """
    terminal = invocation.terminal
    store = store_of(invocation.config())
    try:
        work = partial(initialize, store, seal_existing=invocation.options.seal_existing)
        done = invocation.signals.run(work)
    finally:
        store.close()
    terminal.write_document(done.to_dict())
    if not terminal.quiet:
        lines = [texts.FLEET_READY.format(version=done.schema, place=store.place)]
        if done.sealed:
            lines.append(texts.FLEET_SEALED.format(keys=formatting.count(done.sealed, texts.FLEET_KEYS)))
        columns = terminal.out.size()[0]
        wrapped = [line for text in lines for line in formatting.wrap(text, columns, f"{green('✓')} ", "  ")]
        terminal.write_result("\n".join(wrapped))
    return 0


# ── fleet move ─────────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet load`` and ``dnsrenew fleet dump``: a folder store into the database, and back.


def _move(invocation: Invocation, *, loads: bool) -> int:
    """Write the content of a folder into the database, or back; return the exit status: 1 if a certificate is damaged.

    :raises ConfigError: the folder is no store, or that of a dump is not empty.
    :raises LockedError: a run works on one of the certificates.
    :raises StoreError: the folder or the database cannot be read or written.
    """
    config, context = invocation.config(), invocation.context()
    folder = Path(os.path.abspath(os.path.join(here(), os.path.expanduser(invocation.options.folder))))
    store = store_of(config)
    try:
        work = partial(moving.load, folder, config, store) if loads else partial(moving.dump, config, store, folder)
        moved = invocation.signals.run(partial(work, context), cleans_up=True)
    finally:
        store.close()
    invocation.terminal.write_document(moved.to_dict())
    _fleet_move_show(invocation, moved, folder, loads=loads)
    return int(bool(moved.damaged))


def _fleet_move_show(invocation: Invocation, moved: MovedStore, folder: Path, *, loads: bool) -> None:
    terminal = invocation.terminal
    columns = terminal.err.size()[0]
    warnings = [texts.FLEET_DAMAGED.format(name=name) for name in moved.damaged]
    warnings += [texts.FLEET_KEPT_ACCOUNT.format(ca=ca) for ca in moved.kept_accounts]
    if moved.journal:
        warnings.append(texts.FLEET_JOURNAL)
    for line in warnings:
        terminal.write_message("\n".join(formatting.wrap(line, columns, f"{yellow('!')} ", "  ")))
    if terminal.quiet:
        return
    counts = {
        "certificates": formatting.count(moved.certificates, texts.CERTIFICATE),
        "accounts": formatting.count(moved.accounts, texts.CA_ACCOUNT),
    }
    columns = terminal.out.size()[0]
    head = (texts.FLEET_LOADED if loads else texts.FLEET_DUMPED).format(**counts, folder=folder)
    lines = formatting.wrap(head, columns, f"{green('✓')} ", "  ")
    if moved.kept:
        kept = formatting.count(len(moved.kept), texts.CERTIFICATE)
        lines += formatting.wrap(texts.FLEET_KEPT.format(certificates=kept), columns, "· ", "  ")
    if loads and moved.certificates:
        lines += formatting.wrap(texts.FLEET_LOAD_NEXT, columns, f"{yellow('→')} ", "  ")
    terminal.write_result("\n".join(lines))


# ── fleet remove ───────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet remove``: takes certificates out of the fleet.

_COMMAND: Final = "dnsrenew fleet remove"
_REASON: Final = "cessation-of-operation"
_SHOWN: Final = 5
"""Names in the question; the rest is counted."""


def fleet_remove(invocation: Invocation) -> int:
    """Take certificates out; return the exit status: 1 if one could not be revoked.

    :raises ConfigError: there is no such certificate or tag, or there is no terminal to ask at.
    :raises DnsRenewError: the user does not want it.
    :raises StoreError: the database cannot be written.
    """
    options, terminal, signals = invocation.options, invocation.terminal, invocation.signals
    if bool(options.names) == (options.tag is not None):
        raise usage(texts.NAMES_AND_TAG if options.names else texts.NAMES_OR_TAG, _COMMAND)
    config = invocation.config()
    store = store_of(config)
    wanted = WantedCertificates(store.database)
    try:
        signals.run(store.check_ground)
        names = signals.run(partial(fleet.chosen, wanted, options.names, options.tag))
        obtained = signals.run(partial(wanted.obtained, names)) if options.revoke else []
        _confirm(invocation, names, len(obtained))
        revoke: Any = None  # a function, or None
        if options.revoke:
            renewer = invocation.renewer(config, PlainProgress(terminal))
            revoke = partial(renewer.revoke, reason=_REASON, wait=options.wait, cancel=signals.cancel)
        result = signals.run(partial(fleet.remove, wanted, names, revoke), cleans_up=True)
    finally:
        store.close()
    terminal.write_document(result.to_dict())
    _fleet_remove_show(invocation, result)
    return int(bool(result.failed))


def _confirm(invocation: Invocation, names: list[str], obtained: int) -> None:
    certificates = formatting.count(len(names), texts.CERTIFICATE)
    shown = formatting.listed(names[:_SHOWN]) if len(names) <= _SHOWN else texts.SEPARATOR.join([*names[:_SHOWN], "…"])
    revoked = formatting.count(obtained, texts.CERTIFICATE)
    template = texts.FLEET_REVOKE_QUESTION if obtained else texts.FLEET_REMOVE_QUESTION
    confirm(invocation, template.format(certificates=certificates, names=shown, revoked=revoked), _COMMAND)


def _fleet_remove_show(invocation: Invocation, result: RemovedCertificates) -> None:
    terminal = invocation.terminal
    columns = terminal.err.size()[0]
    for name, error in result.failed:
        terminal.write_message("\n".join(error_text.lines(error, columns, formatting.headed(red("✗"), name))))
    if result.removed and not terminal.quiet:
        certificates = formatting.count(len(result.removed), texts.CERTIFICATE)
        revoked = formatting.count(len(result.revoked), texts.CERTIFICATE)
        template = texts.FLEET_REVOKED if result.revoked else texts.FLEET_REMOVED
        line = template.format(certificates=certificates, revoked=revoked)
        terminal.write_result("\n".join(formatting.wrap(line, terminal.out.size()[0], f"{green('✓')} ", "  ")))


# ── fleet status ───────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet status``: how a fleet is doing, for people and as JSON.


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
    store = store_of(config)
    store.only_read()
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
    """Yield the sections: the key of each heading, and rows of label and text."""
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


RUNNERS: Final[Mapping[str, Runner]] = {
    "fleet init": fleet_init,
    "fleet add": fleet_add,
    "fleet sync": fleet_sync,
    "fleet remove": fleet_remove,
    "fleet status": fleet_status,
    "fleet load": partial(_move, loads=True),
    "fleet dump": partial(_move, loads=False),
}
