"""The texts of mistakes: the error that lists them, and the phrases that recur in them.

A mistake reads ``KEY: FOUND, expected EXPECTED``, so a phrase starts in lower case and has no full stop.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── the error that lists all mistakes ───────────────────────────────────────────────────

_FIX_ONE: Final = "Fix this and run the command again; nothing was changed."
_FIX_ALL: Final = "Fix these {count} mistakes and run the command again; nothing was changed."

CONFIG_INVALID_ONE: Final = Text("config-invalid", "{lines}", _FIX_ONE)
CONFIG_INVALID: Final = Text("config-invalid", "{lines}", _FIX_ALL)
CONFIG_SYNTAX_ONE: Final = Text("config-syntax", "{lines}", _FIX_ONE)
CONFIG_SYNTAX: Final = Text("config-syntax", "{lines}", _FIX_ALL)
PROVIDER_INVALID_ONE: Final = Text("provider-invalid", "{lines}", _FIX_ONE)
PROVIDER_INVALID: Final = Text("provider-invalid", "{lines}", _FIX_ALL)

# ── one mistake ─────────────────────────────────────────────────────────────────────────

MISTAKE: Final = "{key}: {found}, expected {expected}"
MISTAKE_NEAREST: Final = "{key}: {found}; did you mean {nearest}? (expected {expected})"
MISTAKE_FIX: Final = "{key}: {found}. {fix}"

MISSING: Final = "missing"
UNKNOWN_KEY: Final = "unknown key"
EMPTY_TEXT: Final = "an empty text"
EMPTY_LIST: Final = "an empty list"
LARGE_NUMBER: Final = "a very large number"
TRUE_OR_FALSE: Final = "true or false"
NUMBER: Final = "a number"
TEXT: Final = "a text"
TABLE: Final = "a table"
LIST: Final = "a list"
NOTHING: Final = "nothing"
NONE: Final = "none"
OTHERS: Final = "one of {count:,} more"

# ── where a mistake is, counted from 1 ──────────────────────────────────────────────────

CERTIFICATE_NAMED: Final = "certificate {name}"
CERTIFICATE_COUNTED: Final = "the {ordinal} [[certificate]]"
ITEM: Final = "{ordinal} of {key}"
ORDINAL_ENDINGS: Final = {1: "st", 2: "nd", 3: "rd"}
ORDINAL_ENDING: Final = "th"

# ── TOML syntax ─────────────────────────────────────────────────────────────────────────

TOML: Final = "TOML, see https://toml.io"
TOML_FOUND: Final = "something else"
TOML_TOO_DEEP: Final = "a value that is nested too deeply or is too long"
TOML_EXPECTED: Final = "{expected} ({toml})"
TOML_SYNTAX: Final = "syntax"

_NO_END: Final = ("a text that is not closed", "a closing quote")
_BACKSLASH: Final = ("a backslash in a text", "/ in paths, also on Windows; or the path in single quotes")

# What tomllib reports, and the likely cause: the start of its message, what was found, what is expected.
TOML_CAUSES: Final = (
    ("Illegal character '\\n'", *_NO_END),
    ("Illegal character '\\r", *_NO_END),
    ("Unterminated string", *_NO_END),
    ("Expected \"'", *_NO_END),
    ("Invalid hex value", *_BACKSLASH),
    ("Unescaped '\\'", *_BACKSLASH),
    ("Cannot overwrite a value", "a key that was set before", "each key once in a table"),
    ("Cannot declare", "a table that was declared before", "each [table] once"),
    ("Unclosed array", "a list that is not closed", "a comma between items, and ] at the end of the list"),
    ("Unclosed inline table", "a table that is not closed", "a comma between keys, and } on the same line"),
    ("Expected ']' at the end", "a [table] without its closing bracket", "] after its name"),
    ("Expected ']]' at the end", "a [[table]] without its two closing brackets", "]] after its name"),
    ("Expected '=' after a key", "a key without =", "KEY = VALUE"),
    ("Expected newline", "more text after a value", "one KEY = VALUE a line, and text in quotes"),
    ("Invalid initial character for a key", "a key that TOML does not know", "a key of letters, digits, - and _"),
    ("Invalid statement", "a line that is neither KEY = VALUE nor a [table]", TOML),
)
# What tomllib calls an invalid value: what was found, what is expected.
TOML_TYPOGRAPHIC: Final = ("typographic quotes", 'straight quotes: "…"')
TOML_TRUE: Final = ("True", "true, in lower case")
TOML_FALSE: Final = ("False", "false, in lower case")
TOML_YES: Final = ("a word that TOML does not know", "true")
TOML_NO: Final = ("a word that TOML does not know", "false")
TOML_NO_VALUE: Final = ("no value", "a value after =")
TOML_NO_QUOTES: Final = ("a text without quotes", 'the text in quotes: "…"')
TOML_UNKNOWN: Final = ("a value that TOML does not know", "text in quotes, a number, true, false, a list or a table")
