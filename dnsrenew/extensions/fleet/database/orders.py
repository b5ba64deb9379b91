"""Orders that are being finalized, in a database: one document each, with key and CSR."""

from __future__ import annotations

import base64
import binascii
import contextlib
import platform
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.documents import damaged_value
from dnsrenew.store import json_files, pending_orders, texts
from dnsrenew.store.deployment_files import (
    UnfinishedRenames,
    files_from_json,
    files_to_json,
    renames_from_json,
    renames_to_json,
)
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name
from dnsrenew.store.pending_orders import CSR, KEY, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.documents import DocumentTable
    from dnsrenew.store.pending_orders import PendingOrder, SigningRequest

_KIND: Final = "order"


class OrderRows(Frozen):
    """The ``PendingOrders`` of a database.

    :ivar place: of the database, for messages.
    """

    documents: DocumentTable
    place: str

    def save(self, name: str, order: PendingOrder) -> None:
        """Store an order before its CSR is sent, and replace an earlier one.

        :raises StoreError: it cannot be written; then the CSR must not be sent.
        """
        parts = {KEY: order.key_pem.decode("latin-1"), CSR: base64.b64encode(order.csr_der).decode("ascii")}
        self.documents.write(name, _KIND, json_files.dump({**pending_orders.to_document(order), "parts": parts}))

    def load(self, context: Context, name: str, *, version: int | None) -> PendingOrder | None:
        """Return the order of an earlier run, or None. A damaged one is removed, with a warning.

        :param version: the version in force now.
        :raises StoreError: ``store-bad-name``; ``seal-wrong``: it is not sealed; or the database cannot be asked.
        """
        try:
            data = self.documents.read(name, _KIND)
            if data is None:
                return None
            order = _parse(data)
        except DamagedFile as fault:
            reason = str(fault)
        except NewerSchema as newer:
            reason = f"it was written by a newer dnsrenew (schema {newer.schema})"
        except StoreError as error:
            if error.code != "seal-wrong" or "sealed" in error.evidence:
                raise
            reason = "it cannot be opened with the seal"
        else:
            if order.version == version:
                return order
            self.clear(name)
            return None
        self.clear(name)
        warning = damaged_value(f"{self.place} (order of {name})", texts.ORDER_DAMAGED, reason)
        context.warn(warning.code, warning.message, warning.fix)
        return None

    def clear(self, name: str) -> None:
        """Remove the order of a certificate, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """
        check_name(name)
        with contextlib.suppress(StoreError):  # another version is in force, or the CA reports the order invalid
            self.documents.remove(name, [_KIND])


def _parse(data: bytes) -> PendingOrder:
    document = json_files.load(data, SCHEMA)
    parts = document.get("parts")
    if type(parts) is not dict:
        raise DamagedFile("it has no key and no CSR")
    try:
        key = json_files.string(parts.get(KEY)).encode("latin-1")
        csr = base64.b64decode(json_files.string(parts.get(CSR)), validate=True)
    except (ValueError, binascii.Error):
        raise DamagedFile("its key or its CSR is not encoded as dnsrenew does it") from None
    key, csr = (pending_orders.checked(document, part, content) for part, content in ((KEY, key), (CSR, csr)))
    return pending_orders.from_document(document, key, csr)


# ── signing requests ───────────────────────────────────────────────────────────────────

# Certificate requests (CSR) for other issuers, in a database: one document each, with the key.

_SIGNING_REQUESTS_KIND: Final = "csr"
_SCHEMA: Final = 1


class RequestRows(Frozen):
    """The ``SigningRequests`` of a database.

    :ivar place: of the database, for messages.
    """

    documents: DocumentTable
    place: str

    def save(self, name: str, csr_pem: str, key_pem: bytes) -> None:
        """Store a request, and replace an earlier one.

        :raises StoreError: it cannot be written; then the request must not be shown.
        """
        document = {"schema": _SCHEMA, "csr": csr_pem, "key": key_pem.decode("latin-1")}
        self.documents.write(name, _SIGNING_REQUESTS_KIND, json_files.dump(document))

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None. A damaged one is removed, with a warning.

        :raises StoreError: it cannot be read.
        """
        data = self.documents.read(name, _SIGNING_REQUESTS_KIND)
        if data is None:
            return None
        try:
            document = json_files.load(data, _SCHEMA)
            csr, key = (json_files.string(document.get(part)).encode() for part in ("csr", "key"))
            return pending_orders.from_parts(csr, key)
        except (DamagedFile, NewerSchema) as fault:
            self.clear(name)
            warning = damaged_value(f"{self.place} (CSR of {name})", texts.CSR_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return None

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if there is none, or it is not known."""
        try:
            made = self.documents.made(name, _SIGNING_REQUESTS_KIND)
        except StoreError:
            return None
        return None if made is None else made.replace(microsecond=0)

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """
        check_name(name)
        with contextlib.suppress(StoreError):
            self.documents.remove(name, [_SIGNING_REQUESTS_KIND])


# ── deployments ────────────────────────────────────────────────────────────────────────

# What a database keeps for the deployments of a certificate.
#
# The old content of a target is the same for all machines. Renames are of files of one machine, which alone completes
# them.

_OLD: Final = "deploy:"
_BEGUN: Final = "begun:"


class DeploymentRows(Frozen):
    """The ``SavedDeployment`` of one entry of a certificate."""

    documents: DocumentTable
    name: str
    entry: str

    def begin(self) -> None:
        """Record that the target is being changed, and forget what an earlier change that ended has saved.

        :raises StoreError: it cannot be written; change nothing.
        """
        if self.is_begun:
            return
        self.documents.remove(self.name, [_OLD + self.entry])
        self.documents.write(self.name, _BEGUN + self.entry, b"")

    def end(self) -> None:
        """Record that the change has ended: the target has the new certificate, or the old one again."""
        with contextlib.suppress(StoreError):
            self.documents.remove(self.name, [_BEGUN + self.entry])

    @property
    def is_begun(self) -> bool:
        """Whether a change of the target was begun and has not ended."""
        return self.documents.made(self.name, _BEGUN + self.entry) is not None

    def have_others_begun(self, known: Collection[str]) -> bool:
        """Return whether an entry that is not configured any more has begun a change that has not ended."""
        return any(kind.startswith(_BEGUN) for kind in self._others(known))

    def forget_others(self, known: Collection[str]) -> None:
        """Remove what is kept for entries that are not configured any more: it has private keys."""
        others = self._others(known)
        if others:
            self.documents.remove(self.name, others)

    def _others(self, known: Collection[str]) -> list[str]:
        kinds = self.documents.kinds(self.name)
        return [kind for kind in kinds if kind.startswith((_OLD, _BEGUN)) and kind.partition(":")[2] not in known]

    def keep(self, files: Mapping[str, bytes]) -> None:
        """Save the old content of the target; it replaces what was saved before.

        :raises StoreError: it cannot be written.
        """
        if files:
            self.documents.write(self.name, _OLD + self.entry, files_to_json(files))
        else:
            self.documents.remove(self.name, [_OLD + self.entry])

    def kept(self) -> dict[str, bytes]:
        """Return what this change has saved; empty if there was nothing, or it is damaged.

        :raises StoreError: it cannot be read.
        """
        data = self.documents.read(self.name, _OLD + self.entry)
        return {} if data is None else files_from_json(data)

    def note_renames(self, renames: Sequence[tuple[str, str]]) -> None:
        """Write down renames before the first one, durably.

        :raises StoreError: it cannot be written; rename nothing.
        """
        _change_renames(self.documents, self.name, {self.entry: renames_to_json(renames).decode()})

    def clear_renames(self) -> None:
        """Forget the renames: they are done."""
        forget_renames(self.documents, self.name, self.entry)


# ── renames ─────────────────────────────────────────────────────────────────────────────


def renames_kind() -> str:
    """Return the kind of the documents with the renames of this machine."""
    return f"renames:{platform.node()}"


def unfinished_renames(documents: DocumentTable) -> list[UnfinishedRenames]:
    """See :meth:`dnsrenew.store.Store.unfinished_renames`: those of this machine."""
    return [
        UnfinishedRenames(name, renames_from_json(renames.encode()), partial(forget_renames, documents, name, entry))
        for name, data in documents.read_all(renames_kind())
        for entry, renames in _entries(data).items()
    ]


def forget_renames(documents: DocumentTable, name: str, entry: str) -> None:
    """Forget the renames of an entry, as far as possible."""
    with contextlib.suppress(StoreError):
        _change_renames(documents, name, {entry: None})


def _change_renames(documents: DocumentTable, name: str, changes: Mapping[str, str | None]) -> None:
    data = documents.read(name, renames_kind())
    entries: dict[str, str | None] = {**({} if data is None else _entries(data)), **changes}
    left = {entry: renames for entry, renames in entries.items() if renames is not None}
    if left:
        documents.write(name, renames_kind(), json_files.dump({"schema": _SCHEMA, "entries": left}))
    else:
        documents.remove(name, [renames_kind()])


def _entries(data: bytes) -> dict[str, str]:
    """Return the renames of each entry; none if they are damaged."""
    try:
        entries = json_files.load(data, _SCHEMA).get("entries")
    except (DamagedFile, NewerSchema):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {entry: renames for entry, renames in entries.items() if isinstance(renames, str)}
