"""Web addresses."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def is_web_address(text: str, schemes: Collection[str] = ("http", "https")) -> bool:
    """Tell whether a text is a URL with one of these schemes and a host, in ASCII, and without a user name."""
    try:
        parts = urlsplit(text)
        complete = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    return complete and text.isascii() and text.isprintable() and " " not in text
