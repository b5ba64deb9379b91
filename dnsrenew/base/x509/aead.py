"""AES-256-GCM for small values: what is stored sealed in a database."""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12


def encrypt(key: bytes, data: bytes, bound_to: bytes) -> bytes:
    """Return a random nonce of 12 bytes and the ciphertext with its tag.

    :param key: 32 bytes.
    :param bound_to: :func:`decrypt` needs the same bytes; they are not a part of the result.
    """
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, bound_to)


def decrypt(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    """Return what :func:`encrypt` was given; None if the key, the bytes or ``bound_to`` are other ones."""
    if len(sealed) < _NONCE:
        return None
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
    except InvalidTag:
        return None
