"""The certificates of the CAs in memory: real ones, so that what checks and reads them is the real code."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography.x509.oid import ExtendedKeyUsageOID

from dnsrenew.base import x509
from dnsrenew.testing.box.order_server import BoxIssuer
from tests.kit.clock import START

DAY: Final = timedelta(days=1)


class _Issuer(BoxIssuer):
    purposes = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@functools.cache
def issuer(name: str, above: BoxIssuer | None = None) -> BoxIssuer:
    """Return the issuer of this name; each is made once. Its certificates are good for clients too."""
    return _Issuer(name, START, above)


def issue(identifiers: Sequence[str], begin: datetime) -> tuple[str, bytes, x509.CertificateFacts]:
    """Return a chain, its key and its facts."""
    key = x509.new_key("ecdsa-p256")
    pem = issuer("Stage CA 1").sign(key.public_key(), identifiers, begin)
    return pem, x509.key_to_pem(key), x509.read_certificate(pem)
