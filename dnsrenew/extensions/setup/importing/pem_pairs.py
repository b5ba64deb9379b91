"""A certificate and its key, from PEM files of any tool."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import texts

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.x509 import PrivateKey
    from dnsrenew.extensions.setup.importing.reading import Notes

BEGIN_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
BEGIN_KEY: Final = b"PRIVATE KEY-----"
_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


class PemPair(Frozen, hidden=("key",)):
    """A chain, leaf first, and its private key as unencrypted PKCS#8; both None if there is no whole pair."""

    chain: str | None = None
    key: bytes | None = None

    @property
    def is_self_signed(self) -> bool:
        """Whether no CA issued the certificate."""
        from dnsrenew.base import x509

        return self.chain is not None and x509.ends_with_root(self.chain)


def private_key(data: bytes, file: Path, notes: Notes) -> PrivateKey | None:
    """Return a private key in any of its forms; None, with a note, if there is none."""
    from dnsrenew.base import x509
    from dnsrenew.errors import ConfigError

    try:
        return x509.key_from_file(data)
    except ConfigError:
        encrypted = any(mark in data for mark in _ENCRYPTED)
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.ENCRYPTED if encrypted else texts.NO_KEY)
        return None


def read_pair(certificates: Sequence[Path], key_file: Path, notes: Notes) -> PemPair:
    """Return the pair in some files; the first must have the certificate, and those that are missing are left out.

    Each half that cannot be used adds a note.
    """
    key, first = notes.read(key_file, loses=True), notes.read(certificates[0], loses=True)
    if key is None or first is None:
        return PemPair()
    more = [notes.read(file) for file in certificates[1:] if os.path.lexists(file)]
    return pair(first, key, certificates[0], key_file, notes, more=[part for part in more if part])


def pair(
    certificate: bytes, key_data: bytes, file: Path, key_file: Path, notes: Notes, *, more: Sequence[bytes] = ()
) -> PemPair:
    """Return the pair in the contents of two files.

    :param more: contents with more certificates of the chain.
    """
    from dnsrenew.base import x509

    key = private_key(key_data, key_file, notes)
    if key is None:
        return PemPair()
    if BEGIN_CERTIFICATE not in certificate:
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NO_CERTIFICATE)
        return PemPair()
    chain = x509.chain_among(b"\n".join((certificate, *more)).decode("ascii", "replace"), key)
    if chain is None:
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NOT_A_PAIR)
        return PemPair()
    return PemPair(chain, x509.key_to_pem(key))
