"""The account at a CA (RFC 8555 section 7.3): created once, and again with the same key if the CA lost it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from josepy.jwa import ES256

from dnsrenew.acme import texts
from dnsrenew.acme.account_keys import AccountStore, binding, fetch, inner_jws, signer_of, with_thumbprint
from dnsrenew.acme.problems import is_refusal, variant
from dnsrenew.acme.resources import address
from dnsrenew.acme.transport import Directory, Signer, Transport
from dnsrenew.base import x509
from dnsrenew.base.model import Eab
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import CAError, LockedError, StoreError

_CLOSED: Final = frozenset({"unauthorized", "accountDoesNotExist"})
"""Problem types for an account that the CA has closed, as after its key was reported as compromised."""
_UNBOUND: Final = frozenset({"unauthorized", "malformed", "externalAccountRequired"})
"""Problem types of a refused newAccount request that may be about the external account binding."""
_Eab = Eab | Literal["email"] | None
_SLOW: Final = "validates_slowly"
"""A key in the data of the account."""


class AccountSession:
    """Finds, creates and changes the account of one CA."""

    def __init__(
        self, transport: Transport, store: AccountStore, *, contact: Sequence[str], agree_terms: bool, eab: _Eab = None
    ) -> None:
        self._transport = transport
        self._store = store
        self._contact = tuple(each if ":" in each else f"mailto:{each}" for each in contact)
        self._agree_terms = agree_terms
        self._eab = eab

    def find(self, context: Context, directory: Directory) -> Signer:
        """Return the signer of the stored account, or of a new one. A stored account needs no request.

        :raises CAError: the CA refused the account.
        :raises StoreError: the store cannot be read or written.
        """
        stored = self._load()
        if not _is_ready(stored):
            with self._store.lock(context):
                stored = self._load_resolved(context, directory)  # another thread or process may have created it
                if stored is None or stored.url is None:
                    stored = self._create(context, directory, stored)
        assert stored is not None  # noqa: S101  # it is created if it is missing
        signer = signer_of(stored)
        if set(stored.contact) != set(self._contact):
            self._update_contact(context, stored)
        return signer

    def recreate(self, context: Context, directory: Directory, lost: Signer) -> Signer:
        """Create an account again that the CA no longer knows, once and with the same key; return its signer.

        :raises CAError: the CA refused the account.
        """
        with self._store.lock(context):
            stored = self._load_resolved(context, directory)
            if stored is not None and stored.url is not None:
                signer = signer_of(stored)
                if signer.url != lost.url or signer.key != lost.key:
                    return signer  # another thread or process created it, or changed the key
            return signer_of(self._create(context, directory, stored))

    def has_changed(self, signer: Signer) -> bool:
        """Return whether another run has changed the account key, or is changing it; :meth:`find` returns the new one.

        :raises StoreError: the stored account cannot be read.
        """
        stored = self._load()
        return stored is not None and (stored.next_key_pem is not None or signer_of(stored).key != signer.key)

    def stored(self, context: Context, directory: Directory) -> AccountData | None:
        """Return the stored account, with its URL if the CA knows it, without creating an account.

        :raises CAError: the request to the CA failed.
        """
        stored = self._load()
        if stored is None or _is_ready(stored):
            return stored
        with self._store.lock(context):
            stored = self._load_resolved(context, directory)
            if stored is None or stored.url is not None:
                return stored
            found = self.look_up(context, directory, stored)
            if found is not None:
                self._store.save(found)
            return found or stored

    def look_up(self, context: Context, directory: Directory, account: AccountData) -> AccountData | None:
        """Ask the CA for the account with this key (RFC 8555 section 7.3.1); return None if there is no such account.

        :raises CAError: the request to the CA failed.
        """
        try:
            url = self._new_account(context, directory, account, {"onlyReturnExisting": True})
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return None
            raise
        return AccountData(account.key_pem, url, account.contact, account.data)

    def holds(self, context: Context, account: AccountData) -> bool:
        """Return whether the CA accepts this key for the account with this URL.

        :raises CAError: the request to the CA failed.
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

    @property
    def is_slow(self) -> bool:
        """Whether the CA once refused to finalize an order, because it was still validating."""
        try:
            stored = self._load()
        except StoreError:  # it must not stop an order that is under way
            return False
        return stored is not None and stored.data.get(_SLOW) is True

    def note_slow(self, context: Context) -> None:
        """Record with the account that the CA refused to finalize an order.

        A failure only costs another refused request.
        """
        with contextlib.suppress(LockedError, StoreError), self._store.lock(context):
            stored = self._load()
            if stored is not None and _SLOW not in stored.data:
                self._store.save(replace(stored, data={**stored.data, _SLOW: True}))

    def roll(self, context: Context, directory: Directory, _old: Signer) -> Signer:
        """See :meth:`CAClient.roll_key`."""
        with self._store.lock(context):
            stored = self._load_resolved(context, directory)
            if stored is None or stored.url is None:
                stored = self._create(context, directory, stored)
            return signer_of(self._roll(context, directory, stored))

    def _roll(self, context: Context, directory: Directory, stored: AccountData) -> AccountData:
        """Change the key of an account (RFC 8555 section 7.3.5); the caller holds its lock.

        A crash does not lose the account. The new key is on disk beside the old one before the CA gets it. Both are
        kept until a lookup of the account with the new key shows which one the CA has.

        :raises CAError: the CA did not change the key, and the old one is still valid; with ``evidence["pending"]`` the
            result is unknown, and both keys are kept and tried.
        """
        url = directory.resource("keyChange")
        if url is None:
            raise self._transport.problems(context).error(texts.KEY_CHANGE_NOT_OFFERED, resource="keyChange")
        next_key = x509.key_to_pem(x509.new_key("ecdsa-p256"))
        stored = with_thumbprint(with_thumbprint(stored, stored.key_pem), next_key)
        current, both = replace(stored, key_pem=next_key), replace(stored, next_key_pem=next_key)
        self._store.save(both)
        old = signer_of(stored)
        payload = {"account": old.url, "oldKey": old.key.public_key().to_partial_json()}
        try:
            inner = inner_jws(payload, signer_of(current).key, ES256, url)
            self._transport.post(context, old, url, inner, "keyChange", tries=1)
        except CAError as error:  # the CA may have changed the key, and only its answer was lost
            try:
                current = self._resolve(context, directory, both)
            except CAError:
                raise variant(error, texts.KEY_CHANGE_PENDING, pending=True) from None
            if current.key_pem != next_key:
                self._store.save(current)
                raise
        self._store.save(current)
        return current

    def _resolve(self, context: Context, directory: Directory, both: AccountData) -> AccountData:
        """Return the account with the key that the CA has, of its two keys.

        :raises CAError: the CA does not answer this now, so both keys must be kept.
        """
        assert both.next_key_pem is not None  # noqa: S101  # otherwise no change is pending
        old = replace(both, next_key_pem=None)
        new = replace(old, key_pem=both.next_key_pem)
        try:
            return self.look_up(context, directory, new) or old
        except CAError as error:
            if not is_refusal(error):
                raise
            # The lookup was refused for another reason. Try which key the account accepts.
            for account in (new, old):
                if self.holds(context, account):
                    return account
            raise

    def roll_compromised(self, context: Context, directory: Directory, old: Signer) -> Signer:
        """See :meth:`CAClient.replace_key`: set a new key, with a new account if the old one cannot get it."""
        is_closed = self._is_closed(context, old)
        if not is_closed:
            try:
                return self.roll(context, directory, old)
            except CAError as error:
                if error.code != texts.KEY_CHANGE_NOT_OFFERED.code:
                    raise
        with self._store.lock(context):
            stored = self._load()
            if stored is not None and signer_of(stored).key != old.key:
                return signer_of(stored)  # another process has replaced it
            created = self._create(context, directory, None)
            if stored is not None and not is_closed:  # others could go on using it
                self._post_change(context, stored, {"status": "deactivated"})
        evidence = {"ca": self._transport.name, "old": old.url or "", "url": created.url}
        context.warn(*texts.ACCOUNT_REPLACED.fill(**evidence))
        return signer_of(created)

    def _is_closed(self, context: Context, signer: Signer) -> bool:
        """Return whether the CA has closed an account, as after its key was reported as compromised.

        :raises CAError: the request to the CA failed.
        """
        try:
            response = self._transport.post(context, signer, signer.url or "", None, "accountInfo")
        except CAError as error:
            if error.type in _CLOSED and is_refusal(error):
                return True
            raise
        return bool(response.fields().get("status", "valid") != "valid")

    def send_contact(self, context: Context, directory: Directory) -> None:
        """See :meth:`CAClient.update_contact`."""
        if self.stored(context, directory) is None:
            return
        with self._store.lock(context):
            stored = self._load()
            if stored is not None and stored.url is not None:
                self._post_change(context, stored, {"contact": list(self._contact)})
                self._store.save(replace(stored, contact=self._contact))

    def deactivate(self, context: Context, directory: Directory) -> None:
        """See :meth:`CAClient.deactivate`."""
        if self.stored(context, directory) is None:
            return
        with self._store.lock(context):
            stored = self._load()
            if stored is None or stored.url is None:
                return
            try:
                self._post_change(context, stored, {"status": "deactivated"})
            except CAError as error:
                if error.type != "unauthorized":  # the answer for an account that is already deactivated
                    raise
            self._store.remove()

    def _post_change(self, context: Context, stored: AccountData, change: Mapping[str, Any]) -> None:
        self._transport.post(context, signer_of(stored), stored.url or "", change, "account")

    def _load_resolved(self, context: Context, directory: Directory) -> AccountData | None:
        """Return the stored account; resolve an interrupted key change to the key that the CA has."""
        stored = self._load()
        if stored is None or stored.next_key_pem is None:
            return stored
        resolved = self._resolve(context, directory, stored)
        self._store.save(resolved)
        return resolved

    def _load(self) -> AccountData | None:
        """Return the stored account without an invalid URL, because the CA finds the account by its key."""
        stored = self._store.load()
        if stored is None or stored.url is None or address(stored.url, stored.url) is not None:
            return stored
        return AccountData(stored.key_pem, None, stored.contact, stored.data, stored.next_key_pem)

    def _create(self, context: Context, directory: Directory, stored: AccountData | None) -> AccountData:
        if stored is not None and (directory.binding_required or self._eab is not None):
            # Many bindings are valid only once, and the account may exist already.
            found = self._look_up_unbound(context, directory, stored)
            if found is not None:
                self._store.save(found)
                return found
        self._check_requirements(context, directory)
        eab = self._find_binding(context, directory)
        payload: dict[str, Any] = {"contact": list(self._contact)} if self._contact else {}
        if self._agree_terms:
            payload["termsOfServiceAgreed"] = True
        if stored is None:
            stored = AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256")))
            if eab is not None:
                self._bind(context, directory, stored, eab)  # an invalid binding leaves no key in the store
            # The key is on disk before the CA gets it, so that an interrupted run does not lose the account.
            self._store.save(stored)
        if eab is not None:
            payload["externalAccountBinding"] = self._bind(context, directory, stored, eab)
        url = self._new_account(context, directory, stored, payload)
        data = {**stored.data, **({"terms": directory.terms_of_service} if directory.terms_of_service else {})}
        created = with_thumbprint(AccountData(stored.key_pem, url, self._contact, data), stored.key_pem)
        self._store.save(created)
        return created

    def _look_up_unbound(self, context: Context, directory: Directory, stored: AccountData) -> AccountData | None:
        try:
            return self.look_up(context, directory, stored)
        except CAError as error:
            if error.type == "externalAccountRequired":
                return None  # this CA requires a binding even for a lookup
            raise

    def _new_account(self, context: Context, directory: Directory, account: AccountData, body: dict[str, Any]) -> str:
        """Post to newAccount and return the URL of the account."""
        signer = replace(signer_of(account), url=None)
        try:
            place = directory.required("newAccount")
            response = self._transport.post(context, signer, place, body, "newAccount", tries=2)
        except CAError as error:
            if "externalAccountBinding" in body and error.type in _UNBOUND:
                raise variant(error, texts.EAB_REFUSED) from None
            raise
        url = address(response.url, response.headers.get("Location"))
        if url is None:
            raise self._transport.problems(context).malformed(texts.NO_URL, response, resource="account")
        return url

    def _find_binding(self, context: Context, directory: Directory) -> Eab | None:
        """Return the configured binding, or the binding that the CA creates for the contact."""
        if self._eab != "email":
            return self._eab

        return fetch(context, self._transport.problems(context), directory.url, self._contact)

    def _bind(self, context: Context, directory: Directory, account: AccountData, eab: Eab) -> dict[str, Any]:

        url = directory.required("newAccount")
        return binding(context, self._transport.problems(context), eab, signer_of(account).key, url)

    def _check_requirements(self, context: Context, directory: Directory) -> None:
        problems = self._transport.problems(context)
        if directory.terms_of_service and not self._agree_terms:
            raise problems.error(texts.TERMS, terms=directory.terms_of_service)
        if directory.binding_required and self._eab is None:
            raise problems.error(texts.EAB_REQUIRED)

    def _update_contact(self, context: Context, stored: AccountData) -> None:
        """Update the contact at the CA (RFC 8555 section 7.3.2); a failure is only a warning.

        If the new contact cannot be stored, the next run updates it again.
        """
        try:
            self._post_change(context, stored, {"contact": list(self._contact)})
        except CAError as error:
            if error.type == "accountDoesNotExist":
                return  # the first order creates the account again, with this contact
            context.warn(*texts.CONTACT_REFUSED.fill(ca=self._transport.name, error=error.message))
            return
        with contextlib.suppress(LockedError), self._store.lock(context):
            if self._load() == stored:  # otherwise another run has changed the account, perhaps its key
                self._store.save(replace(stored, contact=self._contact))


def _is_ready(stored: AccountData | None) -> bool:
    """Return whether the account can be used without a request."""
    return stored is not None and stored.url is not None and stored.next_key_pem is None
