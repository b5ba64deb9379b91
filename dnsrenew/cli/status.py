"""``dnsrenew status``: every certificate in a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.cli import formatting, texts
from dnsrenew.cli.progress import PlainProgress
from dnsrenew.cli.terminal import bold, dim, green, red, yellow
from dnsrenew.cli.texts import LABELS
from dnsrenew.model.wording import describe_route

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.operations.status import CertificateStatus

_NARROW: Final = 80
_GAP: Final = "  "
_GRACE: Final = timedelta(days=1)
"""A renewal is overdue this long after its time, so that a daily run has had its chance."""

_BAD: Final = frozenset({"missing", "expired", "revoked"})
_ROUTE: Final = texts.STATUS_COLUMNS.index("ROUTE")
_USUAL_REASONS: Final = frozenset({None, "renew-before"})


def status(invocation: Invocation) -> int:
    """Show the certificates of the configuration; return the exit status."""
    config = invocation.config(needs_certificates=invocation.options.check)
    now, terminal = invocation.clock.now(), invocation.terminal
    renewer = invocation.renewer(config, PlainProgress(terminal).write_warning)  # its events are warnings only
    found = invocation.signals.run(partial(renewer.status, invocation.options.names or None))
    if terminal.json:
        terminal.write_document({"certificates": [certificate.to_dict() for certificate in found]})
    elif not found:
        terminal.write_result(dim(texts.NO_CERTIFICATES))
    else:
        columns, _ = terminal.out.size()
        blocks = terminal.verbose or (columns is not None and columns < _NARROW)
        lines = _blocks(found, now, columns) if blocks else _table(found, now, columns)
        lines += [dim(texts.CHOSEN_BY_CA)] if any(_is_chosen_by_ca(certificate) for certificate in found) else []
        terminal.write_result("\n".join([*lines, *_problems(found, now, columns)]))
    return int(invocation.options.check and any(needs_attention(certificate, now) for certificate in found))


def is_overdue(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether the renewal should have happened by now."""
    time = certificate.next_renewal
    return time is not None and now - time > _GRACE


def needs_attention(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether ``status --check`` reports the certificate."""
    return certificate.state in _BAD or certificate.last_failure is not None or is_overdue(certificate, now)


def _table(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    rows = [texts.STATUS_COLUMNS, *(_row(certificate, now) for certificate in found)]
    widths = _widths(rows)
    has_routes = any(certificate.route for certificate in found)
    if not has_routes or (columns is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > columns):
        rows = [(*row[:_ROUTE], *row[_ROUTE + 1 :]) for row in rows]  # -v shows the route
        widths = _widths(rows)
    if columns is not None:
        longest = max(formatting.width(word) for row in rows for word in row[1].split(" "))
        _shrink(widths, columns - len(_GAP) * (len(widths) - 1), longest)
        wrapped = [formatting.width(line) for row in rows for line in formatting.wrap(row[1], widths[1])]
        widths[1] = min(widths[1], max(wrapped))
    lines = [line for row in rows for line in _lines(row, widths)]
    return [bold(lines[0]), *lines[1:]]


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(formatting.width, cells)) for cells in zip(*rows, strict=True)]


def _lines(row: tuple[str, ...], widths: Sequence[int]) -> list[str]:
    """Return the lines of a row. Its domains are wrapped if their column is too narrow."""
    lines = []
    for number, domains in enumerate(formatting.wrap(row[1], widths[1])):
        cells = [row[0], domains, *row[2:]] if number == 0 else ["", domains]
        fitted = [formatting.fit(cell, size) for cell, size in zip(cells, widths, strict=False)]
        padded = (cell + " " * (size - formatting.width(cell)) for cell, size in zip(fitted, widths, strict=False))
        lines.append(_GAP.join(padded).rstrip())
    return lines


def _shrink(widths: list[int], available: int, longest: int) -> None:
    """Shrink the columns of the domains, the CA and the name, each to a minimum that is still readable.

    :param longest: the width of the longest single domain; domains can be wrapped.
    """
    for column, least in ((1, min(longest, 20)), (2, 7), (0, 16), (1, 14), (0, 10), (2, 6), (1, 4)):
        excess = sum(widths) - available
        if excess > 0:
            widths[column] = max(min(widths[column], least), widths[column] - excess)


def _row(certificate: CertificateStatus, now: datetime) -> tuple[str, ...]:
    return (
        certificate.name,
        formatting.listed(certificate.domains, 3),
        certificate.ca,
        _route(certificate),
        _expiry(certificate, now, short=True),
        _renewal(certificate, now),
        _state(certificate, now),
    )


def _route(certificate: CertificateStatus) -> str:
    """Return the challenge and the accounts of the last renewal."""
    return "-" if certificate.route is None else describe_route({**certificate.route, "ca": None})


def _expiry(certificate: CertificateStatus, now: datetime, *, short: bool = False) -> str:
    expiry = certificate.not_after
    if expiry is None:
        return "-"
    life = expiry - certificate.not_before if certificate.not_before else None
    if short:
        return f"{formatting.date(expiry, now, life)}, {formatting.short_distance(expiry, now)}"
    return formatting.when(expiry, now, life)


def _renewal(certificate: CertificateStatus, now: datetime) -> str:
    if not certificate.known:  # it is not renewed while its state cannot be read
        return "-"
    if certificate.state != "valid" or certificate.next_renewal is None:
        return texts.RENEWAL_NOW if certificate.next_attempt is None else formatting.date(certificate.next_attempt, now)
    date = formatting.date(certificate.next_renewal, now)
    if certificate.reason in _USUAL_REASONS:
        return date
    template = texts.RENEWAL_REASONS.get(certificate.reason or "", texts.RENEWAL_REASON)
    return template.format(date=date, reason=certificate.reason)


def _is_chosen_by_ca(certificate: CertificateStatus) -> bool:
    due = certificate.known and certificate.state == "valid" and certificate.next_renewal is not None
    return due and certificate.reason == "ari"


def _state(certificate: CertificateStatus, now: datetime) -> str:
    if not certificate.known:
        word = texts.STATES["unknown" if certificate.state == "missing" else "unreadable"]
        return f"{red('✗')} {word.format(state=certificate.state)}"
    if certificate.state in _BAD:
        return f"{red('✗')} {certificate.state}"
    if is_overdue(certificate, now):
        return f"{red('✗')} {texts.STATES['overdue']}"
    if certificate.last_failure is not None:
        word = texts.STATES["failed" if certificate.state == "valid" else "failing"]
        return f"{yellow('!')} {word.format(state=certificate.state)}"
    if certificate.state == "due":
        return f"{yellow('!')} {texts.STATES['changed'] if certificate.reason == 'changed' else certificate.state}"
    return f"{green('✓')} {certificate.state}"


def _blocks(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    lines = []
    for certificate in found:
        lines += formatting.wrap(f"{bold(certificate.name)}  {_state(certificate, now)}", columns, "", "  ")
        rows = [(LABELS["domains"], formatting.listed(certificate.domains, 3)), (LABELS["ca"], certificate.ca)]
        if certificate.route is not None:
            rows.append((LABELS["route"], _route(certificate)))
        if certificate.not_after is not None:
            rows.append((LABELS["expires"], _expiry(certificate, now)))
        lines += formatting.fields([*rows, (LABELS["renewal"], _renewal(certificate, now))], columns)
    return lines


def _problems(found: Sequence[CertificateStatus], now: datetime, columns: int | None) -> list[str]:
    """Return the failures, and the commands for failing, missing and overdue certificates."""
    lines = []
    for certificate in found:
        if certificate.last_failure is not None:
            lines += _failure(certificate, certificate.last_failure, now, columns)
    failing = [c.name for c in found if c.last_failure is not None and c.known and c.state != "valid"]
    pending = [c.name for c in found if c.last_failure is None and (c.state != "valid" or is_overdue(c, now))]
    for names, flags, template in ((failing, ["--now"], texts.RETRY_NOW), (pending, [], texts.RENEW_NOW)):
        if names:
            selection = names if len(names) == 1 and len(found) > 1 else []
            command = " ".join(["dnsrenew renew", *selection, *flags])
            line = template.format(names=formatting.listed(names), command=command)
            lines += formatting.wrap(line, columns, f"{yellow('→')} ", "  ")
    return lines


def _failure(
    certificate: CertificateStatus, failure: Mapping[str, Any], now: datetime, columns: int | None
) -> list[str]:
    """Return the last failure, or why the certificate cannot be read, and the fix."""
    last = failure.get("route")
    lines = formatting.wrap(_failure_line(certificate, failure, now), columns, f"{red('✗')} ", "  ")
    for attempt in failure.get("attempts") or ():
        route = attempt.get("route")
        if isinstance(route, Mapping) and route != last:
            reason = attempt.get("message") or attempt.get("code")
            line = texts.EARLIER_FAILURE.format(route=describe_route(route), reason=reason)
            lines += formatting.wrap(line, columns, texts.EARLIER, "    ")
    if failure.get("fix"):
        lines += formatting.wrap(str(failure["fix"]), columns, f"  {yellow('→')} ", "    ")
    return lines


def _failure_line(certificate: CertificateStatus, failure: Mapping[str, Any], now: datetime) -> str:
    time, route = formatting.as_time(failure.get("time")), failure.get("route")
    fields = {
        "name": certificate.name,
        "message": failure.get("message"),
        "ago": formatting.distance(time, now) if time else "",
        "route": describe_route(route) if isinstance(route, Mapping) else "",
    }
    if not certificate.known:
        template = texts.UNREADABLE_CERTIFICATE
    else:
        template = texts.FAILURES[bool(fields["ago"]), bool(fields["route"])]
    following = _next_attempt(certificate, now)
    return f"{template.format_map(fields)} {following}" if following else template.format_map(fields)


def _next_attempt(certificate: CertificateStatus, now: datetime) -> str:
    if certificate.known and certificate.state == "valid" and certificate.next_renewal is not None:
        renewal = formatting.date(certificate.next_renewal, now)
        return texts.NOT_DUE_BEFORE.format(renewal=renewal, name=certificate.name)
    time = certificate.next_attempt
    return "" if time is None else texts.NEXT_ATTEMPT.format(time=formatting.when(time, now))
