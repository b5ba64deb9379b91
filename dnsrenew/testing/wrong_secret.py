"""A wrong secret that has the form of the right one, so that a host refuses it and not its form."""

from __future__ import annotations

from typing import Final

_CLASSES: Final = ("0123456789", "abcdef", "ghijklmnopqrstuvwxyz", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ")
"""Letters are replaced within these, so that hexadecimal and base64 texts stay what they are."""
_NEXT: Final = str.maketrans({letter: its[(its.index(letter) + 1) % len(its)] for its in _CLASSES for letter in its})


def wrong_secret(value: str) -> str | None:
    """Return a secret of the same form; None if the form is not simple (a key file, JSON) or has nothing to change."""
    text = value.strip()
    wrong = text.translate(_NEXT)
    return None if "\n" in text or text.startswith("{") or wrong == text else wrong
