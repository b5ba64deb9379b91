"""ACME Renewal Information (RFC 9773): when the CA suggests to renew a certificate.

It is only a hint: a failure is a value, :class:`NoWindow`, and the certificate is then renewed as without ARI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from dnsrenew.acme import texts
from dnsrenew.acme.resources import base64url
from dnsrenew.base import x509
from dnsrenew.base.http import retry_after
from dnsrenew.base.runtime.calls import Policy
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled, Text, about

if TYPE_CHECKING:
    import random

    from dnsrenew.acme.session import Fetcher, Session
    from dnsrenew.acme.transport import Transport
    from dnsrenew.base.runtime import Context

SHORTEST: Final = 60.0
LONGEST: Final = 86_400.0
DEFAULT: Final = 21_600.0
"""Seconds until the next poll: minimum, maximum, and default without ``Retry-After`` (RFC 9773 section 4.3)."""
_POLICY: Final = Policy(tries=2, within=10.0)
_MAX_URL: Final = 1000


class Window(Frozen):
    """The suggested window of a renewal (RFC 9773 section 4.2).

    :ivar start: UTC; ``end`` is later. Both may be in the past.
    :ivar explanation_url: the URL of a page that explains the window, or None.
    :ivar retry_after: seconds until the next poll; 60 to 86400.
    """

    start: datetime
    end: datetime
    explanation_url: str | None
    retry_after: float
    is_late: ClassVar[bool] = False

    def pick(self, chance: random.Random, now: datetime) -> datetime:
        """Return a uniformly random time in the part of the window that is still to come; keep it until it changes.

        For a window that is wholly past, return its end.
        """
        start = min(max(self.start, now), self.end)
        return start + (self.end - start) * chance.random()


class NoWindow(Frozen):
    """The CA sent no usable window.

    :ivar reason: one sentence.
    :ivar retry_after: seconds until the next poll, 60 to 86400; None: the CA did not say.
    :ivar code: the code of the error, or ``ari-not-offered``, ``ari-malformed``, ``ari-late``.
    :ivar status: the HTTP status, or None without an answer.
    """

    reason: str
    retry_after: float | None
    code: str
    status: int | None = None

    @property
    def is_late(self) -> bool:
        """Whether the deadline of the context passed before the answer."""
        return self.code == "ari-late"

    @property
    def is_for_all(self) -> bool:
        """Whether the same failure is certain for other certificates of this CA."""
        busy = self.status in {429, 503}
        return busy or self.code in {"ca-unreachable", "ca-untrusted", "ca-not-acme", "ari-not-offered"}


def cert_id(pem: str | bytes) -> str:
    """Return the ARI identifier of the first certificate in a PEM text (RFC 9773 section 4.1).

    :raises ValueError: the certificate cannot be parsed, or has no authority key identifier.
    """
    authority, serial = x509.authority_and_serial(pem)
    return f"{base64url(authority)}.{base64url(serial)}"


def fetch_windows(
    context: Context, transport: Transport, session: Session, fetcher: Fetcher, cert_ids: Sequence[str]
) -> list[Window | NoWindow]:
    """See :meth:`CAClient.renewal_windows`."""
    if not cert_ids:
        return []
    late = _no_window(texts.ARI_LATE, None, ca=transport.name)
    try:
        base = session.directory(context).resource("renewalInfo")
    except CAError as error:
        return [_failed(error)] * len(cert_ids)
    except Cancelled:
        _check_cancelled(context)
        return [late] * len(cert_ids)
    if base is None:
        return [_no_window(texts.ARI_NOT_OFFERED, LONGEST, ca=transport.name)] * len(cert_ids)

    failed: list[NoWindow] = []
    answers: dict[str, Window | NoWindow] = {}

    def fetch_one(cert_id: str) -> None:
        answer = failed[0] if failed else _fetch(context, transport, f"{base.rstrip('/')}/{cert_id}")
        if isinstance(answer, NoWindow) and answer.is_for_all:
            failed.append(answer)
        answers[cert_id] = answer

    try:
        fetcher.each(context, [partial(fetch_one, each) for each in cert_ids])
    except Cancelled:
        _check_cancelled(context)
    return [answers.get(each, late) for each in cert_ids]


def _check_cancelled(context: Context) -> None:
    """Raise if the caller cancelled; after a deadline, the answers so far are returned."""
    if context.cancel.is_set():
        context.check()


def _fetch(context: Context, transport: Transport, url: str) -> Window | NoWindow:
    try:
        response = transport.get(context, url, "renewalInfo", policy=_POLICY)
    except CAError as error:
        return _failed(error)
    after = clamp(retry_after(response.headers, context.clock.now()))
    try:
        return parse_window(response.json(), DEFAULT if after is None else after)
    except ValueError as error:
        return _no_window(texts.ARI_MALFORMED, after, response.status, ca=transport.name, cause=str(error))


def _no_window(text: Text, retry_after: float | None, status: int | None = None, **evidence: str) -> NoWindow:
    code, reason, _ = text.fill(**evidence)
    return NoWindow(reason, retry_after, code, status)


def _failed(error: CAError) -> NoWindow:
    return NoWindow(error.message, clamp(error.retry_after), error.code, about(error).status or None)


def clamp(seconds: float | None) -> float | None:
    """Return a ``Retry-After`` limited to 60 to 86400 seconds, or None."""
    return None if seconds is None else min(max(seconds, SHORTEST), LONGEST)


def parse_window(body: Any, after: float) -> Window:  # JSON
    """Parse an answer.

    :raises ValueError: it is invalid; the text is the end of a sentence.
    """
    window = body.get("suggestedWindow") if isinstance(body, Mapping) else None
    if not isinstance(window, Mapping):
        raise ValueError("it has no `suggestedWindow`")
    start, end = _time(window, "start"), _time(window, "end")
    if end <= start:
        raise ValueError("its window ends before it starts")
    return Window(start, end, _explanation(body.get("explanationURL")), after)


def _time(window: Mapping[str, Any], key: str) -> datetime:
    text = window.get(key)
    try:
        time = datetime.fromisoformat(text.strip().upper()) if isinstance(text, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"its `{key}` is not an RFC 3339 time")


def _explanation(url: Any) -> str | None:  # JSON
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return None
    try:
        return url if urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None
