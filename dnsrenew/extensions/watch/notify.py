"""Sends a message to addresses with apprise, and never delays the end of a run.

Each address has its own daemon thread, which is abandoned if it does not end in time, because apprise cannot be
interrupted. The log of apprise may contain parts of the address, so the log of these threads is redacted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from dnsrenew.base import threads
from dnsrenew.base.extensions import install_command
from dnsrenew.base.model import CertificateSpec, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor, scheme_of, secret_parts
from dnsrenew.base.translation import Translator
from dnsrenew.base.validation import shown_place
from dnsrenew.base.values import Frozen
from dnsrenew.config.extension_tables import NotifySettings
from dnsrenew.errors import DnsRenewError, SecretError, StoreError, bare
from dnsrenew.extensions.watch import notify_texts as texts
from dnsrenew.extensions.watch.message import News, OutgoingMessage, compare, compose, reason_of, test_message
from dnsrenew.locale import language_of
from dnsrenew.renewal.batch import exit_status
from dnsrenew.store import Store
from dnsrenew.store.records import Notified

if TYPE_CHECKING:
    import threading

_PACKAGE: Final = "apprise"
_AT_ONCE: Final = 16
_LONGEST_REASON: Final = 300


class SendingLimits(Frozen):
    """How long sending may take.

    :ivar each: seconds for one address.
    :ivar all: seconds for all addresses together.
    """

    each: float = 20.0
    all: float = 30.0


class Sending:
    """One thing to send: a message to one address, or the heartbeat.

    :param label: the name of the address for people, without any part of the address.
    :param secret: the address.
    :param send: sends to the address.
    :ivar scheme: the scheme of the address, such as ``ntfy``; None if the address is unknown or has no scheme.
    :ivar failure: why it was not sent; None after a success, and before its end.
    """

    def __init__(self, label: str, secret: Secret, send: Send) -> None:
        self.label, self._secret, self._send = label, secret, send
        self.scheme: str | None = None
        self.started: float | None = None
        self.failure: DnsRenewError | None = None

    @property
    def shown(self) -> str:
        """The address as messages name it: ``1st of notify.to (ntfy)``."""
        return texts.ADDRESS.format(label=self.label, scheme=self.scheme) if self.scheme else self.label

    def error(self, reason: str) -> DnsRenewError:
        """Return the error that it was not sent, for a reason that is a part of a sentence."""
        return DnsRenewError.of(texts.NOT_SENT, address=self.shown, key=self.label, reason=reason)

    def run(self, redactor: Redactor, cancel: threading.Event) -> None:
        """Send.

        :param redactor: the redactor of the run, which gets the address.
        :raises DnsRenewError: the service did not accept it; :class:`SecretError`: the address cannot be resolved.
        """
        self.started = time.monotonic()
        address = redactor.add(self._secret.reveal(cancel=cancel).strip())
        self.scheme = scheme_of(address)
        own = Redactor()
        for part in (address, *secret_parts(address)):
            own.add(part)
        with own.guard_logs(_PACKAGE):
            self._send(address, self, own)


Send = Callable[[str, Sending, Redactor], None]
"""Sends to an address, or raises why it was not accepted. The redactor has all parts of the address."""


def by_apprise(message: OutgoingMessage) -> Send:
    """Return the function that sends a message to an address."""

    def send(address: str, sending: Sending, redactor: Redactor) -> None:
        if importlib.util.find_spec(_PACKAGE) is None:
            command = install_command(_PACKAGE)
            raise DnsRenewError.of(texts.NO_PACKAGE, address=sending.shown, command=command)
        import apprise  # slow to load: only if there is something to send

        # Without its own time limit, apprise sends in this thread. Its pool would delay the exit of the process.
        asset = apprise.AppriseAsset(app_id="dnsrenew", app_desc="dnsrenew", app_url="", service_timeout=0)
        if (service := apprise.Apprise.instantiate(address, asset=asset)) is None:
            raise DnsRenewError.of(texts.UNKNOWN_ADDRESS, address=sending.shown)
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        kind, form = apprise.NotifyType(message.severity), apprise.NotifyFormat.TEXT
        result = sender.notify(body=message.body, title=message.title, notify_type=kind, body_format=form)
        if not result:
            raise sending.error(_why(result, redactor))

    return send


def deliver(
    sendings: Sequence[Sending], redactor: Redactor, cancel: threading.Event, limits: SendingLimits
) -> Sequence[Sending]:
    """Send all, each in its thread, and return them with their results. A cancel ends the wait."""
    end = time.monotonic() + limits.all
    tasks = threads.start_all([partial(sending.run, redactor, cancel) for sending in sendings], _AT_ONCE)
    for sending, task in zip(sendings, tasks, strict=True):
        if _wait(task.done, sending, end, limits.each, cancel):
            sending.failure = _error(task, sending)
        else:
            sending.failure = sending.error(texts.STOPPED if cancel.is_set() else texts.LATE)
    return sendings


def _wait(done: threading.Event, sending: Sending, end: float, each: float, cancel: threading.Event) -> bool:
    """Wait for a thread in real time, because services are real; return whether it has ended."""
    while not done.is_set() and not cancel.is_set():
        until = end if sending.started is None else min(end, sending.started + each)
        left = until - time.monotonic()
        if left <= 0:
            break
        done.wait(min(left, threads.SLICE))
    return done.is_set()


def _error(task: threads.Task[None], sending: Sending) -> DnsRenewError | None:
    """Return why it was not sent, without the frames of the call, which have the address."""
    if (error := task.error) is None:
        return None
    if isinstance(error, SecretError):
        reason, fix = reason_of(error), error.fix
        return DnsRenewError.of(texts.NOT_RESOLVED, address=sending.shown, reason=reason, reason_fix=fix)
    if isinstance(error, DnsRenewError) and error.code == texts.NOT_SENT.code:
        return bare(error)
    return sending.error(texts.UNEXPECTED.format(type=type(error).__name__))  # its text may hold a part of the address


def _why(result: Any, redactor: Redactor) -> str:  # an AppriseResult
    """Return what apprise logged about a failure, without the address."""
    logged = [entry.message for service in result for attempt in service for entry in attempt]
    text = " ".join(" ".join(logged).split()).rstrip(".")
    return redactor.redact(text)[:_LONGEST_REASON] or texts.REFUSED


# ── notifier ───────────────────────────────────────────────────────────────────────────

# After a run: finds the changes, sends each change once, and the heartbeat. Failures here never fail a renewal.

_logger = logging.getLogger("dnsrenew.extensions.watch.notify")


class Notifier(Frozen):
    """Sends messages about the outcomes of runs.

    :ivar settings: the content of ``[notify]``.
    :ivar language: one of :data:`dnsrenew.locale.LANGUAGES`; None for the language of the environment.
    """

    settings: NotifySettings
    store: Store
    context: Context
    language: str | None = None
    limits: SendingLimits = SendingLimits()

    def notify(self, specs: Sequence[CertificateSpec], outcomes: Sequence[Outcome], *, whole: bool) -> None:
        """Send each change once, and the heartbeat. A failure becomes a warning.

        :param whole: whether the run was over all certificates.
        """
        if self.context.cancel.is_set():  # the process is to end, and the next run finds the same changes
            return
        try:
            self._send(self._news_of(specs, outcomes), self._heartbeat(outcomes) if whole else [])
        except Exception as error:  # noqa: BLE001  # a bug here must not fail a renewal
            _logger.debug("messages were not sent\n%s", self.context.redactor.redact(traceback.format_exc()))
            self.context.warn(*texts.BROKEN.fill(type=type(error).__name__))

    def test(self) -> Sequence[Sending]:
        """Send a test message to every address, but not the heartbeat."""
        message = test_message(self.settings.on, self._translator(), socket.gethostname())
        return deliver(self._messages(message), self.context.redactor, self.context.cancel, self.limits)

    def _news_of(self, specs: Sequence[CertificateSpec], outcomes: Sequence[Outcome]) -> list[News]:
        """Return the changes to send; changes without a subscriber are recorded at once."""
        if not self.settings.to:
            return []
        try:
            self.store.check_ground()  # no record of messages is read from a store that others can change
        except StoreError:  # the outcomes have it, and so has the heartbeat
            return []
        wanted = {spec.name for spec in specs if spec.notify}
        found = []
        for outcome in outcomes:
            if outcome.name not in wanted or (notified := self._read(outcome.name)) is None:
                continue
            news = compare(outcome, notified, self.settings.on, self.context.clock.now())
            if news.kinds:
                found.append(news)
            elif news.notified != notified:
                self._keep(outcome.name, news.notified)
        return found

    def _read(self, name: str) -> Notified | None:
        try:
            return self.store.notified.read(name)
        except StoreError as error:
            self.context.warn(*texts.NOT_READ.fill(name=name, reason=reason_of(error), reason_fix=error.fix))
            return None

    def _send(self, news: Sequence[News], beat: Sequence[Sending]) -> None:
        messages: list[Sending] = []
        if news:
            message = compose(news, self._translator(), socket.gethostname(), self.context.clock.now())
            messages = self._messages(message)
        for each in news:
            if each.unsent is not None:
                self._keep(each.outcome.name, each.unsent)
        for sent in deliver([*messages, *beat], self.context.redactor, self.context.cancel, self.limits):
            if sent.failure is not None:
                self.context.warn(sent.failure.code, sent.failure.message, sent.failure.fix)
        # One address is enough, because a repetition would send a second message to those that got it.
        if any(sent.failure is None for sent in messages):
            for each in news:
                self._keep(each.outcome.name, each.notified)

    def _messages(self, message: OutgoingMessage) -> list[Sending]:
        redact = self.context.redactor.redact
        clean = OutgoingMessage(redact(message.title), redact(message.body), message.severity)
        return [
            Sending(shown_place(("notify", "to", number), {}), secret, by_apprise(clean))
            for number, secret in enumerate(self.settings.to)
        ]

    def _heartbeat(self, outcomes: Sequence[Outcome]) -> list[Sending]:
        success, url = is_success(outcomes, self.context.clock.now()), self.settings.heartbeat
        if url is None or success is None:
            return []
        return [Sending("notify.heartbeat", url, by_request(success=success))]

    def _keep(self, name: str, notified: Notified) -> None:
        try:
            self.store.notified.write(name, notified)
        except StoreError as error:
            self.context.warn(*texts.NOT_STORED.fill(name=name, reason=reason_of(error), reason_fix=error.fix))

    def _translator(self) -> Translator:
        return Translator(self.language or language_of(os.environ), _local)


def _local(time: datetime) -> str:
    """Return a time in the zone of this machine. The zone is named, because the reader may be in another one."""
    with contextlib.suppress(OverflowError, OSError):
        time = time.astimezone()
    return f"{time:%Y-%m-%d %H:%M} {time:%Z}".rstrip()


# ── heartbeat ──────────────────────────────────────────────────────────────────────────

# The heartbeat: a monitoring service learns how each run over all certificates ended, and alarms if none comes.

_TIMEOUT: Final = (5.0, 5.0)
"""Seconds to connect, and for the answer."""


def is_success(outcomes: Sequence[Outcome], now: datetime) -> bool | None:
    """Return the value of the heartbeat after a run over all certificates; None if it is not sent.

    It is the exit status of ``dnsrenew renew``: True for 0, False for 1. After an interruption, or if another run holds
    a lock, the end of that run is unknown.
    """
    return {0: True, 1: False}.get(exit_status(outcomes, now)) if outcomes else None


def by_request(*, success: bool) -> Send:
    """Return the function that sends the heartbeat to its URL."""

    def send(url: str, sending: Sending, redactor: Redactor) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise sending.error(texts.NO_URL)
        reason = _request(url if success else failing(url))
        if reason is not None:
            raise sending.error(redactor.redact(reason) if type(reason) is str else reason)

    return send


def _request(url: str) -> str | None:
    """Request a URL, and once more after a missing answer or an error of the server; return why it failed."""
    from dnsrenew.base.http import HttpClient, HttpFailure  # late: messages alone do not need it

    reason = ""
    with contextlib.closing(HttpClient()) as client:
        for _ in range(2):
            try:
                status = client.request("GET", url, timeout=_TIMEOUT, redirects=True).status
            except HttpFailure as error:
                reason = error.detail
                continue
            if status < 400:
                return None
            reason = texts.ANSWERED.format(status=status)
            if status < 500:
                break
    return reason


def failing(url: str) -> str:
    """Return the URL for a failed run: ``/fail`` at the end of the path, as for Healthchecks."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
