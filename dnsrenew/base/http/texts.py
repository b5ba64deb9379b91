"""The texts of errors about HTTP, and the details of an :class:`~dnsrenew.base.http.HttpFailure`."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

TRUST_UNREADABLE: Final = Text(
    "trust-unreadable",
    "The root certificates in {path} cannot be read: {cause}.",
    "Set `trust` to a file with root certificates in PEM format.",
)
TRUST_EMPTY: Final = Text(
    "trust-unreadable",
    "The file {path} contains no root certificate.",
    "Set `trust` to a file with root certificates in PEM format.",
)

# ── details: each is the end of a sentence ──────────────────────────────────────────────

PROXY_FAILED: Final = Phrase("the proxy does not work ({cause})")
PROXY_ANSWER: Final = Phrase("it answers {status}")
PROXY_UNSUPPORTED: Final = Phrase("the proxy named in the environment is not an HTTP proxy")
PROXY_INVALID: Final = Phrase("the proxy named in the environment has no valid address")
NO_NAME: Final = Phrase("its name cannot be resolved")
NO_CONNECTION: Final = Phrase("no connection can be made ({cause})")
CONNECT_TIMEOUT: Final = Phrase("no connection was made within {seconds:g} s")
ANSWER_TIMEOUT: Final = Phrase("no complete answer arrived within {seconds:g} s")
INVALID_HEADER: Final = Phrase("the header {name} contains a character that no header may contain")
INVALID_URL: Final = Phrase("its address is not a valid URL")
NOT_HTTP: Final = Phrase("its answer is not HTTP")
NOT_DECOMPRESSED: Final = Phrase("its answer cannot be decompressed")
CONNECTION_ENDED: Final = Phrase("the connection ended before the answer was complete")
CONNECTION_ENDED_BECAUSE: Final = Phrase("the connection ended before the answer was complete ({cause})")
NOT_TRUSTED: Final = Phrase("its certificate is not trusted ({cause})")
NO_TLS: Final = Phrase("no TLS connection can be made ({cause})")
TOO_LARGE: Final = Phrase("its answer is longer than {limit} bytes")
REDIRECT: Final = Phrase("it redirects to {host}, which is not followed")
REDIRECT_PORT: Final = Phrase("it redirects to {host} itself, port {port}, without TLS, which is not followed")
REDIRECT_PORT_TLS: Final = Phrase("it redirects to {host} itself, port {port}, with TLS, which is not followed")
REDIRECT_NO_TLS: Final = Phrase("it redirects to an address without TLS, which is not followed")
REDIRECT_INVALID: Final = Phrase("it redirects to an invalid address")
REDIRECT_NOWHERE: Final = Phrase("it redirects without saying where to")
