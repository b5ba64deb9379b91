"""``dnsrenew cleanup``: removes the TXT values of killed runs from DNS, and shows which ones remain."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from dnsrenew.base.events import Event
from dnsrenew.base.names import relative
from dnsrenew.challenges.leftovers import CleanupResult
from dnsrenew.cli import error_text, formatting, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import dim, green, red, yellow
from dnsrenew.errors import DnsRenewError
from dnsrenew.store.journal import WrittenValue


def cleanup(invocation: Invocation) -> int:
    """Remove the values of killed runs; return the exit status: 1 if a value remains, or may remain.

    :raises LockedError: another run is cleaning up.
    :raises StoreError: the journal cannot be read.
    """
    terminal = invocation.terminal
    progress = PlainProgress(terminal)

    def warn(event: Event) -> None:
        if event.kind == "warning":  # the result shows the removed values
            progress.write_warning(event)

    renewer = invocation.renewer(invocation.config(), warn)
    work = partial(renewer.cleanup, wait=invocation.options.wait, cancel=invocation.signals.cancel)
    result = invocation.signals.run(work, cleans_up=True)
    terminal.write_document(result.to_dict())
    only_problems = terminal.json or terminal.quiet  # to standard error
    columns, _ = (terminal.err if only_problems else terminal.out).size()
    lines = [] if only_problems else _removed(result, columns)
    lines += _kept(result, columns, verbose=bool(terminal.verbose))
    lines += _unreadable(result, columns)
    if not lines and not only_problems:
        lines = [dim(texts.NOTHING_TO_CLEAN_UP)]
    if lines:
        (terminal.write_message if only_problems else terminal.write_result)("\n".join(lines))
    return int(bool(result.kept or result.unreadable or result.owed))


def _removed(result: CleanupResult, columns: int | None) -> list[str]:
    lines = _values(result.removed, texts.VALUES_REMOVED, green("✓"), columns)
    if result.late:
        values = formatting.count(len(result.late), texts.TXT_VALUE)
        lines += formatting.wrap(texts.VALUES_LATE.format(values=values), columns, f"{yellow('!')} ", "  ")
    return lines


def _kept(result: CleanupResult, columns: int | None, *, verbose: bool) -> list[str]:
    """Return the remaining values, grouped by error, with the error and its fix."""
    by_error: dict[str, tuple[DnsRenewError, list[WrittenValue]]] = {}
    for value, error in result.kept:
        by_error.setdefault(error.message, (error, []))[1].append(value)
    lines: list[str] = []
    for error, kept in by_error.values():
        lines += _values(kept, texts.VALUES_KEPT, red("✗"), columns)
        lines += error_text.lines(error, columns, "  ")
        lines += [dim(error_text.details(error))] if verbose else []
    return lines


def _values(values: Iterable[WrittenValue], template: str, mark: str, columns: int | None) -> list[str]:
    lines: list[str] = []
    for name, found in _by_name(values).items():
        head = template.format(name=name, values=formatting.count(len(found), texts.TXT_VALUE))
        lines += formatting.wrap(head, columns, f"{mark} ", "  ")
        lines += [f"    {value}" for value in found]
    return lines


def _unreadable(result: CleanupResult, columns: int | None) -> list[str]:
    """Return the journal files that cannot be read, and the fix."""
    lines: list[str] = []
    for path in result.unreadable:
        newer = path.endswith(".json")
        problem = (texts.JOURNAL_NEWER if newer else texts.JOURNAL_DAMAGED).format(path=path)
        fix = texts.JOURNAL_NEWER_FIX if newer else texts.JOURNAL_DAMAGED_FIX
        lines += formatting.wrap(problem, columns, f"{red('✗')} ", "  ")
        lines += formatting.wrap(fix, columns, f"  {yellow('→')} ", "    ")
    return lines


def _by_name(values: Iterable[WrittenValue]) -> dict[str, list[str]]:
    """Return the values by record name and account."""
    by_name: dict[str, list[str]] = {}
    for record, account in values:
        name = relative(record.name)
        if account:
            name = texts.RECORD_NAME.format(name=name, account=account)
        by_name.setdefault(name, []).append(record.value)
    return by_name
