"""The texts of errors about secrets."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

HIDDEN: Final = "•••"
"""Stands for a secret in every text."""

_MISSING: Final = "secret-missing"

VARIABLE_NOT_SET: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the environment variable is not set.",
    "Set {variable} in the environment of dnsrenew.",
)
VARIABLE_EMPTY: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the environment variable is empty.",
    "Set {variable} in the environment of dnsrenew.",
)
FILE_UNREADABLE: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: {cause}.",
    "Put the secret into {file}, readable by the user that runs dnsrenew.",
)
FILE_NOT_UTF8: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the file is not UTF-8 text.",
    "Put the secret into {file} as UTF-8 text.",
)
FILE_EMPTY: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the file is empty.",
    "Put the secret into {file}.",
)
FILE_NAMED_TXT: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: there is no such file, but {found} is there.",
    "Rename it to {file}.",
)
UNUSABLE: Final = Text(
    _MISSING,
    "The secret {reference} cannot be used: {fault}.",
    "Replace its content with the secret alone, in one line.",
)
KEYRING_MISSING: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the package keyring is not installed.",
    "Install it into the environment of dnsrenew: {command}",
)
KEYRING_FAILED: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the keyring failed ({cause}).",
    "Unlock the keyring for the user that runs dnsrenew.",
)
KEYRING_NO_ENTRY: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the keyring has no such entry.",
    "Run: keyring set {service} {user}",
)
UNPICKLED: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: it comes from a pickle, which never contains the values of secrets.",
    "Make the Secret in this process, for example with Secret.env or Secret.file.",
)

_RUN_BY_HAND: Final = "Run the command by hand, as the user that runs dnsrenew, and read its error message."

COMMAND_CANNOT_RUN: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command cannot be run ({cause}).",
    "Correct the path of the command, and allow the user that runs dnsrenew to execute it.",
)
COMMAND_OUTPUT_TOO_LONG: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command printed more than {limit} KiB.",
    "Use a command that prints only the secret.",
)
COMMAND_TIMED_OUT: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command was still running after {seconds} s.",
    "Use a command that exits without asking a question.",
)
COMMAND_FAILED: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command exited with status {status}.",
    "Run the command by hand as the user that runs dnsrenew, and list the environment variables it needs in `env`.",
)
COMMAND_NOT_UTF8: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command did not print UTF-8 text.",
    _RUN_BY_HAND,
)
COMMAND_PRINTED_NOTHING: Final = Text(
    _MISSING,
    "The secret {reference} cannot be read: the command printed nothing.",
    _RUN_BY_HAND,
)

# ── arguments in Python ─────────────────────────────────────────────────────────────────

ARGUMENT: Final = Text(
    "config-invalid",
    "{key}: This is {found}. Use {expected}.",
    "Fix this and call again; nothing was changed.",
)
EMPTY_TEXT: Final = Phrase("an empty text")
EMPTY_LIST: Final = Phrase("an empty list")
NOTHING: Final = Phrase("nothing")
NUMBER: Final = Phrase("a number")
OF_TYPE: Final = Phrase("a {type}")
A_STR: Final = Phrase("a str")
VARIABLE: Final = Phrase("the name of an environment variable")
FILE: Final = Phrase("the path of a file")
KEYRING: Final = Phrase("a text SERVICE/USER")
NO_USER: Final = Phrase("a text without service and user")
ARGUMENTS: Final = Phrase('a list of str, the first not empty, such as ["pass", "show", "dns"]')
NAMES: Final = Phrase("a list of str, the names of environment variables")

# ── what was pasted ─────────────────────────────────────────────────────────────────────

IT: Final = Phrase("it")
INVISIBLE: Final = Phrase(
    "{secret} contains the invisible character {character} in line {line}, at position {position}"
)
SEVERAL_LINES: Final = Phrase("{secret} has {count} lines")
QUOTED: Final = Phrase("{secret} contains quotes around the value")
FULL_WIDTH: Final = Phrase("{secret} contains a full-width character at position {position}")
NOT_ASCII: Final = Phrase("{secret} contains a character at position {position} that no key contains")
