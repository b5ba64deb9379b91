"""A table that fits the terminal without cutting any cell: its domains are wrapped, or move below their rows."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from dnsrenew.cli import formatting
from dnsrenew.cli.terminal import bold, dim

_GAP: Final = "  "
_DOMAINS: Final = 1
_ROUTE: Final = 3
"""Columns, by their position in ``texts.STATUS_COLUMNS``."""

Row = tuple[str, ...]


def table(heads: Row, rows: Sequence[Row], columns: int | None) -> list[str] | None:
    """Return the lines of the table; None if it does not fit.

    :param rows: a cell for each column; ``DOMAINS`` is "" where they are the name.
    """
    whole = [heads, *rows]
    has_domains, has_routes = any(row[_DOMAINS] for row in rows), any(row[_ROUTE] != "-" for row in rows)
    unused = set() if has_domains else {_DOMAINS}
    for dropped in ([unused] if has_routes else []) + [unused | {_ROUTE}]:  # -v shows the route
        kept = _without(whole, dropped)
        if columns is None or _width(kept) <= columns:
            return _lines(kept)
    return _narrowed(_without(whole, {_ROUTE}), columns or 0) if has_domains else None


def _narrowed(rows: Sequence[Row], columns: int) -> list[str] | None:
    """Return the table with its domains wrapped, or below; None if that does not help."""
    rest = _without(rows, {_DOMAINS})
    if _width(rest) > columns:
        return None
    available = columns - _width(rest) - len(_GAP)
    longest = max(formatting.width(word) for row in rows for word in row[_DOMAINS].split(" "))
    if longest <= available:
        wrapped = [line for row in rows for line in _wrapped(row, available)]
        return _lines(wrapped)
    lines = _lines(rest)
    below = [formatting.wrap(dim(row[_DOMAINS]), columns, _GAP, _GAP) if row[_DOMAINS] else [] for row in rows]
    return [lines[0], *(line for row, more in zip(lines[1:], below[1:], strict=True) for line in (row, *more))]


def _wrapped(row: Row, width: int) -> list[Row]:
    """Return a row as several, with its domains wrapped."""
    first, *others = formatting.wrap(row[_DOMAINS], width)
    empty = [""] * len(row)
    return [
        (*row[:_DOMAINS], first, *row[_DOMAINS + 1 :]),
        *((*empty[:_DOMAINS], domains, *empty[_DOMAINS + 1 :]) for domains in others),
    ]


def _without(rows: Sequence[Row], columns: AbstractSet[int]) -> list[Row]:
    return [tuple(cell for column, cell in enumerate(row) if column not in columns) for row in rows]


def _width(rows: Sequence[Row]) -> int:
    widths = [max(_widths(cells)) for cells in zip(*rows, strict=True)]
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _widths(cells: Sequence[str]) -> list[int]:
    # A column of ten thousand cells is mostly ASCII: one test for all of them.
    return list(map(len if "".join(cells).isascii() else formatting.width, cells))


def _lines(rows: Sequence[Row]) -> list[str]:
    columns = [_padded(cells) for cells in zip(*rows, strict=True)]
    lines = [_GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
    return [bold(lines[0]), *lines[1:]]


def _padded(cells: Sequence[str]) -> list[str]:
    widths = _widths(cells)
    longest = max(widths)
    return [cell + " " * (longest - width) for cell, width in zip(cells, widths, strict=True)]
