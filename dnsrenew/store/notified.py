"""The record of messages about a certificate, so that each change is sent once: ``certificates/<name>/notified.json``.

It is written after a message was sent. A crash in between, or two runs that find the same change within a second, send
it twice; nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen, field
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile, NewerSchema

if TYPE_CHECKING:
    from dnsrenew.store.parts import Documents

_SCHEMA: Final = 1


class Notified(Frozen, kw_only=True):
    """Which messages were sent about one certificate.

    :ivar failed: whether a message said that the renewal fails.
    :ivar expiring: the last warning about its expiry: 1 for a third of the lifetime left, 2 for a sixth, 0 for none.
    :ivar serial: the serial number of the certificate that ``expiring`` is about.
    :ivar deployments: those with a message about their failure, each with the serial number of the certificate.
    :ivar renewed: the serial number of the newest certificate that is known; "" without messages about renewals.
    """

    failed: bool = False
    expiring: int = 0
    serial: str = ""
    deployments: Mapping[str, str] = field(default_factory=dict)
    renewed: str = ""


class NotifiedRecords:
    """One document for each certificate about which a message was sent. A damaged one counts as missing.

    :param documents: where they are.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def read(self, name: str) -> Notified:
        """Return which messages were sent about a certificate; one read.

        :raises StoreError: it cannot be read.
        """
        data = self._documents.read(name)
        if data is None:
            return Notified()
        try:
            return _parse(json_files.load(data, _SCHEMA))
        except (DamagedFile, NewerSchema):
            return Notified()

    def write(self, name: str, notified: Notified) -> None:
        """Replace the record, atomically and durably; one that says nothing is removed.

        :raises StoreError: it cannot be written.
        """
        if notified == Notified():
            self._documents.remove(name)
        else:
            self._documents.write(name, json_files.dump({"schema": _SCHEMA, **vars(notified)}))


def _parse(document: Mapping[str, Any]) -> Notified:
    deployments = document.get("deployments") or {}
    if type(deployments) is not dict:
        raise DamagedFile("the deployments are not an object")
    return Notified(
        failed=json_files.flag(document.get("failed")),
        expiring=json_files.count(document.get("expiring")),
        serial=json_files.string(document.get("serial")),
        deployments={key: json_files.string(serial) for key, serial in deployments.items()},
        renewed=json_files.string(document.get("renewed")),
    )
