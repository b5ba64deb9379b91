"""Names of certificates in a call or on a command line: whole names, or patterns such as ``web-*``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from dnsrenew.errors import ConfigError
from dnsrenew.operations import texts
from dnsrenew.validation.mistakes import nearest

_PATTERN: Final = frozenset("*?[")
"""Characters that no name has."""
_MOST: Final = 8
"""Names that an error lists."""


def selected(wanted: Iterable[str] | None, known: Sequence[str]) -> Collection[str]:
    """Return the known names that are wanted; None: all.

    :raises ConfigError: ``certificate-unknown``: a name is not known, or no known name matches a pattern.
    """
    if wanted is None:
        return set(known)
    found: set[str] = set()
    names = set(known)
    for name in [wanted] if isinstance(wanted, str) else wanted:
        matches = _matches(name, known) if is_pattern(name) else {name} & names
        if not matches:
            raise unknown_certificate(name, known)
        found |= matches
    return found


def unknown_certificate(name: object, known: Sequence[str], *, patterns: bool = True) -> ConfigError:
    """Return the error for a name, or a pattern, of no certificate.

    :param patterns: whether a pattern can be given; if not, it is a name that no certificate has.
    """
    name = str(name)
    similar = None if is_pattern(name) else nearest(name, list(known))
    if not known:
        text = texts.CERTIFICATE_UNKNOWN_NONE
    elif patterns and is_pattern(name):
        text = texts.NO_MATCH
    elif similar:
        text = texts.CERTIFICATE_UNKNOWN_NEAREST
    else:
        text = texts.CERTIFICATE_UNKNOWN if len(known) <= _MOST else texts.CERTIFICATE_UNKNOWN_MANY
    return ConfigError.of(text, name=name, nearest=similar, known=list(known), count=len(known))


def is_pattern(name: object) -> bool:
    """Tell whether a name is a pattern."""
    return isinstance(name, str) and not _PATTERN.isdisjoint(name)


def _matches(pattern: str, known: Iterable[str]) -> set[str]:
    from fnmatch import fnmatchcase  # rarely needed

    pattern = pattern.lower()
    return {name for name in known if fnmatchcase(name, pattern)}
