"""PKCS#12 files (RFC 7292)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization

from dnsrenew.base.x509.certificates import blocks, load
from dnsrenew.base.x509.keys import key_from_pem

_MOST_ROUNDS: Final = 500_000
"""Of all key derivations of a file, whose writer chooses them; with 2,000,000,000 one takes minutes."""
_DEEPEST: Final = 30
_LONGEST_SALT: Final = 64
_INTEGER: Final = 0x02
_OCTETS: Final = 0x04
_CONSTRUCTED: Final = 0x20


def to_pkcs12(fullchain_pem: str, key_pem: bytes, *, password: str, alias: str, legacy: bool) -> bytes:
    """Return a PKCS#12 file with a certificate, its chain and its key.

    :param password: empty: the file is not encrypted.
    :param alias: the friendly name of the entry.
    :param legacy: encrypt with 3DES and SHA-1, for programs that read nothing newer.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
        pkcs12,
    )

    encryption: KeySerializationEncryption = NoEncryption()
    if password and legacy:
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(50_000)
        # The only algorithms that the old programs of `legacy` read.
        builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())  # noqa: S303
        encryption = builder.build(password.encode())
    elif password:
        encryption = BestAvailableEncryption(password.encode())
    leaf, *chain = (load(block) for block in blocks(fullchain_pem))
    return pkcs12.serialize_key_and_certificates(alias.encode(), key_from_pem(key_pem), leaf, chain or None, encryption)


def pkcs12_holds(data: bytes, password: str, fullchain_pem: str, key_pem: bytes) -> bool:
    """Tell whether a PKCS#12 file opens with a password and has this certificate, its chain and this key."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    if not _opens_soon(data):
        return False
    try:
        key, leaf, chain = pkcs12.load_key_and_certificates(data, password.encode() if password else None)
    except ValueError:
        return False
    if key is None or leaf is None:
        return False
    same_key = key.public_key() == key_from_pem(key_pem).public_key()
    return same_key and [leaf, *chain] == [load(block) for block in blocks(fullchain_pem)]


def pkcs12_leaf(data: bytes, password: str) -> str:
    """Return the certificate of a PKCS#12 file as PEM; empty if it does not open with the password, or has none."""
    from cryptography.hazmat.primitives.serialization import pkcs12

    if not _opens_soon(data):
        return ""
    try:
        leaf = pkcs12.load_key_and_certificates(data, password.encode() if password else None)[1]
    except ValueError:
        return ""
    return "" if leaf is None else leaf.public_bytes(serialization.Encoding.PEM).decode("ascii")


def _opens_soon(data: bytes) -> bool:
    """Tell whether a file is DER, as ours are, and asks for few rounds of key derivation."""
    try:
        return sum(_rounds(data, _DEEPEST)) <= _MOST_ROUNDS
    except (IndexError, ValueError):
        return False


def _rounds(data: bytes, depth: int) -> Iterator[int]:
    """Give the numbers of rounds in DER: each follows a salt (RFC 7292 section 4, RFC 8018 appendix A).

    Octets with more DER in them stand alone in their tag; behind an algorithm they are what it encrypted.

    :raises ValueError: it is no DER, or too deep.
    :raises IndexError: it is cut off.
    """
    place, before = 0, 0
    while place < len(data):
        tag, length, place = data[place], data[place + 1], place + 2
        if length >= 0x80:
            octets = length & 0x7F
            length, place = int.from_bytes(data[place : place + octets], "big"), place + octets
            if not 0 < octets <= 4:  # no length, which is BER, or one that no file has
                raise ValueError
        content = data[place : place + length]
        if len(content) != length or not depth:
            raise ValueError
        is_nested = tag == _OCTETS and not before and content.startswith(b"\x30") and length > _LONGEST_SALT
        if tag & _CONSTRUCTED or is_nested:
            yield from _rounds(content, depth - 1)
        elif tag == _INTEGER and before == _OCTETS:
            yield int.from_bytes(content, "big")
        place, before = place + length, tag
