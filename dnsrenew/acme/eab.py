"""External account binding (RFC 8555 section 7.3.4): the account key, signed with a MAC key from the CA."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from acme.jws import JWS
from josepy.json_util import decode_b64jose
from josepy.jwa import HS256
from josepy.jwk import JWKOct

from dnsrenew.acme import texts
from dnsrenew.base.model import mac_key_fault
from dnsrenew.errors import CAError, Cancelled, SecretError

if TYPE_CHECKING:
    from josepy.jwk import JWK

    from dnsrenew.acme.problems import Problems
    from dnsrenew.base.model import Eab
    from dnsrenew.base.runtime.context import Context

SECONDS: Final = 60.0
"""Time limit for reading the secret, as for the secrets of a DNS host."""
REFUSED: Final = frozenset({"unauthorized", "malformed", "externalAccountRequired"})
"""Problem types of a refused newAccount request that may be about the binding."""


def binding(context: Context, problems: Problems, eab: Eab, account_key: JWK, url: str) -> dict[str, Any]:
    """Return the inner JWS for newAccount. The secret is read only now.

    :param url: the URL of newAccount.
    :raises CAError: ``eab-invalid``: the configured binding is invalid; nothing was sent.
    """
    key = _mac_key(context, problems, eab)
    payload = json.dumps(account_key.public_key().to_partial_json()).encode()
    signed = JWS.sign(payload, key=JWKOct(key=key), alg=HS256, nonce=None, url=url, kid=eab.kid)
    inner: dict[str, Any] = json.loads(signed.json_dumps())
    return inner


def _mac_key(context: Context, problems: Problems, eab: Eab) -> bytes:
    if not eab.kid:
        raise problems.error(texts.EAB_NO_KID, **_evidence(eab))
    text = _reveal(context, problems, eab)
    fault = mac_key_fault(text)
    if fault is not None:
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
        evidence = {"ca": problems.name, "cause": error.code, **_evidence(eab)}
        code, message, fix = texts.EAB_UNREADABLE.fill(**evidence, error=error.message, error_fix=error.fix)
        raise CAError(code, message, fix=fix, evidence=evidence) from None
    except Cancelled:
        context.check()  # raises if the caller cancelled
        raise problems.error(texts.EAB_TIMEOUT, cause="timeout", timeout=SECONDS, **_evidence(eab)) from None
    context.redactor.add(text.rstrip("="))
    return text


def _evidence(eab: Eab) -> dict[str, str]:
    return {"kid": eab.kid, "reference": eab.hmac.reference}
