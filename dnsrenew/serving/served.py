"""Certificates of a running server: renewed in the background, and always the newest in its ``SSLContext``."""

from __future__ import annotations

import importlib.util
import inspect
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Never, Self

from dnsrenew.base import threads
from dnsrenew.base.validation import kind
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.http01_server import PATH
from dnsrenew.serving import texts
from dnsrenew.serving.follower import CertificateSource, Follower

if TYPE_CHECKING:
    import os

    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Certificate, CertificateStatus


class Served:
    """The certificates of a running server, made by :meth:`Renewer.serve` and :func:`serve`; a context manager.

    Entering it, by ``with`` or ``async with``, obtains missing certificates. From then on, daemon threads renew due
    certificates and load certificates that another process has renewed, until :meth:`close`. A failure is logged and
    emitted as an event; it never reaches a handshake.

    Entering again is counted, and the last leaving ends it. A forked process follows too, and renews if its parent
    process does not.
    """

    __module__ = "dnsrenew"

    def __init__(self, source: CertificateSource, clock: Clock) -> None:
        self._source = source
        self._follower = Follower(source, clock)
        self._applied = ServerSettings()

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The context for the server, the same one for its whole life. New handshakes get the newest certificates.

        The server name (SNI, RFC 6066 section 3) selects one of several certificates; other names get the first.
        Settings that the program makes on the context stay after every renewal.
        """
        return self._follower.context

    def ssl_context_factory(
        self,
        config: Any = None,
        default: Callable[[], ssl.SSLContext] | None = None,  # noqa: ARG002  # both servers pass it
    ) -> ssl.SSLContext:
        """Return :attr:`ssl_context`: for ``ssl_context_factory`` of uvicorn, and ``ssl_context`` of gunicorn.

        The first call in a process enters, unless the program has done so. Settings in the configuration of the server
        (CAs of client certificates, ciphers, ALPN) are made on the context. Further calls only return it.

        :param config: the configuration of the server.
        :param default: not called, because it would load the files of a certificate.
        :raises RenewalFailed: the first call could not obtain a certificate, and no usable one is stored.
        :raises OSError: the file of the CAs of client certificates cannot be read.
        """
        self._follower.enter_once()
        asked = settings_of(config)
        if asked != self._applied:
            asked.apply(self.ssl_context)
            self._applied = asked
        return self.ssl_context

    @property
    def certificates(self) -> Mapping[str, Certificate]:
        """The newest certificates by name; empty before it is entered."""
        return dict(self._follower.certificates)

    @property
    def certificate(self) -> Certificate:
        """The newest certificate of the only name.

        :raises ValueError: there are several names, see :attr:`certificates`; or it has not been entered.
        """
        found = self._follower.certificates
        if not found:
            raise ValueError(texts.NO_CERTIFICATE_YET)
        if len(found) > 1:
            raise ValueError(texts.SEVERAL_CERTIFICATES.format(count=len(found), names=", ".join(found)))
        (certificate,) = found.values()
        return certificate

    def status(self) -> list[CertificateStatus]:
        """Return the status of each certificate from the store, as :meth:`Renewer.status`; for ``/healthz``.

        :raises StoreError: ``store-not-private``: others can change the store.
        """
        return self._source.status()

    def check_now(self) -> None:
        """Renew due certificates and load those that another process has renewed, without waiting for the next check.

        It returns when new handshakes get it. A failure is logged and emitted, as one in the background. It blocks.

        :raises RuntimeError: it has not been entered.
        """
        if not self._follower.is_running:
            raise RuntimeError(texts.NOT_ENTERED)
        self._follower.check_now()

    def http01_app(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """Return a WSGI or ASGI app that also answers http-01 challenges, for routes with ``app = true``.

        Serve it at port 80, and enter afterwards. All other requests go to ``app``. Several worker processes can serve
        it, because each one finds the response to the CA in the store.

        :raises TypeError: ``app`` is neither a WSGI nor an ASGI app.
        """
        both: Callable[..., Any] = wrapped(app, self._source.responses.find)
        self._source.responses.is_served = True
        return both

    def close(self) -> None:
        """Stop renewing, even if it was entered several times. The context keeps its certificates.

        A renewal in progress withdraws its published values. The end of the program does the same.
        """
        self._follower.close()

    def __enter__(self) -> Self:
        """Obtain missing certificates, load all of them, and follow them from now on.

        A due certificate that can still be used is renewed in the background. Entering blocks; in asyncio, use ``async
        with``.

        :raises RenewalFailed: a certificate could not be obtained, and no usable one is stored; ``http-no-app`` if all
            its routes need an app that does not exist yet, see :meth:`http01_app`.
        :raises StoreError: the store cannot be read or written.
        """
        self._follower.enter(threading.Event())
        return self

    def __exit__(self, *_: object) -> None:
        self._follower.leave()

    async def __aenter__(self) -> Self:
        """Enter as ``with`` does, without holding up the event loop; ``on_event`` is called in the loop's thread.

        Cancelling the task ends it within five seconds, and withdraws the published values.
        """
        cancel, has_entered = threading.Event(), threading.Event()

        def enter() -> None:
            self._follower.enter(cancel)
            has_entered.set()

        self._source.post_events(threads.poster())
        try:
            await threads.call(enter, cancel)
        except BaseException:  # the task may be cancelled just after it has entered
            if has_entered.is_set():
                self._follower.leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if await threads.call(self._follower.leave, threading.Event()):
            self._source.post_events(None)

    def __reduce__(self) -> Never:
        raise TypeError(texts.NOT_FOR_ANOTHER_PROCESS)


# ── server settings ────────────────────────────────────────────────────────────────────

# The TLS settings in the configuration of uvicorn or gunicorn, for a context that we give to the server.

_GUNICORN_ALPN: Final[Mapping[str, str]] = {"h1": "http/1.1", "h2": "h2"}


class ServerSettings(Frozen):
    """The TLS settings of a server, without its certificate. Defaults are not set.

    :ivar ca_certs: the file with the CAs of client certificates.
    :ivar verify: whether clients need a certificate: one of the modes of ``ssl``.
    :ivar ciphers: as for :meth:`ssl.SSLContext.set_ciphers`.
    :ivar alpn: the protocols that the server speaks, the preferred one first.
    """

    ca_certs: str | os.PathLike[str] | None = None
    verify: int = 0
    ciphers: str | None = None
    alpn: Sequence[str] = ()

    def apply(self, context: ssl.SSLContext) -> None:
        """Make these settings on a context.

        :raises OSError: ``ca_certs`` cannot be read.
        :raises ssl.SSLError: ``ca_certs`` has no certificates, or no cipher is known.
        """
        if self.ca_certs:
            context.load_verify_locations(self.ca_certs)
        if self.verify:
            context.verify_mode = ssl.VerifyMode(self.verify)
        if self.ciphers:
            context.set_ciphers(self.ciphers)
        if self.alpn:
            context.set_alpn_protocols(self.alpn)


def settings_of(config: Any) -> ServerSettings:
    """Return the TLS settings of a server.

    :param config: its configuration, of uvicorn (names that begin with ``ssl_``) or of gunicorn. Any other
        configuration has no settings.
    """
    prefix = "ssl_" if hasattr(config, "ssl_cert_reqs") else ""
    return ServerSettings(
        getattr(config, f"{prefix}ca_certs", None),
        getattr(config, f"{prefix}cert_reqs", None) or 0,
        getattr(config, f"{prefix}ciphers", None),
        tuple(_alpn(config)),
    )


def _alpn(config: Any) -> Iterator[str]:
    """Yield the protocols: uvicorn's HTTP class names them, and gunicorn derives them from ``http_protocols``."""
    yield from getattr(getattr(config, "http_protocol_class", None), "alpn_protocols", None) or ()
    spoken = getattr(config, "http_protocols", None) or ()
    if "h2" in spoken and importlib.util.find_spec("h2") is not None:
        yield from (_GUNICORN_ALPN[name] for name in spoken if name in _GUNICORN_ALPN)


# ── challenge app ──────────────────────────────────────────────────────────────────────

# Wraps a web app, so that it also answers http-01 challenges (RFC 8555 section 8.3).

_Find = Callable[[str], "bytes | None"]
_METHODS: Final = {"GET", "HEAD"}
_HEADERS: Final = {"content-type": "text/plain", "cache-control": "no-store"}


def wrapped(app: Any, find: _Find) -> Any:
    """Return an app of the same interface, WSGI (PEP 3333) or ASGI 3.

    :param find: returns the response for a token, or None to pass the request to ``app``.
    :raises TypeError: ``app`` has neither interface.
    """
    if not callable(app) or inspect.isclass(app):
        raise TypeError(texts.NO_SUCH_APP.format(found=kind(app)))
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return _asgi(app, find)
    return _wsgi(app, find)


def _wsgi(app: Callable[..., Iterable[bytes]], find: _Find) -> Callable[..., Iterable[bytes]]:
    def challenges(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        body = _response(environ.get("REQUEST_METHOD"), path, find)
        if body is None:
            return app(environ, start_response)
        headers = {**_HEADERS, "content-length": str(len(body))}
        start_response("200 OK", list(headers.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return challenges


def _asgi(app: Callable[..., Awaitable[None]], find: _Find) -> Callable[..., Awaitable[None]]:
    async def challenges(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        body = _response(scope.get("method"), scope.get("path", ""), find) if scope["type"] == "http" else None
        if body is None:
            await app(scope, receive, send)
            return
        headers = {**_HEADERS, "content-length": str(len(body))}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return challenges


def _response(method: str | None, path: str, find: _Find) -> bytes | None:
    if not path.startswith(PATH) or method not in _METHODS:
        return None
    return find(path.removeprefix(PATH))
