"""Which accounts a store has: the directory URL of each CA, and what the store calls it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.state import SCHEMA

if TYPE_CHECKING:
    from dnsrenew.store.snapshot import StoreSnapshot


class KnownAccount(Frozen):
    """An account of a store.

    :ivar directory: the directory URL of its CA (RFC 8555 section 7.1.1).
    :ivar ca: the name of the CA in the name of its folder.
    """

    directory: str
    ca: str


def in_folder(snapshot: StoreSnapshot, known: Iterable[str]) -> list[KnownAccount]:
    """Return the accounts of a folder; one whose CA cannot be told is left out.

    :param known: directory URLs. The name of a folder has the hash of its own.
    :raises StoreError: an account cannot be read.
    """
    by_hash = {hashlib.sha256(directory.encode()).hexdigest()[:16]: directory for directory in known}
    found = []
    for files in snapshot.accounts():
        folder = os.path.dirname(files[0].name)
        ca, _, digest = os.path.basename(folder).rpartition("-")
        documents = [file.data for file in files if file.name == f"{folder}/account.json"]
        directory = by_hash.get(digest) or next(map(_directory, documents), None)
        if directory:
            found.append(KnownAccount(directory, ca))
    return found


def _directory(document: bytes) -> str | None:
    """Return the directory URL in the data of an account, or None."""
    try:
        return json_files.string(json_files.load(document, SCHEMA).get("directory")) or None
    except (DamagedFile, NewerSchema):
        return None
