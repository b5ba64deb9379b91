"""After a run: finds what changed, sends each change once, and the heartbeat. Nothing here fails a renewal."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.translation import Translator
from dnsrenew.base.validation.mistakes import shown_place
from dnsrenew.base.values import Frozen
from dnsrenew.errors import StoreError
from dnsrenew.extensions.watch.notify import heartbeat, texts
from dnsrenew.extensions.watch.notify.changes import News, compare
from dnsrenew.extensions.watch.notify.message import OutgoingMessage, compose, reason_of, test_message
from dnsrenew.extensions.watch.notify.send import Delivery, Sending, SendingLimits, by_apprise, deliver
from dnsrenew.locale import language_of

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import CertificateSpec, Outcome
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.config import Config
    from dnsrenew.config.notify import NotifySettings
    from dnsrenew.store import Store
    from dnsrenew.store.notified import Notified

_logger = logging.getLogger("dnsrenew.extensions.watch.notify")
_LIMITS: Final = SendingLimits()


class Notifier(Frozen):
    """Sends messages about the outcomes of runs.

    :ivar settings: the content of ``[notify]``.
    :ivar language: one of :data:`dnsrenew.locale.LANGUAGES`; None: that of the environment.
    """

    settings: NotifySettings
    store: Store
    context: Context
    language: str | None = None
    limits: SendingLimits = _LIMITS

    def notify(self, specs: Sequence[CertificateSpec], outcomes: Sequence[Outcome], *, whole: bool) -> None:
        """Send each change once, and the heartbeat; what could not be sent becomes a warning.

        :param whole: whether the run was over all certificates.
        """
        if self.context.cancel.is_set():  # the process is to end; the next run finds the same changes
            return
        try:
            self._send(self._news_of(specs, outcomes), self._heartbeat(outcomes) if whole else [])
        except Exception as error:  # noqa: BLE001  # a bug here must not fail a renewal
            _logger.debug("messages were not sent\n%s", self.context.redactor.redact(traceback.format_exc()))
            self.context.warn(*texts.BROKEN.fill(type=type(error).__name__))

    def test(self) -> list[Delivery]:
        """Send a test message to every address; the heartbeat is left alone."""
        message = test_message(self.settings.on, self._translator(), socket.gethostname())
        sendings = self._messages(message)
        return deliver(sendings, self.context.redactor, self.context.cancel, self.limits)

    def _news_of(self, specs: Sequence[CertificateSpec], outcomes: Sequence[Outcome]) -> list[News]:
        """Return the changes to send; those that nobody subscribed to are recorded at once."""
        if not self.settings.to or not self._is_safe():
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

    def _is_safe(self) -> bool:
        """Tell whether the store is private; no record of messages is read from another one."""
        try:
            self.store.check_ground()
        except StoreError:  # the outcomes have it, and so has the heartbeat
            return False
        return True

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
        deliveries = deliver([*messages, *beat], self.context.redactor, self.context.cancel, self.limits)
        for delivery in deliveries:
            if delivery.error is not None:
                self.context.warn(delivery.error.code, delivery.error.message, delivery.error.fix)
        # One address is enough: all of them again would send those that got it a second message.
        if any(delivery.error is None for delivery in deliveries[: len(messages)]):
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
        success = heartbeat.is_success(outcomes, self.context.clock.now())
        if self.settings.heartbeat is None or success is None:
            return []
        return [Sending("notify.heartbeat", self.settings.heartbeat, heartbeat.by_request(success=success))]

    def _keep(self, name: str, notified: Notified) -> None:
        try:
            self.store.notified.write(name, notified)
        except StoreError as error:
            fields = {"name": name, "reason": reason_of(error), "reason_fix": error.fix}
            self.context.warn(*texts.NOT_STORED.fill(**fields))

    def _translator(self) -> Translator:
        return Translator(self.language or language_of(os.environ), _local)


def _local(time: datetime) -> str:
    """Return a time in the zone of this machine; the reader may be in another one, so the zone is named."""
    try:
        local = time.astimezone()
    except (OverflowError, OSError):
        local = time
    return f"{local:%Y-%m-%d %H:%M} {local:%Z}".rstrip()


def notify_test(config: Config, store: Store, context: Context, language: str | None) -> list[Delivery]:
    """Send a test message to every address of a configuration."""
    settings = config.notify
    return [] if settings is None else Notifier(settings, store, context, language).test()
