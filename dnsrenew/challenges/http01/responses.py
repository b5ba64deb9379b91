"""The response to an http-01 challenge, and what can serve it: a listener or a webroot."""

from __future__ import annotations

from typing import ClassVar, Protocol

from dnsrenew.base.names import url_host
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.http01.server import PATH


class Responder(Protocol):
    """Serves responses: a port or a webroot. Thread-safe; all methods but ``problem`` raise ChallengeError."""

    def check(self, probe: str, /) -> None:
        """Check whether responses can be served; ``probe`` may be used as a token. Leave nothing behind."""

    def add(self, token: str, content: bytes) -> None:
        """Serve a response."""

    def remove(self, token: str, content: bytes) -> None:
        """Undo one ``add``."""

    def problem(self, token: str, content: bytes) -> str | None:
        """Check a response from this host; return what is wrong, as a clause, or None."""


class HttpPlacement(Frozen):
    """Where the response for one identifier is served: by a listener or from a webroot.

    :ivar listen: the address of the listener, such as ``":80"``.
    :ivar webroot: the folder that a web server serves.
    """

    challenge: ClassVar[str] = "http-01"

    identifier: str
    responder: Responder
    listen: str | None = None
    webroot: str | None = None

    @property
    def where(self) -> str:
        """The webroot, or the address of the listener."""
        return self.webroot or self.listen or ""


class HttpValue(Frozen):
    """One response and its placement. Compared by identity: two certificates may need the same response.

    :ivar token: the token of the challenge: the last part of the URL that the CA requests.
    :ivar key_authorization: the expected content (RFC 8555 section 8.1).
    """

    placement: HttpPlacement
    token: str
    key_authorization: str

    challenge: ClassVar[str] = "http-01"

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def identifier(self) -> str:
        """The identifier that it validates."""
        return self.placement.identifier

    @property
    def content(self) -> bytes:
        """The body of the response: exactly the key authorization."""
        return self.key_authorization.encode("ascii")

    @property
    def described(self) -> dict[str, str | None]:
        """The response as in events."""
        placement = self.placement
        url = f"http://{url_host(placement.identifier)}{PATH}{self.token}"
        return {
            "identifier": placement.identifier,
            "url": url,
            "listen": placement.listen,
            "webroot": placement.webroot,
        }
