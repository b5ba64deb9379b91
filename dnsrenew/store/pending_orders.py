"""An order that is being finalized: what a later run needs to fetch the certificate of the same order.

The folder ``order`` of a certificate is written aside and renamed, so it is there whole or not at all. 5 fsyncs: three
files, their folder, its name. The caller holds the certificate's lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.model import Route, rfc3339
from dnsrenew.store import damage, json_files
from dnsrenew.store.atomic_io import PRIVATE, AtomicFiles
from dnsrenew.store.directories import Directories
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import Paths

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.runtime.context import Context

SCHEMA: Final = 1
ORDER: Final = "order.json"
KEY: Final = "key.pem"
CSR: Final = "csr.der"


class PendingOrder(Frozen, kw_only=True, hidden=("key_pem", "csr_der")):
    """An order whose CSR has been sent, or was about to be (RFC 8555 section 7.4).

    :ivar url: the order's.
    :ivar ca: name of the CA that has it.
    :ivar account_url: of the account that made it.
    :ivar identifiers: as ordered.
    :ivar profile: name of the profile it was ordered with, or None.
    :ivar routes: the route that each identifier took, so that the one that worked is remembered.
    :ivar version: the version of the certificate that was in force, or None; with another one in force, the order
        has done its work.
    :ivar written: when it was written down; None where that is not known.
    :ivar key_pem: the key that the certificate will be for.
    :ivar csr_der: what the CA was, or is to be, sent.
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


class PendingOrders:
    """The orders that are being finalized, one for each certificate at most.

    :param disk: how the disk is reached.
    :param layout: where things are.
    """

    def __init__(self, disk: AtomicFiles, layout: Paths) -> None:
        self._disk = disk
        self._layout = layout
        self._folders = Directories(disk, layout)

    def _path(self, name: str, file: str = "") -> str:
        folder = os.path.join(self._layout.certificate(name), "order")
        return os.path.join(folder, file) if file else folder

    def save(self, name: str, order: PendingOrder) -> None:
        """Write down an order before its CSR is sent, in the place of any other; it is durable when this returns.

        :raises StoreError: it cannot be written; then the CSR must not be sent.
        """
        folder = self._folders.make_certificate(name)
        self._disk.sweep(folder)
        self.clear(name)
        aside = self._disk.new_folder(folder)
        try:
            for file, data in _contents(order).items():
                self._disk.create(os.path.join(aside, file), data, PRIVATE)
            self._disk.sync_folder(aside)
            self._disk.rename(aside, self._path(name))
        except BaseException:
            self._disk.discard(aside)
            raise
        self._disk.sync_folder(folder)

    def load(self, context: Context, name: str, *, version: int | None) -> PendingOrder | None:
        """Return the order that a run has left, or None; costs one system call where there is none.

        What is damaged is set aside, and said: it costs a new order, never a certificate.

        :param version: the one in force now.
        :raises StoreError: ``store-bad-name``.
        """
        path = self._path(name)
        if not os.path.lexists(path):
            return None
        try:
            order = self._read(name)
        except DamagedFile as fault:
            why = str(fault)
        except NewerSchema as newer:
            why = f"it was written by a later dnsrenew (schema {newer.schema})"
        except StoreError as error:
            why = f"it cannot be read ({error.message.rstrip('.')})"
        else:
            if order is not None and order.version == version:
                return order
            self.clear(name)
            return None
        notice = damage.set_aside(self._disk, path, why, "A new order is made.")
        context.warn(notice.code, notice.message, notice.fix)
        return None

    def clear(self, name: str) -> None:
        """Forget the order of a certificate; needs no space, no fsync, and raises only ``store-bad-name``.

        What cannot be removed now is of no use all the same: another version is in force, or the CA says that the
        order is dead.
        """
        path = self._path(name)
        if os.path.islink(path):
            self._disk.discard(path)
        elif os.path.lexists(path):
            self._disk.discard(self._path(name, ORDER))  # first: without it the rest is known to be a remainder
            self._disk.discard(path)

    # ── reading ─────────────────────────────────────────────────────────────────────────

    def _read(self, name: str) -> PendingOrder | None:
        path = self._path(name)
        if os.path.islink(path) or not os.path.isdir(path):
            raise DamagedFile("it is not a folder")
        self._disk.folder(path)
        data = self._disk.read(self._path(name, ORDER))
        if data is None:  # clear() was killed
            return None
        form = json_files.load(data, SCHEMA)
        sums = form.get("sha256")
        if type(sums) is not dict:
            raise DamagedFile("it does not tell the sums of its files")
        key, csr = (self._file(name, file, sums) for file in (KEY, CSR))
        return _order(form, key, csr)

    def _file(self, name: str, file: str, sums: Mapping[str, object]) -> bytes:
        path = self._path(name, file)
        data = self._disk.read(path)
        if data is None or sums.get(file) != _sum(data):
            raise DamagedFile(f"{file} is not what was written")
        self._disk.close(path, PRIVATE)
        return data


def _contents(order: PendingOrder) -> dict[str, bytes]:
    form = {
        "schema": SCHEMA,
        "url": order.url,
        "ca": order.ca,
        "account": order.account_url,
        "identifiers": list(order.identifiers),
        "profile": order.profile,
        "routes": {identifier: _plain(route) for identifier, route in order.routes.items()},
        "version": order.version,
        "written": rfc3339(order.written),
        "sha256": {KEY: _sum(order.key_pem), CSR: _sum(order.csr_der)},
    }
    return {KEY: order.key_pem, CSR: order.csr_der, ORDER: json_files.dump(form)}


def _order(form: Mapping[str, Any], key: bytes, csr: bytes) -> PendingOrder:
    url, ca, identifiers = json_files.text(form.get("url")), json_files.text(form.get("ca")), form.get("identifiers")
    if not (url and ca and identifiers):
        raise DamagedFile("it does not tell what was ordered, and where")
    names, routes = json_files.texts(identifiers), form.get("routes")
    if type(routes) is not dict or routes.keys() != set(names):
        raise DamagedFile("it does not tell the route of each name")
    return PendingOrder(
        url=url,
        ca=ca,
        account_url=json_files.text(form.get("account")) or None,
        identifiers=names,
        routes={name: _route(routes[name], ca) for name in names},
        profile=json_files.text(form.get("profile")) or None,
        version=json_files.whole(form.get("version")),
        written=json_files.time(form.get("written")),
        key_pem=key,
        csr_der=csr,
    )


def _plain(route: Route) -> dict[str, Any]:
    return {
        "challenge": route.challenge,
        "dns": list(route.dns),
        "listen": route.listen,
        "webroot": None if route.webroot is None else str(route.webroot),
        "alias": route.alias,
        "follow_cname": route.follow_cname,
    }


def _route(form: object, ca: str) -> Route:
    if type(form) is not dict:
        raise DamagedFile("a route is none")
    listen, webroot, alias = (json_files.text(form.get(name)) or None for name in ("listen", "webroot", "alias"))
    return Route(
        json_files.text(form.get("challenge")),
        dns=json_files.texts(form.get("dns")),
        ca=ca,
        listen=listen,
        webroot=webroot,
        alias=alias,
        follow_cname=json_files.flag(form.get("follow_cname")),
    )


def _sum(data: bytes) -> str:
    import hashlib  # slow to load, and not needed when nothing is due

    return hashlib.sha256(data).hexdigest()
