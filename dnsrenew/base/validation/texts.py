"""The texts of mistakes: the error that lists them, and the phrases that recur in them.

A mistake reads ``KEY: FOUND, expected EXPECTED``, so a phrase starts in lower case and has no full stop.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── the error that lists all mistakes ───────────────────────────────────────────────────

_FIX_ONE: Final = "Fix this and run the command again; nothing was changed."
_FIX_ALL: Final = "Fix these {count} mistakes and run the command again; nothing was changed."
_FIX_ONE_CALL: Final = "Fix this and call again; nothing was changed."
_FIX_ALL_CALLS: Final = "Fix these {count} mistakes and call again; nothing was changed."

CONFIG_INVALID_ONE: Final = Text("config-invalid", "{lines}", _FIX_ONE)
CONFIG_INVALID: Final = Text("config-invalid", "{lines}", _FIX_ALL)
ARGUMENT_INVALID: Final = Text("config-invalid", "{lines}", _FIX_ONE_CALL)
ARGUMENTS_INVALID: Final = Text("config-invalid", "{lines}", _FIX_ALL_CALLS)
DOCUMENT_REFUSED_ONE: Final = Text(
    "document-refused",
    "{lines}",
    "Leave it out of the document; what is for all certificates belongs in [fleet.defaults]. Nothing was changed.",
)
DOCUMENT_REFUSED: Final = Text(
    "document-refused",
    "{lines}",
    "Fix these {count} mistakes; what is for all certificates belongs in [fleet.defaults]. Nothing was changed.",
)
CONFIG_SYNTAX_ONE: Final = Text("config-syntax", "{lines}", _FIX_ONE)
CONFIG_SYNTAX: Final = Text("config-syntax", "{lines}", _FIX_ALL)
PROVIDER_INVALID_ONE: Final = Text("provider-invalid", "{lines}", _FIX_ONE)
PROVIDER_INVALID: Final = Text("provider-invalid", "{lines}", _FIX_ALL)

# ── one mistake ─────────────────────────────────────────────────────────────────────────

MISTAKE: Final = Phrase("{key}: {found}, expected {expected}")
MISTAKE_NEAREST: Final = Phrase("{key}: {found}; did you mean {nearest}? (expected {expected})")
MISTAKE_FIX: Final = Phrase("{key}: {found}. {fix}")

LAST_LINE: Final = Phrase("{line}.")

MISSING: Final = Phrase("missing")
UNKNOWN_KEY: Final = Phrase("unknown key")
EMPTY_TEXT: Final = Phrase("an empty text")
EMPTY_LIST: Final = Phrase("an empty list")
LARGE_NUMBER: Final = Phrase("a very large number")
TRUE_OR_FALSE: Final = Phrase("true or false")
NUMBER: Final = Phrase("a number")
TEXT: Final = Phrase("a text")
TABLE: Final = Phrase("a table")
LIST: Final = Phrase("a list")
NOTHING: Final = Phrase("nothing")
NONE: Final = Phrase("none")
OF_TYPE: Final = Phrase("a {type}")
OF_TYPE_VOWEL: Final = Phrase("an {type}")
COROUTINE_FUNCTION: Final = Phrase("a coroutine function")
LISTENER: Final = Phrase("a function that takes an event, and is not a coroutine function")
THREADING_EVENT: Final = Phrase("a threading.Event")
ONE_OF: Final = Phrase("{words} or {last}")
OTHERS: Final = Phrase("one of {count:,} more")

# ── where a mistake is, counted from 1 ──────────────────────────────────────────────────

CERTIFICATE_NAMED: Final = Phrase("certificate {name}")
CERTIFICATE_COUNTED: Final = Phrase("the {ordinal} [[certificate]]")
ITEM: Final = Phrase("{ordinal} of {key}")
WITHIN: Final = Phrase("{outer}, {inner}")
ORDINALS: Final = {1: Phrase("{number}st"), 2: Phrase("{number}nd"), 3: Phrase("{number}rd")}
ORDINAL: Final = Phrase("{number}th")

# ── TOML syntax ─────────────────────────────────────────────────────────────────────────

TOML: Final = Phrase("TOML, see https://toml.io")
TOML_FOUND: Final = Phrase("something else")
TOML_TOO_DEEP: Final = Phrase("a value that is nested too deeply or is too long")
TOML_EXPECTED: Final = Phrase("{expected} ({toml})")
TOML_SYNTAX: Final = Phrase("syntax")

_NO_END: Final = (Phrase("a text that is not closed"), Phrase("a closing quote"))
_BACKSLASH: Final = (
    Phrase("a backslash in a text"),
    Phrase("/ in paths, also on Windows; or the path in single quotes"),
)

# What tomllib reports, and the likely cause: the start of its message, what was found, what is expected.
TOML_CAUSES: Final = (
    ("Illegal character '\\n'", *_NO_END),
    ("Illegal character '\\r", *_NO_END),
    ("Unterminated string", *_NO_END),
    ("Expected \"'", *_NO_END),
    ("Invalid hex value", *_BACKSLASH),
    ("Unescaped '\\'", *_BACKSLASH),
    ("Cannot overwrite a value", Phrase("a key that was set before"), Phrase("each key once in a table")),
    ("Cannot declare", Phrase("a table that was declared before"), Phrase("each [table] once")),
    (
        "Unclosed array",
        Phrase("a list that is not closed"),
        Phrase("a comma between items, and ] at the end of the list"),
    ),
    (
        "Unclosed inline table",
        Phrase("a table that is not closed"),
        Phrase("a comma between keys, and }} on the same line"),
    ),
    ("Expected ']' at the end", Phrase("a [table] without its closing bracket"), Phrase("] after its name")),
    ("Expected ']]' at the end", Phrase("a [[table]] without its two closing brackets"), Phrase("]] after its name")),
    ("Expected '=' after a key", Phrase("a key without ="), "KEY = VALUE"),
    ("Expected newline", Phrase("more text after a value"), Phrase("one KEY = VALUE a line, and text in quotes")),
    (
        "Invalid initial character for a key",
        Phrase("a key that TOML does not know"),
        Phrase("a key of letters, digits, - and _"),
    ),
    ("Invalid statement", Phrase("a line that is neither KEY = VALUE nor a [table]"), TOML),
)
# What tomllib calls an invalid value: what was found, what is expected.
TOML_TYPOGRAPHIC: Final = (Phrase("typographic quotes"), Phrase('straight quotes: "…"'))
TOML_TRUE: Final = ("True", Phrase("true, in lower case"))
TOML_FALSE: Final = ("False", Phrase("false, in lower case"))
TOML_YES: Final = (Phrase("a word that TOML does not know"), "true")
TOML_NO: Final = (Phrase("a word that TOML does not know"), "false")
TOML_NO_VALUE: Final = (Phrase("no value"), Phrase("a value after ="))
TOML_NO_QUOTES: Final = (Phrase("a text without quotes"), Phrase('the text in quotes: "…"'))
TOML_UNKNOWN: Final = (
    Phrase("a value that TOML does not know"),
    Phrase("text in quotes, a number, true, false, a list or a table"),
)
