"""The texts of the lowest floor: faults of domain names and files, and missing extensions."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

EXTENSION_MISSING: Final = Text(
    "extension-missing",
    "{what} needs the extension {extension}, which is not installed.",
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


# ── texts ──────────────────────────────────────────────────────────────────────────────

# The texts of errors about HTTP, and the details of an :class:`~dnsrenew.base.http.HttpFailure`.

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
NO_NAME: Final = Phrase("this machine cannot resolve its name")
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


# ── texts ──────────────────────────────────────────────────────────────────────────────

# Phrases for invalid values, which a mistake of the configuration quotes.

EMPTY_TEXT: Final = Phrase("an empty text")
ORDINARY_BASE64: Final = Phrase("a text with the + or / of ordinary base64")
NOT_BASE64URL: Final = Phrase("a text that is not base64url")

NO_PRIVATE_KEY: Final = Text(
    "no-private-key",
    "The certificate {name} was ordered with a request of yours (`csr`), so dnsrenew has no private key for it.",
    "Use the key that the request was made with, or remove `csr` and run `dnsrenew renew {name}`.",
)

# ── certificates ────────────────────────────────────────────────────────────────────────

NO_CERTIFICATE: Final = Phrase("it contains no certificate")
