"""``dnsrenew fleet add`` and ``dnsrenew fleet sync``: add certificates from a file or the configuration."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.invocation import Invocation, confirm
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.config import Config
from dnsrenew.config.sources import here
from dnsrenew.errors import ConfigError, system_reason
from dnsrenew.extensions.fleet import fleet, moving, status
from dnsrenew.extensions.fleet.adding import FleetAdder
from dnsrenew.extensions.fleet.database.wanted import AddedCounts, WantedCertificates
from dnsrenew.extensions.fleet.fleet import adder, store_of


def fleet_add(invocation: Invocation) -> int:
    """Add or change the certificates of JSON lines; return the exit status.

    :raises ConfigError: with the mistakes of all lines, and without adding any; or the file cannot be read.
    :raises LockedError: another program adds certificates.
    :raises StoreError: the database cannot be written.
    """

    def add(adder: FleetAdder) -> AddedCounts:
        with _opened(invocation.options.file) as file:
            return adder.add_lines(file, invocation.options.file)

    return _add(invocation, add)


def fleet_sync(invocation: Invocation) -> int:
    """Write the tables of the configuration into the fleet; return the exit status.

    Errors are the same as for ``add``.
    """
    return _add(invocation, lambda adder: adder.sync())


def _add(invocation: Invocation, work: Callable[[FleetAdder], AddedCounts]) -> int:
    config = invocation.config()
    with contextlib.closing(store_of(config)) as store:
        done = partial(work, adder(config, store, invocation.context()))
        counts = vars(invocation.signals.run(done, cleans_up=True))
    has_changed = counts["added"] or counts["changed"]
    line = texts.FLEET_ADDED.format(**{key: f"{count:,}" for key, count in counts.items()})
    lines = [(green("✓") if has_changed else dim("·"), line)]
    _write(invocation, counts, [*lines, *([(yellow("→"), texts.FLEET_NEXT)] if has_changed else [])])
    return 0


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input.

    :raises ConfigError: ``fleet-file-unreadable``.
    """
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(os.path.join(here(), os.path.expanduser(path)), "rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise ConfigError.of(texts.FLEET_FILE_UNREADABLE, file=path, reason=system_reason(error).lower()) from None
    with file:
        yield file


def _write(invocation: Invocation, document: Mapping[str, Any], lines: Sequence[tuple[str, str]]) -> None:
    """Write the result: as JSON, or as lines with their marks."""
    invocation.terminal.write_document(document)
    for mark, line in () if invocation.terminal.quiet else lines:
        invocation.terminal.write_marked_result(mark, line)


# ── fleet init ─────────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet init``: the tables of a fleet.


def fleet_init(invocation: Invocation) -> int:
    """Create the tables, or upgrade them to this version; return the exit status.

    :raises ConfigError: the store is a folder.
    :raises StoreError: the database cannot be used, a later version created the tables, or keys are not sealed.
    """
    with contextlib.closing(store_of(invocation.config())) as store:
        work = partial(moving.initialize, store, seal_existing=invocation.options.seal_existing)
        done = invocation.signals.run(work)
    lines = [texts.FLEET_READY.format(version=done["schema"], place=store.place)]
    if done["sealed"]:
        lines.append(texts.FLEET_SEALED.format(keys=formatting.count(done["sealed"], texts.FLEET_KEYS)))
    _write(invocation, done, [(green("✓"), line) for line in lines])
    return 0


# ── fleet move ─────────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet load`` and ``dnsrenew fleet dump``: a folder store into the database, and back.


def fleet_move(invocation: Invocation) -> int:
    """Copy a folder into the database, or back; return the exit status, which is 1 if a certificate is damaged.

    :raises ConfigError: the folder is not a store, or the folder for a dump is not empty.
    :raises LockedError: a run works on one of the certificates.
    :raises StoreError: the folder or the database cannot be read or written.
    """
    config, context, loads = invocation.config(), invocation.context(), invocation.options.action == "load"
    folder = Path(os.path.abspath(os.path.join(here(), os.path.expanduser(invocation.options.folder))))
    with contextlib.closing(store_of(config)) as store:
        work = partial(moving.load, folder, config, store) if loads else partial(moving.dump, config, store, folder)
        moved = invocation.signals.run(partial(work, context), cleans_up=True)
    warnings = [texts.FLEET_DAMAGED.format(name=name) for name in moved.damaged]
    warnings += [texts.FLEET_KEPT_ACCOUNT.format(ca=ca) for ca in moved.kept_accounts]
    for line in [*warnings, *([texts.FLEET_JOURNAL] if moved.journal else [])]:
        invocation.terminal.write_marked(yellow("!"), line)
    certificates = formatting.count(moved.certificates, texts.CERTIFICATE)
    accounts = formatting.count(moved.accounts, texts.CA_ACCOUNT)
    head = texts.FLEET_LOADED if loads else texts.FLEET_DUMPED
    lines = [(green("✓"), head.format(certificates=certificates, accounts=accounts, folder=folder))]
    if moved.kept:
        kept = formatting.count(len(moved.kept), texts.CERTIFICATE)
        lines.append(("·", texts.FLEET_KEPT.format(certificates=kept)))
    if loads and moved.certificates:
        lines.append((yellow("→"), texts.FLEET_LOAD_NEXT))
    _write(invocation, moved.to_dict(), lines)
    return int(bool(moved.damaged))


# ── fleet remove ───────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet remove``: removes certificates from the fleet.

_COMMAND: Final = "dnsrenew fleet remove"
_SHOWN: Final = 5
"""The number of names in the question; the rest is counted."""


def fleet_remove(invocation: Invocation) -> int:
    """Remove certificates; return the exit status, which is 1 if one could not be revoked.

    :raises ConfigError: the certificate or tag does not exist, or there is no terminal to ask at.
    :raises DnsRenewError: the user declined.
    :raises StoreError: the database cannot be written.
    """
    options, terminal, signals = invocation.options, invocation.terminal, invocation.signals
    if bool(options.names) == (options.tag is not None):
        raise usage(texts.NAMES_AND_TAG if options.names else texts.NAMES_OR_TAG, _COMMAND)
    config = invocation.config()
    with contextlib.closing(store_of(config)) as store:
        wanted = WantedCertificates(store.database)
        signals.run(store.check_ground)
        names = signals.run(partial(fleet.chosen, wanted, options.names, options.tag))
        obtained = signals.run(partial(wanted.obtained, names)) if options.revoke else []
        _confirm(invocation, names, len(obtained))
        revoke: Any = None  # a function, or None
        if options.revoke:
            renewer = invocation.renewer(config, PlainProgress(terminal))
            revoke = partial(renewer.revoke, reason="cessation-of-operation", wait=options.wait, cancel=signals.cancel)
        result = signals.run(partial(fleet.remove, wanted, names, revoke), cleans_up=True)
    for name, error in result.failed:
        lines = error_text.lines(error, terminal.err.size()[0], formatting.headed(red("✗"), name))
        terminal.write_message("\n".join(lines))
    certificates = formatting.count(len(result.removed), texts.CERTIFICATE)
    revoked = formatting.count(len(result.revoked), texts.CERTIFICATE)
    template = texts.FLEET_REVOKED if result.revoked else texts.FLEET_REMOVED
    done = [(green("✓"), template.format(certificates=certificates, revoked=revoked))] if result.removed else []
    _write(invocation, result.to_dict(), done)
    return int(bool(result.failed))


def _confirm(invocation: Invocation, names: list[str], obtained: int) -> None:
    certificates = formatting.count(len(names), texts.CERTIFICATE)
    shown = formatting.listed(names[:_SHOWN]) if len(names) <= _SHOWN else texts.SEPARATOR.join([*names[:_SHOWN], "…"])
    revoked = formatting.count(obtained, texts.CERTIFICATE)
    template = texts.FLEET_REVOKE_QUESTION if obtained else texts.FLEET_REMOVE_QUESTION
    confirm(invocation, template.format(certificates=certificates, names=shown, revoked=revoked), _COMMAND)


# ── fleet status ───────────────────────────────────────────────────────────────────────

# ``dnsrenew fleet status``: the state of a fleet, for people and as JSON.


def fleet_status(invocation: Invocation) -> int:
    """Show the status of the fleet; return the exit status.

    :raises StoreError: the database cannot be read.
    """
    terminal, tag = invocation.terminal, invocation.options.tag
    found, now = invocation.signals.run(partial(_read, invocation.config(), tag))
    terminal.write_document(found.to_dict())
    terminal.write_result("\n".join(status_lines(found, now, terminal.out.size()[0], tag)))
    return 0


def _read(config: Config, tag: str | None) -> tuple[status.FleetStatus, datetime]:
    """Return the status, and the time of the database, because this machine's clock may differ."""
    with contextlib.closing(store_of(config)) as store:
        store.only_read()
        store.check_ground()
        documents = None if config.fleet is None else config.fleet.documents
        found = status.fleet_status(store.database, config.cas, tag, documents, store.debts)
        return found, store.database.clock.now()


def status_lines(found: status.FleetStatus, now: datetime, columns: int | None, tag: str | None = None) -> list[str]:
    """Return the status as lines.

    :param columns: the width of the terminal, or None.
    :param tag: only certificates with this tag were counted.
    """
    lines = list(_counted(found, columns, tag))
    for heading, pairs in _sections(found, now):
        if pairs:
            lines += formatting.wrap(texts.FLEET_HEADINGS[heading], columns, "", "")
            lines += formatting.fields(pairs, columns)
    return lines


def _counted(found: status.FleetStatus, columns: int | None, tag: str | None) -> Iterator[str]:
    if total := sum(found.counts.values()):
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
    elif tag is not None:
        yield from formatting.wrap(texts.FLEET_EMPTY_TAG.format(tag=tag), columns, "", "  ")
    elif not found.stored_only:
        yield texts.FLEET_EMPTY
    if found.stored_only:
        yield from formatting.wrap(texts.FLEET_STORED.format(count=f"{found.stored_only:,}"), columns, "", "  ")


def _sections(found: status.FleetStatus, now: datetime) -> Iterator[tuple[str, Sequence[tuple[str, str]]]]:
    """Yield the sections: the key of each heading, and rows of label and text."""
    waits = ((name, formatting.span(now - since)) for name, since in found.most_overdue)
    yield "overdue", [(name, texts.FLEET_SINCE.format(span=span)) for name, span in waits]
    workers = [
        (texts.FLEET_WORKER.format(pid=each.pid, host=each.host), formatting.listed(each.doing) or texts.FLEET_IDLE)
        for each in found.workers
    ]
    yield "workers", workers or [(texts.FLEET_NONE, texts.FLEET_NO_WORKER)]
    yield "hour", [(ca, f"{count:,}") for ca, count in found.last_hour.items()]
    yield "limits", [(ca, _limits(limits)) for ca, limits in found.limits.items()]
    yield "lacking", [(name, formatting.listed(lacks)) for name, lacks in found.lacking.items()]
    yield "refused", [(name, formatting.listed(keys)) for name, keys in found.refused.items()]
    yield "owed", [(name, shlex.join(program)) for name, program in found.owed]


def _limits(limits: status.CaLimits) -> str:
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
