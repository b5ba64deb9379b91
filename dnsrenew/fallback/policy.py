"""What happens after an error: one table, from the error's code to the next step.

The page "How fallback decides" is generated from it.
"""

from __future__ import annotations

from enum import Enum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, NamedTuple

from dnsrenew.errors import CAError

if TYPE_CHECKING:
    from dnsrenew.errors import AttemptError

MIXED: Final = "ca-order-invalid"
"""The code of an order that failed for several reasons: each of its names has one of its own."""


class NextAction(Enum):
    """What is done next."""

    AGAIN = "the same route once more, with a longer settle; then the next route"
    NEXT_ROUTE = "the next route of the names concerned"
    LEAVE_CA = "all other routes to this CA are skipped; another CA may well accept"
    STOP = "no CA can help: nothing more is tried"


class PolicyRow(NamedTuple):
    """One line of the table; ``code`` may end in ``*``."""

    code: str
    step: NextAction
    why: str


TABLE: Final = (
    PolicyRow("ca-malformed-name", NextAction.STOP, "the name itself cannot be in a certificate"),
    PolicyRow("ca-rejected-identifier", NextAction.LEAVE_CA, "this CA does not issue for the name"),
    PolicyRow("ca-rate-limited", NextAction.LEAVE_CA, "its limits hold for every route; the time it names is kept"),
    PolicyRow("ca-terms", NextAction.LEAVE_CA, "its terms are not agreed to"),
    PolicyRow("ca-user-action-required", NextAction.LEAVE_CA, "it wants a person to do something"),
    PolicyRow("ca-account-refused", NextAction.LEAVE_CA, "it does not take our account"),
    PolicyRow("ca-eab-required", NextAction.LEAVE_CA, "it wants an external account binding"),
    PolicyRow("eab-invalid", NextAction.LEAVE_CA, "the external account binding is not usable"),
    PolicyRow("ca-profile-unknown", NextAction.LEAVE_CA, "it does not offer the profile that is required"),
    PolicyRow("ca-caa", NextAction.LEAVE_CA, "CAA forbids this CA"),
    PolicyRow("ca-bad-csr", NextAction.LEAVE_CA, "it does not take this kind of key or request"),
    PolicyRow("ca-unreachable", NextAction.LEAVE_CA, "nothing of it can be reached"),
    PolicyRow("ca-untrusted", NextAction.LEAVE_CA, "it cannot be told from somebody in between"),
    PolicyRow("trust-unreadable", NextAction.LEAVE_CA, "without its roots it cannot be told from somebody in between"),
    PolicyRow("ca-not-acme", NextAction.LEAVE_CA, "it is no ACME server"),
    PolicyRow("ca-malformed-answer", NextAction.LEAVE_CA, "its answers cannot be used"),
    PolicyRow("ca-server-error", NextAction.LEAVE_CA, "it is out of order"),
    PolicyRow("ca-timeout", NextAction.LEAVE_CA, "it does not decide"),
    PolicyRow(
        "clock-wrong", NextAction.LEAVE_CA, "its time is so far from ours that its certificate would be of no use here"
    ),
    PolicyRow("certificate-wrong", NextAction.LEAVE_CA, "what it issued is not what was ordered"),
    PolicyRow("ca-ledger", NextAction.LEAVE_CA, "it would refuse the order: a limit is reached"),
    PolicyRow("ca-unauthorized", NextAction.AGAIN, "it saw no value, or another one, where we saw ours"),
    PolicyRow("ca-incorrect-response", NextAction.AGAIN, "it saw no value, or another one, where we saw ours"),
    PolicyRow("ca-dns", NextAction.AGAIN, "its look at DNS failed where ours did not"),
    PolicyRow("ca-*", NextAction.NEXT_ROUTE, "this proof failed, another may do"),
    PolicyRow("caa", NextAction.NEXT_ROUTE, "CAA forbids this way"),
    PolicyRow("provider-*", NextAction.NEXT_ROUTE, "this DNS account cannot write"),
    PolicyRow("*", NextAction.NEXT_ROUTE, "this way failed, another may do"),
)


def next_action(error: AttemptError) -> NextAction:
    """Return what happens after an error.

    Where the CA says something of single names, the strongest counts: stop, leave ca, next route, again.
    """
    if error.code == "caa" and error.evidence.get("scope") in {"ca", "account"}:
        return NextAction.LEAVE_CA
    problems = error.subproblems if isinstance(error, CAError) else ()
    steps = {action_for_code(problem["code"]) for problem in problems if problem.get("code")}
    if error.code != MIXED or not steps:
        steps.add(action_for_code(error.code))
    return next(
        step
        for step in (NextAction.STOP, NextAction.LEAVE_CA, NextAction.NEXT_ROUTE, NextAction.AGAIN)
        if step in steps
    )


def action_for_code(code: str) -> NextAction:
    """Return what happens after an error of this code: the first fitting line of the table."""
    return next(row.step for row in TABLE if fnmatchcase(code, row.code))
