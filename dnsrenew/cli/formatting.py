"""Formatting for people: times, durations, lists, and lines that fit a terminal."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.translation import Translator
from dnsrenew.base.values import Frozen, replace
from dnsrenew.cli import texts
from dnsrenew.errors import Phrase, Text
from dnsrenew.locale import language_of

if TYPE_CHECKING:
    from types import ModuleType

_COLOUR_MARKS: Final = range(0xE000, 0xE006)  # the colour marks of terminal.py have no width
GLUE: Final = "\u00a0"
"""A space at which lines are not broken."""

_CHINESE: Final = (range(0x3000, 0xA000), range(0xFF00, 0xFFF0))
"""Characters and marks, and full-width forms of marks."""
# Compiled on first use: so large a class takes five milliseconds.
_CHINESE_WORD: Final = (
    "[\ue000-\ue005（「『《“‘]*(?:`[^`\n]+`|[\u3400-\u9fff]|[^\u3400-\u9fff，。、；：！？（）「」『』《》“”‘’]+|.)"
    "[，。、；：！？）」』》”’…\ue000-\ue005]*"
)
"""A Chinese character or a run of others, with the punctuation that may not begin or end a line."""

_TABLE: Final = r"\{ [\w-]+ = [^{}\n]*\}"
_ENTRY: Final = re.compile(rf"(?:[a-z_]+ = )?{_TABLE}")
_PASTED: Final = re.compile(rf"[ \n]?([a-z_]+ = \[{_TABLE}(?:, {_TABLE})*\])[.。]?([\ue000-\ue005]*)[ \n]?")
"""An inline table of TOML, which is not broken, and a line with a list of them, which stands alone to be pasted."""

_CLOSE: Final = timedelta(days=2)
_SHORT_LIFE: Final = timedelta(days=10)
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def count(number: int, one: str) -> str:
    """Return ``1 file``, ``2 files``."""
    template = texts.COUNTED_ONE if number == 1 else texts.COUNTED
    noun = f" {one}" if one[:1].isascii() and not template.isascii() else one  # Chinese, then a Latin name
    return template.format(number=f"{number:,}", noun=noun)


def seconds(value: float) -> str:
    """Return a duration: ``0.25 s``, ``90 s``, ``2 h 5 min``, ``1 h``."""
    second, minute, hour = texts.UNITS
    if value < 180:
        digits = 0 if value >= 9.95 or value == int(value) else 2 if value < 0.995 else 1
        return second.format(number=f"{value:.{digits}f}")
    minutes, rest = divmod(round(value), 60)
    parts = [(minute, minutes), (second, rest)]
    if minutes >= 60:
        hours, rest = divmod(minutes, 60)
        parts = [(hour, hours), (minute, rest)]
    return " ".join(unit.format(number=number) for unit, number in parts if number)


def span(size: timedelta) -> str:
    """Return a length of time: ``90 days``, ``5 hours``."""
    if size >= _CLOSE:
        return _units(round(size / _DAY), texts.DAYS)  # an hour after issuance, 90 days are still left
    if size >= 2 * _HOUR:
        return _units(int(size.total_seconds() // 3600), texts.HOURS)
    if size >= _MINUTE:
        return _units(int(size.total_seconds() // 60), texts.MINUTES)
    return texts.SHORT_TIME


def _units(number: int, templates: tuple[str, str]) -> str:
    return templates[number != 1].format(count=f"{number:,}")


def headed(mark: str, name: str) -> str:
    """Return what stands before the text about a thing: ``✗ home: ``."""
    return texts.HEADED.format(head=f"{mark} {name}", text="")


def distance(time: datetime, now: datetime) -> str:
    """Return how far away a time is: ``90 days``, ``5 hours ago``."""
    return texts.AGO.format(span=span(now - time)) if time < now else span(time - now)


def short_distance(time: datetime, now: datetime) -> str:
    """Return the distance for a table column: ``90 d``, ``5 h ago``."""
    shortened = distance(time, now)
    for long, short in texts.SHORTENED:
        shortened = shortened.replace(long, short)
    return shortened


def date(time: datetime, now: datetime, life: timedelta | None = None) -> str:
    """Return the local date; with the time if it is within two days or the certificate is short-lived."""
    exact = abs(time - now) < _CLOSE or (life is not None and life < _SHORT_LIFE)
    return moment(time) if exact else _local(time).date().isoformat()


def moment(time: datetime) -> str:
    """Return the local date and time with the zone: ``2027-01-25 13:45 CET``."""
    local = _local(time)
    return f"{local:%Y-%m-%d %H:%M} {_zone(local)}"


def stamp(time: datetime) -> str:
    """Return the local date and time for a line of a log: ``2027-01-25T13:45:09+01:00``, in UTC with ``Z``."""
    return _local(time).isoformat(timespec="seconds").replace("+00:00", "Z")


def _local(time: datetime) -> datetime:
    """Return the local time; the time unchanged if the system cannot convert it, as at the end of the year 9999."""
    try:
        return time.astimezone()
    except (OverflowError, OSError):
        return time


def _zone(local: datetime) -> str:
    """Return the name of the zone; its offset where the system only has a long name or a number."""
    name = local.tzname() or ""
    if name.isalpha() and len(name) <= 5:
        return name
    offset = f"{local:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"


def when(time: datetime, now: datetime, life: timedelta | None = None) -> str:
    """Return the date and its distance: ``2027-01-25 (60 days)``."""
    return texts.BRACKETED.format(text=date(time, now, life), more=distance(time, now))


def as_time(value: object) -> datetime | None:
    """Return a datetime from a datetime or an RFC 3339 string, else None."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def listed(items: Iterable[str], most: int = 4) -> str:
    """Return ``a, b, c``, and the number of items left out: ``a, b and 3 more``."""
    items = list(items)
    if len(items) <= most + 1:
        return texts.SEPARATOR.join(items)
    return texts.AND_MORE.format(items=texts.SEPARATOR.join(items[:most]), count=len(items) - most)


def describe_route(route: Mapping[str, Any]) -> str:
    """Return a route in words, such as ``dns-01 with home at lab``; for ``mixed``, all its challenges.

    :param route: the JSON form of a :class:`dnsrenew.RouteTaken`.
    """
    names, accounts, ca = route.get("names"), route.get("dns") or (), route.get("ca")
    kinds = dict.fromkeys(each["challenge"] for each in names.values()) if names else [route.get("challenge")]
    template = texts.ROUTES[bool(accounts), bool(ca)]
    return template.format(challenges=texts.AND.join(map(str, kinds)), accounts=texts.AND.join(accounts), ca=ca)


def width(text: str) -> int:
    """Return the number of terminal columns of the text."""
    return len(text) if text.isascii() else _wide(text)


@functools.lru_cache(1024)
def _wide(text: str) -> int:
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    if ord(character) in _COLOUR_MARKS or unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int | None, end: str = "…") -> str:
    """Return the text cut to so many columns. Colour marks are kept."""
    if columns is None or width(text) <= columns:
        return text
    available = max(columns - width(end), 0)
    kept: list[str] = []
    cut = False
    for character in text:
        size = _columns(character)
        if size and (cut or size > available):
            cut = True
            continue
        available -= size
        kept.append(character)
    index = len(kept)
    while index and ord(kept[index - 1]) in _COLOUR_MARKS:  # the ellipsis has the colour of the text
        index -= 1
    return "".join([*kept[:index], end if columns >= width(end) else "", *kept[index:]])


def relative_path(path: str, folder: str) -> str:
    """Return the path relative to a folder if it is below that folder, else unchanged."""
    below = path.startswith(folder.rstrip(os.sep) + os.sep) and folder != os.sep
    return os.path.relpath(path, folder) if below else path


def fit_path(path: str, columns: int | None, ellipsis: str = "…") -> str:
    """Return the path without its first folders if it is wider than so many columns."""
    if columns is None or width(path) <= columns:
        return path
    parts = path.split(os.sep)
    shown = parts.pop()
    while parts and width(ellipsis) + 2 + width(parts[-1]) + width(shown) <= columns:
        shown = parts.pop() + os.sep + shown
    return ellipsis + os.sep + shown


def typed(text: str) -> str:
    """Return a text with its commands as this person types them; :func:`.invocation.type_commands` replaces it."""
    return text


def wrap(text: str, columns: int | None, first: str = "", rest: str = "") -> list[str]:
    """Break the text into lines between words. ``first`` and ``rest`` are the prefixes of the lines."""
    lines: list[str] = []
    text = typed(text) if "dnsrenew " in text else text
    if columns is not None and "{ " in text:
        text = _PASTED.sub(lambda found: f"\n{found[1].replace(' ', GLUE)}{found[2]}\n", text).lstrip("\n")
        text = _ENTRY.sub(lambda found: found[0].replace(" ", GLUE), text)
    if columns is not None and "`" in text:  # a command is not broken if it fits on a line
        room = columns - width(rest)
        text = re.sub("`[^`\n]+`", lambda it: it[0].replace(" ", GLUE) if width(it[0]) < room else it[0], text)
    for paragraph in text.splitlines() or [""]:
        start = rest if lines else first
        for number, row in enumerate(_rows(paragraph, columns, start, rest)):
            lines.append((rest if number else start) + _joined(row))
    return [line.replace(GLUE, " ") for line in lines]


def marked(mark: str, text: str, columns: int | None) -> list[str]:
    """Return a text in lines, behind a mark."""
    return wrap(text, columns, f"{mark} ", "  ")


def _rows(paragraph: str, columns: int | None, first: str, rest: str) -> list[list[tuple[str, str]]]:
    """Return the words of each line. A last line in Chinese has three characters if the line before can spare them."""
    rows: list[list[tuple[str, str]]] = [[]]
    for each in _words(paragraph):
        prefix = first if len(rows) == 1 else rest
        if rows[-1] and columns is not None and width(prefix + _joined([*rows[-1], each])) > columns:
            rows.append([])
        rows[-1].append(each)
    before, last = rows[-2:] if len(rows) > 1 else ([], rows[-1])
    while len(before) > 3 and _is_chinese(_joined(last)) and sum(map(str.isalnum, _joined(last))) < 3:
        if width(rest + _joined([before[-1], *last])) > (columns or 0):
            break
        last.insert(0, before.pop())
    return rows


def _joined(words: Sequence[tuple[str, str]]) -> str:
    """Return words with the spaces between them."""
    return "".join([*(word + gap for word, gap in words[:-1]), *(word for word, _ in words[-1:])])


def _words(paragraph: str) -> Iterator[tuple[str, str]]:
    """Yield each word with the space that follows it. Chinese has none, and is broken between any two characters."""
    for word in paragraph.split(" "):
        parts = re.findall(_CHINESE_WORD, word) if _is_chinese(word) else [word]
        yield from ((part, "") for part in parts[:-1])
        yield parts[-1], " "


def _is_chinese(word: str) -> bool:
    """Return whether a word has a Chinese character or mark."""
    return not word.isascii() and any(ord(each) in some for each in word for some in _CHINESE)


def fields(pairs: Sequence[tuple[str, str]], columns: int | None) -> list[str]:
    """Return rows of label and text. The texts are aligned and wrapped."""
    lines: list[str] = []
    for label, (_, text) in zip(padded([label for label, _ in pairs]), pairs, strict=True):
        lines += wrap(text, columns, f"  {label}  ", " " * (width(label) + 4))
    return lines


def padded(texts: Sequence[str]) -> list[str]:
    """Return texts of the same width, with spaces behind the shorter ones."""
    # A column of ten thousand cells is mostly ASCII: one test for all of them.
    widths = list(map(len if "".join(texts).isascii() else width, texts))
    longest = max(widths, default=0)
    return [text + " " * (longest - width) for text, width in zip(texts, widths, strict=True)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, with their cells in columns."""
    columns = map(padded, zip(*rows, strict=True))
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


# ── texts that others may have written ──────────────────────────────────────────────────

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~&$])|^(\s*(?:[-+]|\d+(?=[.)])))|(?<!\w)(@)")


def visible(text: str) -> str:
    """Return a text as one line, with an escape for each character that could change how others are shown."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable() or character == GLUE:
        return character
    if character.isspace():
        return " "
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escaped(text: str) -> str:
    """Return a text as one line in which nothing is markup, HTML or the name of a member of the forum."""
    return _SPECIAL.sub(_escape, visible(text))


def _escape(match: re.Match[str]) -> str:
    special, start, at = match.groups()
    if at:
        return "@\u200b"  # a zero-width space: no escape stops a forum from telling that member
    return f"\\{special}" if special else f"{start}\\" if start[-1].isdigit() else f"\\{start.strip()}"


# ── language ───────────────────────────────────────────────────────────────────────────

# The language of the program: its own texts, and the messages that it shows.

_translator: list[Translator] = []
"""The translator of this process; empty before the command line is read."""
_documents: list[Translator] = []
"""The translator of its JSON document."""


def choose(wanted: str | None = None, *, json: bool = False, only_json: bool = False) -> None:
    """Choose the language of this process: that of ``--lang``, or of the environment, which JSON ignores.

    :param json: whether it writes a JSON document.
    :param only_json: whether it writes nothing else: standard error has JSON lines, or the document all texts.
    """
    language = wanted or ("en" if only_json else language_of(os.environ))
    in_json = wanted or ("en" if json else language)
    _translator[:] = [Translator(language, moment)]
    _documents[:] = [Translator(in_json)]
    if language != "en":
        translate(texts)


def current() -> str:
    """Return the language of this process."""
    return _translator[0].language if _translator else "en"


def say(text: str) -> str:
    """Return a message of dnsrenew as the program shows it: in its language, with local times."""
    return _translator[0].message(text) if _translator else text


def sentences(*messages: str) -> str:
    """Return messages as one text, in the language of the program; no space follows a Chinese full stop."""
    return closed(" ".join(shown for each in messages if (shown := say(each).strip())))


def closed(text: str) -> str:
    """Return a filled template of the program without spaces beside marks of full width."""
    return text if current() == "en" else re.sub("(?<=[），：；。、？！]) (?=\\S)", "", text)


def template(english: str) -> str:
    """Return a template of the program in its language."""
    return _translator[0].template(english) if _translator else english


def document(value: Any) -> Any:  # JSON values
    """Return a JSON document with its messages in the language; times stay UTC."""
    return _documents[0].document(value) if _documents else value


def translate(catalogue: ModuleType) -> None:
    """Replace the constants of a catalogue of the program. Dicts are changed in place: others have imported them."""
    if current() == "en":
        return
    for name, value in vars(catalogue).items():
        if name.isupper() and name[0] != "_":
            setattr(catalogue, name, _translated(value, _translator[0]))


def _translated(value: Any, translator: Translator) -> Any:
    if isinstance(value, (Phrase, Text)):  # shown with the message that has it, or is made of it, also in JSON
        return value
    if isinstance(value, str):
        return translator.template(value)
    if isinstance(value, dict):
        value.update({key: _translated(each, translator) for key, each in value.items()})
        return value
    if isinstance(value, Frozen):
        return replace(value, **{name: _translated(each, translator) for name, each in vars(value).items()})
    if isinstance(value, (tuple, list)):
        return type(value)(_translated(each, translator) for each in value)
    return value
