"""Sends a message to addresses by apprise, and never holds up the end of a run.

Each address has a daemon thread of its own, which is left behind if it does not end in time: apprise cannot be
interrupted. What apprise logs may hold parts of the address, so the log of these threads is redacted.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import threads
from dnsrenew.base.installation import install_command
from dnsrenew.base.secrets.address_parts import scheme_of, secret_parts
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError, SecretError
from dnsrenew.extensions.watch.notify import texts
from dnsrenew.extensions.watch.notify.message import reason_of

if TYPE_CHECKING:
    import threading

    from dnsrenew.base.secrets import Secret
    from dnsrenew.extensions.watch.notify.message import OutgoingMessage

_PACKAGE: Final = "apprise"
_LIBRARIES: Final = (_PACKAGE,)
_AT_ONCE: Final = 16
_LONGEST_REASON: Final = 300


class SendingLimits(Frozen):
    """How long sending may take.

    :ivar each: seconds for one address.
    :ivar all: seconds for all of them together.
    """

    each: float = 20.0
    all: float = 30.0


class Delivery(Frozen):
    """What became of one message.

    :ivar shown: the address as people see it: ``1st of notify.to (ntfy)``.
    :ivar scheme: the scheme of the address, such as ``ntfy``; None if the address is unknown or has none.
    :ivar error: why it was not sent; None for success.
    """

    shown: str
    scheme: str | None
    error: DnsRenewError | None


class NotSent(Exception):
    """A service did not take what was sent.

    :ivar reason: the error for people.
    """

    def __init__(self, reason: DnsRenewError) -> None:
        super().__init__(reason.code)
        self.reason = reason


class Sending:
    """One thing to send: a message to one address, or the heartbeat.

    :param label: the name of the address for people; it shows nothing of it.
    :param secret: the address.
    :param send: sends to the address.
    """

    def __init__(self, label: str, secret: Secret, send: Send) -> None:
        self.label = label
        self.scheme: str | None = None
        self.started: float | None = None
        self._secret = secret
        self._send = send

    @property
    def shown(self) -> str:
        """The address as messages name it: ``1st of notify.to (ntfy)``."""
        return texts.ADDRESS.format(label=self.label, scheme=self.scheme) if self.scheme else self.label

    def error(self, reason: str) -> DnsRenewError:
        """Return the error that it was not sent, for a reason that is a part of a sentence."""
        return DnsRenewError.of(texts.NOT_SENT, address=self.shown, key=self.label, reason=reason)

    def run(self, redactor: Redactor, cancel: threading.Event) -> None:
        """Send.

        :param redactor: of the run; it learns the address.
        :raises NotSent: the service did not take it.
        :raises SecretError: the address cannot be resolved.
        """
        self.started = time.monotonic()
        address = redactor.add(self._secret.reveal(cancel=cancel).strip())
        self.scheme = scheme_of(address)
        own = Redactor()
        for part in (address, *secret_parts(address)):
            own.add(part)
        with own.guard_logs(*_LIBRARIES):
            self._send(address, self, own)


Send = Callable[[str, Sending, Redactor], None]
"""Sends to an address, and raises :class:`NotSent`; the redactor knows all parts of the address."""


def by_apprise(message: OutgoingMessage) -> Send:
    """Return the function that sends a message to an address."""

    def send(address: str, sending: Sending, redactor: Redactor) -> None:
        if importlib.util.find_spec(_PACKAGE) is None:
            command = install_command(_PACKAGE)
            raise NotSent(DnsRenewError.of(texts.NO_PACKAGE, address=sending.shown, command=command))
        import apprise  # slow to load: only where there is something to tell

        # Without a time limit of its own, apprise sends in this thread. Its pool would delay the exit of the process.
        asset = apprise.AppriseAsset(app_id="dnsrenew", app_desc="dnsrenew", app_url="", service_timeout=0)
        service = apprise.Apprise.instantiate(address, asset=asset)
        if service is None:
            raise NotSent(DnsRenewError.of(texts.UNKNOWN_ADDRESS, address=sending.shown))
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        kind, form = apprise.NotifyType(message.severity), apprise.NotifyFormat.TEXT
        result = sender.notify(body=message.body, title=message.title, notify_type=kind, body_format=form)
        if not result:
            raise NotSent(sending.error(_why(result, redactor)))

    return send


def deliver(
    sendings: Sequence[Sending], redactor: Redactor, cancel: threading.Event, limits: SendingLimits
) -> list[Delivery]:
    """Send all, each in its thread, and return what became of each, in order.

    A cancel ends the wait.
    """
    if not sendings:
        return []

    def task(sending: Sending) -> Callable[[], None]:
        return lambda: sending.run(redactor, cancel)

    started = time.monotonic()
    tasks = threads.start_all([task(sending) for sending in sendings], _AT_ONCE)
    end = started + limits.all
    found = []
    for sending, one in zip(sendings, tasks, strict=True):
        is_done = _wait(one.done, sending, end, limits.each, cancel)
        error = _error(one, sending) if is_done else _late(sending, cancel)
        found.append(Delivery(sending.shown, sending.scheme, error))
    return found


def _wait(done: threading.Event, sending: Sending, end: float, each: float, cancel: threading.Event) -> bool:
    """Wait for a thread in real time, because a service is real; return whether it has ended."""
    while not done.is_set() and not cancel.is_set():
        until = end if sending.started is None else min(end, sending.started + each)
        left = until - time.monotonic()
        if left <= 0:
            break
        done.wait(min(left, threads.SLICE))
    return done.is_set()


def _late(sending: Sending, cancel: threading.Event) -> DnsRenewError:
    return sending.error(texts.STOPPED if cancel.is_set() else texts.LATE)


def _error(task: threads.Task[None], sending: Sending) -> DnsRenewError | None:
    """Return why it was not sent, without the frames of the call: they hold the address."""
    error = task.error
    if error is None:
        return None
    if isinstance(error, NotSent):
        return error.reason
    if isinstance(error, SecretError):
        reason, fix = reason_of(error), error.fix
        return DnsRenewError.of(texts.NOT_RESOLVED, address=sending.shown, reason=reason, reason_fix=fix)
    return sending.error(texts.UNEXPECTED.format(type=type(error).__name__))  # its text may hold a part of the address


def _why(result: Any, redactor: Redactor) -> str:  # an AppriseResult
    """Return what apprise logged about a failure, without the address."""
    logged = [entry.message for service in result for attempt in service for entry in attempt]
    text = " ".join(" ".join(logged).split()).rstrip(".")
    return redactor.redact(text)[:_LONGEST_REASON] or texts.REFUSED
