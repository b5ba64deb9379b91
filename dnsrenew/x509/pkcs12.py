"""PKCS#12 files (RFC 7292)."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, serialization

from dnsrenew.x509.certificates import blocks, load
from dnsrenew.x509.keys import key_from_pem


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

    try:
        leaf = pkcs12.load_key_and_certificates(data, password.encode() if password else None)[1]
    except ValueError:
        return ""
    return "" if leaf is None else leaf.public_bytes(serialization.Encoding.PEM).decode("ascii")
