"""The texts of the errors about certificates from a CA."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

_FIX: Final = "Run dnsrenew again, and ask the CA if it happens again; the certificate was not kept."
WRONG_PEM: Final = Text("certificate-wrong", "The certificate from the CA cannot be read: {reason}.", _FIX)
WRONG_KEY: Final = Text("certificate-wrong", "The certificate from the CA is for another key than requested.", _FIX)
WRONG_NAMES: Final = Text(
    "certificate-wrong", "The certificate from the CA is not for {missing}; its names: {names}.", _FIX
)
NO_NAMES: Final = Text("certificate-wrong", "The certificate from the CA is not for {missing}: it has no names.", _FIX)
WRONG_CA: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is one of a CA (basicConstraints CA:TRUE): TLS clients refuse it as a server's.",
    _FIX,
)
WRONG_USAGE: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is not for TLS servers: its extended key usage lacks serverAuth.",
    _FIX,
)
WRONG_DATES: Final = Text(
    "certificate-wrong",
    "The certificate from the CA is valid from {not_before} to {not_after}, and this host's clock says {now}.",
    _FIX,
)
WRONG_CHAIN_DATES: Final = Text(
    "certificate-wrong",
    "A certificate in the chain from the CA is valid from {not_before} to {not_after}, and this host's clock says "
    "{now}.",
    _FIX,
)
WRONG_CHAIN: Final = Text(
    "certificate-wrong",
    "The chain from the CA is broken: certificate {place} was not issued by the next one.",
    _FIX,
)
