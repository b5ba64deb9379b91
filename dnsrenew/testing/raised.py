"""What a driver raised, and what is served in place of what should be, in words. No I/O."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dnsrenew.errors import DnsRenewError

UNAUTHORIZED: Final = "provider-unauthorized"
NOTHING_WRITTEN: Final = frozenset(
    {UNAUTHORIZED, "provider-zone-unknown", "provider-address-wrong", "provider-untrusted"}
)
"""Errors that come before anything is written in a zone."""
HOPELESS: Final = NOTHING_WRITTEN | {"provider-unreachable", "provider-timeout"}
"""Errors of the first write after which every other one would end the same way."""


def code_of(error: BaseException) -> str:
    """Return the code of the error that dnsrenew makes of an exception."""
    if isinstance(error, DnsRenewError):
        return error.code
    from dnsrenew.drivers.error_mapping import classify

    return classify(error)


def describe(error: BaseException) -> str:
    """Return an exception in one line."""
    return f"{type(error).__name__}: {error}"


def difference(found: Collection[str], expected: Collection[str]) -> str:
    """Return which values are missing and which should not be there."""
    missing, unexpected = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    parts = [f"{', '.join(missing)} is missing"] if missing else []
    parts += [f"{', '.join(unexpected)} exists"] if unexpected else []
    return " and ".join(parts)
