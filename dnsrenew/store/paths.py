"""Where things are in the store, and which names may be there (contract, section 5)."""

from __future__ import annotations

import os
import re
from typing import Final

from dnsrenew.errors import StoreError

FILES: Final = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")
META: Final = "meta.json"
_NAME: Final = re.compile(r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$))[a-z0-9_](?:[a-z0-9._-]{0,62}[a-z0-9_-])?")
_PLAIN: Final = re.compile(r"[a-z0-9_.-]+")
_UNFIT: Final = re.compile(r"[^a-z0-9_-]+")


def check_name(name: str) -> str:
    """Return the name of a certificate, which names a folder: once more, whatever the config has checked.

    :raises StoreError: ``store-bad-name`` when it could reach outside the store or is no file name somewhere.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            "store-bad-name",
            f"{name!r} cannot be the name of a certificate.",
            fix="Choose a name of at most 64 characters a-z, 0-9, `_`, `-` and `.`, without a dot at either end, "
            "that Windows has not reserved.",
            evidence={"name": name},
        )
    return name


class Paths:
    """The paths of a store, as strings: with 10,000 certificates pathlib would be felt.

    :ivar root: the store's folder, absolute.
    """

    def __init__(self, root: str) -> None:
        try:
            if b"\0" in os.fsencode(root):
                raise ValueError
        except ValueError:
            raise _bad_path(root) from None
        self.root = os.path.abspath(root)
        self.accounts = os.path.join(self.root, "accounts")
        self.certificates = os.path.join(self.root, "certificates")
        self.journal = os.path.join(self.root, "journal")
        self.locks = os.path.join(self.root, "locks")
        self._prefix = self.certificates + os.sep

    def certificate(self, name: str) -> str:
        """Return the folder of a certificate, with its name checked.

        :raises StoreError: ``store-bad-name``.
        """
        return self._prefix + check_name(name)

    def state(self, name: str) -> str:
        """Return the path of a certificate's state.json.

        :raises StoreError: ``store-bad-name``.
        """
        return f"{self._prefix}{check_name(name)}{os.sep}state.json"

    def fitting(self, names: list[str]) -> list[str]:
        """Return those that can be names of certificates."""
        return [name for name in names if _NAME.fullmatch(name)]

    def lock(self, what: str) -> str:
        """Return the file of a lock."""
        return os.path.join(self.locks, f"{what}.lock")

    def zone(self, zone: str) -> str:
        """Return what a DNS zone is called in the name of a lock; DNS allows more than file names do."""
        import hashlib

        readable = zone.lower().removesuffix(".")
        if len(readable) > 100 or not _PLAIN.fullmatch(readable):
            readable = hashlib.sha256(readable.encode()).hexdigest()[:32]
        return readable

    def account(self, ca: str, directory_url: str) -> str:
        """Return the folder of the account at one directory; ``ca`` is only there for people to read."""
        import hashlib  # slow to load, and not needed when nothing is due

        readable = _UNFIT.sub("-", ca.lower()).strip("-")[:40] or "ca"
        return os.path.join(self.accounts, f"{readable}-{hashlib.sha256(directory_url.encode()).hexdigest()[:16]}")


def _bad_path(root: str) -> StoreError:
    return StoreError(
        "store-bad-path",
        f"{root!r} cannot be the path of a folder here.",
        fix="Set `store` to the path of a folder.",
        evidence={"path": repr(root)},
    )
