"""Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6), in which other ACME clients keep account keys."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dnsrenew.base.x509 import texts

if TYPE_CHECKING:
    from dnsrenew.base.x509.keys import PrivateKey

_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}

_MOST_BITS: Final = 4096
"""With more, the check of a key takes seconds."""
_BASES: Final = (2, 3, 5, 7, 11, 13, 17, 19)


def key_from_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """Return the private key of a JSON Web Key, RSA or ECDSA.

    :raises ValueError: it has none; the message never contains the key.
    """
    try:
        return _rsa(jwk) if jwk.get("kty") == "RSA" else _ecdsa(jwk)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise ValueError(texts.NOT_A_PRIVATE_KEY) from None


def _rsa(jwk: Mapping[str, Any]) -> PrivateKey:
    n, e, d = (_number(jwk[name]) for name in ("n", "e", "d"))
    if "p" in jwk and "q" in jwk:
        p, q = _number(jwk["p"]), _number(jwk["q"])
    else:  # RFC 7518 section 6.3.2: the primes are optional
        p, q = _primes(n, e, d)
    public = rsa.RSAPublicNumbers(e, n)
    exponents = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, *exponents, public).private_key()


def _primes(n: int, e: int, d: int) -> tuple[int, int]:
    """Return the prime factors of a modulus (FIPS 186-4, NIST SP 800-56B appendix C), with few tries.

    Each try fails for half of all keys at most. For numbers that belong to no key, the library's takes 500 tries.
    """
    odd = e * d - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for base in _BASES:
        root = pow(base, odd, n)
        for _ in range(twos):
            square = pow(root, 2, n)
            if square == 1 and root not in (1, n - 1):
                p = math.gcd(root - 1, n)
                return p, n // p
            root = square
    raise ValueError


def _ecdsa(jwk: Mapping[str, Any]) -> PrivateKey:
    curve = _CURVES[jwk["crv"]]()
    public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve)
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key()


def _number(text: str) -> int:
    """Return a number in base64url without padding (RFC 7518 section 2); ``ValueError`` if it has too many bits."""
    number = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    if number.bit_length() > _MOST_BITS:
        raise ValueError
    return number
