"""Revoking a certificate (RFC 8555 section 7.6), with the account's key or the certificate's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from josepy.jwa import ES256, ES384, RS256
from josepy.jwk import JWKEC, JWKRSA

from dnsrenew import x509
from dnsrenew.ca.resources import base64url
from dnsrenew.ca.transport import Signer
from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.runtime.context import Context


def revoke(  # all that one request is made of
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
        raise transport.problems(context).error(
            "ca-not-offered",
            "does not offer to revoke a certificate.",
            "Ask the CA to revoke it.",
            resource="revokeCert",
        )
    payload = {"certificate": base64url(x509.to_der(certificate_pem)), "reason": reason}
    try:
        if key is None:
            session.post(context, url, payload, "revokeCert")
        else:
            transport.post(context, signer(key), url, payload, "revokeCert")
    except CAError as error:
        if error.type == "unauthorized":
            error.code = "ca-account-refused"
            error.fix = "Revoke it with the certificate's own key, or from the machine whose account it was issued to."
        raise


def signer(key: x509.PrivateKey) -> Signer:
    """Return what signs with a certificate's own key; it stands in the request, whole."""
    kind = x509.key_kind(key)
    if kind in {"ecdsa-p256", "ecdsa-p384"}:
        return Signer(JWKEC(key=key), None, ES256 if kind == "ecdsa-p256" else ES384)
    return Signer(JWKRSA(key=key), None, RS256)
