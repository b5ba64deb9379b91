"""The texts of the errors about certificates from a CA, and about files of another issuer."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import Phrase, Text


class ChainTexts(Frozen):
    """The texts about a wrong chain, by its fault.

    :ivar pem: it cannot be read.
    :ivar key: it is for another key.
    :ivar names: it is not for all names; ``no_names``: it has no names.
    :ivar ca: it is a CA's own certificate; ``usage``: it is not for servers.
    :ivar dates: it is not valid now; ``chain_dates``: a certificate above it is not valid now.
    :ivar chain: a certificate was not issued by the next one.
    """

    pem: Text
    key: Text
    names: Text
    no_names: Text
    ca: Text
    usage: Text
    dates: Text
    chain_dates: Text
    chain: Text


_FIX: Final = "Renew again, and ask the CA's support if it happens again (the certificate was not stored)."
_FIX_DATES: Final = (
    "If the clock of this machine is wrong, set it and renew again; otherwise ask the CA's support (the certificate "
    "was not stored)."
)
FROM_CA: Final = ChainTexts(
    pem=Text("certificate-wrong", "The certificate from the CA cannot be read: {reason}.", _FIX),
    key=Text(
        "certificate-wrong", "The certificate from the CA belongs to another key, not to the requested one.", _FIX
    ),
    names=Text("certificate-wrong", "The certificate from the CA is not for {missing}; its names: {names}.", _FIX),
    no_names=Text("certificate-wrong", "The certificate from the CA is not for {missing}: it has no names.", _FIX),
    ca=Text(
        "certificate-wrong",
        "The CA sent a CA certificate instead of a server certificate (basicConstraints CA:TRUE): TLS clients refuse "
        "it as a server's.",
        _FIX,
    ),
    usage=Text(
        "certificate-wrong",
        "The certificate from the CA is not for TLS servers: its extended key usage lacks serverAuth.",
        _FIX,
    ),
    dates=Text(
        "certificate-wrong",
        "The certificate from the CA is valid from {not_before} to {not_after}, but this machine's clock shows {now}.",
        _FIX_DATES,
    ),
    chain_dates=Text(
        "certificate-wrong",
        "A certificate in the chain from the CA is valid from {not_before} to {not_after}, but this machine's "
        "clock shows {now}.",
        _FIX_DATES,
    ),
    chain=Text(
        "certificate-wrong",
        "The chain from the CA is broken: certificate {place} was not issued by the next one.",
        _FIX,
    ),
)

# ── files of another issuer ─────────────────────────────────────────────────────────────

_ASK: Final = "Ask the issuer for a new certificate that TLS servers can use."
FROM_FILE: Final = ChainTexts(
    pem=Text(
        "certificate-wrong",
        "The certificate file cannot be used: {reason}.",
        "Use the file from the issuer that contains the certificate and its chain, in PEM, DER or PKCS#7 format.",
    ),
    key=Text(
        "certificate-wrong",
        "The certificate does not match the private key.",
        "Name the key that the certificate was requested with: --key FILE",
    ),
    names=Text(
        "certificate-wrong",
        "The certificate is not for {missing}; its names: {names}.",
        "Ask the issuer for a certificate for all domains of the configuration, or change the domains there.",
    ),
    no_names=Text(
        "certificate-wrong",
        "The certificate is not for {missing}: it has no alternative names, and clients ignore its common name.",
        "Ask the issuer for a certificate for all domains of the configuration, as alternative names.",
    ),
    ca=Text(
        "certificate-wrong",
        "This is a CA certificate, not a server certificate (basicConstraints CA:TRUE): TLS clients refuse it as a "
        "server's.",
        "Use the file that contains the certificate of the server, not only those of the issuer.",
    ),
    usage=Text(
        "certificate-wrong",
        "The certificate is not for TLS servers: its extended key usage lacks serverAuth.",
        _ASK,
    ),
    dates=Text(
        "certificate-wrong",
        "The certificate is valid from {not_before} to {not_after}, but this machine's clock shows {now}.",
        "If the clock of this machine is wrong, set it; otherwise ask the issuer for a certificate that is valid now.",
    ),
    chain_dates=Text(
        "certificate-wrong",
        "A certificate in the chain is valid from {not_before} to {not_after}, but this machine's clock shows {now}.",
        "If the clock of this machine is right, replace that certificate in the file with the one that the issuer "
        "publishes now.",
    ),
    chain=Text(
        "certificate-wrong",
        "The file does not contain the certificate of {issuer}, which issued the certificate.",
        "Add the intermediate certificate of the issuer to the file.",
    ),
)

PKCS12: Final = Text(
    "certificate-wrong",
    "The certificate file is a PKCS#12 file, which is encrypted.",
    "Convert it, and install the result: umask 077 && openssl pkcs12 -in FILE -nodes -out certificate.pem",
)
KEY_ENCRYPTED: Final = Text(
    "key-wrong",
    "The private key is encrypted, but servers need it without a passphrase.",
    "Decrypt it into a private file: umask 077 && openssl pkey -in KEYFILE -out decrypted.pem",
)
KEY_UNREADABLE: Final = Text(
    "key-wrong",
    "The key file contains no readable private key.",
    "Use the file that contains the private key, in PEM or DER format.",
)
KEY_KIND: Final = Text(
    "key-wrong",
    "The private key is neither an ECDSA nor an RSA key.",
    "Request a certificate for an ECDSA or RSA key, for example with: dnsrenew csr NAME",
)

# Reasons why a certificate, a request or a key cannot be used.
NOT_A_CERTIFICATE: Final = Phrase("it is not a certificate in PEM, DER or PKCS#7 format")
NOT_PEM: Final = Phrase("it is not a certificate in PEM format")
ONLY_A_KEY: Final = Phrase("it contains a private key, but no certificate")
IS_A_REQUEST: Final = Phrase("it is a certificate request (CSR), not the certificate that the issuer makes from it")
NO_KEY_IDENTIFIER: Final = Phrase("it has no authority key identifier")
SERIAL: Final = Phrase("its serial number is not positive, or too long (RFC 5280 section 4.1.2.2)")
TOO_MANY: Final = Phrase("it contains more than {most} certificates")
NOT_A_REQUEST: Final = Phrase("it is not a certificate request")
REQUEST_LARGE: Final = Phrase("it has {size:,} bytes; at most {most:,} are read")
REQUEST_HASH: Final = Phrase("it is not signed with SHA-256, SHA-384 or SHA-512, but with {algorithm}")
REQUEST_SIGNATURE: Final = Phrase("its signature is wrong")
REQUEST_KEY: Final = Phrase("its key has a type that `key` does not support")
REQUEST_CLIENT: Final = Phrase("it asks for clientAuth, which public CAs do not issue since 2026")
REQUEST_USAGE: Final = Phrase("its extended key usage lacks serverAuth")
REQUEST_NO_NAMES: Final = Phrase(
    "its subject alternative names contain no domain, contain something other than domains and IP addresses, or "
    "lack its common name"
)
ANOTHER_KEY: Final = Phrase("it belongs to another key")
NOT_A_PRIVATE_KEY: Final = Phrase("not an unencrypted private key in PEM format")
UNSUPPORTED_KEY: Final = Phrase("neither an ECDSA nor an RSA key")
