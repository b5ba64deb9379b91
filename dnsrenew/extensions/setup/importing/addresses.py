"""Addresses in the settings of other tools, which can be damaged."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

_NOTHING: Final = urlsplit("")


def parts(text: str) -> SplitResult:
    """Return the parts of a URL; all empty if it is none, or has no host."""
    try:
        url = urlsplit(text)
        is_web = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:  # a damaged IPv6 address or port
        return _NOTHING
    return url if is_web and text.isprintable() and " " not in text else _NOTHING


def valid(text: object) -> str:
    """Return an https URL as it is; "" if it is none."""
    return text if isinstance(text, str) and parts(text).scheme == "https" else ""
