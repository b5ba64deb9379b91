"""Reads and writes ``meta.json`` of a version. The certificate decides: what does not belong to it does not count."""

from __future__ import annotations

import os

from dnsrenew.model import Notice
from dnsrenew.store import json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import META
from dnsrenew.store.state import Meta


def read(disk: AtomicFiles, folder: str) -> tuple[Meta | None, Notice | None]:
    """Return the data of a version, and a warning if meta.json is damaged; None if the certificate or key is.

    :param folder: of the version; complete.
    """
    found = _from_pem(disk, folder)
    if found is None:
        return None, None
    path = os.path.join(folder, META)
    try:
        meta = Meta.from_json(json_files.read(disk, path) or b"")
        if _identity(meta) == _identity(found):
            return meta, None
        reason = "it does not belong to the certificate"
    except DamagedFile as fault:
        reason = str(fault) if os.path.lexists(path) else "it is missing"
    except NewerSchema as newer:
        reason = f"it was written by a newer dnsrenew (schema {newer.schema})"
    return found, Notice(*texts.META_DAMAGED.fill(path=path, reason=reason))


def write(disk: AtomicFiles, folder: str, meta: Meta) -> None:
    """Replace the data of a version, durably.

    :raises StoreError: they cannot be written.
    """
    disk.write(os.path.join(folder, META), meta.to_json(), PRIVATE)
    disk.sync_folder(folder)


def _from_pem(disk: AtomicFiles, folder: str) -> Meta | None:
    from dnsrenew import x509  # slow to load, rarely needed

    try:
        facts = x509.read_certificate(disk.read(os.path.join(folder, "fullchain.pem")) or b"")
        key = x509.key_from_pem(disk.read(os.path.join(folder, "privkey.pem")) or b"")
    except ValueError:
        return None
    return Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=facts.names,
        identifiers=facts.names,
        key=x509.key_kind(key) or "",
    )


def _identity(meta: Meta) -> tuple[object, ...]:
    return meta.serial, meta.not_before, meta.not_after
