"""The account at a CA (RFC 8555 section 7.3): made once, found again, made anew with the same key if the CA lost it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew import x509
from dnsrenew.base.values import replace
from dnsrenew.ca.account_store import AccountStore, signer_of
from dnsrenew.ca.problems import is_refusal
from dnsrenew.ca.resources import address
from dnsrenew.errors import CAError, LockedError
from dnsrenew.model.account import AccountData

if TYPE_CHECKING:
    from dnsrenew.ca.directory import Directory
    from dnsrenew.ca.transport import Signer, Transport
    from dnsrenew.model import Eab
    from dnsrenew.runtime.context import Context


class AccountSession:
    """Gives the account of one CA."""

    def __init__(
        self,
        transport: Transport,
        store: AccountStore,
        *,
        contact: Sequence[str],
        agree_terms: bool,
        eab: Eab | None = None,
    ) -> None:
        self._transport = transport
        self._store = store
        self._contact = tuple(each if ":" in each else f"mailto:{each}" for each in contact)
        self._agree_terms = agree_terms
        self._eab = eab

    def find(self, context: Context, directory: Directory) -> Signer:
        """Return the account: the stored one, else a new one. An account that is known costs no request.

        :raises CAError: the CA has refused it.
        :raises StoreError: the store cannot be used.
        """
        stored = self._load()
        if not _is_ready(stored):
            with self._store.lock(context):
                stored = self._settled(context, directory)  # another thread or process may have been faster
                if stored is None or stored.url is None:
                    stored = self._make(context, directory, stored)
        assert stored is not None  # noqa: S101  # it was not ready otherwise
        signer = signer_of(stored)
        if set(stored.contact) != set(self._contact):
            self._tell_contact(context, signer, stored)
        return signer

    def make_again(self, context: Context, directory: Directory, lost: Signer) -> Signer:
        """Return the account after the CA said that it does not know it: made anew with the same key, once.

        :raises CAError: the CA has refused it.
        """
        with self._store.lock(context):
            stored = self._settled(context, directory)
            if stored is not None and stored.url is not None:
                signer = signer_of(stored)
                if signer.url != lost.url or signer.key != lost.key:
                    return signer  # another thread or process has done it, or has changed the key
            return signer_of(self._make(context, directory, stored))

    def has_changed(self, signer: Signer) -> bool:
        """Tell whether another run has changed the key of the account, or is at it; :meth:`find` gives the new one.

        :raises StoreError: what is kept cannot be read.
        """
        stored = self._load()
        return stored is not None and (stored.next_key_pem is not None or signer_of(stored).key != signer.key)

    def known(self, context: Context, directory: Directory) -> AccountData | None:
        """Return the account that is kept, with its URL if the CA knows it; None is made.

        :raises CAError: the CA cannot be asked.
        """
        stored = self._load()
        if stored is None or _is_ready(stored):
            return stored
        with self._store.lock(context):
            stored = self._settled(context, directory)
            if stored is None or stored.url is not None:
                return stored
            found = self.look_up(context, directory, stored)
            if found is not None:
                self._store.save(found)
            return found or stored

    def look_up(self, context: Context, directory: Directory, account: AccountData) -> AccountData | None:
        """Ask the CA for the account with this key (RFC 8555 section 7.3.1); None where it has none.

        :raises CAError: the CA cannot be asked.
        """
        try:
            url = self._new_account(context, directory, account, {"onlyReturnExisting": True})
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return None
            raise
        return AccountData(account.key_pem, url, account.contact, account.data)

    def holds(self, context: Context, account: AccountData) -> bool:
        """Tell whether the CA takes this key for the account of this URL.

        :raises CAError: the CA cannot be asked.
        """
        if account.url is None:
            return False
        try:
            self._transport.post(context, signer_of(account), account.url, None, "accountInfo")
        except CAError as error:
            if is_refusal(error):
                return False
            raise
        return True

    def roll(self, context: Context, directory: Directory, _old: Signer) -> Signer:
        """See :meth:`CAClient.roll_key`."""
        from dnsrenew.ca import key_rollover  # rarely wanted

        with self._store.lock(context):
            stored = self._settled(context, directory)
            if stored is None or stored.url is None:
                stored = self._make(context, directory, stored)
            rolled = key_rollover.roll(context, self, directory, stored, transport=self._transport, store=self._store)
            return signer_of(rolled)

    def _settled(self, context: Context, directory: Directory) -> AccountData | None:
        """Return what is kept, with one key: of a change that was broken off, the key that the CA has."""
        stored = self._load()
        if stored is None or stored.next_key_pem is None:
            return stored
        from dnsrenew.ca import key_rollover  # rarely needed

        settled = key_rollover.settle(context, self, directory, stored)
        self._store.save(settled)
        return settled

    def _load(self) -> AccountData | None:
        """Return what is kept; an address that is none is forgotten, because the CA finds the account by its key."""
        stored = self._store.load()
        if stored is None or stored.url is None or address(stored.url, stored.url) is not None:
            return stored
        return AccountData(stored.key_pem, None, stored.contact, stored.data, stored.next_key_pem)

    def _make(self, context: Context, directory: Directory, stored: AccountData | None) -> AccountData:
        if stored is not None and (directory.binding_required or self._eab is not None):
            # Many bindings are good only once: the account may be there already.
            found = self._look_up_unbound(context, directory, stored)
            if found is not None:
                self._store.save(found)
                return found
        self._refuse_early(context, directory)
        payload: dict[str, Any] = {"contact": list(self._contact)} if self._contact else {}
        if self._agree_terms:
            payload["termsOfServiceAgreed"] = True
        if stored is None:
            stored = AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256")))
            if self._eab is not None:
                self._bind(context, directory, stored)  # a mistake in it leaves no key behind
            # The key is on disk before the CA knows it: after a kill the account is found again by it.
            self._store.save(stored)
        if self._eab is not None:
            payload["externalAccountBinding"] = self._bind(context, directory, stored)
        url = self._new_account(context, directory, stored, payload)
        data = {**stored.data, **({"terms": directory.terms_of_service} if directory.terms_of_service else {})}
        made = AccountData(stored.key_pem, url, self._contact, data)
        self._store.save(made)
        return made

    def _look_up_unbound(self, context: Context, directory: Directory, stored: AccountData) -> AccountData | None:
        try:
            return self.look_up(context, directory, stored)
        except CAError as error:
            if error.type == "externalAccountRequired":
                return None  # a CA that asks for a binding before it looks
            raise

    def _new_account(
        self, context: Context, directory: Directory, account: AccountData, payload: dict[str, Any]
    ) -> str:
        """Post to newAccount, and return the account's URL."""
        signer = replace(signer_of(account), url=None)
        try:
            response = self._transport.post(
                context, signer, directory.needed("newAccount"), payload, "newAccount", tries=2
            )
        except CAError as error:
            if "externalAccountBinding" in payload:
                from dnsrenew.ca.eab import explain

                explain(error)
            raise
        url = address(response.url, response.headers.get("Location"))
        if url is None:
            raise self._transport.problems(context).malformed("the new account has no URL (Location)", response)
        return url

    def _bind(self, context: Context, directory: Directory, account: AccountData) -> dict[str, Any]:
        from dnsrenew.ca.eab import binding  # few CAs want one, and only once

        assert self._eab is not None  # noqa: S101  # by the callers
        url = directory.needed("newAccount")
        return binding(context, self._transport.problems(context), self._eab, signer_of(account).key, url)

    def _refuse_early(self, context: Context, directory: Directory) -> None:
        problems = self._transport.problems(context)
        if directory.terms_of_service and not self._agree_terms:
            raise problems.error(
                "ca-terms",
                f"asks you to agree to its terms of service: {directory.terms_of_service}",
                "Read them, and set agree_terms = true.",
                terms=directory.terms_of_service,
            )
        if directory.binding_required and self._eab is None:
            raise problems.error(
                "ca-eab-required",
                "makes accounts only with an external account binding.",
                "Get a key for it from the CA and set it as `eab` of this CA.",
            )

    def _tell_contact(self, context: Context, signer: Signer, stored: AccountData) -> None:
        """Tell the CA a changed contact (RFC 8555 section 7.3.2); a certificate does not fail for it.

        What was told and could not be kept is told again by the next run.
        """
        try:
            self._transport.post(context, signer, signer.url or "", {"contact": list(self._contact)}, "account")
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return  # the first order finds out, and makes it anew with this contact
            context.warn("contact-refused", error.message, "Set `contact` to a mail address that the CA accepts.")
            return
        with contextlib.suppress(LockedError), self._store.lock(context):
            if self._load() == stored:  # else another run has changed it meanwhile, perhaps its key
                self._store.save(replace(stored, contact=self._contact))


def _is_ready(stored: AccountData | None) -> bool:
    """Tell whether it can be used as it is."""
    return stored is not None and stored.url is not None and stored.next_key_pem is None
