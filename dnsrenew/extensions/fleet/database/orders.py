"""Orders that are being finalized, in a database: one document each, with key and CSR."""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.json_values import damaged_value
from dnsrenew.store import json_files, pending_orders, texts
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name
from dnsrenew.store.pending_orders import CSR, KEY, SCHEMA

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.documents import DocumentTable
    from dnsrenew.store.pending_orders import PendingOrder

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
