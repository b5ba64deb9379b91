"""The interface of the account store, and the signer of a stored account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from josepy.jwk import JWKEC

from dnsrenew import x509
from dnsrenew.ca import texts
from dnsrenew.ca.transport import Signer
from dnsrenew.errors import StoreError
from dnsrenew.model.account import AccountData

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.runtime.context import Context


class AccountStore(Protocol):
    """Stores the account of one CA directory."""

    def load(self) -> AccountData | None:
        """Return the account, or None."""

    def save(self, account: AccountData) -> None:
        """Write the account; its keys are on disk when this returns."""

    def remove(self) -> None:
        """Remove the account and its keys."""

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other threads and processes while an account is created or its key is changed."""


def signer_of(account: AccountData) -> Signer:
    """Return the signer of an account.

    :raises StoreError: ``account-damaged``: the key is not a P-256 key.
    """
    try:
        key = x509.key_from_pem(account.key_pem)
    except ValueError:
        key = None
    if key is None or x509.key_kind(key) != "ecdsa-p256":
        raise StoreError.of(texts.ACCOUNT_DAMAGED)
    return Signer(JWKEC(key=key), account.url)
