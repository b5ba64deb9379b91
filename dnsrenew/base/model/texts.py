"""The phrases of values that are not valid. A mistake of the configuration has them as what was found."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase

EMPTY_TEXT: Final = Phrase("an empty text")
ORDINARY_BASE64: Final = Phrase("a text with the + or / of ordinary base64")
NOT_BASE64URL: Final = Phrase("a text that is not base64url")
