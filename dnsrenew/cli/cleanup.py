"""``dnsrenew cleanup``: which values of killed runs are gone from DNS now, and which stay."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.base.names import relative
from dnsrenew.cli import error_text, text
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow

if TYPE_CHECKING:
    from dnsrenew.challenges.dns01.leftovers import CleanupResult
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.errors import DnsRenewError
    from dnsrenew.events import Event
    from dnsrenew.store.journal_entry import WrittenValue


def cleanup(session: Invocation) -> int:
    """Remove what killed runs have left in DNS; return the exit status: 1 if a value stays, or may.

    :raises LockedError: another run is at it.
    :raises StoreError: the journal cannot be read.
    """
    screen = session.screen
    progress = PlainProgress(screen)

    def warn(event: Event) -> None:
        if event.kind == "warning":  # what is removed is the result
            progress.warn(event)

    renewer = session.renewer(session.config(), warn)
    work = partial(renewer.cleanup, wait=session.options.wait, cancel=session.interrupt.cancel)
    done = session.interrupt.run(work, cleans_up=True)
    screen.document(done.to_dict())
    aside = screen.json or screen.quiet  # then only what stays is told, on standard error
    columns, _ = (screen.err if aside else screen.out).size()
    lines = [] if aside else _removed(done, columns)
    lines += _kept(done, columns, verbose=bool(screen.verbose))
    lines += _unreadable(done, columns)
    if not lines and not aside:
        lines = [dim("There is nothing to remove: the journal names no value of a run that was killed.")]
    if lines:
        (screen.say if aside else screen.result)("\n".join(lines))
    return int(bool(done.kept or done.unreadable))


def _removed(done: CleanupResult, columns: int | None) -> list[str]:
    lines: list[str] = []
    for place, values in _by_place(done.removed).items():
        lines += text.wrap(f"{place}: {text.count(len(values), 'TXT value')} removed", columns, f"{green('✓')} ", "  ")
        lines += [f"    {value}" for value in values]
    return lines


def _kept(done: CleanupResult, columns: int | None, *, verbose: bool) -> list[str]:
    """Return what stays, and below all that one error keeps, that error and what to do."""
    by_error: dict[str, tuple[DnsRenewError, list[WrittenValue]]] = {}
    for value, error in done.kept:
        by_error.setdefault(error.message, (error, []))[1].append(value)
    lines: list[str] = []
    for error, kept in by_error.values():
        for place, values in _by_place(kept).items():
            stay = "stays" if len(values) == 1 else "stay"
            head = f"{place}: {text.count(len(values), 'TXT value')} {stay}"
            lines += text.wrap(head, columns, f"{red('✗')} ", "  ")
            lines += [f"    {value}" for value in values]
        lines += error_text.lines(error, columns, "  ")
        lines += [dim(error_text.details(error))] if verbose else []
    return lines


def _unreadable(done: CleanupResult, columns: int | None) -> list[str]:
    """Return what is to be done about files that do not tell which values they name."""
    lines: list[str] = []
    for path in done.unreadable:
        later = path.endswith(".json")
        why = "was written by a later dnsrenew" if later else "is damaged"
        what = f"{path} {why}: TXT values that a run wrote, and that only it names, may stand in DNS."
        look = "Look for values at the _acme-challenge names of your domains at your DNS host, and remove the file."
        fix = "Update dnsrenew, and run: dnsrenew cleanup" if later else look
        lines += text.wrap(what, columns, f"{red('✗')} ", "  ")
        lines += text.wrap(fix, columns, f"  {yellow('→')} ", "    ")
    return lines


def _by_place(values: Iterable[WrittenValue]) -> dict[str, list[str]]:
    """Return the values by the name at which they stood, and the account that wrote them."""
    places: dict[str, list[str]] = {}
    for record, account in values:
        place = relative(record.name) + (f" (account {account})" if account else "")
        places.setdefault(place, []).append(record.value)
    return places
