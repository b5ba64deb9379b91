"""The keys of an account: where it is stored, its signer, and its external binding (RFC 8555 section 7.3.4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from josepy.json_util import decode_b64jose
from josepy.jwa import ES256, ES384, HS256, RS256, JWASignature
from josepy.jwk import JWK, JWKEC, JWKRSA, JWKOct

from dnsrenew.acme import texts
from dnsrenew.acme.problems import Problems
from dnsrenew.acme.resources import MAX_WORD, base64url, one_line
from dnsrenew.acme.transport import Signer
from dnsrenew.base import x509
from dnsrenew.base.http import HttpClient, HttpFailure, Response, retry_after
from dnsrenew.base.model import EAB_BY_EMAIL, Eab, mac_key_fault
from dnsrenew.base.model.spec import THUMBPRINTS, AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import Transient, resend
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled, SecretError, StoreError


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
        signing, algorithm = signing_key(x509.key_from_pem(account.key_pem))
    except ValueError:
        raise StoreError.of(texts.ACCOUNT_DAMAGED) from None
    current = thumbprint(signing)
    known = dict.fromkeys([current, *_thumbprints(account)])
    return Signer(signing, account.url, algorithm, tuple(known))


def signing_key(key: x509.PrivateKey) -> tuple[JWKEC | JWKRSA, JWASignature]:
    """Return a key with its signature algorithm (RFC 7518 section 3.1), both for JWS.

    :raises ValueError: the key is on a curve that few CAs accept.
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

    A dns-persist-01 record may hold a hash of an earlier key (draft-ietf-acme-dns-persist-02 section 4.1), and the hash
    of a lost key can no longer be computed.
    """
    key = x509.key_from_pem(key_pem)
    known = dict.fromkeys([*_thumbprints(account), thumbprint(signing_key(key)[0])])
    return replace(account, data={**account.data, THUMBPRINTS: list(known)})


def thumbprint(key: JWKEC | JWKRSA) -> str:
    """Return the thumbprint (RFC 7638). The function of josepy would load OpenSSL a second time, which takes 6 ms."""
    members = {name: value for name, value in key.to_json().items() if name in key.required}
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url(hashlib.sha256(canonical.encode()).digest())


def _thumbprints(account: AccountData) -> list[str]:
    found = account.data.get(THUMBPRINTS)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def inner_jws(
    payload: Mapping[str, Any], key: JWK, algorithm: JWASignature, url: str, kid: str | None = None
) -> dict[str, Any]:
    """Return a JWS within a request, for a key rollover or an external account binding."""
    from acme.jws import JWS  # rarely needed

    signed = JWS.sign(json.dumps(payload).encode(), key=key, alg=algorithm, nonce=None, url=url, kid=kid)
    inner: dict[str, Any] = json.loads(signed.json_dumps())
    return inner


# ── eab ────────────────────────────────────────────────────────────────────────────────

# External account binding (RFC 8555 section 7.3.4): the account key, signed with a MAC key from the CA.

SECONDS: Final = 60.0
"""Time limit for reading the secret, as for the secrets of a DNS host."""


def binding(context: Context, problems: Problems, eab: Eab, account_key: JWK, url: str) -> dict[str, Any]:
    """Return the inner JWS for newAccount. The secret is read only now.

    :param url: the URL of newAccount.
    :raises CAError: ``eab-invalid``: the configured binding is invalid; nothing was sent.
    """
    key = JWKOct(key=_mac_key(context, problems, eab))
    return inner_jws(account_key.public_key().to_partial_json(), key, HS256, url, eab.kid)


def _mac_key(context: Context, problems: Problems, eab: Eab) -> bytes:
    if not eab.kid:
        raise problems.error(texts.EAB_NO_KID, **_evidence(eab))
    text = _reveal(context, problems, eab)
    if (fault := mac_key_fault(text)) is not None:
        del text  # a tool that prints the variables of a traceback must not show it
        raise problems.error(texts.EAB_BAD_HMAC, fault=fault, **_evidence(eab))
    return decode_b64jose(text.rstrip("="))


def _reveal(context: Context, problems: Problems, eab: Eab) -> str:
    """Read the secret within :data:`SECONDS`, because all certificates of the CA wait for it.

    :raises CAError: ``eab-invalid``: another CA may not need it.
    """
    reveal = partial(eab.hmac.reveal, cancel=context.cancel)
    try:
        text = context.redactor.add(context.within(SECONDS).call(reveal)).strip()
    except SecretError as error:
        shown = {"error": error.message, "error_fix": error.fix}
        raise problems.error(texts.EAB_UNREADABLE, shown=shown, cause=error.code, **_evidence(eab)) from None
    except Cancelled:
        context.check()  # raises if the caller cancelled
        raise problems.error(texts.EAB_TIMEOUT, cause="timeout", timeout=SECONDS, **_evidence(eab)) from None
    context.redactor.add(text.rstrip("="))
    return text


def _evidence(eab: Eab) -> dict[str, str]:
    return {"kid": eab.kid, "reference": eab.hmac.reference}


# ── email binding ──────────────────────────────────────────────────────────────────────

# A binding that a CA creates for an email address (ZeroSSL). It is fetched when an account is created, and not stored.
#
# The request follows ZeroSSL's documentation (zerossl.com/documentation/acme, "Generate EAB Credentials"): POST
# with the form field ``email``, answered by JSON with ``success``, ``eab_kid`` and ``eab_hmac_key``, or with
# ``error``.

_MAIL: Final = "mailto:"


def fetch(context: Context, problems: Problems, directory: str, contact: Sequence[str]) -> Eab:
    """Return a new binding for the first email address of the contact.

    :param directory: the directory URL of the CA.
    :param contact: contact URLs.
    :raises CAError: ``eab-invalid``: there is no address, the CA has no such service, or it refused; another code if
        the service does not answer.
    """
    email = next((each.removeprefix(_MAIL) for each in contact if each.startswith(_MAIL)), "")
    if not email:
        raise problems.error(texts.EAB_NO_EMAIL)
    url = EAB_BY_EMAIL.get(urlsplit(directory).netloc)
    if url is None:
        raise problems.error(texts.EAB_NO_SERVICE)
    http = HttpClient()
    try:
        response = resend(context, lambda: _post(context, problems, http, url, email))
    finally:
        http.close()
    answer = response.fields()
    kid, hmac = answer.get("eab_kid"), answer.get("eab_hmac_key")
    if not answer.get("success") or not _is_word(kid) or not _is_word(hmac):
        if reason := _reason(answer):
            raise problems.error(texts.EAB_EMAIL_REFUSED, email=email, status=response.status, reason=reason)
        raise problems.error(texts.EAB_EMAIL_UNCLEAR, status=response.status)
    return Eab(str(kid), Secret(context.redactor.add(str(hmac))))


def _post(context: Context, problems: Problems, http: HttpClient, url: str, email: str) -> Response:
    try:
        response = context.call(lambda: http.request("POST", url, data={"email": email}))
    except HttpFailure as failure:
        raise Transient(problems.unreachable(failure, url, context.clock.now())) from None
    if response.status >= 500:
        error = problems.error(texts.EAB_EMAIL_UNCLEAR, status=response.status)
        raise Transient(error, after=retry_after(response.headers, context.clock.now()))
    return response


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _reason(answer: dict[str, Any]) -> str:
    """Return the type of the error, such as ``invalid_email``; "" if the answer has no type."""
    error = answer.get("error")
    found = error.get("type") if isinstance(error, dict) else None
    return one_line(found, MAX_WORD) if isinstance(found, str) else ""
