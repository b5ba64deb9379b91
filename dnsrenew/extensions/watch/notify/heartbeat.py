"""The heartbeat: a service that watches learns how each run over all certificates ended, and alarms if none comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from dnsrenew.extensions.watch.notify import texts
from dnsrenew.extensions.watch.notify.send import NotSent, Send, Sending
from dnsrenew.renewal.run_result import exit_status

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import Outcome
    from dnsrenew.base.secrets.redactor import Redactor

_TIMEOUT: Final = (5.0, 5.0)
"""Seconds to connect, and for the answer."""
_TRIES: Final = 2
_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500


def is_success(outcomes: Sequence[Outcome], now: datetime) -> bool | None:
    """Return what the heartbeat of a run over all certificates says; None: it is not sent.

    It is the exit status of ``dnsrenew renew``: True for 0, False for 1. After an interruption, or where another run
    holds a lock, the end of that run is not known.
    """
    return {0: True, 1: False}.get(exit_status(outcomes, now)) if outcomes else None


def by_request(*, success: bool) -> Send:
    """Return the function that sends the heartbeat to its URL."""

    def send(url: str, sending: Sending, redactor: Redactor) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotSent(sending.error(texts.NO_URL))
        reason = _request(url if success else failing(url))
        if reason is not None:
            raise NotSent(sending.error(redactor.redact(reason) if type(reason) is str else reason))

    return send


def _request(url: str) -> str | None:
    """Request a URL, and once more after no answer or an error of the server; return why it failed."""
    from dnsrenew.base.http import HttpClient, HttpFailure  # slow to load

    client = HttpClient()
    reason = ""
    try:
        for _ in range(_TRIES):
            try:
                status = client.request("GET", url, timeout=_TIMEOUT, redirects=True).status
            except HttpFailure as error:
                reason = error.detail
                continue
            if status < _BAD_REQUEST:
                return None
            reason = texts.ANSWERED.format(status=status)
            if status < _SERVER_ERROR:
                break
    finally:
        client.close()
    return reason


def failing(url: str) -> str:
    """Return the URL for a run that failed: ``/fail`` at the end of the path, as Healthchecks has it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
