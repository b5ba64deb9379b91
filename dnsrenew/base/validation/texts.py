"""The texts of mistakes: the error that lists them, and the phrases that recur in them.

A mistake is ``KEY: SENTENCE SENTENCE``. ``found`` and ``expected`` are such sentences with their full stop, or only the
value and the valid values: "This is FOUND. Use EXPECTED."
"""

from __future__ import annotations

from collections.abc import Mapping
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
    "Remove it from the document; settings for all certificates belong in [fleet.defaults]. Nothing was changed.",
)
DOCUMENT_REFUSED: Final = Text(
    "document-refused",
    "{lines}",
    "Fix these {count} mistakes; settings for all certificates belong in [fleet.defaults]. Nothing was changed.",
)
CONFIG_SYNTAX_ONE: Final = Text("config-syntax", "{lines}", _FIX_ONE)
CONFIG_SYNTAX: Final = Text("config-syntax", "{lines}", _FIX_ALL)
PROVIDER_INVALID_ONE: Final = Text("provider-invalid", "{lines}", _FIX_ONE)
PROVIDER_INVALID: Final = Text("provider-invalid", "{lines}", _FIX_ALL)

# ── one mistake ─────────────────────────────────────────────────────────────────────────

MISTAKE: Final = Phrase("{key}: {wrong} {advice}")

WRONG_TYPE: Final = Phrase("This is {found}.")
WRONG_VALUE: Final = Phrase("{found} is not valid here.")
NOT_ONE_OF: Final = Phrase("{found} is not a known value.")
OUT_OF_RANGE: Final = Phrase("{found} is out of range.")

USE: Final = Phrase("Use {expected}.")
USE_KEY: Final = Phrase("Use the key {expected}.")
USE_OTHER: Final = Phrase("If not, use {expected}.")
SET: Final = Phrase("Set it to {expected}.")
NEAREST: Final = Phrase("Did you mean {nearest}? {advice}")

MISSING: Final = Phrase("missing")
UNKNOWN_KEY: Final = Phrase("unknown key")
UNKNOWN_OPTION: Final = Phrase("an unknown option")
OF_KEY: Final[Mapping[str, Phrase]] = {
    MISSING: Phrase("This key is missing."),
    UNKNOWN_KEY: Phrase("This key is unknown."),
    UNKNOWN_OPTION: Phrase("This DNS host has no such option."),
}
WHOLE_NUMBER: Final = Phrase("a whole number from {least} to {most}")
SECONDS: Final = Phrase("a number of seconds from {least} to {most}")
RANGES: Final = (WHOLE_NUMBER.template, SECONDS.template)
EMPTY_TEXT: Final = Phrase("an empty text")
EMPTY_LIST: Final = Phrase("an empty list")
LARGE_NUMBER: Final = Phrase("a very large number")
TRUE_OR_FALSE: Final = Phrase("true or false")
NUMBER: Final = Phrase("a number")
TEXT: Final = Phrase("a text in quotes")
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
ITEM: Final = Phrase("item {number} of {key}")
ITEMS: Final = {
    "certificate": Phrase("certificate {number}"),
    "routes": Phrase("route {number}"),
    "domains": Phrase("domain {number}"),
    "deploy": Phrase("deployment {number}"),
}
WITHIN: Final = Phrase("{outer}, {inner}")

# ── TOML syntax ─────────────────────────────────────────────────────────────────────────

TOML: Final = Phrase("Correct it; https://toml.io describes TOML.")
TOML_MISSING: Final = Phrase("Something is missing here: {expected}.")
TOML_OTHER: Final = Phrase("TOML does not allow this: {reason}.")
TOML_WIDE: Final = Phrase("The character {character} (line {line}, column {column}) is not valid in TOML here.")
TOML_NEEDLESS: Final = Phrase("The line ends with {character}.")
TOML_NO_PUNCTUATION: Final = Phrase("Delete it: the end of a line needs no punctuation.")
TOML_PLAIN: Final = Phrase("Type {character} instead.")
TOML_BLANK: Final = Phrase("blank U+{code}")
TOML_PLAIN_BLANK: Final = Phrase("an ordinary space")
TOML_TOO_DEEP: Final = Phrase("This value is nested too deeply, or is too long.")
TOML_SYNTAX: Final = Phrase("syntax")

NOT_CLOSED: Final = Phrase("This text is not closed.")
_NO_END: Final = (NOT_CLOSED, Phrase("Add the closing quote."))
_BACKSLASH: Final = (
    Phrase("This text contains a backslash."),
    Phrase("Write paths with /, even on Windows, or put the path in single quotes."),
)

# The reports of tomllib, with the likely cause: the beginning of the report, what is wrong, what to do.
TOML_CAUSES: Final = (
    ("Illegal character '\\n'", *_NO_END),
    ("Illegal character '\\r", *_NO_END),
    ("Unterminated string", *_NO_END),
    ("Expected \"'", *_NO_END),
    ("Invalid hex value", *_BACKSLASH),
    ("Unescaped '\\'", *_BACKSLASH),
    ("Cannot overwrite a value", Phrase("This key was already set above."), Phrase("Set it only once in a table.")),
    ("Cannot declare", Phrase("This table already exists above."), Phrase("Put its keys into one [table].")),
    (
        "Unclosed array",
        Phrase("This list is not closed."),
        Phrase("Write a comma between its items, and ] at its end."),
    ),
    (
        "Unclosed inline table",
        Phrase("This table is not closed."),
        Phrase("Write a comma between its keys, and }} on the same line."),
    ),
    ("Expected ']' at the end", Phrase("This [table] needs a closing bracket."), Phrase("Write ] after its name.")),
    (
        "Expected ']]' at the end",
        Phrase("This [[table]] needs two closing brackets."),
        Phrase("Write ]] after its name."),
    ),
    ("Expected '=' after a key", Phrase("This key has no =."), Phrase("Write KEY = VALUE.")),
    (
        "Expected newline",
        Phrase("There is more text after the value."),
        Phrase("Write one KEY = VALUE per line, and text in quotes."),
    ),
    (
        "Invalid initial character for a key",
        Phrase("This is not a valid key in TOML."),
        Phrase("Write it with letters, digits, - and _, or in quotes."),
    ),
    ("Invalid statement", Phrase("This line is neither KEY = VALUE nor a [table]."), TOML),
)
# The invalid values of tomllib's reports: what is wrong, what to do.
TOML_TRUE: Final = (Phrase("True is not valid in TOML."), Phrase("Write true, in lower case."))
TOML_FALSE: Final = (Phrase("False is not valid in TOML."), Phrase("Write false, in lower case."))
TOML_YES: Final = (Phrase("This word is not valid in TOML."), Phrase("Write true."))
TOML_NO: Final = (Phrase("This word is not valid in TOML."), Phrase("Write false."))
TOML_NEARLY: Final = (
    Phrase("TOML has no word {word}. Did you mean {nearest}?"),
    Phrase("If it is a text, put quotes around it."),
)
TOML_NO_VALUE: Final = (Phrase("This key has no value."), Phrase("Write a value after =."))
TOML_NO_QUOTES: Final = (Phrase("This text has no quotes."), Phrase('Write it in quotes: "…".'))
TOML_UNKNOWN: Final = (
    Phrase("This value is not valid in TOML."),
    Phrase("Write text in quotes, a number, true, false, a list or a table."),
)
