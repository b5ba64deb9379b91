"""The attempt in progress: its route selection, its progress, and the routes that an error is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Attempt, Route, RouteTaken
from dnsrenew.base.names import is_ip
from dnsrenew.base.values import replace
from dnsrenew.challenges import CHALLENGES, texts
from dnsrenew.errors import AttemptError, CAError, DnsRenewError
from dnsrenew.fallback.candidates import Selection
from dnsrenew.fallback.policy import MIXED

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.errors import Text
    from dnsrenew.store.pending_orders import PendingOrder

_UNREACHABLE: Final = frozenset({"ca-connection", "ca-dns"})
"""Codes of a CA that could not connect to this host."""


class Reselect(Exception):  # control flow, not an error
    """The preflight ruled routes out, or a pending order is dead: choose again."""


class ActiveAttempt:
    """A route selection in progress.

    :param started: monotonic second.
    :param settle: seconds to wait after propagation, in addition to the configured ones.
    :param validated: identifiers with a validation that this CA probably still accepts.
    :param pending_order: the order of a killed run that this attempt resumes, or None.
    :ivar orders: number of orders.
    :ivar pending: identifiers whose authorizations are pending.
    :ivar visible: whether every value was seen where the CA looks for it.
    :ivar answered: whether the CA was asked to validate.
    """

    def __init__(
        self,
        spec: CertificateSpec,
        selection: Selection,
        started: float,
        *,
        settle: float = 0.0,
        validated: frozenset[str] = frozenset(),
        pending_order: PendingOrder | None = None,
    ) -> None:
        self.spec = spec
        self.selection = selection
        self.started = started
        self.settle = settle
        self.validated = validated
        self.pending_order = pending_order
        self.orders = 0
        self.pending: list[str] = []
        self.visible = False
        self.answered = False

    def taken(self) -> RouteTaken:
        """Return the routes as in an outcome."""
        routes = self.selection.distinct()
        accounts = tuple(dict.fromkeys(account for route in routes for account in route.dns))
        kinds = {route.challenge for route in routes}
        challenge = kinds.pop() if len(kinds) == 1 else "mixed"
        taken = RouteTaken(ca=self.selection.ca, challenge=challenge, dns=accounts)
        if len({(route.challenge, route.dns) for route in routes}) == 1:
            return taken
        names = {
            domain: {"challenge": route.challenge, "dns": list(route.dns)}
            for domain, identifier in zip(self.spec.domains, self.spec.identifiers, strict=True)
            for route in [self.selection.routes[identifier]]
        }
        return replace(taken, names=names)

    def ended(self, error: DnsRenewError | None, now: float) -> Attempt:
        """Return the finished attempt.

        :param error: the error that ended it; None: it led to a certificate.
        :param now: monotonic second.
        """
        return Attempt(route=self.taken(), orders=self.orders, seconds=now - self.started, error=error)

    def orders_at_ca(self, error: AttemptError) -> int:
        """Return the number of orders that reached the CA: those that it took, and one that it refused."""
        return self.orders + (isinstance(error, CAError) and error.evidence.get("stage") == "newOrder")

    def failed_names(self, error: AttemptError) -> list[str]:
        """Return the identifiers whose validation failed; empty if the CA names none."""
        named = codes_by_identifier(error)
        return [name for name in self.selection.routes if name in named]

    def valid_names(self, error: AttemptError) -> frozenset[str]:
        """Return the identifiers that are known to have a valid authorization."""
        failed = self.failed_names(error)
        if not self.pending:  # nothing was validated
            return self.validated.difference(failed)
        # A CA that names the failed identifiers has validated the others, except the undecided ones.
        unresolved = [*failed, *error.evidence.get("undecided", ())] if failed else self.pending
        return frozenset(self.selection.routes).difference(unresolved)

    def culprits(self, error: AttemptError) -> list[Route]:
        """Return the routes that an error is about; if unknown, all routes with a pending authorization."""
        unvalidated = [name for name in self.selection.routes if name not in self.validated]
        concerned = self._named_by(error) or self.pending or unvalidated or list(self.selection.routes)
        routes = list(dict.fromkeys(self.selection.routes[name] for name in concerned))
        named = self.selection.routes.get(error.evidence.get("identifier", ""))
        account = error.evidence.get("account")
        challenge = error.evidence.get("challenge")
        narrowed = [[route for route in routes if fits(route)] for fits in (
            lambda route: route == named,
            lambda route: account in route.dns,
            lambda route: route.challenge == challenge,
        )]  # fmt: skip
        return next((some for some in narrowed if some), routes)

    def _named_by(self, error: AttemptError) -> list[str]:
        """Return the identifiers that an error names."""
        if isinstance(error, CAError):
            return self.failed_names(error)
        named = error.evidence.get("identifiers", ())
        return [name for name in self.selection.routes if name in named]


def codes_by_identifier(error: AttemptError) -> dict[str, str | None]:
    """Return the code of each identifier that an error of a CA names."""
    problems = error.subproblems if isinstance(error, CAError) else ()
    return {problem["identifier"]: problem.get("code") for problem in problems if problem.get("identifier")}


def describe_error(error: AttemptError, selection: Selection, culprits: Sequence[Route]) -> AttemptError:
    """Return the error for the user.

    It says that the CA cannot reach this host if the challenge type needs a connection, and it adds a likely cause.
    """
    if not isinstance(error, CAError):
        return error
    problems = [_describe_problem(problem, selection) for problem in error.subproblems]
    concerned = [name for route in culprits for name in selection.users(route)]
    text = _text(error, problems, culprits, only_ips=bool(concerned) and all(map(is_ip, concerned)))
    evidence = {**error.evidence, **({"subproblems": problems} if "subproblems" in error.evidence else {})}
    more: dict[str, Any] = {"type": error.type, "detail": error.detail, "retry_after": error.retry_after}
    if text is None:
        return CAError(error.code, error.message, fix=error.fix, evidence=evidence, subproblems=problems, **more)
    code, message, fix = text.fill(**evidence, ca_message=error.message)
    return CAError(code or error.code, message, fix=fix, evidence=evidence, subproblems=problems, **more)


def _text(
    error: CAError, problems: Sequence[Mapping[str, Any]], culprits: Sequence[Route], *, only_ips: bool
) -> Text | None:
    """Return the text that replaces the message of the CA, or None to keep it."""
    types = [CHALLENGES[challenge] for challenge in dict.fromkeys(route.challenge for route in culprits)]
    unreachable = types[0].unreachable if len(types) == 1 else None
    likely = "likely" in error.evidence
    if unreachable is None:
        return texts.LIKELY_CAUSE if likely else None
    named = error.code == MIXED and any(problem.get("code") == unreachable.code for problem in problems)
    if named or error.code in _UNREACHABLE:
        if likely:
            return types[0].unreachable_because
        return types[0].unreachable_ip if only_ips else unreachable
    return texts.LIKELY_CAUSE if likely else None


def _describe_problem(problem: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    route = selection.routes.get(problem.get("identifier") or "")
    unreachable = None if route is None else CHALLENGES[route.challenge].unreachable
    if unreachable is not None and problem.get("code") in _UNREACHABLE:
        return {**problem, "code": unreachable.code}
    return dict(problem)
