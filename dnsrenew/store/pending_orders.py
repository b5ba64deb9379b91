"""The pending requests of a run: orders that are being finalized, and requests to other issuers.

Both have their own private key. The caller holds the lock of the certificate.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dnsrenew.base.model import Route, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.store import json_files, texts
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name
from dnsrenew.store.records import ORDER, PARTS, REQUEST, Documents

SCHEMA: Final = 1
_KEY, _CSR, _DOCUMENT = PARTS[ORDER]


class PendingOrder(Frozen, kw_only=True, hidden=("key_pem", "csr_der")):
    """An order whose CSR has been, or was about to be, sent (RFC 8555 section 7.4).

    :ivar url: the URL of the order.
    :ivar ca: name of the CA.
    :ivar account_url: the URL of the account that created it.
    :ivar identifiers: the ordered identifiers.
    :ivar profile: name of the ordered profile, or None.
    :ivar routes: the route of each identifier, for the history of routes that worked.
    :ivar version: the current version when it was stored, or None. If another version is current now, the order is
        done.
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


class PendingOrders(Frozen):
    """The orders that are being finalized, at most one for each certificate."""

    documents: Documents

    def save(self, name: str, order: PendingOrder) -> None:
        """Store an order before its CSR is sent, and replace an earlier one. It is durable on return.

        :raises StoreError: the order cannot be written, so the CSR must not be sent.
        """
        parts = {_KEY: order.key_pem, _CSR: order.csr_der}
        document = {
            "schema": SCHEMA,
            "url": order.url,
            "ca": order.ca,
            "account": order.account_url,
            "identifiers": list(order.identifiers),
            "profile": order.profile,
            "routes": {identifier: _route_json(route) for identifier, route in order.routes.items()},
            "version": order.version,
            "written": rfc3339(order.written),
            "sha256": {part: _sha256(data) for part, data in parts.items()},
        }
        self.documents.write_parts(name, ORDER, {**parts, _DOCUMENT: json_files.dump(document)})

    def load(self, context: Context, name: str, *, version: int | None) -> PendingOrder | None:
        """Return the order of an earlier run, or None. Without an order, this takes one system call.

        A damaged order is set aside without its private key and with a warning. This only costs a new order.

        :param version: the current version.
        :raises StoreError: ``store-bad-name``, or the store cannot be trusted or asked.
        """
        try:
            parts = self.documents.read_parts(name, ORDER)
            if parts is None:
                return None
            order = _order(parts)
        except (DamagedFile, NewerSchema) as fault:
            context.warn_of(self.documents.set_aside(name, ORDER, texts.ORDER_DAMAGED, str(fault)))
            return None
        if order is not None and order.version == version:
            return order
        self.clear(name)
        return None

    def clear(self, name: str) -> None:
        """Remove the order of a certificate, without disk space or fsync.

        An order that cannot be removed is harmless, because another version is current or the CA reports it invalid.

        :raises StoreError: ``store-bad-name``.
        """
        check_name(name)
        with contextlib.suppress(StoreError):
            self.documents.remove(name, ORDER)


def _order(parts: Mapping[str, bytes]) -> PendingOrder | None:
    """Return the order of a document, or None if its removal was interrupted.

    :raises DamagedFile: a part of it is invalid, or it names another key or CSR.
    """
    if _DOCUMENT not in parts:
        return None
    document = json_files.load(parts[_DOCUMENT], SCHEMA)
    checksums = document.get("sha256")
    if type(checksums) is not dict:
        raise DamagedFile("it has no checksums")
    for part in (_KEY, _CSR):
        if part not in parts or checksums.get(part) != _sha256(parts[part]):
            raise DamagedFile(f"{part} does not match its checksum")
    found = json_files.fields_of(PendingOrder, {**document, "account_url": document.get("account")})
    names, routes = found["identifiers"], document.get("routes")
    if not (found["url"] and found["ca"] and names):
        raise DamagedFile("it has no order URL, CA or identifiers")
    if type(routes) is not dict or routes.keys() != set(names):
        raise DamagedFile("it does not have one route for each identifier")
    found["routes"] = {name: _route(routes[name], found["ca"]) for name in names}
    return PendingOrder(**found, key_pem=parts[_KEY], csr_der=parts[_CSR])


def _route_json(route: Route) -> dict[str, Any]:
    plain = {name: getattr(route, name) for name in ("challenge", "dns", "listen", "webroot", "app", "alias")}
    webroot = None if route.webroot is None else str(route.webroot)
    return {**plain, "dns": list(route.dns), "webroot": webroot, "follow_cname": route.follow_cname}


def _route(document: object, ca: str) -> Route:
    if type(document) is not dict:
        raise DamagedFile("a route is not an object")
    challenge: Any = json_files.string(document.get("challenge"))  # a resumed order looks for its solver
    webroot = json_files.string(document.get("webroot")) or None
    return Route(challenge, webroot=webroot, **json_files.fields_of(Route, {**document, "ca": ca}))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# ── signing requests ───────────────────────────────────────────────────────────────────

# Certificate requests (CSR) for other issuers, each with its private key, until the certificate is installed.

_REQUEST_KEY, _REQUEST_CSR = PARTS[REQUEST]


class SigningRequest(Frozen, kw_only=True, hidden=("key_pem",)):
    """A certificate request with its key.

    :ivar csr_pem: the request.
    :ivar key_pem: its private key.
    :ivar names: the names that it requests.
    :ivar kind: the kind of the key; None if the configuration has no name for it.
    """

    csr_pem: str
    key_pem: bytes
    names: tuple[str, ...]
    kind: str | None


class SigningRequests(Frozen):
    """The requests whose certificates are awaited, at most one for each certificate."""

    documents: Documents

    def save(self, name: str, csr_pem: str, key_pem: bytes) -> None:
        """Store a request, and replace an earlier one. It is durable on return.

        :raises StoreError: the request cannot be written, so it must not be shown.
        """
        self.documents.write_parts(name, REQUEST, {_REQUEST_KEY: key_pem, _REQUEST_CSR: csr_pem.encode("ascii")})

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None. Without a request, this takes one system call.

        A damaged request is set aside, with a warning.

        :raises StoreError: the request cannot be read.
        """
        try:
            parts = self.documents.read_parts(name, REQUEST)
            return None if parts is None else _request(parts)
        except (DamagedFile, NewerSchema) as fault:
            context.warn_of(self.documents.set_aside(name, REQUEST, texts.CSR_DAMAGED, str(fault)))
            return None

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if this is unknown or there is no request."""
        with contextlib.suppress(StoreError):
            return self.documents.made(name, REQUEST)
        return None

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, if possible.

        :raises StoreError: ``store-bad-name``.
        """
        check_name(name)
        with contextlib.suppress(StoreError):
            self.documents.remove(name, REQUEST)


def _request(parts: Mapping[str, bytes]) -> SigningRequest:
    """Return the request of a CSR and its key, both PEM.

    :raises DamagedFile: the request and the key do not belong together.
    """
    from dnsrenew.base.x509 import key_from_pem, user_files  # slow to load, and rarely needed

    key_pem, csr_pem = parts.get(_REQUEST_KEY, b""), parts.get(_REQUEST_CSR, b"").decode("ascii", "replace")
    try:
        found = user_files.read_request(csr_pem, key_from_pem(key_pem))
    except ValueError as error:
        raise DamagedFile(f"{_REQUEST_KEY} and {_REQUEST_CSR} do not belong together ({error})") from None
    return SigningRequest(csr_pem=csr_pem, key_pem=key_pem, names=found.names, kind=found.kind)
