"""The paths of the store, and the names it accepts (contract, section 5)."""

from __future__ import annotations

import os
import re
from typing import Final

from dnsrenew.errors import StoreError
from dnsrenew.store import texts
from dnsrenew.store.os_errors import TEMP_PREFIX

FILES: Final = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")
META: Final = "meta.json"
_NAME: Final = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))[a-z0-9_](?:[a-z0-9._-]{0,62}[a-z0-9_-])?")
_PLAIN: Final = re.compile(r"[a-z0-9_.-]+")
_NOT_READABLE: Final = re.compile(r"[^a-z0-9_-]+")
_LOST_FOUND: Final = "lost+found"
"""In a store that is a file system of its own."""


def check_name(name: str) -> str:
    """Return the name of a certificate, which becomes the name of a folder; the config has checked it before.

    :raises StoreError: ``store-bad-name``: it could lead outside the store, or some system does not allow it.
    """
    if not _NAME.fullmatch(name):
        raise StoreError.of(texts.BAD_NAME, name=name)
    return name


def zone_key(zone: str) -> str:
    """Return the name of a DNS zone for the name of a lock; DNS allows more characters than file systems."""
    import hashlib

    readable = zone.lower().removesuffix(".")
    if len(readable) > 100 or not _PLAIN.fullmatch(readable):
        readable = hashlib.sha256(readable.encode()).hexdigest()[:32]
    return readable


def account_label(ca: str, directory_url: str) -> str:
    """Return a name for the account at a directory URL; ``ca`` only makes it readable."""
    import hashlib  # slow to load; not needed while nothing is due

    readable = _NOT_READABLE.sub("-", ca.lower()).strip("-")[:40] or "ca"
    return f"{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:16]}"


class Paths:
    """The paths of a store, as strings: with 10,000 certificates, pathlib would be too slow.

    :ivar root: the store's folder, absolute.
    """

    def __init__(self, root: str) -> None:
        try:
            if b"\0" in os.fsencode(root):
                raise ValueError
        except ValueError:
            raise StoreError.of(texts.BAD_PATH, path=repr(root)) from None
        self.root = os.path.abspath(root)
        self.accounts = os.path.join(self.root, "accounts")
        self.certificates = os.path.join(self.root, "certificates")
        self.journal = os.path.join(self.root, "journal")
        self.locks = os.path.join(self.root, "locks")
        self.responses = os.path.join(self.root, "http-01")
        self.fingerprint_key = os.path.join(self.root, "fingerprint.key")
        self.scheduled = os.path.join(self.root, "scheduled.json")
        self.folders = (self.accounts, self.certificates, self.journal, self.locks)
        self._prefix = self.certificates + os.sep

    def certificate(self, name: str) -> str:
        """Return the folder of a certificate.

        :raises StoreError: ``store-bad-name``.
        """
        return self._prefix + check_name(name)

    def state(self, name: str) -> str:
        """Return the path of a certificate's state.json.

        :raises StoreError: ``store-bad-name``.
        """
        return f"{self._prefix}{check_name(name)}{os.sep}state.json"

    def foreign(self, names: list[str]) -> list[str]:
        """Return those of the names in the store's folder that are not the store's own."""
        ours = {
            _LOST_FOUND,
            *map(os.path.basename, (*self.folders, self.responses, self.fingerprint_key, self.scheduled)),
        }
        return sorted(name for name in names if name not in ours and not name.startswith(TEMP_PREFIX))

    def valid_names(self, names: list[str]) -> list[str]:
        """Return the names that a certificate can have."""
        return [name for name in names if _NAME.fullmatch(name)]

    def lock(self, what: str) -> str:
        """Return the file of a lock."""
        return os.path.join(self.locks, f"{what}.lock")

    def account(self, ca: str, directory_url: str) -> str:
        """Return the folder of the account at a directory URL; ``ca`` only makes the name readable."""
        return os.path.join(self.accounts, account_label(ca, directory_url))
