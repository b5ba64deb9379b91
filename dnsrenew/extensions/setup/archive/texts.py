"""The texts of ``dnsrenew export`` and ``dnsrenew restore``."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── export ──────────────────────────────────────────────────────────────────────────────

EXPORT_EXISTS: Final = Text(
    "export-exists",
    "{file} exists, and an export never replaces a file.",
    "Give another name, or move {file} elsewhere.",
)
EXPORT_OF_DATABASE: Final = Text(
    "export-database",
    "The store is the database {store}, and export works only with a folder.",
    "Write it to a folder with dnsrenew fleet dump FOLDER, or back up the database with pg_dump.",
)
EXPORT_UNWRITABLE: Final = Text(
    "export-unwritable",
    "{file} cannot be written: {reason}.",
    "Give a file in a folder that you can write to, on a disk with space.",
)
EXPORT_BROKEN_OFF: Final = Text(
    "export-unwritable",
    "Standard output cannot be written: {reason}.",
    "Send it to a program that reads to the end, or to a file on a disk with space.",
)
CONFIG_UNREADABLE: Final = Text(
    "export-unreadable",
    "{path} cannot be read: {reason}.",
    "Make it readable for the user that runs dnsrenew.",
)
UNMASKABLE: Final = Text(
    "export-unmaskable",
    "{path} has secrets that cannot be taken out of its text.",
    'Put them into files of their own (`"file:NAME"`), or export with --secrets.',
)

# ── why something is not in the archive ─────────────────────────────────────────────────

OUTSIDE: Final = Phrase("it is not in the folder of the configuration")
SECRET: Final = Phrase("it holds a secret, or can; add --secrets to export it")
UNREADABLE: Final = Phrase("it cannot be read: {reason}")
TOO_LARGE: Final = Phrase("it is larger than {limit} MiB")
TOO_LONG: Final = Phrase("its path is too long for the archive, or not valid Unicode")
TEMPORARY: Final = Phrase(
    "it belongs to a run that is under way or was interrupted; the next dnsrenew renew completes it"
)
DAMAGED_CERTIFICATE: Final = Phrase("it is damaged; dnsrenew renew obtains a new one")

# ── restore ─────────────────────────────────────────────────────────────────────────────

ARCHIVE_UNREADABLE: Final = Text(
    "restore-unreadable",
    "{file} cannot be read: {reason}.",
    "Give a file that dnsrenew export has written.",
)
NO_ARCHIVE: Final = Text(
    "restore-damaged",
    "{file} is not a file of dnsrenew export.",
    "Give a file that dnsrenew export has written.",
)
FOREIGN_ARCHIVE: Final = Text(
    "restore-damaged",
    "{file} holds files that dnsrenew export does not write. Nothing was restored.",
    "Give a file that dnsrenew export has written.",
)
DAMAGED: Final = Text(
    "restore-damaged",
    "{file} is cut off or was changed since it was written. Nothing was restored.",
    "Use another copy of it.",
)
NEWER: Final = Text(
    "restore-newer",
    "{file} was written by a newer version of dnsrenew. Nothing was restored.",
    "Restore it with that version, or a later one.",
)
WRONG_PASSPHRASE: Final = Text(
    "restore-passphrase",
    "The passphrase does not open {file}. Nothing was restored.",
    "Give the passphrase with which it was exported.",
)
ARCHIVE_UNTRUSTED: Final = Text(
    "archive-untrusted",
    "Users other than {user} can change {path}, so they could decide what the unsealed {file} restores.",
    "Copy {file} to a folder that only {user} can change, check the copy and restore it, or allow it with --insist.",
)
CONFIG_EXISTS: Final = Text(
    "restore-exists",
    "{path} exists, and a configuration is never overwritten.",
    "Move it elsewhere, or give --config a file in another folder.",
)
CONFIG_UNWRITABLE: Final = Text(
    "restore-unwritable",
    "{path} cannot be written: {reason}. Nothing was restored.",
    "Give --config a file in a folder that you can write to, on a disk with space.",
)
STORE_IN_URL: Final = Text(
    "restore-damaged",
    "The configuration in {file} has a database as its store. Nothing was restored.",
    "Restore an export of a folder, then run dnsrenew fleet load FOLDER.",
)
