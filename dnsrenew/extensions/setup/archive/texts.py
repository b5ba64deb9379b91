"""The texts of ``dnsrenew export`` and ``dnsrenew restore``."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── export ──────────────────────────────────────────────────────────────────────────────

EXPORT_EXISTS: Final = Text(
    "export-exists",
    "{file} already exists, and an export does not replace files.",
    "Use another name, or move {file} elsewhere.",
)
EXPORT_OF_DATABASE: Final = Text(
    "export-database",
    "The store is the database {store}, but an export works only with a folder.",
    "Write it to a folder with `dnsrenew fleet dump FOLDER`, or back up the database with pg_dump.",
)
EXPORT_UNWRITABLE: Final = Text(
    "export-unwritable",
    "{file} cannot be written: {reason}.",
    "Use a file in a folder that you can write to, on a disk with free space.",
)
EXPORT_BROKEN_OFF: Final = Text(
    "export-unwritable",
    "Standard output cannot be written: {reason}.",
    "Send the output to a program that reads all of it, or to a file on a disk with free space.",
)
CONFIG_UNREADABLE: Final = Text(
    "export-unreadable",
    "{path} cannot be read: {reason}.",
    "Allow the user that runs dnsrenew to read it.",
)
UNMASKABLE: Final = Text(
    "export-unmaskable",
    "{path} contains secrets that cannot be removed from its text.",
    'Put each into its own file (`"file:NAME"`), or export with --secrets.',
)

# ── why something is not in the archive ─────────────────────────────────────────────────

OUTSIDE: Final = Phrase("it is not in the folder of the configuration")
SECRET: Final = Phrase("it contains a secret, or may; to export it, add --secrets")
UNREADABLE: Final = Phrase("it cannot be read: {reason}")
TOO_LARGE: Final = Phrase("it is larger than {limit} MiB")
TOO_LONG: Final = Phrase("its path is too long for the archive, or not valid Unicode")
TEMPORARY: Final = Phrase(
    "it belongs to a run that is in progress or was interrupted; the next `dnsrenew renew` completes it"
)
DAMAGED_CERTIFICATE: Final = Phrase("it is damaged; `dnsrenew renew` obtains a new one")

# ── restore ─────────────────────────────────────────────────────────────────────────────

ARCHIVE_UNREADABLE: Final = Text(
    "restore-unreadable",
    "{file} cannot be read: {reason}.",
    "Use a file that `dnsrenew export` has written.",
)
NO_ARCHIVE: Final = Text(
    "restore-damaged",
    "{file} is not a file that dnsrenew has exported.",
    "Use a file that `dnsrenew export` has written.",
)
FOREIGN_ARCHIVE: Final = Text(
    "restore-damaged",
    "{file} contains files that `dnsrenew export` does not write. Nothing was restored.",
    "Use a file that `dnsrenew export` has written.",
)
DAMAGED: Final = Text(
    "restore-damaged",
    "{file} is incomplete, or was changed after it was written. Nothing was restored.",
    "Use another copy of the file.",
)
NEWER: Final = Text(
    "restore-newer",
    "{file} was written by a newer version of dnsrenew. Nothing was restored.",
    "Restore it with that version or a later one.",
)
WRONG_PASSPHRASE: Final = Text(
    "restore-passphrase",
    "The passphrase does not open {file}. Nothing was restored.",
    "Use the passphrase that you chose for the export.",
)
ARCHIVE_UNTRUSTED: Final = Text(
    "archive-untrusted",
    "Users other than {user} can change {path}, so they could decide what is restored from the unsealed {file}.",
    "Copy {file} to a folder that only {user} can change, check the copy and restore it, or accept the risk with "
    "--insist.",
)
CONFIG_EXISTS: Final = Text(
    "restore-exists",
    "{path} already exists, and dnsrenew does not overwrite a configuration.",
    "Move it elsewhere, or set --config to a file in another folder.",
)
CONFIG_UNWRITABLE: Final = Text(
    "restore-unwritable",
    "{path} cannot be written: {reason}. Nothing was restored.",
    "Set --config to a file in a folder that you can write to, on a disk with free space.",
)
STORE_IN_URL: Final = Text(
    "restore-damaged",
    "The configuration in {file} uses a database as its store. Nothing was restored.",
    "Restore an export of a folder, then run `dnsrenew fleet load FOLDER`.",
)
