"""Certificates of a running server: renewed in the background, and always the newest in its ``SSLContext``."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base import threads, x509
from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError, as_clause
from dnsrenew.renewal.next_run import next_run
from dnsrenew.serving import texts
from dnsrenew.serving.challenge_app import wrapped
from dnsrenew.serving.live_context import LiveContext, Pair, PairInMemory, ServedPair
from dnsrenew.serving.server_warnings import ServerWarnings

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from types import TracebackType

    from dnsrenew.base.clock import Clock
    from dnsrenew.base.model import Certificate, Outcome
    from dnsrenew.challenges.http01.app import AppResponses

_CHECK_EVERY: Final = 0.5
"""Seconds between two looks at the store: another process may have renewed."""

_CLOSE: Final = 10.0
"""Seconds that :meth:`Served.close` waits for a renewal to withdraw what it has published."""

_FORK_DELAY: Final = timedelta(minutes=10)
"""How long a forked process waits for the process that it comes from to renew."""


class CertificateSource(Frozen):
    """Where the certificates come from: one :class:`~dnsrenew.Renewer` and some of its names.

    :ivar names: the first is also served for unknown server names.
    :ivar obtain: renews what is due; raises unless every certificate can be used.
    :ivar renew: renews what is due; an outcome holds every error.
    :ivar certificate: returns the certificate in force; raises ``StoreError`` if there is none.
    :ivar mark: returns a value that differs after another process has changed the certificate.
    :ivar emit: emits an event: kind, name of the certificate, data.
    :ivar redact: removes secrets from a text.
    :ivar responses: the http-01 responses that the program's own app serves.
    """

    names: Sequence[str]
    obtain: Callable[[threading.Event], list[Outcome]]
    renew: Callable[[threading.Event], list[Outcome]]
    certificate: Callable[[str], Certificate]
    mark: Callable[[str], object]
    emit: Callable[..., None]
    redact: Callable[[str], str]
    responses: AppResponses


class Served:
    """The certificates of a running server, made by :meth:`Renewer.serve` and :func:`serve`; a context manager.

    Entering obtains what is missing. From then on, daemon threads renew what is due and take up what another process
    has renewed, until :meth:`close`. A failure is logged and emitted as an event; it never reaches a handshake.

    A forked process follows too, and renews if the process that it comes from does not.

    :param source: the certificates.
    :param clock: the clock; for tests.
    """

    __module__ = "dnsrenew"

    def __init__(self, source: CertificateSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._context = LiveContext()
        self._certificates: dict[str, Certificate] = {}
        self._pairs: dict[str, Pair] = {}
        self._marks: dict[str, object] = {}
        self._warnings = ServerWarnings(source.emit)
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewal: threads.Task[list[Outcome]] | None = None
        self._fork_delay = timedelta(0)

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """The context for the server, one for its whole life: new handshakes get the newest certificates.

        Several certificates are told apart by the server name (SNI, RFC 6066 section 3); other names get the first.
        What the program sets on it holds after every renewal.
        """
        return self._context

    @property
    def certificates(self) -> Mapping[str, Certificate]:
        """The newest certificates by name."""
        return dict(self._certificates)

    @property
    def certificate(self) -> Certificate:
        """The newest certificate of the only name.

        :raises ValueError: there are several names; see :attr:`certificates`.
        """
        (certificate,) = self._certificates.values()
        return certificate

    def http01_app(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """Return a WSGI or ASGI app that also answers http-01 challenges, for routes with ``app = true``.

        Serve it at port 80, and enter afterwards. All other requests go to ``app``. Several worker processes can serve
        it: whichever gets the request of the CA finds the response in the store.

        :raises TypeError: ``app`` is neither a WSGI nor an ASGI app.
        """
        both: Callable[..., Any] = wrapped(app, self._source.responses.find)
        self._source.responses.is_served = True
        return both

    def close(self) -> None:
        """Stop renewing. A renewal at work withdraws what it has published; the context goes on as it is."""
        self._cancel.set()
        end = self._clock.monotonic() + _CLOSE
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE)
        if self._renewal is not None:
            self._renewal.done.wait(max(0.0, end - self._clock.monotonic()))

    def __enter__(self) -> Self:
        """Obtain what is missing, load the certificates, and follow them from now on.

        It blocks, so an asyncio program enters before its loop starts, or in a thread.

        :raises RenewalFailed: one could not be obtained, and no usable one is stored; ``http-no-app`` if all its routes
            need an app, and there is none yet: see :meth:`http01_app`.
        :raises StoreError: the store cannot be read or written.
        """
        if self._thread is not None and self._thread.is_alive() and not self._cancel.is_set():
            return self  # it is entered, perhaps by the process that this one was forked from
        self._cancel, self._renewal = threading.Event(), None
        outcomes = self._source.obtain(self._cancel)
        self._load()
        self._start(next_run(outcomes, self._clock.now()).time)
        _ENTERED.add(self)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    # ── the threads ─────────────────────────────────────────────────────────────────────

    def _start(self, due: datetime) -> None:
        self._due = due
        self._thread = threading.Thread(target=self._follow, name="dnsrenew-serve", daemon=True)
        self._thread.start()

    def follow_after_fork(self) -> None:
        """Follow in a forked process, which has none of our threads."""
        if self._cancel.is_set():
            return
        self._cancel = threading.Event()
        self._context.after_fork()
        self._renewal = None
        self._fork_delay = _FORK_DELAY
        self._start(self._due + _FORK_DELAY)

    def _follow(self) -> None:
        cancel = self._cancel
        while not cancel.is_set():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001  # the server goes on with what it has
                self._unexpected(error)
            self._clock.wait(_CHECK_EVERY, cancel)

    def _step(self) -> None:
        """Take up what has been renewed, here or by another process; begin to renew what is due.

        A renewal has its own thread: it may take minutes, and what is stored meanwhile is served at once.
        """
        if self._renewal is not None and self._renewal.done.is_set():
            self._end_renewal(self._renewal)
        if self._renewal is None and self._clock.now() >= self._due:
            cancel = self._cancel
            self._renewal = threads.start(lambda: self._source.renew(cancel))
        if any(self._source.mark(name) != self._marks[name] for name in self._source.names):
            self._load()

    def _end_renewal(self, renewal: threads.Task[list[Outcome]]) -> None:
        self._renewal = None
        try:
            outcomes = renewal.result()
        except Exception as error:  # noqa: BLE001  # as above
            self._unexpected(error)
            outcomes = None
        self._due = next_run(outcomes, self._clock.now()).time + self._fork_delay

    def _unexpected(self, error: Exception) -> None:
        names, reason = list(self._source.names), self._source.redact(repr(error))
        self._warnings.warn(None, *texts.NOT_RENEWED.fill(names=names, reason=reason))

    # ── taking up ───────────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        """Put the certificates in force into the context; where one cannot be used, the old one stays."""
        marks = {name: self._source.mark(name) for name in self._source.names}
        changed = [name for name, mark in marks.items() if name not in self._pairs or mark != self._marks[name]]
        new = {name: certificate for name in changed if (certificate := self._taken_up(name))}
        pairs = {name: _pair(new[name]) if name in new else self._pairs[name] for name in self._source.names}
        if pairs != self._pairs:
            self._context.serve(list(pairs.values()))
        self._pairs = pairs
        self._certificates = {name: new.get(name) or self._certificates[name] for name in self._source.names}
        self._marks |= {name: marks[name] for name in new}
        for name in new:
            self._warnings.forget(name)

    def _taken_up(self, name: str) -> Certificate | None:
        """Return the certificate in force, or None if it cannot be served yet: the next look tries again.

        :raises DnsRenewError: it cannot be read, and there is no old one.
        :raises OSError: it cannot be served, and there is no old one.
        """
        try:
            certificate = self._source.certificate(name)
            LiveContext.check(_pair(certificate))
        except (DnsRenewError, OSError, ValueError) as error:
            if name not in self._pairs:
                raise
            self._warnings.warn(name, *texts.NOT_TAKEN_UP.fill(name=name, reason=_reason(error)))
            return None
        return certificate


def _pair(certificate: Certificate) -> Pair:
    names = x509.read_certificate(certificate.fullchain_pem).names
    if certificate.fullchain_path is None or certificate.private_key_path is None:
        return PairInMemory(names, certificate.private_key_pem + certificate.fullchain_pem)
    return ServedPair(names, certificate.fullchain_path, certificate.private_key_path)


def _reason(error: Exception) -> str:
    return as_clause(error.message if isinstance(error, DnsRenewError) else str(error))


# ── forked processes ────────────────────────────────────────────────────────────────────

_ENTERED: Final[weakref.WeakSet[Served]] = weakref.WeakSet()


def _follow_in_child() -> None:
    for served in list(_ENTERED):
        served.follow_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_follow_in_child)
