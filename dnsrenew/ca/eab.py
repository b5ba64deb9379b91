"""External account binding (RFC 8555 section 7.3.4): the account key, signed with a key from the CA."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from acme.jws import JWS
from josepy.json_util import decode_b64jose
from josepy.jwa import HS256
from josepy.jwk import JWKOct

from dnsrenew.errors import CAError, Cancelled, SecretError
from dnsrenew.model import mac_key_fault

if TYPE_CHECKING:
    from josepy.jwk import JWK

    from dnsrenew.ca.problems import Problems
    from dnsrenew.model import Eab
    from dnsrenew.runtime.context import Context

SECONDS: Final = 60.0
"""For reading the secret: as much as is given to those of a DNS host."""
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
    unusable = "cannot be given the external account binding"
    if not eab.kid:
        raise problems.error("eab-invalid", f"{unusable}: `eab.kid` is empty.", _COPY, **_evidence(eab))
    text = _revealed(context, problems, eab)
    fault = mac_key_fault(text)
    if fault is not None:
        del text  # what looks at the variables in a traceback must not see it
        raise problems.error("eab-invalid", f"{unusable}: `eab.hmac` is {fault}.", _COPY, **_evidence(eab))
    return decode_b64jose(text.rstrip("="))


def _revealed(context: Context, problems: Problems, eab: Eab) -> str:
    """Read the secret, in a time that has an end: all certificates at the CA wait for it.

    :raises CAError: ``eab-invalid``: another CA may do without.
    """
    reveal = partial(eab.hmac.reveal, cancel=context.cancel)
    try:
        text = context.redactor.add(context.within(SECONDS).call(reveal)).strip()
    except SecretError as error:
        message = f"needs an external account binding. {error.message}"
        raise problems.error("eab-invalid", message, error.fix, cause=error.code, **_evidence(eab)) from None
    except Cancelled:
        context.check()  # or it was the caller
        message = f"needs an external account binding. {eab.hmac.reference} could not be read within {SECONDS:.0f} s."
        fix = "See whether `eab.hmac` can be read with nobody there: a keyring may be locked, or a disk may hang."
        raise problems.error("eab-invalid", message, fix, cause="timeout", **_evidence(eab)) from None
    context.redactor.add(text.rstrip("="))
    return text


def _evidence(eab: Eab) -> dict[str, str]:
    return {"kid": eab.kid, "reference": eab.hmac.reference}


def explain(error: CAError) -> None:
    """Say in the error of a refused account what it may have to do with the binding."""
    if error.type in _REFUSED:
        error.code = "ca-account-refused"
        error.fix = "Get a new `eab` from the CA: many are good for one account only, or for some days."
