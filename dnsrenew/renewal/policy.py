"""The policy of the fallback: one table from the code of an error to the next action.

The page "How fallback decides" is generated from it.
"""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from typing import Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import AttemptError, CAError, ChallengeError, ProviderError, about

MIXED: Final = "ca-order-invalid"
"""The code of an order whose names failed for different reasons; each name has its own code."""

UNREACHABLE: Final = frozenset({"ca-unreachable", "ca-untrusted", "dns-unreachable"})
"""Codes of a network that does not reach the CA or DNS."""


class NextAction(Enum):
    """The next action after an error."""

    AGAIN = "try the same route once more with a longer settle, then the next route"
    NEXT_ROUTE = "try the next route of the names concerned"
    LEAVE_CA = "skip all other routes to this CA: another CA may accept the order"
    STOP = "stop: no CA can help"


class PolicyRow(Frozen):
    """One row of the table; ``code`` may end in ``*``."""

    code: str
    step: NextAction
    why: str


TABLE: Final = (
    PolicyRow("ca-malformed-name", NextAction.STOP, "no CA can issue for this name"),
    PolicyRow("ca-rejected-identifier", NextAction.LEAVE_CA, "this CA does not issue for the name"),
    PolicyRow("ca-rate-limited", NextAction.LEAVE_CA, "its limits apply to every route; its Retry-After is kept"),
    PolicyRow("ca-terms", NextAction.LEAVE_CA, "you have not agreed to its terms"),
    PolicyRow("ca-user-action-required", NextAction.LEAVE_CA, "it requires an action by you"),
    PolicyRow("ca-account-refused", NextAction.LEAVE_CA, "it refuses the account"),
    PolicyRow("account-pinned", NextAction.LEAVE_CA, "its account is lost, and records in DNS forbid a new one"),
    PolicyRow("ca-eab-required", NextAction.LEAVE_CA, "it requires an external account binding"),
    PolicyRow("eab-invalid", NextAction.LEAVE_CA, "the external account binding cannot be used"),
    PolicyRow("ca-profile-unknown", NextAction.LEAVE_CA, "it does not offer the required profile"),
    PolicyRow("lifetime-refused", NextAction.LEAVE_CA, "it does not issue for that time"),
    PolicyRow("ca-caa", NextAction.LEAVE_CA, "CAA forbids this CA"),
    PolicyRow("ca-bad-csr", NextAction.LEAVE_CA, "it does not accept this type of key or request"),
    PolicyRow("ca-unreachable", NextAction.LEAVE_CA, "this machine cannot connect to it"),
    PolicyRow("ca-untrusted", NextAction.LEAVE_CA, "something may intercept the connection"),
    PolicyRow("trust-unreadable", NextAction.LEAVE_CA, "without its roots it cannot be authenticated"),
    PolicyRow("ca-not-acme", NextAction.LEAVE_CA, "the server does not speak ACME"),
    PolicyRow("ca-malformed-answer", NextAction.LEAVE_CA, "its responses are invalid"),
    PolicyRow("ca-server-error", NextAction.LEAVE_CA, "it has an internal problem"),
    PolicyRow("ca-timeout", NextAction.LEAVE_CA, "it does not finish the order"),
    PolicyRow(
        "clock-wrong", NextAction.LEAVE_CA, "its clock differs too much: its certificate would not be valid here"
    ),
    PolicyRow("certificate-wrong", NextAction.LEAVE_CA, "the certificate does not match the order"),
    PolicyRow("ca-ledger", NextAction.LEAVE_CA, "it would refuse the order, because a limit is reached"),
    PolicyRow("ca-unauthorized", NextAction.AGAIN, "it did not see the value that this machine saw"),
    PolicyRow("ca-incorrect-response", NextAction.AGAIN, "it did not see the value that this machine saw"),
    PolicyRow("ca-dns", NextAction.AGAIN, "its DNS query failed, but that of this machine did not"),
    PolicyRow("ca-*", NextAction.NEXT_ROUTE, "this validation failed, another may succeed"),
    PolicyRow("caa", NextAction.NEXT_ROUTE, "CAA forbids this route"),
    PolicyRow("provider-*", NextAction.NEXT_ROUTE, "this DNS account cannot write"),
    PolicyRow("*", NextAction.NEXT_ROUTE, "this route failed, another may succeed"),
)


def next_action(error: AttemptError) -> NextAction:
    """Return the next action after an error.

    If the names of an order have different codes, the strongest action counts: stop, leave CA, next route, again.
    """
    if error.code == "caa" and about(error).scope in {"ca", "account"}:
        return NextAction.LEAVE_CA
    problems = error.subproblems if isinstance(error, CAError) else ()
    steps = {action_for_code(problem["code"]) for problem in problems if problem.get("code")}
    if error.code != MIXED or not steps:
        steps.add(action_for_code(error.code))
    order = (NextAction.STOP, NextAction.LEAVE_CA, NextAction.NEXT_ROUTE, NextAction.AGAIN)
    return next(step for step in order if step in steps)


def is_before_ca(error: AttemptError) -> bool:
    """Return whether the order failed before the CA decided: at the network, a DNS host, or our port."""
    return isinstance(error, (ProviderError, ChallengeError)) or error.code in UNREACHABLE


def action_for_code(code: str) -> NextAction:
    """Return the next action for a code: the action of the first matching row."""
    return next(row.step for row in TABLE if fnmatchcase(code, row.code))
