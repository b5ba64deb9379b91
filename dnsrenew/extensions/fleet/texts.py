"""The texts of a fleet: its errors, and the phrases of mistakes in added certificates."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── phrases of mistakes in lines, see base/validation/texts.py ──────────────────────────────

THE_LINE: Final = Phrase("line")
A_LINE: Final = Phrase('one JSON object per line, such as {{"domains": ["shop.example.com"], "tags": ["customer-7"]}}')
NO_JSON: Final = Phrase("This is not valid JSON (column {column}: {reason}).")
KEY_TWICE: Final = Phrase("JSON that contains the key {key} twice")
STRANGE_JSON: Final = Phrase("JSON with NaN or Infinity, or with values nested too deeply")
NOT_UTF8: Final = Phrase("a line that is not UTF-8 text (byte {position})")
HALF_CHARACTER: Final = Phrase("an incomplete character (a lone surrogate)")
NUL_IN_LINE: Final = Phrase("a text with a NUL character")
LONG_LINE: Final = Phrase("a line of more than {most:,} bytes")
ANOTHER_LINE: Final = Phrase("Use each name only once: line {line} uses it too.")
IN_CONFIGURATION: Final = Phrase("another name: a table in the configuration uses this one")
ADDED_BEFORE: Final = Phrase("another name: this one was added with `dnsrenew fleet add`")
SYNCED_BEFORE: Final = Phrase("another name: `dnsrenew fleet sync` added this one from a configuration")
NAME_OF_TAGS: Final = Phrase("another name, or one of the tags of the existing certificate ({tags})")
DOMAIN_OF_TAGS: Final = Phrase(
    "another domain: the certificate {name} with other tags ({tags}) has this one, or one that overlaps it"
)
DOMAIN_WITHOUT_TAGS: Final = Phrase(
    "another domain: the certificate {name}, which has no tags, has this one, or one that overlaps it"
)

# ── errors ──────────────────────────────────────────────────────────────────────────────

NO_FLEET: Final = Text(
    "no-fleet",
    "The configuration's store is a folder, but this command needs a database.",
    'Write store = "postgresql://USER@HOST/DATABASE" into the configuration, then run `dnsrenew fleet init`.',
)
QUEUE_UNFIT: Final = Text(
    "store-schema",
    "The tables of the queue in the database {database} at {server} cannot be used: {reason}.",
    "Run `dnsrenew fleet init`, which creates missing tables. If that does not help, drop all tables whose names "
    "begin with procrastinate_ and run it again: it recreates the jobs.",
)
NAME_UNKNOWN: Final = Text(
    "certificate-unknown",
    "There is no certificate named {name} in the fleet.",
    "Run `dnsrenew status` to list the certificates.",
)
NAME_ONLY_STORED: Final = Text(
    "certificate-unknown",
    "The certificate {name} is stored, but is not in the fleet.",
    "To delete it, run: dnsrenew remove {name}",
)
NAME_NO_MATCH: Final = Text(
    "certificate-unknown",
    "No certificate of the fleet has a name that matches {name}.",
    "Run `dnsrenew status` to list the certificates.",
)
TAG_UNKNOWN: Final = Text(
    "certificate-unknown",
    "No certificate of the fleet has the tag {tag}.",
    "Run `dnsrenew fleet status` to count the certificates of the fleet.",
)
FOLDER_MISSING: Final = Text(
    "fleet-no-store",
    "{folder} is not a store: it has neither an accounts nor a certificates folder.",
    "Name the folder that a configuration uses as `store`.",
)
FOLDER_NOT_EMPTY: Final = Text(
    "fleet-folder-not-empty",
    "{folder} is not empty, and dnsrenew does not overwrite an existing store.",
    "Name a folder that is empty or does not exist yet.",
)
