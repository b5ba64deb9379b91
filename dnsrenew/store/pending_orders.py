"""Orders that are being finalized: what a later run needs to fetch the certificate of the same order.

The folder ``order`` of a certificate is written as a temporary folder and renamed, so it is complete or missing.
5 fsyncs: three files, their folder, its name. The caller holds the certificate's lock.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Route, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import damage, json_files, texts
from dnsrenew.store.atomic_io import PRIVATE, PUBLIC, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store.paths import Paths

SCHEMA: Final = 1
ORDER: Final = "order.json"
KEY: Final = "key.pem"
CSR: Final = "csr.der"


class PendingOrder(Frozen, kw_only=True, hidden=("key_pem", "csr_der")):
    """An order whose CSR has been, or was about to be, sent (RFC 8555 section 7.4).

    :ivar url: the URL of the order.
    :ivar ca: name of the CA.
    :ivar account_url: the URL of the account that created it.
    :ivar identifiers: as ordered.
    :ivar profile: name of the ordered profile, or None.
    :ivar routes: the route of each identifier, for the history of routes that worked.
    :ivar version: the version in force when it was stored, or None; with another version in force, the order is done.
    :ivar written: when it was stored, or None if unknown.
    :ivar key_pem: the private key of the certificate.
    :ivar csr_der: the CSR.
    """

    url: str
    ca: str
    account_url: str | None
    identifiers: tuple[str, ...]
    profile: str | None
    routes: Mapping[str, Route]
    version: int | None
    written: datetime | None
    key_pem: bytes
    csr_der: bytes


class OrderFolders:
    """The orders that are being finalized, in folders.

    :param disk: the disk operations.
    :param paths: the paths of the store.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)

    def _path(self, name: str, file: str = "") -> str:
        folder = os.path.join(self._paths.certificate(name), "order")
        return os.path.join(folder, file) if file else folder

    def save(self, name: str, order: PendingOrder) -> None:
        """Store an order before its CSR is sent, and replace an earlier one; it is durable on return.

        :raises StoreError: it cannot be written; then the CSR must not be sent.
        """
        folder = self._folders.make_certificate(name)
        self._disk.remove_temp(folder)
        self.clear(name)
        temp = self._disk.new_folder(folder)
        try:
            parts = {KEY: order.key_pem, CSR: order.csr_der, ORDER: json_files.dump(to_document(order))}
            for file, data in parts.items():
                self._disk.create(os.path.join(temp, file), data, PRIVATE)
            self._disk.sync_folder(temp)
            self._disk.rename(temp, self._path(name))
        except BaseException:
            self._disk.discard(temp)
            raise
        self._disk.sync_folder(folder)

    def load(self, context: Context, name: str, *, version: int | None) -> PendingOrder | None:
        """Return the order of an earlier run, or None; takes one system call if there is none.

        A damaged order is renamed, without its private key and with a warning: it costs a new order, never a
        certificate.

        :param version: the version in force now.
        :raises StoreError: ``store-bad-name``; ``store-not-private``: another user has put it there.
        """
        path = self._path(name)
        if not os.path.lexists(path):
            return None
        try:
            order = self._read(name)
        except DamagedFile as fault:
            reason = str(fault)
        except NewerSchema as newer:
            reason = f"it was written by a newer dnsrenew (schema {newer.schema})"
        except StoreError as error:
            if error.code == "store-not-private":
                raise
            reason = f"it cannot be read ({error.evidence.get('cause', error.code)})"
        else:
            if order is not None and order.version == version:
                return order
            self.clear(name)
            return None
        self._drop_key(name)
        warning = damage.quarantine(self._disk, path, texts.ORDER_DAMAGED, reason)
        context.warn(warning.code, warning.message, warning.fix)
        return None

    def _drop_key(self, name: str) -> None:
        """Remove the private key of a damaged order: nobody needs it, and nobody looks after it."""
        if not os.path.islink(self._path(name)):
            self._disk.discard(self._path(name, KEY))

    def clear(self, name: str) -> None:
        """Remove the order of a certificate; needs no disk space and no fsync.

        Files that cannot be removed do no harm: another version is in force, or the CA reports the order invalid.

        :raises StoreError: ``store-bad-name``.
        """
        path = self._path(name)
        if os.path.islink(path):
            self._disk.discard(path)
        elif os.path.lexists(path):
            self._disk.discard(self._path(name, ORDER))  # first: without it the rest counts as removed
            self._disk.discard(path)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def _read(self, name: str) -> PendingOrder | None:
        path = self._path(name)
        if os.path.islink(path) or not os.path.isdir(path):
            raise DamagedFile("it is not a folder")
        self._disk.ensure_folder(path)
        data = self._disk.read(self._path(name, ORDER))
        if data is None:  # clear() was killed
            return None
        document = json_files.load(data, SCHEMA)
        key, csr = (self._file(name, file, document) for file in (KEY, CSR))
        return from_document(document, key, csr)

    def _file(self, name: str, file: str, document: Mapping[str, Any]) -> bytes:
        path = self._path(name, file)
        data = checked(document, file, self._disk.read(path))
        self._disk.restrict(path, PRIVATE)
        return data


def checked(document: Mapping[str, Any], part: str, data: bytes | None) -> bytes:
    """Return the key or the CSR, if it is the one that the document is about.

    :raises DamagedFile: it is not.
    """
    checksums = document.get("sha256")
    if type(checksums) is not dict:
        raise DamagedFile("it has no checksums")
    if data is None or checksums.get(part) != _sha256(data):
        raise DamagedFile(f"{part} does not match its checksum")
    return data


def to_document(order: PendingOrder) -> dict[str, Any]:
    """Return an order without its key and CSR, as JSON values."""
    return {
        "schema": SCHEMA,
        "url": order.url,
        "ca": order.ca,
        "account": order.account_url,
        "identifiers": list(order.identifiers),
        "profile": order.profile,
        "routes": {identifier: _route_json(route) for identifier, route in order.routes.items()},
        "version": order.version,
        "written": rfc3339(order.written),
        "sha256": {KEY: _sha256(order.key_pem), CSR: _sha256(order.csr_der)},
    }


def from_document(document: Mapping[str, Any], key: bytes, csr: bytes) -> PendingOrder:
    """Return the order of a document.

    :raises DamagedFile: a part of it is invalid.
    """
    url, ca = (json_files.string(document.get(name)) for name in ("url", "ca"))
    identifiers = document.get("identifiers")
    if not (url and ca and identifiers):
        raise DamagedFile("it has no order URL, CA or identifiers")
    names, routes = json_files.strings(identifiers), document.get("routes")
    if type(routes) is not dict or routes.keys() != set(names):
        raise DamagedFile("it does not have one route for each identifier")
    return PendingOrder(
        url=url,
        ca=ca,
        account_url=json_files.string(document.get("account")) or None,
        identifiers=names,
        routes={name: _route(routes[name], ca) for name in names},
        profile=json_files.string(document.get("profile")) or None,
        version=json_files.positive(document.get("version")),
        written=json_files.time(document.get("written")),
        key_pem=key,
        csr_der=csr,
    )


def _route_json(route: Route) -> dict[str, Any]:
    return {
        "challenge": route.challenge,
        "dns": list(route.dns),
        "listen": route.listen,
        "webroot": None if route.webroot is None else str(route.webroot),
        "app": route.app,
        "alias": route.alias,
        "follow_cname": route.follow_cname,
    }


def _route(document: object, ca: str) -> Route:
    if type(document) is not dict:
        raise DamagedFile("a route is not an object")
    listen, webroot, alias = (json_files.string(document.get(name)) or None for name in ("listen", "webroot", "alias"))
    return Route(
        json_files.string(document.get("challenge")),  # type: ignore[arg-type]  # a resumed order looks for its solver
        dns=json_files.strings(document.get("dns")),
        ca=ca,
        listen=listen,
        webroot=webroot,
        app=json_files.flag(document.get("app", False)),
        alias=alias,
        follow_cname=json_files.flag(document.get("follow_cname")),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ── signing requests ───────────────────────────────────────────────────────────────────

# Certificate requests (CSR) for other issuers, each with its private key, until the certificate is installed.
#
# The folder ``csr`` of a certificate is written as a temporary folder and renamed, so it is complete or missing. The
# caller holds the certificate's lock.

_FOLDER: Final = "csr"
_KEY: Final = "key.pem"
_CSR: Final = "csr.pem"


class SigningRequest(Frozen, kw_only=True, hidden=("key_pem",)):
    """A certificate request with its key.

    :ivar csr_pem: the request.
    :ivar key_pem: its private key.
    :ivar names: the names that it asks for.
    :ivar kind: the kind of the key; None: one that the configuration has no name for.
    """

    csr_pem: str
    key_pem: bytes
    names: tuple[str, ...]
    kind: str | None


class RequestFolders:
    """The requests whose certificates are awaited, in folders.

    :param disk: the disk operations.
    :param paths: the paths of the store.
    """

    def __init__(self, disk: AtomicFiles, paths: Paths) -> None:
        self._disk = disk
        self._paths = paths
        self._folders = Directories(disk, paths)

    def _path(self, name: str, file: str = "") -> str:
        return os.path.join(self._paths.certificate(name), _FOLDER, file).removesuffix(os.sep)

    def save(self, name: str, csr_pem: str, key_pem: bytes) -> None:
        """Store a request, and replace an earlier one; it is durable on return.

        :raises StoreError: it cannot be written; then the request must not be shown.
        """
        folder = self._folders.make_certificate(name)
        self._disk.remove_temp(folder)
        temp = self._disk.new_folder(folder)
        try:
            self._disk.create(os.path.join(temp, _KEY), key_pem, PRIVATE)
            self._disk.create(os.path.join(temp, _CSR), csr_pem.encode("ascii"), PUBLIC)
            self._disk.sync_folder(temp)
            self._disk.remove(self._path(name))
            self._disk.rename(temp, self._path(name))
        except BaseException:
            self._disk.discard(temp)
            raise
        self._disk.sync_folder(folder)

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None; takes one system call if there is none.

        A damaged one is renamed, with a warning.

        :raises StoreError: it cannot be read.
        """
        path = self._path(name)
        if not os.path.lexists(path):
            return None
        try:
            return self._read(name)
        except DamagedFile as fault:
            warning = damage.quarantine(self._disk, path, texts.CSR_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return None

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if there is none; one system call."""
        try:
            made = os.lstat(f"{self._paths.certificate(name)}{os.sep}{_FOLDER}{os.sep}{_CSR}").st_mtime
        except (OSError, StoreError):
            return None
        return datetime.fromtimestamp(int(made), UTC)

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """
        self._disk.discard(self._path(name))

    def _read(self, name: str) -> SigningRequest:
        path = self._path(name)
        if os.path.islink(path) or not os.path.isdir(path):
            raise DamagedFile("it is not a folder")
        self._disk.ensure_folder(path)
        self._disk.restrict(self._path(name, _KEY), PRIVATE)
        key_pem, csr = (self._disk.read(self._path(name, file)) or b"" for file in (_KEY, _CSR))
        return from_parts(csr, key_pem)


def from_parts(csr: bytes, key_pem: bytes) -> SigningRequest:
    """Return the request of a CSR and its key, both PEM.

    :raises DamagedFile: they do not belong together.
    """
    from dnsrenew.base import x509  # slow to load, and rarely needed

    csr_pem = csr.decode("ascii", "replace")
    try:
        found = x509.read_request(csr_pem, x509.key_from_pem(key_pem))
    except ValueError as error:
        raise DamagedFile(f"{_KEY} and {_CSR} do not belong together ({error})") from None
    return SigningRequest(csr_pem=csr_pem, key_pem=key_pem, names=found.names, kind=found.kind)
