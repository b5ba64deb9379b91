"""The http-01 challenge (RFC 8555 section 8.3): answered by a listener of our own, or by files in a webroot."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import no_wildcard, texts
from dnsrenew.challenges.http01 import listener
from dnsrenew.challenges.http01.server import PATH
from dnsrenew.challenges.http01.webroot import Webroot
from dnsrenew.challenges.solver import Solver
from dnsrenew.errors import AttemptError, CAError, Cancelled, ChallengeError, DnsRenewError
from dnsrenew.model import Route

if TYPE_CHECKING:
    from dnsrenew.ca import CAClient, Challenge
    from dnsrenew.challenges.placements import Placements
    from dnsrenew.challenges.solver import SolverResources
    from dnsrenew.dns import DnsView
    from dnsrenew.model import Propagation, PropagationCheck
    from dnsrenew.runtime.context import Context

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)
_WITHDRAW_SECONDS: Final = 60.0
_WITHDRAW_GRACE: Final = 4.0
"""Ctrl-C has to end everything within five seconds."""


class Responder(Protocol):
    """What a port and a webroot have in common. Thread-safe; all but ``problem`` raise ChallengeError."""

    def check(self, probe: str, /) -> None:
        """Find out whether values can be published; ``probe`` may be used as a token. Nothing stays."""

    def add(self, token: str, content: bytes) -> None:
        """Publish one."""

    def remove(self, token: str, content: bytes) -> None:
        """Take back one ``add``."""

    def problem(self, token: str, content: bytes) -> str | None:
        """Look at one as far as that can be done from here; return what is wrong, as the end of a sentence."""


class HttpPlacement(Frozen):
    """Where the CA's question for one identifier is answered: by a listener or from a webroot.

    :ivar listen: the address of the listener, such as ``":80"``.
    :ivar webroot: the folder that a web server serves.
    """

    challenge: ClassVar[str] = "http-01"

    identifier: str
    place: Responder
    listen: str | None = None
    webroot: str | None = None


class HttpValue(Frozen):
    """One answer at its place. Each is one of its own, even if two say the same.

    :ivar token: the challenge's, which is the last part of the URL that the CA asks for.
    :ivar key_authorization: what it has to find there.
    """

    placement: HttpPlacement
    token: str
    key_authorization: str

    challenge: ClassVar[str] = "http-01"

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def identifier(self) -> str:
        """Whose proof it is."""
        return self.placement.identifier

    @property
    def content(self) -> bytes:
        """The answer as it is served: exactly the key authorization."""
        return self.key_authorization.encode("ascii")


def make_solver(resources: SolverResources) -> Http01:
    """Return the solver of this type."""
    return Http01(resources.dns)


class Http01(Solver):
    """Serves key authorizations from a listener of our own, or writes them into a webroot.

    :param dns: finds the addresses of a name that the CA could not reach.
    :param listeners: the ports that are open; by default those of this process.
    """

    def __init__(self, dns: DnsView | None = None, listeners: listener.HttpListeners = listener.SHARED) -> None:
        self._dns = dns
        self._listeners = listeners
        self._webroots: dict[str, Webroot] = {}
        self._lock = threading.Lock()
        self._standing: set[HttpValue] = set()

    # ── preflight ───────────────────────────────────────────────────────────────────────

    def preflight(
        self,
        context: Context,
        identifiers: Sequence[str],
        route: Route,
        _check: PropagationCheck,
        placements: Placements,
    ) -> None:
        """Find out where the responses are served, and whether the port or folder can be used."""
        try:
            placements.placements.update(self.place(context, dict.fromkeys(identifiers, route)))
        except AttemptError as error:
            placements.block(route, identifiers, error)

    def place(self, context: Context, routes: Mapping[str, Route]) -> dict[str, HttpPlacement]:
        """Find out, for each identifier, where the CA's question is answered, and whether it can be.

        The port is taken for a moment, a file is written and removed again; nothing stays.

        :raises ChallengeError: it certainly cannot; evidence has the ``identifiers`` of that route.
        """
        placed: dict[str, HttpPlacement] = {}
        for route in dict.fromkeys(routes.values()):
            identifiers = [identifier for identifier, its in routes.items() if its == route]
            wildcards = [identifier for identifier in identifiers if names.is_wildcard(identifier)]
            if wildcards:
                raise no_wildcard("http-01", wildcards)
            listen, webroot = _responder(route)
            place = self._place(listen, webroot)
            probe = f"dnsrenew-{context.random.getrandbits(64):016x}"
            try:
                context.call(partial(place.check, probe))
            except ChallengeError as error:
                raise error.with_evidence(identifiers=identifiers) from None
            placed.update((each, HttpPlacement(each, place, listen, webroot)) for each in identifiers)
        return {identifier: placed[identifier] for identifier in routes}

    def _place(self, listen: str | None, webroot: str | None) -> Responder:
        if webroot is None:
            return listener.Port(self._listeners, listen or listener.DEFAULT)
        with self._lock:
            return self._webroots.setdefault(webroot, Webroot(webroot))

    def make_values(self, ca: CAClient, placement: HttpPlacement, challenge: Challenge) -> list[HttpValue]:
        """Return the response to a challenge.

        :raises CAError: the token is malformed.
        """
        return [self.value(placement, challenge.token or "", ca.key_authorization(challenge))]

    def value(self, placement: HttpPlacement, token: str, key_authorization: str) -> HttpValue:
        """Return the finished answer for a placement.

        :raises CAError: the token has characters that no token has: it would become a part of a path.
        """
        if not _TOKEN.fullmatch(token):
            raise CAError.of(texts.HTTP_TOKEN_MALFORMED, identifier=placement.identifier, token=token[:100])
        return HttpValue(placement, token, key_authorization)

    # ── publish, visible, withdraw ──────────────────────────────────────────────────────

    def publish(self, context: Context, values: Sequence[HttpValue]) -> None:
        """Open the listeners and write the files.

        :raises ChallengeError: a port or a folder cannot be had any more; any part may have been published.
        """
        started = context.clock.monotonic()
        called_off = threading.Event()
        try:
            context.call(partial(self._publish, values, called_off))
        except Cancelled:  # the call may still be under way, and is not to open a port that nobody closes
            called_off.set()
            raise
        seconds = round(context.clock.monotonic() - started, 3)
        context.emit("http-published", answers=[_describe(value) for value in values], seconds=seconds)

    def _publish(self, values: Sequence[HttpValue], called_off: threading.Event) -> None:
        for value in values:
            value.placement.place.add(value.token, value.content)
            self._standing.add(value)
            if called_off.is_set():
                self._withdraw(values)
                return

    def wait_visible(
        self,
        context: Context,
        values: Sequence[HttpValue],
        _wanted: Propagation | None = None,
        _settle: float = 0.0,
    ) -> None:
        """Look whether our own side answers: each listener by a GET, each file by reading it.

        Whether the CA's question finds the way here from outside is for the CA to find out.

        :raises ChallengeError: ``http-not-served``.
        """
        context.call(partial(_look, values))
        context.emit("http-visible", answers=[_describe(value) for value in values])

    def withdraw(self, context: Context, values: Sequence[HttpValue]) -> None:
        """Remove what was published and close what is not needed; what cannot be removed is said in a warning."""
        standing = [value for value in values if value in self._standing]
        if not standing:
            return
        ending = context.for_cleanup(_WITHDRAW_SECONDS, _WITHDRAW_GRACE)
        try:
            errors = ending.call(partial(self._withdraw, standing))
        except Cancelled as error:
            errors = [error]
        described = [_describe(value) for value in standing]
        if errors:
            ending.emit("http-kept", answers=described, error=errors[0].to_dict())
            ending.warn(*_kept(standing, errors[0]))
        else:
            ending.emit("http-removed", answers=described)

    def explain(self, context: Context, identifiers: Sequence[str], error: AttemptError) -> AttemptError:
        """Return the error with the addresses that the names lead to, and a likely cause."""
        from dnsrenew.challenges.http01 import diagnosis  # rarely needed

        return error if self._dns is None else diagnosis.explain(context, self._dns, identifiers, error)

    def _withdraw(self, values: Sequence[HttpValue]) -> list[DnsRenewError]:
        """Remove one after the other, whatever happens, and return what went wrong."""
        errors: list[DnsRenewError] = []
        for value in values:
            try:
                self._standing.remove(value)
            except KeyError:  # it never stood, or somebody else is at it
                continue
            try:
                value.placement.place.remove(value.token, value.content)
            except DnsRenewError as error:
                errors.append(error)
        return errors


def _responder(route: Route) -> tuple[str | None, str | None]:
    """Return a route's listen address or its webroot."""
    if route.webroot is not None:
        return None, os.fspath(route.webroot)
    return route.listen or listener.DEFAULT, None


def _look(values: Sequence[HttpValue]) -> None:
    for value in values:
        problem = value.placement.place.problem(value.token, value.content)
        if problem is not None:
            raise _not_served(value, problem)


def _describe(value: HttpValue) -> dict[str, str | None]:
    at = value.placement
    url = f"http://{at.identifier}{PATH}{value.token}"
    return {"identifier": at.identifier, "url": url, "listen": at.listen, "webroot": at.webroot}


def _not_served(value: HttpValue, cause: str) -> ChallengeError:
    where = value.placement.webroot or value.placement.listen
    return ChallengeError.of(texts.HTTP_NOT_SERVED, **_describe(value), where=where, cause=cause)


def _kept(values: Sequence[HttpValue], error: DnsRenewError) -> tuple[str, str, str]:
    where = sorted({value.placement.webroot or value.placement.listen or "" for value in values})
    reason = "no time was left" if isinstance(error, Cancelled) else error.message.rstrip(".")
    return texts.HTTP_KEPT.fill(where=where, reason=reason)
