"""The redaction of secrets from every text that leaves the process."""

from __future__ import annotations

import base64
import logging
import re
import threading
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.texts import HIDDEN
from dnsrenew.errors import Message

_MIN_LENGTH: Final = 3
"""A shorter secret is not redacted, because it occurs in most texts by chance."""


class Redactor:
    """Redacts the secrets of a run from any text."""

    def __init__(self) -> None:
        self._encodings: frozenset[str] = frozenset()
        self._waiting: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add_known(self, secrets: Iterable[Secret]) -> None:
        """Add the secrets whose values are in the configuration, before their first use.

        Their encodings are computed when there is a text to redact, because most runs have no such text.
        """
        values = {each._value for each in secrets if each.reference == "literal" and each._value}  # noqa: SLF001  # of this folder
        with self._lock:
            self._waiting |= values

    def add(self, value: str) -> str:
        """Add a secret in all its encodings, and return it."""
        if len(value) >= _MIN_LENGTH:
            with self._lock:
                self._encodings |= encodings(value)
        return value

    def __or__(self, other: Redactor) -> Redactor:
        """Return a redactor of all secrets that both have now."""
        both = Redactor()
        both._encodings = self._encodings | other._encodings
        both._waiting = self._waiting | other._waiting
        return both

    def redact(self, text: str) -> str:
        """Return the text with every secret, in any encoding, replaced by ``•••``.

        A message stays a message with redacted values, unless a secret begins or ends in its template.
        """
        self._encode_waiting()
        if not self._encodings:
            return text

        pieces, done = [], 0
        for begin, end in sorted(find_secret(text, self._encodings)):
            if begin >= done:
                pieces += [text[done:begin], HIDDEN]
            done = max(done, end)
        if not pieces:
            return text
        redacted = "".join([*pieces, text[done:]])
        if isinstance(text, Message):
            message = type(text).filled(text.template, self.redact_values(dict(text.values)))
            return message if message == redacted else redacted
        return redacted

    def _encode_waiting(self) -> None:
        if not self._waiting:
            return

        with self._lock:
            long = [each for each in self._waiting if len(each) >= _MIN_LENGTH]
            self._encodings = self._encodings.union(*map(encodings, long))
            self._waiting = frozenset()  # last, because other threads check it without the lock

    def redact_values(self, value: Any) -> Any:  # JSON values
        """Return a JSON value with every text in it redacted. Any other object becomes its redacted text."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self.redact(str(key)): self.redact_values(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.redact_values(item) for item in value]
        return value if value is None or isinstance(value, int | float) else self.redact(str(value))

    def guard_logs(self, *prefixes: str) -> LogGuard:
        """Redact the log lines of this thread inside the block, and of the loggers under ``prefixes`` in any thread."""
        return LogGuard(self, prefixes)


# ── log guard ──────────────────────────────────────────────────────────────────────────

# Redact the log records of a thread and of named libraries.
#
# A filter on a parent logger does not see the records of its children, so each existing logger of a library gets one.
# The handlers get one too, for the loggers that are created during the block and for the loggers of plug-ins. A handler
# that is created during the block has none.

_STANDARD: Final = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""The attributes of every record; all others are from ``extra=``."""
_FORMATTER: Final = logging.Formatter()


class LogGuard(logging.Filter):
    """Redacts the records of its thread and of named loggers within a block, without dropping any.

    :param redactor: the redactor of the run.
    :param prefixes: the loggers whose records are redacted in every thread, each including its child loggers.
    """

    def __init__(self, redactor: Redactor, prefixes: tuple[str, ...]) -> None:
        super().__init__()
        self._redact, self._redact_values = redactor.redact, redactor.redact_values
        self._prefixes = prefixes
        self._thread = threading.get_ident()
        self._places: list[logging.Filterer] = []

    def __enter__(self) -> None:
        known = list(logging.root.manager.loggerDict.values())
        loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
        handlers = {handler for logger in loggers for handler in logger.handlers}
        if logging.lastResort is not None:  # prints warnings of loggers without a handler
            handlers.add(logging.lastResort)
        self._places = [*(logger for logger in loggers if self._has_prefix(logger.name)), *handlers]
        for place in self._places:
            place.addFilter(self)

    def __exit__(self, *_error: object) -> None:
        for place in self._places:
            place.removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record if it is guarded."""
        if threading.get_ident() == self._thread or self._has_prefix(record.name):
            self._clean(record)
        return True

    def _has_prefix(self, name: str) -> bool:
        return any(name == prefix or name.startswith(prefix + ".") for prefix in self._prefixes)

    def _clean(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  # a wrong log call of a library must not end the call
            text = record.msg if isinstance(record.msg, str) else HIDDEN
            record.msg, record.args = text, None
        clean = self._redact(text)
        if clean != text or self._cleaned(record.args) is not record.args:
            record.msg, record.args = clean, None
        for name in vars(record).keys() - _STANDARD:
            setattr(record, name, self._cleaned(getattr(record, name)))
        if record.exc_info:  # the secrets may be in the variables of its frames, so only the text is kept
            record.exc_text, record.exc_info = self._redact(_FORMATTER.formatException(record.exc_info)), None
        if record.stack_info:
            record.stack_info = self._redact(record.stack_info)

    def _cleaned(self, value: Any) -> Any:  # any value that a library logs
        """Return the value unchanged if its text has no secret."""
        try:
            text = f"{value} {value!r}"
            return value if self._redact(text) == text else self._redact_values(value)
        except Exception:  # noqa: BLE001  # an object without a text
            return HIDDEN


# ── encodings ──────────────────────────────────────────────────────────────────────────

# Find a secret in a text in any encoding.
#
# A quoted secret may be escaped for HTML (``&amp;``, ``&#47;``), JSON (``\/``, ``\u002f``) or a URL (``%2F``), or for
# one inside another, and each character may be escaped or not. So the text is decoded in each of these ways, and the
# plain secret is searched in every decoded text. The time is linear in the length of the text, and almost zero
# without an escape.
#
# A host that quotes a secret may also cut it (``cfpat_0123456789…``), so its first characters are searched too, or
# break it into lines or at invisible characters, so the text is searched without these too.

_MIN_PART_LENGTH: Final = 8
"""A shorter beginning or line of a secret, or part of its base64, occurs in texts by chance."""
_MAX_DEPTH: Final = 2
"""The number of nested escapes that are decoded, such as a URL in JSON, or a percent sign as ``%25``."""
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
_BACKSLASH: Final = rf"\\u[Dd][89ABab]{_H}{{2}}\\u[Dd][C-Fc-f]{_H}{{2}}|\\u{_H}{{4}}|\\x{_H}{{2}}|\\U{_H}{{8}}|\\."
_MORE: Final = f"(?:%[89ABab]{_H})"  # a continuation byte in UTF-8
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
"""Soft hyphens, zero-width spaces and the like: Unicode's ``Default_Ignorable_Code_Point``."""
_ESCAPES: Final[tuple[tuple[str, re.Pattern[str], _Decoder], ...]] = (
    ("\\", re.compile(_BACKSLASH, re.DOTALL), _from_backslash),
    ("%", re.compile(f"%[C-Dc-d]{_H}{_MORE}|%[Ee]{_H}{_MORE}{{2}}|%[Ff][0-7]{_MORE}{{3}}|%{_H}{{2}}"), _from_percent),
    ("&", re.compile(r"&(?:#[0-9]{1,7}|#[Xx][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"), _from_entity),
    ("\n", re.compile(r"\r?\n[ \t]*"), lambda _: ""),
    ("", re.compile(f"[{_INVISIBLE}]+"), lambda _: ""),
)
"""The character that every escape has ("" if no ASCII character is), the pattern of one escape, and its decoder.

Line breaks and invisible characters count as escapes too.
"""


def encodings(value: str) -> set[str]:
    """Return the forms of a secret to search for: itself, its lines, its base64 and its hexadecimal form."""
    raw = value.encode("utf-8", "surrogatepass")
    encoded = base64.b64encode(raw).decode()
    parts = value.splitlines()  # a message may show one line of a key
    for before in range(3):  # in base64 after a user name (HTTP Basic): the part that is independent of the name
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
    """Yield start and end of each occurrence of a form, or of its beginning if the text does not continue.

    If the text continues with a letter, a digit, ``_`` or ``-``, it is another word with the same beginning.
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
    """Return how many characters of a form the text has from the head at ``start`` on, in logarithmic time."""
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


# ── address parts ──────────────────────────────────────────────────────────────────────

# The parts of an address that is a secret, such as ``ntfy://user:password@host/topic``.
# Any part may be the secret, such as the host of ``tgram://TOKEN/CHAT``.

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
_KEY: Final = re.compile(r"[?&][^=&]*=")
"""The name of a parameter, which is not a secret."""
_SEPARATORS: Final = re.compile(r"[/?&#:@,;\s]+")


def scheme_of(address: str) -> str | None:
    """Return the scheme in lower case, or None if the text has none."""
    found = _SCHEME.match(address)
    return found[1].lower() if found else None


def secret_parts(address: str) -> set[str]:
    """Return each part after the scheme, as written and decoded, and user and password together."""
    rest = _SCHEME.sub("", address, count=1)
    authority, _, path = rest.partition("/")
    credentials = authority.rpartition("@")[0]
    parts = {rest, credentials, f"/{path}", *_SEPARATORS.split(_KEY.sub("/", rest))}
    return {each for part in parts if part.strip("/") for each in (part, unquote(part))}
