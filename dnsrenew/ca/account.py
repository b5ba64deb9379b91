"""The account at a CA (RFC 8555 section 7.3): made once, found again, made anew with the same key if the CA lost it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from josepy.jwk import JWKEC

from dnsrenew import x509
from dnsrenew.ca.transport import Signer, Transport
from dnsrenew.errors import CAError, StoreError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.ca.directory import Directory
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


@dataclass(frozen=True, slots=True)
class AccountData:
    """An account, as it is handed to the store."""

    key_pem: bytes = field(repr=False)
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


class AccountStore(Protocol):
    """Where the account of one CA directory is kept."""

    def load(self) -> StoredAccount | None:
        """Return the account, or None."""

    def save(self, account: StoredAccount) -> None:
        """Write the account; the key durably, before this returns."""

    def lock(self, context: Context | None = None) -> AbstractContextManager[None]:
        """Exclude other threads and processes while an account is made."""


class Accounts:
    """Gives the account of one CA."""

    def __init__(
        self, transport: Transport, store: AccountStore, *, contact: Sequence[str], agree_terms: bool, bound: bool
    ) -> None:
        self._transport = transport
        self._store = store
        self._contact = tuple(each if ":" in each else f"mailto:{each}" for each in contact)
        self._agree_terms = agree_terms
        self._bound = bound

    def find(self, context: Context, directory: Directory) -> Signer:
        """Return the account: the stored one, else a new one. An account that is known costs no request.

        :raises CAError: the CA has refused it.
        :raises StoreError: the store cannot be used.
        """
        stored = self._store.load()
        if stored is None or stored.url is None:
            with self._store.lock(context):
                stored = self._store.load()  # another thread or process may have been faster
                if stored is None or stored.url is None:
                    return self._make(context, directory, stored)
        signer = _signer(stored)
        if set(stored.contact) != set(self._contact):
            self._tell_contact(context, signer, stored)
        return signer

    def make_again(self, context: Context, directory: Directory, lost: Signer) -> Signer:
        """Return the account after the CA said that it does not know it: made anew with the same key, once.

        :raises CAError: the CA has refused it.
        """
        with self._store.lock(context):
            stored = self._store.load()
            if stored is not None and stored.url not in {None, lost.url}:
                return _signer(stored)  # another thread or process has done it
            return self._make(context, directory, stored)

    def _make(self, context: Context, directory: Directory, stored: StoredAccount | None) -> Signer:
        self._refuse_early(context, directory)
        if stored is None:
            # The key is on disk before the CA knows it: after a kill the account is found again by it.
            stored = AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256")))
            self._store.save(stored)
        signer = _signer(stored, url=None)
        payload: dict[str, Any] = {"contact": list(self._contact)} if self._contact else {}
        if self._agree_terms:
            payload["termsOfServiceAgreed"] = True
        response = self._transport.post(context, signer, directory.needed("newAccount"), payload, "newAccount", tries=2)
        url = response.headers.get("Location")
        if not url:
            raise self._transport.problems(context).malformed("the new account has no URL (Location)", response)
        data = {**stored.data, **({"terms": directory.terms_of_service} if directory.terms_of_service else {})}
        self._store.save(AccountData(stored.key_pem, url, self._contact, data))
        return replace(signer, url=url)

    def _refuse_early(self, context: Context, directory: Directory) -> None:
        problems = self._transport.problems(context)
        if directory.terms_of_service and not self._agree_terms:
            raise problems.error(
                "ca-terms",
                f"asks you to agree to its terms of service: {directory.terms_of_service}",
                "Read them, and set agree_terms = true.",
                terms=directory.terms_of_service,
            )
        if directory.binding_required and not self._bound:
            raise problems.error(
                "ca-eab-required",
                "makes accounts only with an external account binding.",
                "Get a key for it from the CA and set it as `eab` of this CA.",
            )

    def _tell_contact(self, context: Context, signer: Signer, stored: StoredAccount) -> None:
        """Tell the CA a changed contact (RFC 8555 section 7.3.2); a certificate does not fail for it."""
        try:
            self._transport.post(context, signer, signer.url or "", {"contact": list(self._contact)}, "account")
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return  # the first order finds out, and makes it anew with this contact
            context.warn("contact-refused", error.message, "Set `contact` to a mail address that the CA accepts.")
            return
        self._store.save(AccountData(stored.key_pem, stored.url, self._contact, stored.data))


def _signer(stored: StoredAccount, **changes: Any) -> Signer:
    try:
        key = x509.key_from_pem(stored.key_pem)
    except ValueError:
        key = None
    if key is None or x509.key_kind(key) != "ecdsa-p256":
        raise StoreError(
            "account-damaged",
            "The stored account key is not a P-256 key in PEM form.",
            fix="Remove the file key.pem of this CA under accounts/ in the store; a new account is then made.",
        )
    return Signer(JWKEC(key=key), changes.get("url", stored.url))
