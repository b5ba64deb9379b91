"""When the CA would like a certificate to be renewed: ACME Renewal Information (RFC 9773).

A hint, never a hindrance: whatever goes wrong here is a value, :class:`NoWindow`, and the time of the renewal is then
what it would be without ARI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from dnsrenew.base.values import Frozen
from dnsrenew.ca.resources import base64url
from dnsrenew.errors import CAError, Cancelled
from dnsrenew.http import retry_after
from dnsrenew.runtime.retry import Policy

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from dnsrenew.ca.fetch import Fetcher
    from dnsrenew.ca.session import Session
    from dnsrenew.ca.transport import Transport
    from dnsrenew.runtime.context import Context

SHORTEST: Final = 60.0
LONGEST: Final = 86_400.0
DEFAULT: Final = 21_600.0
"""Seconds until the next question: at least, at most, and where the CA says nothing (RFC 9773 section 4.3)."""
_POLICY: Final = Policy(tries=2, within=10.0)
_MAX_URL: Final = 1000


class Window(Frozen):
    """The time in which the CA would like the renewal (RFC 9773 section 4.2).

    :ivar start: UTC; ``end`` is later. Both may be past.
    :ivar explanation_url: a page that says why, or None.
    :ivar retry_after: seconds until the next question; 60 to 86400.
    """

    start: datetime
    end: datetime
    explanation_url: str | None
    retry_after: float
    is_late: ClassVar[bool] = False

    def pick(self, chance: random.Random) -> datetime:
        """Return a time in the window, all equally likely: to be kept until the window changes."""
        return self.start + (self.end - self.start) * chance.random()


class NoWindow(Frozen):
    """The CA said nothing that can be used.

    :ivar reason: a whole sentence.
    :ivar retry_after: seconds until the next question, 60 to 86400; None: nothing was said of that.
    :ivar code: of the error that it came from; ``ari-not-offered``, ``ari-malformed``, ``ari-late``.
    :ivar status: of the answer, if there was one.
    """

    reason: str
    retry_after: float | None
    code: str
    status: int | None = None

    @property
    def is_late(self) -> bool:
        """Whether there was no answer before the context's deadline."""
        return self.code == "ari-late"

    @property
    def is_for_all(self) -> bool:
        """Whether other certificates of the same CA would be told the same now."""
        busy = self.status in {429, 503}
        return busy or self.code in {"ca-unreachable", "ca-untrusted", "ca-not-acme", "ari-not-offered"}


def cert_id(pem: str | bytes) -> str:
    """Return the ARI identifier of the first certificate in a PEM text (RFC 9773 section 4.1).

    :raises ValueError: it cannot be read, or has no authority key identifier.
    """
    from dnsrenew import x509

    authority, serial = x509.authority_and_serial(pem)
    return f"{base64url(authority)}.{base64url(serial)}"


def cert_id_of(path: Path) -> str | None:
    """Return the ARI identifier of the certificate in a file; None where it cannot be had: ARI is a hint only."""
    try:
        return cert_id(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def ask(
    context: Context, transport: Transport, session: Session, look: Fetcher, cert_ids: Sequence[str]
) -> list[Window | NoWindow]:
    """See :meth:`CAClient.renewal_windows`."""
    if not cert_ids:
        return []
    late = NoWindow(f"The CA {transport.name} did not answer in time.", None, "ari-late")
    try:
        base = session.directory(context).resource("renewalInfo")
    except CAError as error:
        return [_failed(error)] * len(cert_ids)
    except Cancelled:
        _unless_called_away(context)
        return [late] * len(cert_ids)
    if base is None:
        none = NoWindow(f"The CA {transport.name} does not offer renewal information.", LONGEST, "ari-not-offered")
        return [none] * len(cert_ids)

    over: list[NoWindow] = []
    answers: dict[str, Window | NoWindow] = {}

    def one(wanted: str) -> None:
        answer = over[0] if over else _fetch(context, transport, f"{base.rstrip('/')}/{wanted}")
        if isinstance(answer, NoWindow) and answer.is_for_all:
            over.append(answer)
        answers[wanted] = answer

    try:
        look.each(context, [partial(one, wanted) for wanted in cert_ids])
    except Cancelled:
        _unless_called_away(context)
    return [answers.get(wanted, late) for wanted in cert_ids]


def _unless_called_away(context: Context) -> None:
    """Go on where only the time is up: what was answered until then counts."""
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
        what = f"The renewal information of the CA {transport.name} cannot be used: {error}."
        return NoWindow(what, after, "ari-malformed", response.status)


def _failed(error: CAError) -> NoWindow:
    return NoWindow(error.message, clamp(error.retry_after), error.code, error.evidence.get("status"))


def clamp(seconds: float | None) -> float | None:
    """Return the seconds until the next question, from what the CA asks for, if it does."""
    return None if seconds is None else min(max(seconds, SHORTEST), LONGEST)


def parse_window(body: Any, after: float) -> Window:  # JSON
    """Read an answer.

    :raises ValueError: it cannot be used; its text is the end of a sentence.
    """
    window = body.get("suggestedWindow") if isinstance(body, Mapping) else None
    if not isinstance(window, Mapping):
        raise ValueError("there is no `suggestedWindow` in it")
    start, end = _time(window, "start"), _time(window, "end")
    if end <= start:
        raise ValueError("its window ends before it begins")
    return Window(start, end, _explanation(body.get("explanationURL")), after)


def _time(window: Mapping[str, Any], key: str) -> datetime:
    text = window.get(key)
    try:
        time = datetime.fromisoformat(text.strip().upper()) if isinstance(text, str) else None
        if time is not None and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"its `{key}` is not a time of RFC 3339")


def _explanation(url: Any) -> str | None:  # JSON
    if not isinstance(url, str) or len(url) > _MAX_URL or not url.isprintable() or " " in url:
        return None
    try:
        return url if urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None
