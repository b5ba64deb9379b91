"""The phrases of values that are not valid. A mistake of the configuration has them as what was found."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

EMPTY_TEXT: Final = Phrase("an empty text")
ORDINARY_BASE64: Final = Phrase("a text with the + or / of ordinary base64")
NOT_BASE64URL: Final = Phrase("a text that is not base64url")

NO_PRIVATE_KEY: Final = Text(
    "no-private-key",
    "The certificate {name} was ordered with a request of yours (`csr`), so dnsrenew has no private key for it.",
    "Use the key that the request was made with, or remove `csr` and run dnsrenew renew {name}.",
)
