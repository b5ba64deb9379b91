"""The languages: a gettext file for each, ``LANGUAGE.po``, with the translation of each English template.

Poedit, Weblate and the programs of gettext read and write them. They are read directly, in 8 ms, because compiled ones
(``.mo``) would have to be rebuilt after each edit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final

_FOLDER: Final = os.path.dirname(__file__)
_SUFFIX: Final = ".po"
LANGUAGES: Final = ("en", *sorted(name.removesuffix(_SUFFIX) for name in os.listdir(_FOLDER) if name.endswith(_SUFFIX)))
"""The languages that texts exist in; English is the language of the sources."""

# Compiled when a catalogue is read. Obsolete entries are comments; plural forms are not used.
_ENTRY: Final = r'((?:^#.*\n)*)(?:^msgctxt ((?:".*"\n)+))?^msgid ((?:".*"\n)+)^msgstr ((?:".*"\n?)+)'
_ESCAPED: Final = r"\\(.)"
_ESCAPES: Final = {"n": "\n", "t": "\t"}


def language_of(environ: Mapping[str, str]) -> str:
    """Return the language of the environment: the first set one of ``LC_ALL``, ``LC_MESSAGES`` and ``LANG``."""
    return named(next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")) or "en"


def named(text: str) -> str | None:
    """Return the language that a text such as ``zh_CN.UTF-8`` names."""
    territory = text.partition(".")[0].partition("@")[0].replace("-", "_").lower()
    known = {language.lower(): language for language in LANGUAGES}
    return known.get(territory) or known.get(territory.partition("_")[0])


def with_context(context: str, english: str) -> str:
    """Return the key of a template with a context (``msgctxt``), as gettext has it."""
    return f"{context}\x04{english}"


def read_catalogue(language: str) -> dict[str, str]:
    """Return the translation of each template, without missing and doubtful (fuzzy) ones."""
    with open(path_of(language), encoding="utf-8") as file:
        found = {
            key: translation
            for comments, key, translation in entries(file.read())
            if translation and not ("fuzzy" in comments and any(map(_is_doubted, comments.splitlines())))
        }
    found.pop("", None)  # the header
    return found


def _is_doubted(comment: str) -> bool:
    return comment.startswith("#,") and "fuzzy" in comment


def entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the comments, the key and the translation of each entry of a file."""
    import re  # late: English needs no catalogue

    def plain(lines: str) -> str:
        text = "".join(line[1:-1] for line in lines.rstrip("\n").split("\n"))
        return re.sub(_ESCAPED, lambda match: _ESCAPES.get(match[1], match[1]), text) if "\\" in text else text

    for comments, context, english, translation in re.findall(_ENTRY, text, re.MULTILINE):
        key = plain(english)
        yield comments, with_context(plain(context), key) if context else key, plain(translation)


def path_of(language: str) -> str:
    """Return the file of a language."""
    return os.path.join(_FOLDER, f"{language}{_SUFFIX}")
