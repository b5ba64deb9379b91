"""What is wrong with a secret that was pasted: invisible characters, a second line, letters that no key has.

A text says where it is wrong, and shows nothing else of the secret.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from dnsrenew.base.secrets import texts
from dnsrenew.errors import Message

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_PLAIN: Final = frozenset(" \t\r\n")
_DOCUMENT: Final = re.compile(r"\s*(?:\{|-----BEGIN )")
"""The start of a secret with several lines: JSON, PEM."""


def invisible(value: str, secret: str) -> Message | None:
    """Return where a secret has a character that cannot be seen, as a web page or an editor leaves them; else None.

    :param secret: what the secret is called.
    """
    for number, line in enumerate(re.split(r"\r?\n", value), 1):
        for position, character in enumerate(line, 1):
            if unicodedata.category(character) in _INVISIBLE and character not in _PLAIN:
                point = f"U+{ord(character):04X}"
                return texts.INVISIBLE.format(secret=secret, character=point, line=number, position=position)
    return None


def fault(value: str, secret: str, *, is_key: bool) -> Message | None:
    """Return what is wrong with a secret of a service, around which blanks do no harm; None if it can be right.

    :param is_key: whether it is a token or a key and no password, so that all its letters are those of ASCII.
    """
    text = value.strip()
    lines = text.splitlines()
    if (found := invisible(text, secret)) is not None or _DOCUMENT.match(text):
        return found
    if len(lines) > 1:
        return texts.SEVERAL_LINES.format(secret=secret, count=len(lines))
    for position, character in enumerate(text if is_key else "", 1):
        if not character.isascii():
            return texts.NOT_ASCII.format(secret=secret, position=position)
    return None
