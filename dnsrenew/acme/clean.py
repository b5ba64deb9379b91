"""Texts from a CA as one short line, and the URLs of a ``Link`` header.

Every text of a CA that may reach a message, a log, an event or the disk passes :func:`one_line` once, where it comes
in: a CA could send line breaks that look like lines of ours, escape sequences, or a name of a megabyte.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 1000
"""Characters of a sentence or an address from the CA that are kept."""
MAX_NAME: Final = 255
"""Characters of an identifier that are kept: no domain name is longer (RFC 1035 section 2.3.4)."""
MAX_WORD: Final = 100
"""Characters of a status, a challenge type or the name of a profile that are kept."""
MAX_ENTRIES: Final = 100
"""Entries of a list that are kept where nothing but a message needs it."""
MAX_LINK: Final = 16 * 1024
"""Characters of a ``Link`` header that are read."""

# Linear: no part can begin where another one goes on. Not compiled, because few answers need them.
_LINK: Final = r"<([^<>]*)>([^<>]*)"
_RELATION: Final = r"(?i);\s*rel\s*=\s*\"?([^\";,]*)"


def printable(text: str) -> str:
    """Return a text as one line that is safe on a terminal; a run of blanks becomes one blank."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters; an ellipsis shows that it was cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as one printable line of at most so many characters."""
    return cut(printable(text), most)


def links(header: str, relation: str) -> list[str]:
    """Return the targets of a ``Link`` header (RFC 8288) with a relation, such as ``alternate``."""
    found = re.findall(_LINK, header[:MAX_LINK])
    return [target for target, parameters in found if relation in _relations(parameters)]


def _relations(parameters: str) -> list[str]:
    found = re.search(_RELATION, parameters)
    return found[1].lower().split() if found else []
