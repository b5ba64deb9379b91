"""A signed request of an ACME client (RFC 8555 section 6.2), read and verified."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from dnsrenew.base.values import Frozen
from dnsrenew.testing.box.answers import AcmeProblem

Json = Mapping[str, Any]

_CURVES: Final[Mapping[str, tuple[str, ec.EllipticCurve, hashes.HashAlgorithm, int]]] = {
    "ES256": ("P-256", ec.SECP256R1(), hashes.SHA256(), 32),
    "ES384": ("P-384", ec.SECP384R1(), hashes.SHA384(), 48),
}
_THUMBPRINT: Final = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class SignedRequest(Frozen):
    """A JWS whose signature is not verified yet.

    :ivar header: the protected header.
    :ivar payload: None for POST-as-GET.
    """

    header: Json
    payload: Json | None
    signed: bytes
    signature: bytes

    @classmethod
    def read(cls, body: bytes) -> SignedRequest:
        """Read the body of a request.

        :raises AcmeProblem: ``malformed``.
        """
        try:
            parts = json.loads(body)
            texts = [parts[name] for name in ("protected", "payload", "signature")]
            header = json.loads(decoded(texts[0]))
            payload = json.loads(decoded(texts[1])) if texts[1] else None
            return cls(header, payload, f"{texts[0]}.{texts[1]}".encode(), decoded(texts[2]))
        except (ValueError, KeyError, TypeError):
            raise AcmeProblem("malformed", "the body is no JWS") from None

    def verify(self, jwk: Json) -> None:
        """Check the signature.

        :raises AcmeProblem: ``badSignatureAlgorithm``, ``malformed``.
        """
        algorithm = str(self.header.get("alg"))
        try:
            if algorithm in _CURVES:
                self._verify_ec(jwk, *_CURVES[algorithm])
            elif algorithm == "RS256":
                key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
                key.verify(self.signature, self.signed, padding.PKCS1v15(), hashes.SHA256())
            else:
                raise AcmeProblem("badSignatureAlgorithm", f"the algorithm {algorithm} is not supported")
        except (InvalidSignature, ValueError, KeyError, TypeError):
            raise AcmeProblem("malformed", "the signature is wrong") from None

    def _verify_ec(self, jwk: Json, name: str, curve: ec.EllipticCurve, digest: Any, size: int) -> None:
        if jwk["crv"] != name or len(self.signature) != 2 * size:
            raise InvalidSignature
        key = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
        r, s = (int.from_bytes(part) for part in (self.signature[:size], self.signature[size:]))
        key.verify(encode_dss_signature(r, s), self.signed, ec.ECDSA(digest))


def thumbprint(jwk: Json) -> str:
    """Return the thumbprint of a public key (RFC 7638).

    :raises AcmeProblem: ``badPublicKey``.
    """
    try:
        members = {name: jwk[name] for name in _THUMBPRINT[jwk["kty"]]}
    except (KeyError, TypeError):
        raise AcmeProblem("badPublicKey", "the key is not supported") from None
    return encoded(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Read base64url without padding.

    :raises ValueError: it is none.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(decoded(text))
