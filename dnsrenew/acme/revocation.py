"""Revocation of a certificate (RFC 8555 section 7.6), signed with the account key or the certificate's own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from josepy.jwa import ES256, ES384, RS256
from josepy.jwk import JWKEC, JWKRSA

from dnsrenew.acme import texts
from dnsrenew.acme.problems import variant
from dnsrenew.acme.resources import base64url
from dnsrenew.acme.transport import Signer
from dnsrenew.base import x509
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.acme.session import Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.runtime.context import Context


def revoke(
    context: Context,
    session: Session,
    certificate_pem: str | bytes,
    reason: int,
    *,
    key: x509.PrivateKey | None,
    transport: Transport,
) -> None:
    """See :meth:`CAClient.revoke`."""
    url = session.directory(context).resource("revokeCert")
    if url is None:
        raise transport.problems(context).error(texts.REVOCATION_NOT_OFFERED, resource="revokeCert")
    payload = {"certificate": base64url(x509.to_der(certificate_pem)), "reason": reason}
    try:
        if key is None:
            session.post(context, url, payload, "revokeCert")
        else:
            transport.post(context, signer(key), url, payload, "revokeCert")
    except CAError as error:
        if error.type == "unauthorized":
            raise variant(error, texts.REVOCATION_REFUSED) from None
        raise


def signer(key: x509.PrivateKey) -> Signer:
    """Return a signer with a certificate's own key; the request contains the public key."""
    kind = x509.key_kind(key)
    if kind in {"ecdsa-p256", "ecdsa-p384"}:
        return Signer(JWKEC(key=key), None, ES256 if kind == "ecdsa-p256" else ES384)
    return Signer(JWKRSA(key=key), None, RS256)
