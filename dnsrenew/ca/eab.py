"""External account binding (RFC 8555 section 7.3.4): the account key, signed with a key from the CA."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from acme.jws import JWS
from josepy.json_util import decode_b64jose
from josepy.jwa import HS256
from josepy.jwk import JWKOct

from dnsrenew.errors import CAError, SecretError

if TYPE_CHECKING:
    from josepy.jwk import JWK

    from dnsrenew.ca.problems import Problems
    from dnsrenew.context import Context
    from dnsrenew.model import Eab

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_COPY: Final = "Copy `eab` anew from where the CA shows it, `kid` and `hmac` as they are."
_REFUSED: Final = frozenset({"unauthorized", "malformed", "externalAccountRequired"})


def binding(context: Context, problems: Problems, eab: Eab, account_key: JWK, url: str) -> dict[str, Any]:
    """Return the inner JWS that goes into newAccount. The secret is read now, and not before.

    :param url: of newAccount.
    :raises CAError: ``eab-invalid``: the binding as configured cannot be used; nothing was sent.
    """
    key = _mac_key(context, problems, eab)
    payload = json.dumps(account_key.public_key().to_partial_json()).encode()
    signed = JWS.sign(payload, key=JWKOct(key=key), alg=HS256, nonce=None, url=url, kid=eab.kid)
    inner: dict[str, Any] = json.loads(signed.json_dumps())
    return inner


def _mac_key(context: Context, problems: Problems, eab: Eab) -> bytes:
    evidence = {"kid": eab.kid, "reference": eab.hmac.reference}
    try:
        text = context.redactor.add(eab.hmac.reveal()).strip()
    except SecretError as error:  # another CA may do without
        raise problems.error(
            "eab-invalid",
            f"needs an external account binding. {error.message}",
            error.fix,
            cause=error.code,
            **evidence,
        ) from None
    context.redactor.add(text.rstrip("="))
    wrong = None
    if not eab.kid:
        wrong = "`eab.kid` is empty"
    elif not text:
        wrong = "`eab.hmac` is empty"
    elif re.search("[+/]", text):
        wrong = "`eab.hmac` is not base64url but has the + or / of ordinary base64"
    elif not _BASE64URL.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        wrong = "`eab.hmac` is not base64url"
    if wrong is not None:
        del text  # what looks at the variables in a traceback must not see it
        raise problems.error(
            "eab-invalid", f"cannot be given the external account binding: {wrong}.", _COPY, **evidence
        )
    return decode_b64jose(text.rstrip("="))


def explain(error: CAError) -> None:
    """Say in the error of a refused account what it may have to do with the binding."""
    if error.type in _REFUSED:
        error.code = "ca-account-refused"
        error.fix = "Get a new `eab` from the CA: many are good for one account only, or for some days."
