"""The way that is gone now: a mix of routes, as far as it got, and what an error says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import replace
from dnsrenew.errors import AttemptError, CAError, ChallengeError, DnsRenewError, PropagationError, ProviderError
from dnsrenew.fallback.candidates import Selection
from dnsrenew.fallback.policy import MIXED
from dnsrenew.model import Attempt, Route, RouteTaken

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec

_KINDS: Final = {ChallengeError: "http-01", PropagationError: "dns-01", ProviderError: "dns-01"}
"""Errors that are about one kind of challenge, whatever the others of a mix do."""

_NOT_REACHING: Final = frozenset({"ca-connection", "ca-dns"})
_UNREACHED: Final = "http-unreachable"
"""What it is called that a CA could not come to port 80."""
_OPEN: Final = "Forward port 80 to this host, or use a dns-01 route: it needs no open port."


class ActiveAttempt:
    """The mix of routes that is tried now, as far as it got.

    :param started: monotonic second.
    :param settle: seconds more than is configured.
    :param validated: identifiers that this CA found proved before, and has not asked for again.
    :ivar orders: how many were made.
    :ivar pending: identifiers that the CA wants proved.
    :ivar seen: whether we saw every value everywhere.
    """

    def __init__(
        self,
        spec: CertificateSpec,
        selection: Selection,
        started: float,
        settle: float = 0.0,
        validated: frozenset[str] = frozenset(),
    ) -> None:
        self.spec = spec
        self.selection = selection
        self.started = started
        self.settle = settle
        self.validated = validated
        self.orders = 0
        self.pending: list[str] = []
        self.seen = False

    def taken(self) -> RouteTaken:
        """Return the way as the outcome tells it."""
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

    def attempt(self, error: DnsRenewError | None, now: float) -> Attempt:
        """Return it as an attempt."""
        return Attempt(route=self.taken(), orders=self.orders, seconds=now - self.started, error=error)

    def failed_names(self, error: AttemptError) -> list[str]:
        """Return the identifiers that the CA says it did not find proved; empty where it says no names."""
        named = codes_by_identifier(error)
        return [name for name in self.selection.routes if name in named]

    def valid_names(self, error: AttemptError) -> frozenset[str]:
        """Return the identifiers that need no new proof, as far as it is known."""
        failed = self.failed_names(error)
        if not self.pending:  # it did not get as far as a proof, or nothing was to be proved
            return self.validated.difference(failed)
        # Where the CA names those that failed, it has found the others proved, but for those it has not looked at.
        open_ones = [*failed, *error.evidence.get("undecided", ())] if failed else self.pending
        return frozenset(self.selection.routes).difference(open_ones)

    def culprits(self, error: AttemptError) -> list[Route]:
        """Return the routes that an error is about; where that is not known, all that still had to prove something."""
        unproved = [name for name in self.selection.routes if name not in self.validated]
        concerned = self._named_by(error) or self.pending or unproved or list(self.selection.routes)
        routes = list(dict.fromkeys(self.selection.routes[name] for name in concerned))
        named = self.selection.routes.get(error.evidence.get("identifier", ""))
        account = error.evidence.get("account")
        kind = next((kind for of, kind in _KINDS.items() if isinstance(error, of)), None)
        narrowed = [[route for route in routes if fits(route)] for fits in (
            lambda route: route == named,
            lambda route: account in route.dns,
            lambda route: route.challenge == kind,
        )]  # fmt: skip
        return next((some for some in narrowed if some), routes)

    def _named_by(self, error: AttemptError) -> list[str]:
        """Return the identifiers that an error is about, where it says so."""
        if isinstance(error, CAError):
            return self.failed_names(error)
        named = error.evidence.get("identifiers", ())
        return [name for name in self.selection.routes if name in named]


def codes_by_identifier(error: AttemptError) -> dict[str, str | None]:
    """Return the identifiers that a CA says something of, each with the code of it."""
    problems = error.subproblems if isinstance(error, CAError) else ()
    return {problem["identifier"]: problem.get("code") for problem in problems if problem.get("identifier")}


def describe_error(error: AttemptError, selection: Selection, culprits: Sequence[Route]) -> AttemptError:
    """Say of a CA that could not reach port 80 what that means for the user."""
    if not isinstance(error, CAError):
        return error
    problems = [_describe_code(problem, selection) for problem in error.subproblems]
    error.subproblems = tuple(problems)
    if "subproblems" in error.evidence:
        error.evidence["subproblems"] = problems
    http = bool(culprits) and all(route.challenge == "http-01" for route in culprits)
    unreached = any(problem.get("code") == _UNREACHED for problem in problems) and error.code == MIXED
    if not http or not (unreached or error.code in _NOT_REACHING):
        return error
    more: dict[str, Any] = {"type": error.type, "detail": error.detail, "subproblems": problems}
    return CAError(
        _UNREACHED,
        f"The CA cannot reach this host by HTTP on port 80. {error.message}",
        fix=error.fix if "likely" in error.evidence else _OPEN,
        evidence=error.evidence,
        retry_after=error.retry_after,
        **more,
    )


def _describe_code(problem: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    route = selection.routes.get(problem.get("identifier") or "")
    http = route is not None and route.challenge == "http-01"
    unreached = http and problem.get("code") in _NOT_REACHING
    return {**problem, "code": _UNREACHED} if unreached else dict(problem)
