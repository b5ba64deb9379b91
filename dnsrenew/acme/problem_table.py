"""Which text an error has, by the type of the problem document (RFC 8555 section 6.7) or by the HTTP status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.acme import texts

if TYPE_CHECKING:
    from dnsrenew.errors import Text

REFUSALS: Final = {
    "accountDoesNotExist": texts.ACCOUNT_REFUSED,
    "alreadyRevoked": texts.ALREADY_REVOKED,
    "badCSR": texts.CSR_REFUSED,
    "badPublicKey": texts.PUBLIC_KEY_REFUSED,
    "badRevocationReason": texts.BAD_REASON,
    "caa": texts.CAA_FORBIDS,
    "connection": texts.CONNECTION_FAILED,
    "dns": texts.DNS_FAILED,
    "externalAccountRequired": texts.EAB_MISSING,
    "incorrectResponse": texts.INCORRECT_RESPONSE,
    "invalidContact": texts.CONTACT_INVALID,
    "invalidProfile": texts.PROFILE_REFUSED,
    "rateLimited": texts.RATE_LIMITED,
    "rejectedIdentifier": texts.IDENTIFIER_REJECTED,
    "serverInternal": texts.SERVER_ERROR,
    "tls": texts.TLS_FAILED,
    "unauthorized": texts.UNAUTHORIZED,
    "unsupportedContact": texts.CONTACT_INVALID,
    "unsupportedIdentifier": texts.IDENTIFIER_REJECTED,
    "userActionRequired": texts.ACTION_REQUIRED,
}
_VALIDATIONS: Final = {kind: text._replace(message=texts.VALIDATION_FAILED) for kind, text in REFUSALS.items()}
_ACCOUNT_STAGES: Final = frozenset({"newAccount", "account", "newOrder"})
"""Requests in which ``unauthorized`` is about the account, and not about a validation."""


def code_of(kind: str | None) -> str:
    """Return the error code of a problem type; ``ca-error`` for an unknown one."""
    return REFUSALS.get(kind or "", texts.OTHER).code


def refusal(kind: str | None, subproblems: Sequence[Mapping[str, Any]], stage: str, status: int = 0) -> Text:
    """Return the text of a refusal that has a problem document.

    :param kind: the problem type.
    :param status: the HTTP status, which decides on an unknown type; 0: there is none.
    """
    if kind == "compound":
        return _common(subproblems, REFUSALS) or texts.SEVERAL_PROBLEMS
    if kind == "unauthorized" and stage in _ACCOUNT_STAGES:
        return texts.ACCOUNT_REFUSED
    text = REFUSALS.get(kind or "")
    if text is not None:
        return text
    if status == 429:
        return texts.RATE_LIMITED
    return texts.SERVER_ERROR if status >= 500 else texts.OTHER


def failed_validation(subproblems: Sequence[Mapping[str, Any]]) -> Text:
    """Return the text of failed validations, one subproblem each."""
    return _common(subproblems, _VALIDATIONS) or texts.VALIDATIONS_FAILED


def unexplained(status: int, retry_after: float | None) -> Text:
    """Return the text of a refusal without a problem document."""
    if status == 429:
        return texts.RATE_LIMITED_UNEXPLAINED if retry_after is None else texts.RATE_LIMITED_UNEXPLAINED_UNTIL
    return texts.SERVER_ERROR_UNEXPLAINED if status >= 500 else texts.UNEXPLAINED


def _common(subproblems: Sequence[Mapping[str, Any]], table: Mapping[str, Text]) -> Text | None:
    """Return the text that all subproblems share, or None."""
    found = {table.get(each["type"] or "") for each in subproblems}
    return found.pop() if len(found) == 1 else None
