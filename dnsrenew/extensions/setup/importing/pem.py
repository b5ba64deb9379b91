"""Pairs of PEM files: the content shows what a file has, and the public key shows which files belong together."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

from dnsrenew.base import x509
from dnsrenew.base.found import Discovery
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import PrivateKey, user_files
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.model import FileRole, FoundAccount, FoundCertificate, FoundData, HostView
from dnsrenew.extensions.setup.importing.reading import Notes

_LARGEST: Final = 1 << 20
_MOST: Final = 2000
"""The maximum number of files that are checked."""
_MOST_BYTES: Final = 4 << 20
"""The maximum bytes of all PEM files."""
_DEEPEST: Final = 1
"""The number of folder levels below the given one."""


def usual(host: HostView) -> list[Path]:  # noqa: ARG001  # every tool has this function
    """Return an empty list, because a person names the folder."""
    return []


def is_here(folder: Path) -> bool:
    """Return whether a folder, or the folder of a file, has a certificate and a key."""
    found = _pem_files(folder, Notes(Discovery(insist=True))).values()
    return all(any(mark in data for data in found) for mark in (BEGIN_CERTIFICATE, BEGIN_KEY))


def read(folder: Path, host: HostView) -> FoundData:
    """Return the pairs in a folder; for a file, only its own pair."""
    notes = Notes(host.discovery)
    certificates = list(_certificates(_pem_files(folder, notes), notes))
    if os.path.isfile(folder):
        certificates = [each for each in certificates if str(folder) in each.files]
    if not certificates:
        notes.add(texts.PEM_NO_PAIR, folder, loses=True)
    return notes.data("pem", folder, certificates=certificates)


def _pem_files(folder: Path, notes: Notes) -> dict[Path, bytes]:
    """Return the PEM files in a folder and below it; for a file, in its own folder."""
    top, deepest = (folder.parent, 0) if os.path.isfile(folder) else (folder, _DEEPEST)
    found, left = dict[Path, bytes](), _MOST_BYTES
    for path in islice(_paths(top, deepest), _MOST):
        data = _content(path, notes)
        if not _is_pem(data):
            continue
        left -= len(data)
        if left < 0:
            notes.add(texts.UNREADABLE, folder, loses=True, reason=texts.TOO_LARGE)
            break
        found[path] = data
    return found


def _paths(folder: Path, depth: int) -> Iterator[Path]:
    names = reading.names(folder)
    yield from (folder / name for name in names if os.path.exists(folder / name) and not os.path.isdir(folder / name))
    for name in names:
        if depth and os.path.isdir(folder / name):
            yield from _paths(folder / name, depth - 1)


def _content(path: Path, notes: Notes) -> bytes:
    """Return the content of a PEM file, "" for another file; add a note if it cannot be read.

    :raises UntrustedError: others can change the file.
    """
    try:
        if os.path.getsize(path) > _LARGEST:
            if path.suffix in {".pem", ".crt", ".cer", ".key"}:
                notes.add(texts.UNREADABLE, path, reason=texts.TOO_LARGE)
            return b""
        data, weak = reading.read_anyway(notes.discovery, str(path), _LARGEST)
        if weak is not None and _is_pem(data):
            raise weak
        return data
    except OSError as error:
        notes.add(texts.UNREADABLE, path, reason=(error.strerror or str(error)).lower())
    return b""


def _is_pem(data: bytes) -> bool:
    return BEGIN_CERTIFICATE in data or BEGIN_KEY in data


def _certificates(found: Mapping[Path, bytes], notes: Notes) -> Iterator[FoundCertificate]:
    """Yield a certificate for each key that has one, without keys of CAs and keys without a certificate."""

    @cache
    def pool(folder: Path | None) -> user_files.CertificatePool:
        """Return the certificates in the files of a folder; None means all folders."""
        parts = (data for path, data in found.items() if folder in {None, path.parent} and BEGIN_CERTIFICATE in data)
        return user_files.CertificatePool(b"\n".join(parts).decode("ascii", "replace"))

    seen, ders = set(), {path: set(_ders(data.decode("ascii", "replace"))) for path, data in found.items()}
    for path, data in found.items():
        key = private_key(data, path, notes) if BEGIN_KEY in data else None
        if key is None or (digest := x509.key_hash(key)) in seen:
            continue
        seen.add(digest)
        chain = pool(path.parent).chain_of(key) or pool(None).chain_of(key)
        domains = reading.certificate_names(chain)
        if chain is None or user_files.ends_with_root(chain):
            notes.add(texts.PEM_ALONE if chain is None else texts.SELF_SIGNED, path)
        elif domains:
            its, files = PemPair(chain, x509.key_to_pem(key)), dict(_roles(ders, chain, path))
            yield FoundCertificate(name=domains[0], domains=domains, source=str(path), **vars(its), files=files)


def _roles(found: Mapping[Path, set[bytes]], chain: str, key: Path) -> Iterator[tuple[str, FileRole]]:
    """Yield the parts of a chain and its key that each file has."""
    leaf = x509.to_der(chain)
    issuers = set(_ders(chain)) - {leaf}
    for path, ders in found.items():
        role: FileRole
        if leaf in ders:
            role = "combined" if path == key else "certificate" if ders & issuers or not issuers else "leaf"
        elif path == key or ders & issuers:
            role = "key" if path == key else "chain"
        else:
            continue
        yield str(path), role


def _ders(text: str) -> Iterator[bytes]:
    """Yield the certificates of a PEM text as DER, without unreadable ones."""
    begin = BEGIN_CERTIFICATE.decode()
    for part in text.split(begin)[1:]:
        with contextlib.suppress(ValueError):
            yield x509.to_der(begin + part)


# ── pem pairs ──────────────────────────────────────────────────────────────────────────

# A certificate and its key, from PEM files of any tool.

BEGIN_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
BEGIN_KEY: Final = b"PRIVATE KEY-----"
_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


class PemPair(Frozen, hidden=("key_pem",)):
    """A chain, leaf first, and its private key as unencrypted PKCS#8; fields of :class:`FoundCertificate`."""

    fullchain_pem: str | None = None
    key_pem: bytes | None = None


def private_key(data: bytes, file: Path, notes: Notes) -> PrivateKey | None:
    """Return a private key in any of its forms; None, with a note, without one."""
    try:
        return user_files.key_from_file(data)
    except ConfigError:
        encrypted = any(mark in data for mark in _ENCRYPTED)
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.ENCRYPTED if encrypted else texts.NO_KEY)
        return None


def read_pair(certificates: Sequence[Path], key_file: Path, notes: Notes) -> PemPair:
    """Return the pair in some files, without missing ones. The first must have the certificate.

    Each unusable half adds a note.
    """
    key, first = notes.read(key_file, loses=True), notes.read(certificates[0], loses=True)
    if key is None or first is None:
        return PemPair()
    more = [notes.read(file) for file in certificates[1:] if os.path.lexists(file)]
    return pair(first, key, certificates[0], key_file, notes, more=[part for part in more if part])


def pair(
    certificate: bytes, key_data: bytes, file: Path, key_file: Path, notes: Notes, *, more: Sequence[bytes] = ()
) -> PemPair:
    """Return the pair in the contents of two files; an empty pair, with a note, if they are not one.

    :param more: contents with more certificates of the chain.
    """
    key = private_key(key_data, key_file, notes)
    if key is not None and BEGIN_CERTIFICATE not in certificate:
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NO_CERTIFICATE)
    elif key is not None:
        chain = user_files.CertificatePool(b"\n".join((certificate, *more)).decode("ascii", "replace")).chain_of(key)
        if chain is not None:
            return PemPair(chain, x509.key_to_pem(key))
        notes.add(texts.DAMAGED, file, loses=True, reason=texts.NOT_A_PAIR)
    return PemPair()


def account_of(file: Path, directory: str | None, ca: str, notes: Notes) -> FoundAccount | None:
    """Return the account with the key in a file; None, with a note, without a key or a known CA.

    :param ca: the name of the CA's folder at the tool.
    """
    data = notes.read(file, loses=True)
    key = None if data is None else private_key(data, file, notes)
    if key is not None and directory is None:
        notes.add(texts.NO_DIRECTORY, file, loses=True, ca=ca)
    if key is None or directory is None:
        return None
    pem = x509.key_to_pem(key)
    return FoundAccount(directory=directory, key_pem=pem, source=str(file), modified=reading.modified(file))
