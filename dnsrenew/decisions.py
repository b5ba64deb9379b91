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


class Step(Enum):
    """What is done next."""

    AGAIN = "the same route once more, with a longer settle; then the next route"
    NEXT_ROUTE = "the next route of the names concerned"
    LEAVE_CA = "all other routes to this CA are skipped; another CA may well accept"
    STOP = "no CA can help: nothing more is tried"


class Row(NamedTuple):
    """One line of the table; ``code`` may end in ``*``."""

    code: str
    step: Step
    why: str


TABLE: Final = (
    Row("ca-malformed-name", Step.STOP, "the name itself cannot be in a certificate"),
    Row("ca-rejected-identifier", Step.LEAVE_CA, "this CA does not issue for the name"),
    Row("ca-rate-limited", Step.LEAVE_CA, "its limits hold for every route; the time it names is kept"),
    Row("ca-terms", Step.LEAVE_CA, "its terms are not agreed to"),
    Row("ca-user-action-required", Step.LEAVE_CA, "it wants a person to do something"),
    Row("ca-account-refused", Step.LEAVE_CA, "it does not take our account"),
    Row("ca-eab-required", Step.LEAVE_CA, "it wants an external account binding"),
    Row("eab-invalid", Step.LEAVE_CA, "the external account binding is not usable"),
    Row("ca-profile-unknown", Step.LEAVE_CA, "it does not offer the profile that is required"),
    Row("ca-caa", Step.LEAVE_CA, "CAA forbids this CA"),
    Row("ca-bad-csr", Step.LEAVE_CA, "it does not take this kind of key or request"),
    Row("ca-unreachable", Step.LEAVE_CA, "nothing of it can be reached"),
    Row("ca-untrusted", Step.LEAVE_CA, "it cannot be told from somebody in between"),
    Row("trust-unreadable", Step.LEAVE_CA, "without its roots it cannot be told from somebody in between"),
    Row("ca-not-acme", Step.LEAVE_CA, "it is no ACME server"),
    Row("ca-malformed-answer", Step.LEAVE_CA, "its answers cannot be used"),
    Row("ca-server-error", Step.LEAVE_CA, "it is out of order"),
    Row("ca-timeout", Step.LEAVE_CA, "it does not decide"),
    Row("clock-wrong", Step.LEAVE_CA, "its time is so far from ours that its certificate would be of no use here"),
    Row("certificate-wrong", Step.LEAVE_CA, "what it issued is not what was ordered"),
    Row("ca-ledger", Step.LEAVE_CA, "it would refuse the order: a limit is reached"),
    Row("ca-unauthorized", Step.AGAIN, "it saw no value, or another one, where we saw ours"),
    Row("ca-incorrect-response", Step.AGAIN, "it saw no value, or another one, where we saw ours"),
    Row("ca-dns", Step.AGAIN, "its look at DNS failed where ours did not"),
    Row("ca-*", Step.NEXT_ROUTE, "this proof failed, another may do"),
    Row("caa", Step.NEXT_ROUTE, "CAA forbids this way"),
    Row("provider-*", Step.NEXT_ROUTE, "this DNS account cannot write"),
    Row("*", Step.NEXT_ROUTE, "this way failed, another may do"),
)


def decide(error: AttemptError) -> Step:
    """Return what happens after an error.

    Where the CA says something of single names, the strongest counts: stop, leave ca, next route, again.
    """
    if error.code == "caa" and error.evidence.get("scope") in {"ca", "account"}:
        return Step.LEAVE_CA
    problems = error.subproblems if isinstance(error, CAError) else ()
    steps = {step_after(problem["code"]) for problem in problems if problem.get("code")}
    if error.code != MIXED or not steps:
        steps.add(step_after(error.code))
    return next(step for step in (Step.STOP, Step.LEAVE_CA, Step.NEXT_ROUTE, Step.AGAIN) if step in steps)


def step_after(code: str) -> Step:
    """Return what happens after an error of this code: the first fitting line of the table."""
    return next(row.step for row in TABLE if fnmatchcase(code, row.code))
