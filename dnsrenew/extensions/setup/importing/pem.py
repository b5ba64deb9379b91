"""Any pairs of PEM files: which file has what is told by its content, and what belongs together by the public key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final

from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing import reading, texts
from dnsrenew.extensions.setup.importing.found import FileRole, FoundCertificate, FoundData, FoundFile, HostView
from dnsrenew.extensions.setup.importing.pem_pairs import BEGIN_CERTIFICATE, BEGIN_KEY, PemPair, private_key

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.x509 import CertificatePool

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
    """Tell whether a folder, or that of a file, has a certificate and a key."""
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
    """Give a certificate for each key that has one. Keys of CAs and keys without a certificate are left out."""
    from dnsrenew.base import x509

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
    from dnsrenew.base import x509

    text = b"\n".join(each.data for each in found if each.has_certificate)
    return x509.CertificatePool(text.decode("ascii", "replace"))


def _roles(found: Mapping[Path, set[bytes]], chain: str, key: Path) -> Iterator[FoundFile]:
    """Give what each file has of a chain and its key."""
    from dnsrenew.base import x509

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
    """Give the certificates of a PEM text as DER, without those that cannot be read."""
    from dnsrenew.base import x509

    begin = BEGIN_CERTIFICATE.decode()
    for part in text.split(begin)[1:]:
        with contextlib.suppress(ValueError):
            yield x509.to_der(begin + part)
