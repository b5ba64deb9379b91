"""Text that becomes HTML."""

from __future__ import annotations

from html import escape

from dnsrenew.cli.formatting import visible


def text(value: str) -> str:
    """Return a text in which nothing is markup; it can stand between tags and in an attribute with quotes."""
    return escape(visible(value), quote=True)


def anchor(section: int, code: str) -> str:
    """Return the id of a check in a section; section 0 has what several certificates share."""
    return f"c{section}-{code}"
