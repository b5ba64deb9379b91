"""A binding that a CA gives for an e-mail address (ZeroSSL): fetched when an account is created, and never stored.

The request is that of ZeroSSL's documentation (zerossl.com/documentation/acme, "Generate EAB Credentials"): POST with
the form field ``email``, answered by JSON with ``success``, ``eab_kid`` and ``eab_hmac_key``, or with ``error``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from dnsrenew.acme import texts
from dnsrenew.acme.clean import MAX_WORD, one_line
from dnsrenew.base.http import HttpClient, HttpFailure, Response, retry_after
from dnsrenew.base.model import EAB_BY_EMAIL, Eab
from dnsrenew.base.runtime.retry import Transient, resend
from dnsrenew.base.secrets import Secret

if TYPE_CHECKING:
    from dnsrenew.acme.problems import Problems
    from dnsrenew.base.runtime.context import Context

_MAIL: Final = "mailto:"


def fetch(context: Context, problems: Problems, directory: str, contact: Sequence[str]) -> Eab:
    """Return a new binding for the first e-mail address of the contact.

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
        reason = _reason(answer)
        if reason:
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
    """Return the type of the error, such as ``invalid_email``; "" if the answer has none."""
    error = answer.get("error")
    found = error.get("type") if isinstance(error, dict) else None
    return one_line(found, MAX_WORD) if isinstance(found, str) else ""
