"""Account key rollover (RFC 8555 section 7.3.5) that loses the account at no crash.

The new key is on disk beside the old one before the CA gets it. Both are kept until the CA confirms which of them is
the account's, by a lookup of the account with the new key.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from acme.jws import JWS
from josepy.jwa import ES256

from dnsrenew.acme import texts
from dnsrenew.acme.account_store import AccountStore, signer_of, with_thumbprint
from dnsrenew.acme.problems import is_refusal, variant
from dnsrenew.acme.transport import Directory, Signer, Transport
from dnsrenew.base import x509
from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import CAError


class AccountKeys(Protocol):
    """Asks the CA about one key of an account."""

    def look_up(self, context: Context, directory: Directory, account: AccountData) -> AccountData | None:
        """Return the account with this key, or None."""

    def holds(self, context: Context, account: AccountData) -> bool:
        """Return whether the key signs for the account."""


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

    :raises CAError: the CA did not change the key, and the old one is still valid; with ``evidence["pending"]`` the
        result is unknown, and both keys are kept and tried.
    """
    url = directory.resource("keyChange")
    if url is None:
        raise transport.problems(context).error(texts.KEY_CHANGE_NOT_OFFERED, resource="keyChange")
    next_key = x509.key_to_pem(x509.new_key("ecdsa-p256"))
    stored = with_thumbprint(with_thumbprint(stored, stored.key_pem), next_key)
    new = AccountData(next_key, stored.url, stored.contact, stored.data)
    both = AccountData(stored.key_pem, stored.url, stored.contact, stored.data, new.key_pem)
    store.save(both)
    old = signer_of(stored)
    try:
        transport.post(context, old, url, _inner(old, signer_of(new), url), "keyChange", tries=1)
        current: AccountData = new
    except CAError as error:
        current = _resolve_after(error, context, accounts, directory, both)
        if current.key_pem != new.key_pem:
            store.save(current)
            raise
    store.save(current)
    return current


def _inner(old: Signer, new: Signer, url: str) -> dict[str, Any]:
    """Return the inner JWS: signed with the new key, it names the account and the old key."""
    payload = {"account": old.url, "oldKey": old.key.public_key().to_partial_json()}
    signed = JWS.sign(json.dumps(payload).encode(), key=new.key, alg=ES256, nonce=None, url=url)
    inner: dict[str, Any] = json.loads(signed.json_dumps())
    return inner


def _resolve_after(
    error: CAError, context: Context, accounts: AccountKeys, directory: Directory, both: AccountData
) -> AccountData:
    """Return the account after a failed change; the CA may have changed the key and only its answer was lost."""
    try:
        return resolve(context, accounts, directory, both)
    except CAError:
        raise variant(error, texts.KEY_CHANGE_PENDING, pending=True) from None


def resolve(context: Context, accounts: AccountKeys, directory: Directory, both: AccountData) -> AccountData:
    """Return the account with the one of its two keys that the CA has.

    :raises CAError: the CA does not tell now; both keys must be kept.
    """
    assert both.next_key_pem is not None  # noqa: S101  # otherwise no change is pending
    old = AccountData(both.key_pem, both.url, both.contact, both.data)
    new = replace(old, key_pem=both.next_key_pem)
    try:
        return accounts.look_up(context, directory, new) or old
    except CAError as error:
        if not is_refusal(error):
            raise
        # The lookup was refused for another reason. Try which key the account accepts.
        for account in (new, old):
            if accounts.holds(context, account):
                return account
        raise
