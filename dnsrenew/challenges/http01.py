"""The solver of http-01: responses come from our own listener or from files in a webroot."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar

from dnsrenew.acme import CAClient, Challenge
from dnsrenew.base import names
from dnsrenew.base.checks.addresses import by_family, judge_addresses
from dnsrenew.base.model import Propagation, PropagationCheck, Route
from dnsrenew.base.names import is_ip
from dnsrenew.base.runtime import Context
from dnsrenew.base.safe_files import PublicFiles
from dnsrenew.challenges import http01_server as server
from dnsrenew.challenges import texts, unfit
from dnsrenew.challenges.http01_server import FOLDERS, TOKEN, HttpListeners, HttpPlacement, HttpValue, Webroot
from dnsrenew.challenges.solver import Placements, Solver, SolverResources
from dnsrenew.dns import DnsView
from dnsrenew.errors import AttemptError, CAError, Cancelled, ChallengeError, DnsRenewError, as_clause

T = TypeVar("T")

_SECONDS: Final = 30
"""Time limit of a step, because a file system may never respond if another user or a dead server blocks it."""
_WITHDRAW_SECONDS: Final = 60.0
_WITHDRAW_GRACE: Final = 4.0
"""Time limit in seconds after a cancel, because Ctrl-C must end everything within five seconds."""


class Http01(Solver[HttpPlacement, HttpValue]):
    """Serves key authorizations from a listener of our own, or writes them into a webroot.

    :param dns: finds the addresses of a name that the CA could not reach.
    :param listeners: the open ports; by default the ports of this process.
    :param responses: the responses that an app of this program serves.
    """

    def __init__(self, resources: SolverResources | None = None, listeners: HttpListeners = server.SHARED) -> None:
        self._dns = resources.dns if resources else None
        self._responses = resources.responses if resources else None
        self._listeners = listeners
        self._webroots: dict[str, Webroot] = {}
        self._lock = threading.Lock()
        self._published: set[HttpValue] = set()

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self, context: Context, identifiers: Sequence[str], route: Route, _check: PropagationCheck, found: Placements
    ) -> None:
        """Find out where the responses are served, and check that the port or folder can be used."""
        try:
            found.placements.update(self.place(context, identifiers, route))
        except AttemptError as error:
            found.block(route, identifiers, error)

    def place(self, context: Context, identifiers: Sequence[str], route: Route) -> dict[str, HttpPlacement]:
        """Return the placement of each identifier, after a check that its responses can be served.

        The check opens the port for a moment, or writes and removes a file.

        :raises ChallengeError: a response cannot be served; evidence has the ``identifiers``.
        """
        if wildcards := [identifier for identifier in identifiers if names.is_wildcard(identifier)]:
            raise unfit("http-01", wildcards)
        placed = {identifier: self._placement(identifier, route) for identifier in identifiers}
        placements, probe = list(placed.values()), f"dnsrenew-{context.random.getrandbits(64):016x}"
        try:
            _call(context, placements, partial(placements[0].responder.check, probe))
        except ChallengeError as error:
            raise error.with_evidence(identifiers=list(placed)) from None
        return placed

    def _placement(self, identifier: str, route: Route) -> HttpPlacement:
        if route.app:
            if self._responses is None:
                raise ChallengeError.of(texts.HTTP_NO_APP)
            return HttpPlacement(identifier, self._responses, webroot=self._responses.files.path)
        if route.webroot is None:
            listen = route.listen or server.DEFAULT
            return HttpPlacement(identifier, server.Port(self._listeners, listen, identifier), listen=listen)
        path = os.fspath(route.webroot)
        with self._lock:
            webroot = self._webroots.setdefault(path, Webroot(PublicFiles(path, FOLDERS)))
        return HttpPlacement(identifier, webroot, webroot=path)

    def make_values(self, ca: CAClient, placement: HttpPlacement, challenge: Challenge) -> list[HttpValue]:
        """Return the response to a challenge.

        :raises CAError: the token is malformed.
        """
        return [self.value(placement, challenge.token or "", ca.key_authorization(challenge))]

    def value(self, placement: HttpPlacement, token: str, key_authorization: str) -> HttpValue:
        """Return the response for a placement.

        :raises CAError: the token is not base64url, and could escape the folder as part of a path.
        """
        if not TOKEN.fullmatch(token):
            raise CAError.of(texts.HTTP_TOKEN_MALFORMED, identifier=placement.identifier, token=token[:100])
        return HttpValue(placement, token, key_authorization)

    def exclusive(
        self, _context: Context, placements: Collection[HttpPlacement]
    ) -> contextlib.AbstractContextManager[None]:
        """Keep the ports open from before the order until after it, so that no other program takes them."""
        return self._listeners.kept_open({each.listen for each in placements if each.listen})

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[HttpValue]) -> None:
        """Open the listeners and write the files.

        :raises ChallengeError: a port or folder is no longer usable; any part may have been published.
        """
        started = context.clock.monotonic()
        stopped = threading.Event()
        try:
            _call(context, [value.placement for value in values], partial(self._publish, values, stopped))
        except (Cancelled, ChallengeError):  # the call may still run, and must not leave a port open
            stopped.set()
            raise
        seconds = round(context.clock.monotonic() - started, 3)
        context.emit("http-published", answers=[value.described for value in values], seconds=seconds)

    def _publish(self, values: Sequence[HttpValue], stopped: threading.Event) -> None:
        for value in values:
            value.placement.responder.add(value.token, value.content)
            self._published.add(value)
            if stopped.is_set():
                self._withdraw(values)
                return

    def wait_visible(
        self, context: Context, values: Sequence[HttpValue], _wanted: Propagation | None = None, _settle: float = 0.0
    ) -> None:
        """Check every response on this machine, by a GET to the listener or by reading the file.

        Only the CA can find out whether its requests reach this machine.

        :raises ChallengeError: ``http-not-served``.
        """
        _call(context, [value.placement for value in values], partial(_check_served, values))
        context.emit("http-visible", answers=[value.described for value in values])

    def withdraw(self, context: Context, values: Sequence[HttpValue]) -> None:
        """Remove the published values and close unused ports. Warn of values that stay."""
        published = [value for value in values if value in self._published]
        if not published:
            return
        cleanup = context.for_cleanup(_WITHDRAW_SECONDS, _WITHDRAW_GRACE)
        try:
            errors = cleanup.call(partial(self._withdraw, published))
        except Cancelled as error:
            errors = [error]
        described = [value.described for value in published]
        if errors:
            cleanup.emit("http-kept", answers=described, error=errors[0].to_dict())
            cleanup.warn(*_kept(published, errors[0]))
        else:
            cleanup.emit("http-removed", answers=described)

    def explain(self, context: Context, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
        """Return the error with the addresses of the names, and a likely cause."""
        return error if self._dns is None else explain(context, self._dns, identifiers, error)

    def _withdraw(self, values: Sequence[HttpValue]) -> list[DnsRenewError]:
        """Remove each value, even after errors, and return the errors."""
        errors: list[DnsRenewError] = []
        for value in values:
            try:
                self._published.remove(value)
            except KeyError:  # never published, or another thread removes it
                continue
            try:
                value.placement.responder.remove(value.token, value.content)
            except DnsRenewError as error:
                errors.append(error)
        return errors


def _call(context: Context, placements: Sequence[HttpPlacement], function: Callable[[], T]) -> T:
    """Call a function that uses the port or webroot of some placements, with a time limit.

    :raises ChallengeError: the call took too long.
    """
    try:
        return context.within(_SECONDS).call(function)
    except Cancelled:
        context.check()  # raises if the caller cancelled
        identifiers = [placement.identifier for placement in placements]
        where = sorted({placement.where for placement in placements})
        raise ChallengeError.of(texts.HTTP_STUCK, where=where, seconds=_SECONDS, identifiers=identifiers) from None


def _check_served(values: Sequence[HttpValue]) -> None:
    for value in values:
        if (cause := value.placement.responder.problem(value.token, value.content)) is not None:
            raise ChallengeError.of(texts.HTTP_NOT_SERVED, **value.described, where=value.placement.where, cause=cause)


def _kept(values: Sequence[HttpValue], error: DnsRenewError) -> tuple[str, str, str]:
    where = sorted({value.placement.where for value in values})
    reason = texts.NO_TIME_LEFT if isinstance(error, Cancelled) else as_clause(error.message)
    return texts.HTTP_KEPT.fill(where=where, reason=reason)


# ── diagnosis ──────────────────────────────────────────────────────────────────────────

# Finds a likely cause, after the CA could not reach this machine by HTTP.

_CODES: Final = frozenset({"ca-connection", "ca-dns", "ca-unauthorized", "ca-incorrect-response"})
_MAX_NAMES: Final = 10
_ELSEWHERE: Final = ("198.51.100.1", "2001:db8::1")
"""Documentation addresses (RFC 5737, RFC 3849). The route to them is the default route of this machine."""


def explain(context: Context, dns: DnsView, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
    """Return an error of http-01 with more evidence.

    ``evidence`` gets ``addresses``, ``ours``, and if a likely cause is found ``likely`` and ``likely_fix``.
    """
    if not isinstance(error, CAError):
        return error
    failed = [problem["identifier"] for problem in error.subproblems if problem.get("code") in _CODES]
    hosts = [name for name in failed if name in identifiers][:_MAX_NAMES]
    found: dict[str, Sequence[str]] = {host: [host] for host in hosts if is_ip(host)}
    domains = [host for host in hosts if host not in found]
    with contextlib.suppress(DnsRenewError):  # the addresses are only evidence
        found |= dns.addresses(context, domains) if domains else {}
    if not found:
        return error
    ours = own_addresses([address for each in found.values() for address in each])
    verdicts = [judge_addresses(name, each, ours) for name, each in found.items()]
    where = {name: by_family(each) for name, each in found.items()}
    error.with_evidence(addresses=where, ours=by_family(ours))
    likely = next((verdict for verdict in verdicts if verdict.result != "ok"), None)
    return error if likely is None else error.with_evidence(likely=likely.summary, likely_fix=likely.fix)


def own_addresses(asked: Sequence[str]) -> list[str]:
    """Return the given addresses that this machine has, and its source addresses to the Internet. Send nothing."""
    own = [address for address in asked if _source(address) == address]
    out = [source for address in _ELSEWHERE if (source := _source(address)) is not None]
    return list(dict.fromkeys([*own, *out]))


def _source(address: str) -> str | None:
    """Return the source address of this machine for a destination, or None if there is no route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as link:
            link.connect((address, 80))
            return str(link.getsockname()[0])
    except OSError:
        return None
