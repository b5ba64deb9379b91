"""Changing the account's key (RFC 8555 section 7.3.5), so that no crash loses the account.

The new key is kept beside the old one, durably, before the CA is told. From then on, until one of the two is known
to be the account's, both are kept; the CA says which it is when it is asked for the account of the new key.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from acme.jws import JWS
from josepy.jwa import ES256

from dnsrenew import x509
from dnsrenew.base.values import replace
from dnsrenew.ca.account_store import AccountStore, signer_of
from dnsrenew.ca.problems import is_refusal
from dnsrenew.errors import CAError
from dnsrenew.model.account import AccountData

if TYPE_CHECKING:
    from dnsrenew.ca.directory import Directory
    from dnsrenew.ca.transport import Signer, Transport
    from dnsrenew.runtime.context import Context


class AccountKeys(Protocol):
    """Asks the CA about one key of an account."""

    def look_up(self, context: Context, directory: Directory, account: AccountData) -> AccountData | None:
        """Return the account that has this key, or None."""

    def holds(self, context: Context, account: AccountData) -> bool:
        """Tell whether the key signs for the account."""


def roll(
    context: Context,
    accounts: AccountKeys,
    directory: Directory,
    stored: AccountData,
    *,
    transport: Transport,
    store: AccountStore,
) -> AccountData:
    """Change the key of an account; the caller holds its lock.

    :raises CAError: the CA did not change it, and the old key holds; or that cannot be known yet
        (``evidence["pending"]``), and both keys are kept and tried.
    """
    url = directory.resource("keyChange")
    if url is None:
        raise transport.problems(context).error(
            "ca-not-offered",
            "does not offer to change the key of an account.",
            "Keep the key, or remove this CA's folder under accounts/ in the store: a new account is then made.",
            resource="keyChange",
        )
    new = AccountData(x509.key_to_pem(x509.new_key("ecdsa-p256")), stored.url, stored.contact, stored.data)
    both = AccountData(stored.key_pem, stored.url, stored.contact, stored.data, new.key_pem)
    store.save(both)
    old = signer_of(stored)
    try:
        transport.post(context, old, url, _inner(old, signer_of(new), url), "keyChange", tries=1)
        settled: AccountData = new
    except CAError as error:
        settled = _after(error, context, accounts, directory, both)
        if settled.key_pem != new.key_pem:
            store.save(settled)
            raise
    store.save(settled)
    return settled


def _inner(old: Signer, new: Signer, url: str) -> dict[str, Any]:
    """Return the inner JWS: the new key takes the account, and names the old one."""
    payload = {"account": old.url, "oldKey": old.key.public_key().to_partial_json()}
    signed = JWS.sign(json.dumps(payload).encode(), key=new.key, alg=ES256, nonce=None, url=url)
    inner: dict[str, Any] = json.loads(signed.json_dumps())
    return inner


def _after(
    error: CAError, context: Context, accounts: AccountKeys, directory: Directory, both: AccountData
) -> AccountData:
    """Find out what a change came to that did not end well: its answer may only have been lost."""
    try:
        return settle(context, accounts, directory, both)
    except CAError:
        error.fix = "Run dnsrenew again: the new key is kept beside the old one, and both are tried."
        raise error.with_evidence(pending=True) from None


def settle(context: Context, accounts: AccountKeys, directory: Directory, both: AccountData) -> AccountData:
    """Return the account with the one of its two keys that the CA has.

    :raises CAError: that cannot be known now; both must be kept.
    """
    assert both.next_key_pem is not None  # noqa: S101  # else there is nothing to settle
    old = AccountData(both.key_pem, both.url, both.contact, both.data)
    new = replace(old, key_pem=both.next_key_pem)
    try:
        return accounts.look_up(context, directory, new) or old
    except CAError as error:
        if not is_refusal(error):
            raise
        # It did not say that there is no such account. What each key can do is the last word.
        for account in (new, old):
            if accounts.holds(context, account):
                return account
        raise
