"""Certificate requests (CSR) for other issuers, in a database: one document each, with the key."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database.json_values import damaged_value
from dnsrenew.store import json_files, signing_requests, texts
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import check_name

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.fleet.database.documents import DocumentTable
    from dnsrenew.store.signing_requests import SigningRequest

_KIND: Final = "csr"
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
        self.documents.write(name, _KIND, json_files.dump(document))

    def load(self, context: Context, name: str) -> SigningRequest | None:
        """Return the request of a certificate, or None. A damaged one is removed, with a warning.

        :raises StoreError: it cannot be read.
        """
        data = self.documents.read(name, _KIND)
        if data is None:
            return None
        try:
            document = json_files.load(data, _SCHEMA)
            csr, key = (json_files.string(document.get(part)).encode() for part in ("csr", "key"))
            return signing_requests.from_parts(csr, key)
        except (DamagedFile, NewerSchema) as fault:
            self.clear(name)
            warning = damaged_value(f"{self.place} (CSR of {name})", texts.CSR_DAMAGED, str(fault))
            context.warn(warning.code, warning.message, warning.fix)
            return None

    def made(self, name: str) -> datetime | None:
        """Return when the request was made, or None if there is none, or it is not known."""
        try:
            made = self.documents.made(name, _KIND)
        except StoreError:
            return None
        return None if made is None else made.replace(microsecond=0)

    def clear(self, name: str) -> None:
        """Remove the request of a certificate with its key, as far as possible.

        :raises StoreError: ``store-bad-name``.
        """
        check_name(name)
        with contextlib.suppress(StoreError):
            self.documents.remove(name, [_KIND])
