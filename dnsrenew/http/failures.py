"""The one place where what requests and urllib3 raise becomes an :class:`HttpFailure`."""

from __future__ import annotations

import http.client
import ssl
from typing import Final, Literal

import requests
from urllib3 import exceptions as urllib3_errors

FailureKind = Literal["dns", "connect", "tls", "timeout", "reset", "too-large", "redirect", "proxy"]


_TUNNEL: Final = "Tunnel connection failed: "
_ENDED = (http.client.RemoteDisconnected, http.client.IncompleteRead)


class HttpFailure(Exception):
    """There is no answer to a request, or none that we take.

    :ivar kind: where it failed.
    :ivar detail: what was seen, as the end of a sentence. It names no URL; the caller redacts it.
    :ivar untrusted: of kind ``tls``: the other side's certificate is not to be trusted.
    """

    def __init__(self, kind: FailureKind, detail: str, *, untrusted: bool = False) -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.untrusted = untrusted


def failure(error: Exception, timeout: tuple[float, float]) -> HttpFailure:
    """Translate what requests and urllib3 raise; no text of theirs that holds a URL is kept."""
    if isinstance(error, HttpFailure):
        return error
    cause = _cause(error)
    if isinstance(error, requests.exceptions.ProxyError) or isinstance(cause, urllib3_errors.ProxyError):
        inner = getattr(cause, "original_error", cause)
        return HttpFailure("proxy", f"the proxy does not work ({_words(inner)})")
    if _wants_another_proxy(error):
        return HttpFailure("proxy", "the proxy named in the environment is none that speaks HTTP")
    if isinstance(cause, urllib3_errors.NameResolutionError):
        return HttpFailure("dns", "its name cannot be resolved")
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return HttpFailure("connect", f"no connection can be made ({_words(cause)})")
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return HttpFailure("timeout", f"no connection was made within {timeout[0]:g} s")
    if isinstance(cause, urllib3_errors.SSLError | ssl.SSLError):
        return _tls_failure(cause)
    if isinstance(cause, urllib3_errors.ReadTimeoutError | TimeoutError):
        return HttpFailure("timeout", f"no whole answer came within {timeout[1]:g} s")
    if isinstance(
        cause,
        urllib3_errors.LocationValueError
        | requests.exceptions.InvalidURL
        | requests.exceptions.InvalidSchema
        | requests.exceptions.MissingSchema,
    ):
        return HttpFailure("connect", "its address is not a URL that can be used")
    if isinstance(cause, http.client.HTTPException | ValueError) and not isinstance(cause, _ENDED):
        return HttpFailure("reset", "what came is not an answer in HTTP")
    words = cause.strerror if isinstance(cause, OSError) else None
    return HttpFailure("reset", f"the connection ended before the answer did{f' ({words})' if words else ''}")


def _wants_another_proxy(error: Exception) -> bool:
    """Tell whether a variable such as HTTPS_PROXY names a proxy of another kind (socks5://…)."""
    bad_address = isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL)
    return bad_address and str(error).startswith(("Missing dependencies for SOCKS", "Proxy URL had unsupported scheme"))


def _cause(error: BaseException) -> BaseException:
    """Return what is inside requests' exception and urllib3's MaxRetryError and ProtocolError."""
    while True:
        inner = getattr(error, "reason", None) or next((arg for arg in error.args if _is_wrapped(error, arg)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _is_wrapped(error: BaseException, argument: object) -> bool:
    wrapper = isinstance(error, requests.RequestException | urllib3_errors.ProtocolError | urllib3_errors.SSLError)
    return wrapper and isinstance(argument, BaseException)


def _tls_failure(cause: BaseException) -> HttpFailure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HttpFailure("tls", f"its certificate is not trusted ({cause.verify_message})", untrusted=True)
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return HttpFailure("tls", f"no TLS connection can be made ({str(reason).lower().replace('_', ' ')})")


def _words(error: BaseException) -> str:
    """Return the operating system's words for an error, or the name of its type."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        if str(seen).startswith(_TUNNEL):  # what follows is the proxy's own word; its number says enough
            return f"it answers {str(seen).removeprefix(_TUNNEL)[:3]}"
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
