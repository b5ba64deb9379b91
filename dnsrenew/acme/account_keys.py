"""The keys of an account: where it is stored, its signer, and key rollover (RFC 8555 section 7.3.5).

No crash of a rollover loses the account. The new key is on disk beside the old one before the CA gets it. Both are kept
until the CA confirms which of them is the account's, by a lookup of the account with the new key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from josepy.jwa import ES256, ES384, RS256, JWASignature
from josepy.jwk import JWK, JWKEC, JWKRSA

from dnsrenew.acme import texts
from dnsrenew.acme.problems import is_refusal, variant
from dnsrenew.acme.resources import base64url
from dnsrenew.acme.transport import Directory, Signer, Transport
from dnsrenew.base import x509
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import CAError, StoreError


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
    payload = {"account": old.url, "oldKey": old.key.public_key().to_partial_json()}
    try:
        inner = inner_jws(payload, signer_of(new).key, ES256, url)
        transport.post(context, old, url, inner, "keyChange", tries=1)
        current: AccountData = new
    except CAError as error:
        current = _resolve_after(error, context, accounts, directory, both)
        if current.key_pem != new.key_pem:
            store.save(current)
            raise
    store.save(current)
    return current


def inner_jws(
    payload: Mapping[str, Any], key: JWK, algorithm: JWASignature, url: str, kid: str | None = None
) -> dict[str, Any]:
    """Return a JWS within a request: of key rollover, or of an external account binding."""
    from acme.jws import JWS  # rarely needed

    signed = JWS.sign(json.dumps(payload).encode(), key=key, alg=algorithm, nonce=None, url=url, kid=kid)
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


# ── account store ──────────────────────────────────────────────────────────────────────

# The interface of the account store, and the signer of a stored account.


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

    Keys made here are P-256; an imported account goes on with its P-384 or RSA key.

    :raises StoreError: ``account-damaged``: the key type cannot sign ACME requests.
    """
    try:
        signing, algorithm = _signing_key(x509.key_from_pem(account.key_pem))
    except ValueError:
        raise StoreError.of(texts.ACCOUNT_DAMAGED) from None
    current = thumbprint(signing)
    earlier = tuple(thumbprint for thumbprint in _thumbprints(account) if thumbprint != current)
    return Signer(signing, account.url, algorithm, earlier)


def _signing_key(key: x509.PrivateKey) -> tuple[JWKEC | JWKRSA, JWASignature]:
    """Return a key with its signature algorithm (RFC 7518 section 3.1), both for JWS.

    :raises ValueError: it is on a curve that few CAs accept.
    """
    kind = x509.key_kind(key)
    if kind == "ecdsa-p256":
        return JWKEC(key=key), ES256
    if kind == "ecdsa-p384":
        return JWKEC(key=key), ES384
    if x509.is_rsa(key):
        return JWKRSA(key=key), RS256
    raise ValueError


def with_thumbprint(account: AccountData, key_pem: bytes) -> AccountData:
    """Return the account with the thumbprint of one of its keys in its data.

    A dns-persist-01 record may hold a hash of an earlier key (draft-ietf-acme-dns-persist-02 section 4.1), and that of
    a lost key cannot be computed any more.
    """
    key = x509.key_from_pem(key_pem)
    known = dict.fromkeys([*_thumbprints(account), thumbprint(_signing_key(key)[0])])
    return replace(account, data={**account.data, THUMBPRINTS: list(known)})


def thumbprint(key: JWKEC | JWKRSA) -> str:
    """Return the thumbprint (RFC 7638). That of josepy loads OpenSSL a second time, which takes 6 ms."""
    members = {name: value for name, value in key.to_json().items() if name in key.required}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(canonical.encode()).digest())


def _thumbprints(account: AccountData) -> list[str]:
    found = account.data.get(THUMBPRINTS)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
