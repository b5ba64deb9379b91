"""Serves only the responses to http-01 challenges (RFC 8555 section 8.3)."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
import threading
from collections.abc import Collection, Iterator
from typing import ClassVar, Final, Protocol

from dnsrenew.base import host_port
from dnsrenew.base.clock import Clock
from dnsrenew.base.files import is_closed_by_unit, mount_of, other_unit
from dnsrenew.base.names import url_host
from dnsrenew.base.safe_files import ForeignLinkError, OutsideLinkError, PublicFiles
from dnsrenew.base.values import Frozen
from dnsrenew.challenges import texts
from dnsrenew.challenges.listeners import MAX_BYTES, TIMEOUT, ChallengeServer, Client, Contents, Listeners, PortTexts
from dnsrenew.errors import ChallengeError
from dnsrenew.store.paths import HttpResponses

PATH: Final = "/.well-known/acme-challenge/"

_REQUEST: Final = re.compile(
    rb"(?P<method>GET|HEAD) (?:http://[^/ ]+)?/\.well-known/acme-challenge/(?P<token>[A-Za-z0-9_-]+) HTTP/1\.[0-9]\r?\n"
)
_END: Final = re.compile(rb"\r?\n\r?\n")
_HOST: Final = re.compile(rb"\nhost:[ \t]*+(?P<host>[^\s:]*|\[[^\s\]]*\])(?::[0-9]*)?[ \t]*\r?\n", re.IGNORECASE)
_REFERER: Final = re.compile(rb"\nreferer:[ \t]*https?://(?P<host>[^\s:/]+)", re.IGNORECASE)


class TokenResponse(Frozen):
    """The response for one token.

    :ivar host: the identifier that it validates.
    """

    host: str
    body: bytes


class HttpServer(ChallengeServer[TokenResponse]):
    """Serves key authorizations by token."""

    def read(self, client: Client) -> bool:
        """Collect the request and respond when its head is complete."""
        data = client.socket.recv(MAX_BYTES)
        if not data:
            return False
        if not client.answered:
            client.received += data
            if _END.search(client.received) or len(client.received) >= MAX_BYTES:
                self.farewell(client)
                client.socket.send(self._response(client.received))  # a few hundred bytes fit into any send buffer
                client.socket.shutdown(socket.SHUT_WR)
        return True

    def _response(self, request: bytes) -> bytes:
        match = _REQUEST.match(request)
        found = None if match is None else self.contents.get(match["token"].decode("ascii"))
        if match is None or found is None or _is_foreign(request, {each.host for each in self.contents.all()}):
            return _message("404 Not Found", b"")
        return _message("200 OK", found.body, body=match["method"] == b"GET")


def _is_foreign(request: bytes, hosts: Collection[str]) -> bool:
    """Return whether a request is for a host that is not being validated, as after DNS rebinding.

    A CA that followed a redirect to another host names the validated host as the referrer. A proxy may send an address,
    a name without a dot, or no name.
    """
    host = _name(_HOST, request)
    if "." not in host or host in hosts or host_port.is_ip(host):
        return False
    return _name(_REFERER, request) not in hosts


def _name(header: re.Pattern[bytes], request: bytes) -> str:
    """Return the host in a header, or an empty text."""
    match = header.search(request)
    return "" if match is None else match["host"].decode("latin-1").lower().strip("[]").rstrip(".")


def _message(status: str, content: bytes, *, body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(content)}\r\n"
        # A proxy must not cache a 404 that was right a second ago.
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (content if body else b"")


# ── listener ───────────────────────────────────────────────────────────────────────────

# The listeners for http-01, and the responder of one listen address.

DEFAULT: Final = ":80"
"""The port that every CA uses (RFC 8555 section 8.3). Any other port needs a forwarding from port 80."""
_MAX_BYTES: Final = 65_536


class HttpListeners(Listeners[TokenResponse]):
    """The listeners for http-01."""

    texts = PortTexts(
        texts.HTTP_PORT_TAKEN,
        texts.HTTP_PORT_TAKEN_UNKNOWN,
        texts.HTTP_PORT_FORBIDDEN,
        texts.HTTP_ADDRESS_MISSING,
        texts.HTTP_PORT_FAILED,
    )

    def start(self, listening: socket.socket) -> HttpServer:
        """Return a running server on a listening socket."""
        return HttpServer(listening, self.monotonic)

    def fetch(self, host: str, port: int, key: str) -> bytes:
        """Return the whole response to one GET, head and body; never use a proxy."""
        response = b""
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(f"GET {PATH}{key} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            while len(response) < _MAX_BYTES and (data := connection.recv(4096)):
                response += data
        return response


SHARED: Final = HttpListeners()
"""Shared by all runs in a process, because a port belongs to the process."""


class Port:
    """The responder of one identifier on one listen address."""

    def __init__(self, listeners: HttpListeners, listen: str, host: str) -> None:
        self._listeners = listeners
        self._listen = listen
        self._host = host

    def check(self, _probe: str) -> None:
        """Check whether the port can be opened.

        :raises ChallengeError: the port cannot be opened.
        """
        self._listeners.check(self._listen)

    def add(self, token: str, content: bytes) -> None:
        """Serve a response.

        :raises ChallengeError: the port cannot be opened.
        """
        self._listeners.add(self._listen, token, TokenResponse(self._host, content))

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`."""
        self._listeners.remove(self._listen, token, TokenResponse(self._host, content))

    def problem(self, token: str, content: bytes) -> str | None:
        """Request a token as a CA would. Return what is wrong with the response, as a clause, or None."""
        try:
            answers = self._listeners.ask(self._listen, token)
        except OSError as error:
            return texts.LISTENER_SILENT.format(reason=error.strerror or error)
        for address, answer in answers.items():
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"\r\n\r\n" + content):
                return texts.HTTP_OTHER_RESPONSE.format(address=address)
        return None


# ── responses ──────────────────────────────────────────────────────────────────────────

# The response to an http-01 challenge, and what can serve it: a listener or a webroot.


class Responder(Protocol):
    """Serves responses: a port or a webroot. Thread-safe; all methods but ``problem`` raise ChallengeError."""

    def check(self, probe: str, /) -> None:
        """Check whether responses can be served; ``probe`` may be used as a token. Leave nothing behind."""

    def add(self, token: str, content: bytes) -> None:
        """Serve a response."""

    def remove(self, token: str, content: bytes) -> None:
        """Undo one ``add``."""

    def problem(self, token: str, content: bytes) -> str | None:
        """Check a response from this machine; return what is wrong, as a clause, or None."""


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

    :ivar token: the token of the challenge, which is the last part of the URL that the CA requests.
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
        its = self.placement
        url = f"http://{url_host(its.identifier)}{PATH}{self.token}"
        return {"identifier": its.identifier, "url": url, "listen": its.listen, "webroot": its.webroot}


# ── http01 app ─────────────────────────────────────────────────────────────────────────

# The responder of routes with ``app = true``: a web app of this process serves the responses.

# ── webroot ────────────────────────────────────────────────────────────────────────────

# Files for http-01 in a folder that a web server serves; they are removed afterwards.

FOLDERS: Final = (".well-known", "acme-challenge")
"""The subfolders in which a web server looks for a response (RFC 8555 section 8.3)."""


class Webroot:
    """One folder that a web server serves. Thread-safe; other processes may use it too.

    Other users can often write there, and dnsrenew may run as root. So a link that leads out of the folder is refused,
    and also a link of another user that leads to it.

    :ivar files: the files in it.
    """

    def __init__(self, files: PublicFiles) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._contents: Contents[bytes] = Contents()

    def check(self, name: str) -> None:
        """Check whether files can be written, by writing and removing one.

        :param name: the name of the file.
        :raises ChallengeError: a file cannot be written.
        """
        self.add(name, b"")
        self.remove(name, b"")

    def add(self, token: str, content: bytes) -> None:
        """Write the file for a token.

        :raises ChallengeError: the file cannot be written.
        """
        with self._lock, self._translated():
            try:
                self.files.write(token, content)
            except OSError:
                with contextlib.suppress(OSError):
                    self._clear(token)
                raise
            self._contents.add(token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`. The last call also removes the folders that were created.

        :raises ChallengeError: the file cannot be removed.
        """
        with self._lock, self._translated():
            self._contents.remove(token, content)
            self._clear(token)

    def problem(self, token: str, content: bytes) -> str | None:
        """Read the file for a token; return what is wrong with it, as a clause, or None."""
        try:
            with self._lock:
                read = self.files.read(token)
        except OutsideLinkError as error:
            raise self._failure(error) from None
        except OSError as error:
            return texts.FILE_UNREADABLE.format(reason=error.strerror or error)
        return None if read == content else texts.FILE_CHANGED

    def _clear(self, token: str) -> None:
        """Remove the file and the folders that are no longer needed."""
        if self._contents.get(token) is None:
            self.files.remove(token)
        if not self._contents:
            self.files.remove_folders()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> ChallengeError:
        """Translate an OSError of the folder."""
        webroot, path = self.files.path, self.files.folder
        if isinstance(error, OutsideLinkError):
            return ChallengeError.of(texts.WEBROOT_LINK, webroot=webroot, path=path, leads_to=error.leads_to)
        if isinstance(error, ForeignLinkError):
            return ChallengeError.of(texts.WEBROOT_FOREIGN_LINK, webroot=webroot, **vars(error.link))
        evidence = {"webroot": webroot, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
        if not os.path.isdir(webroot) and not isinstance(error, PermissionError):
            return ChallengeError.of(texts.WEBROOT_MISSING, **evidence)
        reason = error.strerror or str(error)
        text = texts.WEBROOT_UNWRITABLE
        if error.errno == errno.EROFS:
            text = texts.WEBROOT_DISK_READ_ONLY
        if is_closed_by_unit(error):
            text = texts.WEBROOT_READ_ONLY
            if unit := other_unit():
                text, evidence = texts.WEBROOT_READ_ONLY_ELSEWHERE, {**evidence, "unit": unit}
        return ChallengeError.of(text, **evidence, path=path, reason=reason, mount=mount_of(webroot))


# ── app ────────────────────────────────────────────────────────────────────────────────

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)

_LEFTOVER: Final = 24 * 3600.0
"""Seconds after which a response is a leftover: a CA asks within minutes, and other processes may be using it."""


class AppResponses(Webroot):
    """Responses for the wrapped app of a program.

    :param responses: the responses in the store, which other worker processes serve too.
    :param clock: the clock for the age of leftovers.
    :ivar is_served: whether there is an app.
    """

    def __init__(self, responses: HttpResponses, clock: Clock) -> None:
        super().__init__(responses)
        self.is_served = False
        self._responses = responses
        self._clock = clock

    def find(self, token: str) -> bytes | None:
        """Return the response for a token, or None."""
        if not TOKEN.fullmatch(token):
            return None
        try:
            return self._responses.read(token)
        except OSError:
            return None

    def check(self, name: str) -> None:
        """Check that an app exists and that files can be written; remove leftovers.

        :raises ChallengeError: ``http-no-app``; files cannot be written.
        """
        if not self.is_served:
            raise ChallengeError.of(texts.HTTP_NO_APP)
        self._responses.make_folder()
        self.remove_leftovers()
        super().check(name)

    def remove_leftovers(self) -> None:
        """Remove the responses that interrupted runs left."""
        self._responses.remove_old(self._clock.now().timestamp() - _LEFTOVER)
