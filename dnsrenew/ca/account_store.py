"""What keeps an account, and what signs for one that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from josepy.jwk import JWKEC

from dnsrenew import x509
from dnsrenew.ca.transport import Signer
from dnsrenew.errors import StoreError
from dnsrenew.model.account import AccountData

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context


class AccountStore(Protocol):
    """Where the account of one CA directory is kept."""

    def load(self) -> AccountData | None:
        """Return the account, or None."""

    def save(self, account: AccountData) -> None:
        """Write the account; its keys durably, before this returns."""

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other threads and processes while an account is made or its key is changed."""


def signer_of(account: AccountData) -> Signer:
    """Return what signs for an account.

    :raises StoreError: ``account-damaged``: the key is none of ours.
    """
    try:
        key = x509.key_from_pem(account.key_pem)
    except ValueError:
        key = None
    if key is None or x509.key_kind(key) != "ecdsa-p256":
        raise StoreError(
            "account-damaged",
            "The stored account key is not a P-256 key in PEM form.",
            fix="Remove the file key.pem of this CA under accounts/ in the store; a new account is then made.",
        )
    return Signer(JWKEC(key=key), account.url)
