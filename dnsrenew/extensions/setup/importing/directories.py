"""The directory URLs of CAs, for tools that keep only a host or a short name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from dnsrenew.config.cas import BUILT_IN

DEFAULT: Final = BUILT_IN["letsencrypt"].directory
"""The CA of tools that name none."""


def of_host(host: str, known: Iterable[str] = ()) -> str | None:
    """Return the directory URL at a host, with its port: one of those known, or of the built-in CAs; else None."""
    urls = (*known, *(ca.directory for ca in BUILT_IN.values()))
    return next((url for url in urls if urlsplit(url).netloc == host), None)


def built_in(directory: str) -> str | None:
    """Return the name of the built-in CA with this directory URL, or None."""
    return next((name for name, ca in BUILT_IN.items() if ca.directory == directory), None)
