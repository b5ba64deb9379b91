r"""Where a secret stands in a text, however the text spells it.

What somebody quotes to us has been written for a page (``&amp;``, ``&#47;``), in JSON (``\/``, ``\u002f``) or in an
address (``%2F``), or in one of them inside another; each character may be spelt so or not. So it is the text that is
read, in every way in which it can be, and in each reading the plain secret is looked for. That takes a time that grows
as the text does, and next to none for a text with nothing to read in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

_SHORTEST_PART: Final = 8
"""A shorter line of a secret, or piece of it in base64, stands in texts by chance."""
_NESTED: Final = 2
"""How many ways of writing are looked through at once: an address in JSON, a percent sign that is itself ``%25``."""
_FOLD: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""Unlike ``str.lower``, it changes no length and looks at no neighbour."""
_CONTROLS: Final = dict(zip("btnfr", "\b\t\n\f\r", strict=True))

_Read = Callable[[re.Match[str]], str]


def _from_backslash(match: re.Match[str]) -> str:
    token = match[0]
    kind, digits = token[1], token[2:]
    if not digits:
        return _CONTROLS.get(kind, kind)
    if len(digits) > 8:  # two halves of one character, each in four digits
        return bytes.fromhex(digits.replace("\\u", "")).decode("utf-16-be")
    number = int(digits, 16)
    return chr(number) if number <= 0x10FFFF else token


def _from_percent(match: re.Match[str]) -> str:
    read = bytes.fromhex(match[0].replace("%", ""))
    return read.decode("latin-1" if len(read) == 1 else "utf-8", "replace")


def _from_entity(match: re.Match[str]) -> str:
    token = match[0]
    if token[1] == "#":
        number = int(token[3:-1], 16) if token[2] in "Xx" else int(token[2:-1])
        return chr(number) if number <= 0x10FFFF else token
    import html  # a large table

    return html.unescape(token)


_H: Final = "[0-9A-Fa-f]"
_MORE: Final = f"(?:%[89ABab]{_H})"  # a byte that goes on with a character in UTF-8
_WRITINGS: Final[tuple[tuple[str, re.Pattern[str], _Read], ...]] = (
    (
        "\\",
        re.compile(
            rf"\\u[Dd][89ABab]{_H}{{2}}\\u[Dd][C-Fc-f]{_H}{{2}}|\\u{_H}{{4}}|\\x{_H}{{2}}|\\U{_H}{{8}}|\\.", re.DOTALL
        ),
        _from_backslash,
    ),
    (
        "%",
        re.compile(f"%[C-Dc-d]{_H}{_MORE}|%[Ee]{_H}{_MORE}{{2}}|%[Ff][0-7]{_MORE}{{3}}|%{_H}{{2}}"),
        _from_percent,
    ),
    ("&", re.compile(r"&(?:#[0-9]{1,7}|#[Xx][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"), _from_entity),
)
"""The sign without which a text has none of it, its tokens, and what a token stands for."""


def encodings(value: str) -> set[str]:
    """Return what is looked for in the readings of a text: the secret, its lines, and it in base64 and in hex."""
    import base64

    raw = value.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode()
    parts = value.splitlines()  # a key or a document, of which a message shows a line
    for before in range(3):  # behind a user's name, as in HTTP Basic: what of it depends on no neighbour
        whole = base64.b64encode(bytes(before) + raw).decode()
        parts.append(whole[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6])
    in_base64 = {encoded, encoded.rstrip("="), *(part for part in parts if len(part) >= _SHORTEST_PART)}
    in_base64_of_addresses = {form.translate({ord("+"): "-", ord("/"): "_"}) for form in in_base64}
    misread = raw.decode("latin-1")  # as what is UTF-8 and does not say so
    found = {value, value.replace(" ", "+"), misread, raw.hex(), *in_base64, *in_base64_of_addresses}
    return {form.translate(_FOLD) for form in found}


def find_secret(text: str, wanted: Collection[str], nested: int = _NESTED) -> Iterator[tuple[int, int]]:
    """Give the begin and the end of each place in the text that can be read as one of the :func:`encodings`."""
    folded = text.translate(_FOLD)
    for form in wanted:
        at = folded.find(form)
        while at >= 0:
            yield at, at + len(form)
            at = folded.find(form, at + len(form))
    if not nested:
        return
    for sign, token, read in _WRITINGS:
        if sign in text:
            reading = token.sub(read, text)
            found = list(find_secret(reading, wanted, nested - 1)) if reading != text else []
            if found:
                places = _places(text, token, read)
                yield from ((places[begin], places[end]) for begin, end in found)


def _places(text: str, token: re.Pattern[str], read: _Read) -> list[int]:
    """Return where in the text each character of its reading, and the end, comes from."""
    places: list[int] = []
    done = 0
    for match in token.finditer(text):
        places.extend(range(done, match.start()))
        places.extend([match.start()] * len(read(match)))
        done = match.end()
    places.extend(range(done, len(text) + 1))
    return places
