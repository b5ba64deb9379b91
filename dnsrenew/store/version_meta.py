"""Reads and writes ``meta.json`` of a version. The certificate decides: what does not belong to it does not count."""

from __future__ import annotations

import contextlib
import os

from dnsrenew.base.model import Notice
from dnsrenew.errors import StoreError
from dnsrenew.store import damage, json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import META
from dnsrenew.store.state import SCHEMA, Meta, lacks_key


def read(disk: AtomicFiles, folder: str, *, repair: bool) -> tuple[Meta | None, Notice | None]:
    """Return the data of a version, and a warning if meta.json is damaged; None if the certificate or key is.

    :param folder: of the version; complete.
    :param repair: set a damaged file aside, and make it anew from the certificate.
    """
    chain, key = (disk.read(os.path.join(folder, file)) or b"" for file in ("fullchain.pem", "privkey.pem"))
    found = from_pem(chain, key if key or not has_no_key(disk, folder) else None)
    if found is None:
        return None, None
    path = os.path.join(folder, META)
    try:
        return checked(json_files.read(disk, path) or b"", found), None
    except DamagedFile as fault:
        reason = str(fault) if os.path.lexists(path) else "it is missing"
        return found, (
            _make_anew(disk, path, found, reason) if repair else damage.pending(path, texts.META_LOST, reason)
        )
    except NewerSchema as newer:
        reason = f"it was written by a newer dnsrenew (schema {newer.schema})"
    return found, Notice(*texts.META_DAMAGED.fill(path=path, reason=reason))


def _make_anew(disk: AtomicFiles, path: str, found: Meta, reason: str) -> Notice:
    """Set a damaged meta.json aside, and write what the certificate says, as far as possible; return the warning."""
    try:
        disk.refuse_links(disk.root, path)
    except StoreError as error:
        return Notice(*texts.META_LOST.stuck.fill(path=path, reason=reason, cause=error.message))
    warning = damage.quarantine(disk, path, texts.META_LOST, reason)
    if not os.path.lexists(path):
        with contextlib.suppress(StoreError):  # the next run does it
            disk.write(path, _without_ca(found), PRIVATE)
    return warning


def _without_ca(meta: Meta) -> bytes:
    """Return the data of a version whose CA is unknown: an empty name would say that it was installed by hand."""
    document = json_files.load(meta.to_json(), SCHEMA)
    del document["ca"]
    return json_files.dump({"schema": SCHEMA, **document})


def is_by_hand(disk: AtomicFiles, folder: str) -> bool:
    """Return whether meta.json says that the version was installed by hand: that it has no CA."""
    try:
        document = json_files.load(json_files.read(disk, os.path.join(folder, META)) or b"", SCHEMA)
    except (DamagedFile, NewerSchema):
        return False
    return document.get("ca") == ""


def write(disk: AtomicFiles, folder: str, meta: Meta, *, knows_ca: bool) -> None:
    """Replace the data of a version, durably.

    :param knows_ca: whether it is known which CA has issued it, or that it was installed by hand.
    :raises StoreError: they cannot be written.
    """
    disk.write(os.path.join(folder, META), meta.to_json() if knows_ca else _without_ca(meta), PRIVATE)
    disk.sync_folder(folder)


def checked(data: bytes, found: Meta) -> Meta:
    """Return the stored data of a version.

    :param found: what the certificate itself says.
    :raises DamagedFile: they are not those of the certificate.
    :raises NewerSchema: a newer dnsrenew wrote them.
    """
    meta = Meta.from_json(data)
    if _identity(meta) != _identity(found):
        raise DamagedFile("it does not belong to the certificate")
    return meta


def has_no_key(disk: AtomicFiles, folder: str) -> bool:
    """Return whether meta.json says that the key of the version is elsewhere: it was ordered with a given request."""
    try:
        return lacks_key(Meta.from_json(json_files.read(disk, os.path.join(folder, META)) or b"").sizes)
    except (DamagedFile, NewerSchema):
        return False


def from_pem(fullchain: bytes, key_pem: bytes | None) -> Meta | None:
    """Return what a certificate and its key themselves say; None if they are damaged.

    :param key_pem: None: the key is elsewhere.
    """
    from dnsrenew.base import x509  # slow to load, rarely needed

    try:
        facts = x509.read_certificate(fullchain)
        key = None if key_pem is None else x509.key_from_pem(key_pem)
    except ValueError:
        return None
    return Meta(
        issuer=facts.issuer,
        serial=facts.serial,
        not_before=facts.not_before,
        not_after=facts.not_after,
        domains=facts.names,
        identifiers=facts.names,
        key=(None if key is None else x509.key_kind(key)) or "",
        sizes={} if key_pem is not None else {"privkey.pem": 0},
    )


def _identity(meta: Meta) -> tuple[object, ...]:
    return meta.serial, meta.not_before, meta.not_after
