r"""Find a secret in a text in any encoding.

A quoted secret may be escaped for HTML (``&amp;``, ``&#47;``), JSON (``\/``, ``\u002f``) or a URL (``%2F``), or for
one inside another, and each character may be escaped or not. So the text is decoded in each of these ways, and the
plain secret is searched in every decoded text. The time is linear in the length of the text, and almost zero without
an escape.

A host that quotes a secret may also cut it (``cfpat_0123456789…``), so its first characters are searched too, or break
it into lines or at invisible characters, so the text is searched without these too.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Collection, Iterator
from typing import Final

_MIN_PART_LENGTH: Final = 8
"""A shorter beginning or line of a secret, or part of its base64, occurs in texts by chance."""
_MAX_DEPTH: Final = 2
"""The number of nested escapes that are decoded: a URL in JSON, a percent sign as ``%25``."""
_FOLD: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
"""Unlike ``str.lower``, this never changes the length of a text."""
_CONTROLS: Final = dict(zip("btnfr", "\b\t\n\f\r", strict=True))

_Decoder = Callable[[re.Match[str]], str]


def _from_backslash(match: re.Match[str]) -> str:
    escape = match[0]
    kind, digits = escape[1], escape[2:]
    if not digits:
        return _CONTROLS.get(kind, kind)
    if len(digits) > 8:  # a surrogate pair of two \uXXXX
        return bytes.fromhex(digits.replace("\\u", "")).decode("utf-16-be")
    number = int(digits, 16)
    return chr(number) if number <= 0x10FFFF else escape


def _from_percent(match: re.Match[str]) -> str:
    data = bytes.fromhex(match[0].replace("%", ""))
    return data.decode("latin-1" if len(data) == 1 else "utf-8", "replace")


def _from_entity(match: re.Match[str]) -> str:
    escape = match[0]
    if escape[1] == "#":
        number = int(escape[3:-1], 16) if escape[2] in "Xx" else int(escape[2:-1])
        return chr(number) if number <= 0x10FFFF else escape
    import html  # late: it has a large table

    return html.unescape(escape)


_H: Final = "[0-9A-Fa-f]"
_MORE: Final = f"(?:%[89ABab]{_H})"  # a continuation byte in UTF-8
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""Soft hyphens, zero-width spaces and the like: Unicode's ``Default_Ignorable_Code_Point``."""
_ESCAPES: Final[tuple[tuple[str, re.Pattern[str], _Decoder], ...]] = (
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
    ("\n", re.compile(r"\r?\n[ \t]*"), lambda _: ""),
    ("", re.compile(f"[{_INVISIBLE}]+"), lambda _: ""),
)
"""The character that is in every escape ("": none in ASCII is), the pattern of one escape, and its decoder.

A line break is an escape too, and so are invisible characters.
"""


def encodings(value: str) -> set[str]:
    """Return the forms of a secret to search for: itself, its lines, its base64 and its hexadecimal form."""
    import base64

    raw = value.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode()
    parts = value.splitlines()  # a message may show one line of a key
    for before in range(3):  # in base64 after a user name (HTTP Basic): the part that does not depend on the name
        whole = base64.b64encode(bytes(before) + raw).decode()
        parts.append(whole[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6])
    in_base64 = {encoded, encoded.rstrip("="), *(part for part in parts if len(part) >= _MIN_PART_LENGTH)}
    in_base64url = {form.translate({ord("+"): "-", ord("/"): "_"}) for form in in_base64}
    misread = raw.decode("latin-1")  # UTF-8 without a charset, decoded as Latin-1
    found = {value, value.replace(" ", "+"), misread, raw.hex(), *in_base64, *in_base64url}
    return {form.translate(_FOLD) for form in found}


def find_secret(text: str, wanted: Collection[str], depth: int = _MAX_DEPTH) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each occurrence of one of the :func:`encodings`, whole or cut, escaped or not."""
    folded = text.translate(_FOLD)
    for form in wanted:
        yield from _find_form(folded, form)
    if not depth:
        return
    for sign, pattern, decode in _ESCAPES:
        if sign in text and (sign or not text.isascii()):
            decoded = pattern.sub(decode, text)
            found = list(find_secret(decoded, wanted, depth - 1)) if decoded != text else []
            if found:
                starts, ends = _offsets(text, pattern, decode)
                yield from ((starts[start], ends[end - 1]) for start, end in found)


def _find_form(folded: str, form: str) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each occurrence of a form, or of its beginning if the text does not go on there.

    The text goes on with a letter, a digit, ``_`` or ``-``: then it is another word that begins in the same way.
    """
    head = form[:_MIN_PART_LENGTH]
    start = folded.find(head)
    while start >= 0:
        end = start + _common_length(folded, start, form)
        is_cut = end == len(folded) or not (folded[end].isalnum() or folded[end] in "_-")
        if is_cut or end - start == len(form):
            yield start, end
            start = folded.find(head, end)
        else:
            start = folded.find(head, start + 1)


def _common_length(folded: str, start: int, form: str) -> int:
    """Return how many characters of a form the text has at ``start``, where its head is; in logarithmic time."""
    if folded.startswith(form, start):
        return len(form)
    least, most = min(_MIN_PART_LENGTH, len(form)), len(form)
    while most - least > 1:
        middle = (least + most) // 2
        if folded.startswith(form[least:middle], start + least):
            least = middle
        else:
            most = middle
    return least


def _offsets(text: str, pattern: re.Pattern[str], decode: _Decoder) -> tuple[array[int], array[int]]:
    """Return where each character of the decoded text starts and ends in the text."""
    starts, ends = array("L"), array("L")
    done = 0
    for match in pattern.finditer(text):
        length = len(decode(match))
        starts.extend(range(done, match.start()))
        starts.extend([match.start()] * length)
        ends.extend(range(done + 1, match.start() + 1))
        ends.extend([match.end()] * length)
        done = match.end()
    starts.extend(range(done, len(text)))
    ends.extend(range(done + 1, len(text) + 1))
    return starts, ends
