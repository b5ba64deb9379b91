"""``dnsrenew fleet add`` and ``dnsrenew fleet sync``: certificates into the fleet, from a file or the configuration."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.terminal import dim, green, yellow
from dnsrenew.config.locate import here
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.extensions.fleet.adding import FleetAdder
    from dnsrenew.extensions.fleet.database.wanted import AddedCounts

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
    from dnsrenew.extensions.fleet.fleet import adder, store_of

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
