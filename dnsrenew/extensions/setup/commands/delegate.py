"""``dnsrenew delegate``: shows the CNAME record to set, waits for it, and writes the route."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.values import replace
from dnsrenew.challenges.persist_record import line as record_line
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import Terminal, dim, green, red, yellow
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError, series
from dnsrenew.extensions.setup.delegate import delegate as operation
from dnsrenew.operations import texts as operation_texts

_REPEAT_AFTER: Final = 60.0
"""Seconds after which an unchanged wait is shown again, because a person may be at a form in a browser."""
_SOON: Final = 1.0
"""Seconds without a line, because an existing record is seen by then."""
_GAP: Final = "  "


def delegate(invocation: Invocation) -> int:
    """Delegate, and return the exit status, which is 1 if a person must add the route.

    :raises ConfigError: the arguments are ambiguous.
    :raises DnsRenewError: it is not possible, or was stopped.
    """
    terminal, options = invocation.terminal, invocation.options
    config = invocation.config()
    if options.check:
        return _check(invocation, config)
    result = delegated(invocation, config, options.name, options.to)
    terminal.write_document(result.to_dict())
    if not terminal.quiet:
        terminal.write_result("\n".join(_lines(result, terminal.out.size()[0])))
    elif result.to_add:
        terminal.write_message("\n".join(_to_add(result, terminal.err.size()[0])))
    return int(bool(result.to_add))


def delegated(invocation: Invocation, config: Config, name: str, to: str) -> operation.Delegated:
    """Delegate a certificate, and show the records to set and the progress of the wait."""
    emitter = Emitter(invocation.clock, DelegateProgress(invocation.terminal))
    context = replace(invocation.context(), emitter=emitter)
    invocation.terminal.redact = context.redactor.redact
    work = partial(operation.delegate, context, config, invocation.store(config), name, to)
    return invocation.signals.run(work, cleans_up=True)


def _check(invocation: Invocation, config: Config) -> int:
    """Report whether the CA would accept the record of each domain; return 1 if it would not."""
    terminal, options = invocation.terminal, invocation.options
    if options.to not in {None, operation.PERSIST}:
        raise ConfigError.of(operation_texts.DELEGATE_CHECK, to=options.to, name=options.name)
    context = invocation.context()
    terminal.redact = context.redactor.redact
    work = partial(operation.check_persist, context, config, invocation.store(config), options.name)
    checks = invocation.signals.run(work, cleans_up=True)
    is_good = all(each.reason is None for each in checks)
    terminal.write_document({"records": [each.to_dict() for each in checks], "accepted": is_good})
    if not terminal.quiet:
        columns = terminal.out.size()[0]
        terminal.write_result("\n".join(each_line for each in checks for each_line in _check_lines(each, columns)))
    return int(not is_good)


def _check_lines(check: operation.PersistCheck, columns: int | None) -> list[str]:
    is_good = check.reason is None
    head, mark = (texts.PERSIST_ACCEPTED, green("✓")) if is_good else (texts.PERSIST_REFUSED, red("✗"))
    said = head.format(name=check.name, ca=check.ca, reason=check.reason or "")
    lines = formatting.wrap(said, columns, f"{mark} ", "  ")
    until = texts.PERSIST_SOON if check.soon else texts.PERSIST_UNTIL
    more = [texts.PERSIST_CNAME.format(alias=check.alias)] if check.alias else []
    more += [until.format(until=check.until)] if check.until else []
    more += [] if is_good else [texts.PERSIST_WANTED.format(ca=check.ca)]
    lines += [line for text in more for line in formatting.wrap(text, columns, "  ", "  ")]
    return lines if is_good else [*lines, f"  {record_line(check.alias or check.name, check.value)}"]


class DelegateProgress(PlainProgress):
    """Shows the records to set, and the answers of the name servers while it waits."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._shown: dict[str, tuple[object, float]] = {}

    def __call__(self, event: Event) -> None:
        """Show the next event."""
        if self.closed:
            return
        if event.kind == "cname-needed":
            self._say(record_lines(event.data["records"], self._columns))
            self.terminal.write_info("\n".join(formatting.wrap(texts.CNAME_WAIT, self.terminal.err.size()[0])))
        elif event.kind == "txt-needed":
            head = texts.PERSIST_WANTED.format(ca=event.data["ca"])
            lines = [f"  {record_line(each['name'], each['value'])}" for each in event.data["records"]]
            self._say([*formatting.wrap(head, self._columns), *lines])
        elif event.kind == "cname-waiting":
            self._show_servers(event.data["servers"], float(event.data["seconds"]))
        elif event.kind == "cname-visible":
            duration = formatting.seconds(float(event.data["seconds"]))
            self.terminal.write_info(texts.CNAME_SEEN.format(certificate=event.certificate, duration=duration))
        else:
            super().__call__(event)

    @property
    def _columns(self) -> int | None:
        return (self.terminal.err if self.terminal.json else self.terminal.out).size()[0]

    def _say(self, lines: Sequence[str]) -> None:
        """Write to standard output, or with ``--json`` to standard error, because a person must set the records."""
        write = self.terminal.write_message if self.terminal.json else self.terminal.write_result
        write("\n".join(lines))

    def _show_servers(self, servers: Sequence[Mapping[str, str]], seconds: float) -> None:
        """Write a line for each record that is not everywhere, after a change or some time without a line."""
        by_record: dict[str, list[Mapping[str, str]]] = {}
        for server in servers:
            by_record.setdefault(server["name"], []).append(server)
        for name, its in by_record.items():
            states = tuple((each["address"], each["state"]) for each in its)
            before, shown_at = self._shown.get(name, (None, 0.0))
            if seconds < _SOON or (states == before and seconds - shown_at < _REPEAT_AFTER):
                continue
            self._shown[name] = states, seconds
            line = texts.CNAME_PROGRESS.format(name=name, elapsed=formatting.seconds(seconds), servers=_summary(its))
            self.terminal.write_info("\n".join(formatting.wrap(line, self.terminal.err.size()[0], "", "  ")))


def _summary(servers: Sequence[Mapping[str, str]]) -> str:
    """Return which name servers show a record, and which do not."""
    count = sum(each["state"] == "agrees" for each in servers)
    template = texts.CNAME_COUNT_ONE if len(servers) == 1 else texts.CNAME_COUNT
    parts = [template.format(count=count, total=len(servers))]
    for state, text in texts.CNAME_SERVERS.items():
        found = [each for each in servers if each["state"] == state]
        its = [texts.BRACKETED.format(text=each["server"], more=each["address"]) for each in found]
        parts += [text.format(servers=formatting.listed(its))] if its else []
    return formatting.say(series(parts, "; "))


def record_lines(records: Sequence[Mapping[str, str]], columns: int | None) -> list[str]:
    """Return the records as a table. If it is too wide, return each part on its own unbroken line."""
    by_zone: dict[str, list[str]] = {}
    for record in records:
        by_zone.setdefault(record["zone"], []).append(record["name"].removesuffix(f".{record['zone']}"))
    template = texts.CNAME_TO_SET if len(records) == 1 else texts.CNAMES_TO_SET
    lines = formatting.wrap(template.format(zones=formatting.listed(by_zone)), columns)
    rows = [(record["name"], record["type"], record["value"]) for record in records]
    head, *others = _table([texts.CNAME_COLUMNS, *rows])
    fits = columns is None or max(map(formatting.width, (head, *others))) <= columns
    lines += ["", *([dim(head), *others] if fits else _stacked(rows, columns or 0)), ""]
    for zone, its in by_zone.items():
        lines += formatting.wrap(texts.CNAME_SHORT.format(zone=zone, names=formatting.listed(its)), columns)
    return lines


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(formatting.width, column)) for column in zip(*rows, strict=True)]
    return [_GAP + _GAP.join(map(_padded, row, widths)).rstrip() for row in rows]


def _stacked(rows: Sequence[tuple[str, ...]], columns: int) -> list[str]:
    lines: list[str] = []
    longest = max(map(formatting.width, texts.CNAME_COLUMNS))
    for row in rows:
        lines += [""] if lines else []
        for label, cell in zip(texts.CNAME_COLUMNS, row, strict=True):
            head = _padded(label, longest) + _GAP
            fits = formatting.width(head) + len(cell) <= columns
            lines += [f"{dim(head)}{cell}"] if fits else [dim(label), cell]
    return lines


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - formatting.width(text))


def _lines(result: operation.Delegated, columns: int | None) -> list[str]:
    names = formatting.listed(record.domain for record in result.records)
    account = result.route.dns[0] if result.route.dns else ""
    head = texts.DELEGATIONS[bool(account), result.is_tested].format(names=names, account=account)
    lines = formatting.wrap(head, columns, f"{green('✓')} ", "  ")
    if result.written:
        path = formatting.listed(result.written)
        lines += formatting.wrap(texts.ROUTE_WRITTEN.format(path=path), columns, "  ", "  ")
    elif not result.to_add:
        kept = (texts.ROUTE_KEPT if account else texts.ROUTE_THERE).format(account=account)
        lines += formatting.wrap(kept, columns, "  ", "  ")
    lines += _to_add(result, columns)
    following = texts.DELEGATE_NEXT.format(names=" ".join(result.certificates))
    return [*lines, *formatting.wrap(following, columns, f"{yellow('→')} ", "  ")]


def _to_add(result: operation.Delegated, columns: int | None) -> list[str]:
    """Return the lines that a person must add to the configuration, to be copied unchanged."""
    lines: list[str] = []
    for each in result.to_add:
        head = texts.ROUTES_TO_ADD[each.form].format(certificate=each.certificate, path=each.file)
        lines += [*formatting.wrap(head, columns, f"{yellow('!')} ", "  "), "", *each.lines.split("\n"), ""]
    return lines
