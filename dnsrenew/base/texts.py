"""The texts of the lowest floor: phrases of what is no domain name and no file, and of an extension that is missing."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

EXTENSION_MISSING: Final = Text(
    "extension-missing",
    "{what} belongs to the extension {extension}, which is not installed",
    "Install it: {command}",
)

# ── names ───────────────────────────────────────────────────────────────────────────────

NO_IP_ADDRESS: Final = Phrase("not an IP address")
BAD_CHARACTER: Final = Phrase("it has the character {character}")
NOT_INTERNATIONAL: Final = Phrase("not an internationalized domain name: {error}")
TOO_LONG: Final = Phrase("longer than {most} characters")
EMPTY_LABEL: Final = Phrase("it has an empty label (two dots, or a dot in front)")
BAD_LABEL: Final = Phrase("the label {label} is not made of 1 to 63 letters, digits and hyphens")

# ── files ───────────────────────────────────────────────────────────────────────────────

FOLDER: Final = Phrase("a folder")
PIPE: Final = Phrase("a pipe")
SOCKET: Final = Phrase("a socket")
DEVICE: Final = Phrase("a device")
SOMETHING_ELSE: Final = Phrase("something else")
IT_IS: Final = Phrase("it is {kind}")
FOREIGN_LINK: Final = Phrase("the link {link} belongs to {owner}")
