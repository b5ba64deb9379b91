"""Translates the exceptions of urllib3 to :class:`HttpFailure`."""

from __future__ import annotations

import http.client
import ssl
from typing import Final, Literal

from urllib3 import exceptions as urllib3_errors

from dnsrenew.base.http import texts

FailureKind = Literal["dns", "connect", "tls", "timeout", "reset", "too-large", "redirect", "proxy"]


_TUNNEL: Final = "Tunnel connection failed: "
_ENDED = (http.client.RemoteDisconnected, http.client.IncompleteRead)


class HttpFailure(Exception):
    """A request without an acceptable answer.

    :ivar kind: the stage that failed.
    :ivar detail: the reason, as the end of a sentence. It contains no URL; the caller redacts it.
    :ivar untrusted: for ``tls``: the certificate of the server is not trusted.
    :ivar sent: False: no request of the caller has left this machine; the caller sets it.
    :ivar leads_to: for ``redirect``: the host that the server sends to; empty if it is unknown.
    """

    def __init__(self, kind: FailureKind, detail: str, *, untrusted: bool = False, leads_to: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.untrusted = untrusted
        self.leads_to = leads_to
        self.sent = True


def failure(error: Exception, timeout: tuple[float, float]) -> HttpFailure:
    """Translate an exception of urllib3; texts that contain a URL are dropped."""
    if isinstance(error, HttpFailure):
        return error
    cause = _cause(error)
    if isinstance(cause, urllib3_errors.ProxyError):
        inner = getattr(cause, "original_error", cause)
        return HttpFailure("proxy", texts.PROXY_FAILED.format(cause=_reason(inner)))
    if isinstance(cause, urllib3_errors.NameResolutionError):
        return HttpFailure("dns", texts.NO_NAME)
    if isinstance(cause, urllib3_errors.NewConnectionError):
        return HttpFailure("connect", texts.NO_CONNECTION.format(cause=_reason(cause)))
    if isinstance(cause, urllib3_errors.ConnectTimeoutError):
        return HttpFailure("timeout", texts.CONNECT_TIMEOUT.format(seconds=timeout[0]))
    if isinstance(cause, urllib3_errors.SSLError | ssl.SSLError):
        return _tls_failure(cause)
    if isinstance(cause, urllib3_errors.ReadTimeoutError | TimeoutError):
        return HttpFailure("timeout", texts.ANSWER_TIMEOUT.format(seconds=timeout[1]))
    if isinstance(cause, urllib3_errors.LocationValueError):
        return HttpFailure("connect", texts.INVALID_URL)
    if isinstance(cause, http.client.HTTPException | ValueError) and not isinstance(cause, _ENDED):
        return HttpFailure("reset", texts.NOT_HTTP)
    reason = cause.strerror if isinstance(cause, OSError) else None
    if reason:
        return HttpFailure("reset", texts.CONNECTION_ENDED_BECAUSE.format(cause=reason))
    return HttpFailure("reset", texts.CONNECTION_ENDED)


def _cause(error: BaseException) -> BaseException:
    """Return the exception inside urllib3's ProtocolError and SSLError."""
    while True:
        inner = getattr(error, "reason", None) or next((arg for arg in error.args if _is_wrapped(error, arg)), None)
        if not isinstance(inner, BaseException):
            return error
        error = inner


def _is_wrapped(error: BaseException, argument: object) -> bool:
    wrapper = isinstance(error, urllib3_errors.ProtocolError | urllib3_errors.SSLError)
    return wrapper and isinstance(argument, BaseException)


def _tls_failure(cause: BaseException) -> HttpFailure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return HttpFailure("tls", texts.NOT_TRUSTED.format(cause=cause.verify_message), untrusted=True)
    reason = getattr(cause, "reason", None) or type(cause).__name__
    return HttpFailure("tls", texts.NO_TLS.format(cause=str(reason).lower().replace("_", " ")))


def _reason(error: BaseException) -> str:
    """Return the text of the operating system for an error, or the name of its class."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, OSError) and current.strerror:
            return current.strerror
        if str(current).startswith(_TUNNEL):  # only the status, without the text of the proxy
            return texts.PROXY_ANSWER.format(status=str(current).removeprefix(_TUNNEL)[:3])
        current = current.__cause__ or current.__context__
    return type(error).__name__
