"""Pairs of PEM files: the content tells which file has what, and the public key which files belong together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Final

from dnsrenew.base import x509
from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import PrivateKey, user_files
from dnsrenew.base.x509.user_files import CertificatePool
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.model import FileRole, FoundCertificate, FoundData, FoundFile, HostView
from dnsrenew.extensions.setup.importing.reading import Notes

_LARGEST: Final = 1 << 20
_MOST: Final = 2000
"""Files that are looked at."""
_MOST_BYTES: Final = 4 << 20
"""Of all PEM files."""
_ENDS: Final = frozenset({".pem", ".crt", ".cer", ".key"})
_DEEPEST: Final = 1
"""Folders below the given one."""


class _PemFile(Frozen, hidden=("data",)):
    """A file with certificates, a key, or both."""

    path: Path
    data: bytes

    @property
    def has_certificate(self) -> bool:
        return BEGIN_CERTIFICATE in self.data

    @property
    def has_key(self) -> bool:
        return BEGIN_KEY in self.data


def usual(host: HostView) -> list[Path]:  # noqa: ARG001  # every tool has this function
    """Return nothing: a person names the folder."""
    return []


def is_here(folder: Path) -> bool:
    """Return whether a folder, or that of a file, has a certificate and a key."""
    found = _pem_files(folder, reading.Notes(Discovery(insist=True)))
    return any(each.has_certificate for each in found) and any(each.has_key for each in found)


def read(folder: Path, host: HostView) -> FoundData:
    """Return the pairs in a folder; for a file only the one that it belongs to."""
    notes = reading.Notes(host.discovery)
    found = _pem_files(folder, notes)
    certificates = list(_certificates(found, notes))
    if os.path.isfile(folder):
        certificates = [each for each in certificates if str(folder) in {file.path for file in each.files}]
    if not certificates:
        notes.add(texts.PEM_NO_PAIR, folder, loses=True)
    return FoundData(kind="pem", folder=folder, certificates=tuple(certificates), not_understood=tuple(notes.found))


def _pem_files(folder: Path, notes: reading.Notes) -> list[_PemFile]:
    """Return the PEM files in a folder and in those below it; for a file, in its own folder."""
    top, deepest = (folder.parent, 0) if os.path.isfile(folder) else (folder, _DEEPEST)
    found, left = [], _MOST_BYTES
    for path in islice(_paths(top, deepest), _MOST):
        data = _content(path, notes)
        if not _is_pem(data):
            continue
        left -= len(data)
        if left < 0:
            notes.add(texts.UNREADABLE, folder, loses=True, reason=texts.TOO_LARGE)
            break
        found.append(_PemFile(path, data))
    return found


def _paths(folder: Path, depth: int) -> Iterator[Path]:
    names = reading.names(folder)
    yield from (folder / name for name in names if os.path.exists(folder / name) and not os.path.isdir(folder / name))
    for name in names:
        if depth and os.path.isdir(folder / name):
            yield from _paths(folder / name, depth - 1)


def _content(path: Path, notes: reading.Notes) -> bytes:
    """Return the content of a PEM file, "" of another one; a note if it cannot be read.

    :raises UntrustedError: others can change it.
    """
    try:
        if os.path.getsize(path) > _LARGEST:
            if path.suffix in _ENDS:
                notes.add(texts.UNREADABLE, path, reason=texts.TOO_LARGE)
            return b""
        try:
            return reading.read(notes.discovery, str(path), _LARGEST)
        except UntrustedError:
            if _is_pem(Discovery(insist=True).read(path, _LARGEST)):
                raise
    except OSError as error:
        notes.add(texts.UNREADABLE, path, reason=(error.strerror or str(error)).lower())
    return b""


def _is_pem(data: bytes) -> bool:
    return BEGIN_CERTIFICATE in data or BEGIN_KEY in data


def _certificates(found: Sequence[_PemFile], notes: reading.Notes) -> Iterator[FoundCertificate]:
    """Yield a certificate for each key that has one. Keys of CAs and keys without a certificate are left out."""
    seen, pools = set(), _Pools(found)
    for file in found:
        key = private_key(file.data, file.path, notes) if file.has_key else None
        if key is None or (digest := x509.key_hash(key)) in seen:
            continue
        seen.add(digest)
        chain = pools.near(file.path).chain_of(key) or pools.all.chain_of(key)
        if chain is None:
            notes.add(texts.PEM_ALONE, file.path)
            continue
        pair, domains = PemPair(chain, x509.key_to_pem(key)), reading.certificate_names(chain)
        if pair.is_self_signed:
            notes.add(texts.SELF_SIGNED, file.path)
        elif domains:
            yield FoundCertificate(
                name=domains[0],
                domains=domains,
                source=str(file.path),
                fullchain_pem=chain,
                key_pem=pair.key,
                files=tuple(_roles(pools.ders, chain, file.path)),
            )


class _Pools:
    """The certificates in some files, each read once."""

    def __init__(self, found: Sequence[_PemFile]) -> None:
        self._found = found
        self._near: dict[Path, CertificatePool] = {}

    def near(self, path: Path) -> CertificatePool:
        """Return those in the files beside one."""
        if path.parent not in self._near:
            self._near[path.parent] = _pool([each for each in self._found if each.path.parent == path.parent])
        return self._near[path.parent]

    @cached_property
    def all(self) -> CertificatePool:
        """Those in all files."""
        return _pool(self._found)

    @cached_property
    def ders(self) -> dict[Path, set[bytes]]:
        """Those of each file, as DER."""
        return {each.path: set(_ders(each.data.decode("ascii", "replace"))) for each in self._found}


def _pool(found: Sequence[_PemFile]) -> CertificatePool:
    text = b"\n".join(each.data for each in found if each.has_certificate)
    return user_files.CertificatePool(text.decode("ascii", "replace"))


def _roles(found: Mapping[Path, set[bytes]], chain: str, key: Path) -> Iterator[FoundFile]:
    """Yield what each file has of a chain and its key."""
    leaf = x509.to_der(chain)
    issuers = set(_ders(chain)) - {leaf}
    for path, ders in found.items():
        role: FileRole | None = None
        if leaf in ders and path == key:
            role = "combined"
        elif leaf in ders:
            role = "certificate" if ders & issuers or not issuers else "leaf"
        elif path == key:
            role = "key"
        elif ders & issuers:
            role = "chain"
        if role is not None:
            yield FoundFile(str(path), role)


def _ders(text: str) -> Iterator[bytes]:
    """Yield the certificates of a PEM text as DER, without those that cannot be read."""
    begin = BEGIN_CERTIFICATE.decode()
    for part in text.split(begin)[1:]:
        with contextlib.suppress(ValueError):
            yield x509.to_der(begin + part)


# ── pem pairs ──────────────────────────────────────────────────────────────────────────

# A certificate and its key, from PEM files of any tool.

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
        return self.chain is not None and user_files.ends_with_root(self.chain)


def private_key(data: bytes, file: Path, notes: Notes) -> PrivateKey | None:
    """Return a private key in any of its forms; None, with a note, if there is none."""
    try:
        return user_files.key_from_file(data)
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
    key = private_key(key_data, key_file, notes)
    if key is None:
        return PemPair()
    if BEGIN_CERTIFICATE not in certificate:
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NO_CERTIFICATE)
        return PemPair()
    chain = user_files.chain_among(b"\n".join((certificate, *more)).decode("ascii", "replace"), key)
    if chain is None:
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NOT_A_PAIR)
        return PemPair()
    return PemPair(chain, x509.key_to_pem(key))


def read_key(file: Path, notes: Notes) -> bytes | None:
    """Return the private key in a file as unencrypted PKCS#8; None, with a note, if there is none."""
    data = notes.read(file, loses=True)
    key = None if data is None else private_key(data, file, notes)
    return None if key is None else x509.key_to_pem(key)
