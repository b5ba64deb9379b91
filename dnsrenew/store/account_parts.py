"""What an account is stored as: its keys, and a JSON document with its data."""

from __future__ import annotations

from typing import Final

from dnsrenew.base.model.account import THUMBPRINTS, AccountData
from dnsrenew.base.values import Frozen
from dnsrenew.store import json_files
from dnsrenew.store.json_files import DamagedFile
from dnsrenew.store.state import SCHEMA

WAIT: Final = 60.0
"""Seconds to wait for another run that creates the same account."""


class LostAccount(Frozen):
    """An account whose key is damaged or gone.

    :ivar url: its URL at the CA.
    :ivar key_path: where its key was.
    :ivar thumbprints: of the keys that it had (RFC 7638), as far as they are known.
    """

    url: str
    key_path: str
    thumbprints: tuple[str, ...] = ()


def check_key(pem: bytes) -> None:
    """Return if this is a private key.

    :raises DamagedFile: it is not.
    """
    from dnsrenew.base import x509  # slow to load; the caller needs it to sign anyway

    try:
        x509.key_from_pem(pem)
    except ValueError:
        raise DamagedFile("it contains no private key") from None


def to_json(account: AccountData, directory: str) -> bytes:
    """Return the data of an account, without its keys."""
    document = {**account.data, "schema": SCHEMA, "directory": directory}
    return json_files.dump(document | {"url": account.url, "contact": list(account.contact)})


def from_json(data: bytes, key: bytes, directory: str) -> AccountData:
    """Return the account with this key.

    :raises DamagedFile: it is not the data of an account at this directory.
    :raises NewerSchema: a newer dnsrenew wrote it.
    """
    document = json_files.load(data, SCHEMA)
    url, contact = json_files.string(document.pop("url", None)), json_files.strings(document.pop("contact", None))
    if document.pop("directory", directory) != directory:
        raise DamagedFile("it belongs to another CA")
    if url and directory.startswith("https:") and not url.startswith("https:"):  # its requests would go there
        raise DamagedFile("its URL is not encrypted (https)")
    return AccountData(key_pem=key, url=url or None, contact=contact, data=document)


def lost_account(known: AccountData, key_path: str) -> LostAccount | None:
    """Return the account whose key is gone; None if its URL is not known.

    :param known: its data.
    """
    if known.url is None:
        return None
    found = known.data.get(THUMBPRINTS)
    thumbprints = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
    return LostAccount(known.url, key_path, tuple(thumbprints))
