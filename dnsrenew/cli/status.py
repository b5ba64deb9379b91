"""``dnsrenew status``: every certificate in a table that fits the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import text
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.cli.text import as_time
from dnsrenew.model.wording import describe_route

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.status import CertificateStatus

_NARROW: Final = 80
_GAP: Final = "  "
_GRACE: Final = timedelta(days=1)
"""So long after its time a renewal is overdue: whoever runs ``renew`` once a day has had a chance."""

_BAD: Final = frozenset({"missing", "expired", "revoked"})
_HEADS: Final = ("NAME", "DOMAINS", "CA", "ROUTE", "EXPIRES", "RENEWAL", "STATE")
_ROUTE: Final = _HEADS.index("ROUTE")


def status(session: Invocation) -> int:
    """Show what stands in the store; return the exit status."""
    config = session.config()
    now, screen = session.clock.now(), session.screen
    renewer = session.renewer(config, PlainProgress(screen).warn)  # it has nothing to tell but warnings
    found = session.interrupt.run(partial(renewer.status, session.options.names or None))
    if screen.json:
        screen.document({"certificates": [certificate.to_dict() for certificate in found]})
    elif not found:
        screen.result(dim("No certificates are configured."))
    else:
        columns, _ = screen.out.size()
        blocks = screen.verbose or (columns is not None and columns < _NARROW)
        lines = _blocks(found, now, columns) if blocks else _table(found, now, columns)
        screen.result("\n".join([*lines, *_problems(found, now, columns)]))
    return int(session.options.check and any(needs_a_person(certificate, now) for certificate in found))


def is_overdue(certificate: CertificateStatus, now: datetime) -> bool:
    """Tell whether its renewal should have happened by now."""
    time = certificate.next_renewal
    return time is not None and now - time > _GRACE


def needs_a_person(certificate: CertificateStatus, now: datetime) -> bool:
    """Tell whether ``status --check`` complains of it."""
    return certificate.state in _BAD or certificate.last_failure is not None or is_overdue(certificate, now)


def _table(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    rows = [_HEADS, *(_row(certificate, now) for certificate in found)]
    widths = _widths(rows)
    known = any(certificate.route for certificate in found)
    if not known or (columns is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > columns):
        rows = [(*row[:_ROUTE], *row[_ROUTE + 1 :]) for row in rows]  # -v tells it
        widths = _widths(rows)
    if columns is not None:
        longest = max(text.width(word) for row in rows for word in row[1].split(" "))
        _shrink(widths, columns - len(_GAP) * (len(widths) - 1), longest)
        broken = [text.width(line) for row in rows for line in text.wrap(row[1], widths[1])]
        widths[1] = min(widths[1], max(broken))
    lines = [line for row in rows for line in _lines(row, widths)]
    return [bold(lines[0]), *lines[1:]]


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(text.width, cells)) for cells in zip(*rows, strict=True)]


def _lines(row: tuple[str, ...], widths: Sequence[int]) -> list[str]:
    """Return the row: its domains below each other where the column is too narrow, the rest in the first line."""
    lines = []
    for number, domains in enumerate(text.wrap(row[1], widths[1])):
        cells = [row[0], domains, *row[2:]] if number == 0 else ["", domains]
        fitted = [text.fit(cell, size) for cell, size in zip(cells, widths, strict=False)]
        padded = (cell + " " * (size - text.width(cell)) for cell, size in zip(fitted, widths, strict=False))
        lines.append(_GAP.join(padded).rstrip())
    return lines


def _shrink(widths: list[int], room: int, longest: int) -> None:
    """Take columns from the domains, the CA and the name, down to what still says something.

    :param longest: columns of the longest single domain: they can stand below each other.
    """
    for place, least in ((1, min(longest, 20)), (2, 7), (0, 16), (1, 14), (0, 10), (2, 6), (1, 4)):
        over = sum(widths) - room
        if over > 0:
            widths[place] = max(min(widths[place], least), widths[place] - over)


def _row(certificate: CertificateStatus, now: datetime) -> tuple[str, ...]:
    return (
        certificate.name,
        text.listed(certificate.domains, 3),
        certificate.ca,
        _by(certificate),
        _expiry(certificate, now, short=True),
        _next(certificate, now),
        _state(certificate, now),
    )


def _by(certificate: CertificateStatus) -> str:
    """Return by which challenge and with which accounts it was obtained."""
    return "-" if certificate.route is None else describe_route({**certificate.route, "ca": None})


def _expiry(certificate: CertificateStatus, now: datetime, *, short: bool = False) -> str:
    if certificate.not_after is None:
        return "-"
    life = certificate.not_after - certificate.not_before if certificate.not_before else None
    end = text.date(certificate.not_after, now, life)
    if short:
        return f"{end}, {text.short_distance(certificate.not_after, now)}"
    return f"{end} ({text.distance(certificate.not_after, now)})"


def _next(certificate: CertificateStatus, now: datetime) -> str:
    if not certificate.known:  # nothing is renewed before it can be read
        return "-"
    if certificate.state != "valid" or certificate.next_renewal is None:
        return "now" if certificate.next_attempt is None else text.date(certificate.next_attempt, now)
    why = "" if certificate.reason in (None, "renew-before") else f" {certificate.reason}"
    return f"{text.date(certificate.next_renewal, now)}{why}"


def _state(certificate: CertificateStatus, now: datetime) -> str:
    if not certificate.known:
        return f"{red('✗')} {'not known' if certificate.state == 'missing' else f'{certificate.state}, unreadable'}"
    if certificate.state in _BAD:
        return f"{red('✗')} {certificate.state}"
    if is_overdue(certificate, now):
        return f"{red('✗')} overdue"
    if certificate.last_failure is not None:
        return f"{yellow('!')} {'valid, failed' if certificate.state == 'valid' else f'{certificate.state}, failing'}"
    if certificate.state == "due":
        return f"{yellow('!')} due ({certificate.reason})" if certificate.reason == "changed" else f"{yellow('!')} due"
    return f"{green('✓')} {certificate.state}"


def _blocks(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    lines = []
    for certificate in found:
        lines += text.wrap(f"{bold(certificate.name)}  {_state(certificate, now)}", columns, "", "  ")
        rows = [("domains", text.listed(certificate.domains, 3)), ("CA", certificate.ca)]
        if certificate.route is not None:
            rows.append(("route", _by(certificate)))
        if certificate.not_after is not None:
            rows.append(("expires", _expiry(certificate, now)))
        lines += text.fields([*rows, ("renewal", _next(certificate, now))], columns)
    return lines


def _problems(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    """Say below the table why something fails, and what to do about what is missing or overdue."""
    lines = []
    for certificate in found:
        if certificate.last_failure is not None:
            lines += _failure(certificate, certificate.last_failure, now, columns)
    failing = [c.name for c in found if c.last_failure is not None and c.known and c.state != "valid"]
    waiting = [c.name for c in found if c.last_failure is None and (c.state != "valid" or is_overdue(c, now))]
    for names, flag, words in ((failing, " --now", "tries again at once"), (waiting, "", "obtains or renews it")):
        if names:
            which = f" {names[0]}" if len(names) == 1 and len(found) > 1 else ""
            said = words if len(names) == 1 else words.replace(" it", " them")
            line = f"{text.listed(names)}: dnsrenew renew{which}{flag} {said}."
            lines += text.wrap(line, columns, f"{yellow('→')} ", "  ")
    return lines


def _failure(
    certificate: CertificateStatus, failure: Mapping[str, Any], now: datetime, columns: int | None
) -> list[str]:
    """Say what failed last, or why it cannot even be looked at, and what is to be done."""
    last = failure.get("route")
    what = f" {_failed(failure, now)}" if certificate.known else ""
    words = f"{certificate.name}{what}: {failure.get('message')}{_again(certificate, now)}"
    lines = text.wrap(words, columns, f"{red('✗')} ", "  ")
    for attempt in failure.get("attempts") or ():  # of an earlier way than the last
        route = attempt.get("route")
        if isinstance(route, Mapping) and route != last:
            why = attempt.get("message") or attempt.get("code")
            lines += text.wrap(f"{describe_route(route)}: {why}", columns, "  before that: ", "    ")
    if failure.get("fix"):
        lines += text.wrap(str(failure["fix"]), columns, f"  {yellow('→')} ", "    ")
    return lines


def _failed(failure: Mapping[str, Any], now: datetime) -> str:
    time, last = as_time(failure.get("time")), failure.get("route")
    when = f" {text.distance(time, now)}" if time else ""
    return f"failed{when}{f' by {describe_route(last)}' if isinstance(last, Mapping) else ''}"


def _again(certificate: CertificateStatus, now: datetime) -> str:
    until = certificate.next_attempt
    if certificate.known and certificate.state == "valid" and certificate.next_renewal is not None:
        due = text.date(certificate.next_renewal, now)
        return f" It is not due before {due}: until then only dnsrenew renew {certificate.name} --force tries again."
    return f" Next attempt: {text.date(until, now)} ({text.distance(until, now)})." if until else ""
