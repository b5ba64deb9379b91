"""The interface of the account store, and the signer of a stored account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from josepy.jwa import ES256, ES384, RS256, JWASignature
from josepy.jwk import JWKEC, JWKRSA

from dnsrenew.acme import texts
from dnsrenew.acme.resources import base64url
from dnsrenew.acme.transport import Signer
from dnsrenew.base import x509
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dnsrenew.base.runtime import Context


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
    current = _thumbprint(signing)
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
    known = dict.fromkeys([*_thumbprints(account), _thumbprint(_signing_key(key)[0])])
    return replace(account, data={**account.data, THUMBPRINTS: list(known)})


def _thumbprint(key: JWKEC | JWKRSA) -> str:
    return base64url(key.thumbprint())


def _thumbprints(account: AccountData) -> list[str]:
    found = account.data.get(THUMBPRINTS)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
