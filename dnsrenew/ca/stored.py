"""An account as it is kept, and what keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from josepy.jwk import JWKEC

from dnsrenew import x509
from dnsrenew.ca.transport import Signer
from dnsrenew.errors import StoreError
from dnsrenew.frozen import Frozen, field

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.context import Context


class StoredAccount(Protocol):
    """What the store keeps of an account."""

    @property
    def key_pem(self) -> bytes:
        """The account's private key, PEM."""

    @property
    def url(self) -> str | None:
        """The account's URL; None until the CA has said it."""

    @property
    def contact(self) -> tuple[str, ...]:
        """As the CA was told."""

    @property
    def data(self) -> Mapping[str, Any]:
        """Whatever else is kept; JSON values."""

    @property
    def next_key_pem(self) -> bytes | None:
        """The key that the CA was, perhaps, told to put in place of the other; None unless a change is under way."""


class AccountData(Frozen, hidden=("key_pem", "next_key_pem")):
    """An account, as it is handed to the store."""

    key_pem: bytes
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_key_pem: bytes | None = None


class AccountStore(Protocol):
    """Where the account of one CA directory is kept."""

    def load(self) -> StoredAccount | None:
        """Return the account, or None."""

    def save(self, account: StoredAccount) -> None:
        """Write the account; its keys durably, before this returns."""

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other threads and processes while an account is made or its key is changed."""


def signer_of(account: StoredAccount) -> Signer:
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
