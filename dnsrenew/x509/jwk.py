"""Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6), in which other ACME clients keep account keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsrenew.x509 import texts

if TYPE_CHECKING:
    from dnsrenew.x509.keys import PrivateKey

_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


def key_from_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """Return the private key of a JSON Web Key, RSA or ECDSA.

    :raises ValueError: it has none; the message never contains the key.
    """
    try:
        return _rsa(jwk) if jwk.get("kty") == "RSA" else _ecdsa(jwk)
    except (KeyError, TypeError, ValueError):
        raise ValueError(texts.NOT_A_PRIVATE_KEY) from None


def _rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    n, e, d = (_number(jwk[name]) for name in ("n", "e", "d"))
    if "p" in jwk and "q" in jwk:
        p, q = _number(jwk["p"]), _number(jwk["q"])
    else:  # RFC 7518 section 6.3.2: the primes are optional
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
    public = rsa.RSAPublicNumbers(e, n)
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *exponents, public).private_key()


def _ecdsa(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = _CURVES[jwk["crv"]]()
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _number(text: str) -> int:
    """Return a number in base64url without padding (RFC 7518 section 2)."""
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
