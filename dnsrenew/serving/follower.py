"""The threads behind a running server: they renew due certificates, and load what another process has renewed."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from dnsrenew.base import threads
from dnsrenew.base.clock import Clock
from dnsrenew.base.events import Post
from dnsrenew.base.model import Certificate, CertificateStatus, Outcome
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.http01_server import AppResponses
from dnsrenew.errors import DnsRenewError, as_clause, stopped
from dnsrenew.renewal.batch import next_run
from dnsrenew.serving import texts
from dnsrenew.serving.recorded_context import LiveContext, Pair, PairInMemory, ServedPair, ServerWarnings

CHECK_EVERY: Final = 0.5
"""Seconds between two checks of the store, because another process may have renewed."""

_FIRST: Final = timedelta(seconds=1)
"""Seconds between entering and the first renewal, so that a server starts with the stored certificates."""

_CLOSE: Final = 10.0
"""Seconds that :meth:`Follower.close` waits for a renewal to withdraw what it has published."""

_FORK_DELAY: Final = timedelta(minutes=10)
"""Seconds that a forked process waits for its parent process to renew."""


class CertificateSource(Frozen):
    """Where the certificates come from: one :class:`~dnsrenew.Renewer` and some of its names.

    :ivar names: the first is also served for unknown server names.
    :ivar obtain: obtains missing certificates; raises unless every certificate can be used.
    :ivar renew: renews due certificates; an outcome holds every error.
    :ivar certificate: returns the current certificate; raises ``StoreError`` if there is none.
    :ivar mark: returns a value that changes when another process changes the certificate.
    :ivar status: returns the status of each certificate.
    :ivar emit: emits an event: kind, name of the certificate, data.
    :ivar post_events: sets how the program's listener is called; None to call it in the thread that emits.
    :ivar redact: removes secrets from a text.
    :ivar responses: the http-01 responses that the program's own app serves.
    """

    names: Sequence[str]
    obtain: Callable[[threading.Event], object]
    renew: Callable[[threading.Event], list[Outcome]]
    certificate: Callable[[str], Certificate]
    mark: Callable[[str], object]
    status: Callable[[], list[CertificateStatus]]
    emit: Callable[..., None]
    post_events: Callable[[Post | None], None]
    redact: Callable[[str], str]
    responses: AppResponses


class Follower:
    """Keeps the certificates of a :class:`LiveContext` current, from the first entering to the last leaving.

    Its thread has no reference to it, so the thread ends when the program has dropped the context and the
    :class:`~Served`.

    :param source: the certificates.
    :param clock: the clock; for tests.
    :ivar context: has the newest certificates.
    :ivar certificates: the newest certificates by name.
    """

    def __init__(self, source: CertificateSource, clock: Clock) -> None:
        self.source = source
        self.context = LiveContext(keeps=self)
        self.certificates: dict[str, Certificate] = {}
        self._clock = clock
        self._pairs: dict[str, Pair] = {}
        self._marks: dict[str, object] = {}
        self._warnings = ServerWarnings(source.emit)
        self._entered = 0
        self._process: int | None = None
        self._entering, self._looking = threading.Lock(), threading.Lock()
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewal: threads.Task[list[Outcome]] | None = None
        self._fork_delay = timedelta(0)
        _EVERY.add(self)

    @property
    def is_running(self) -> bool:
        """Whether a thread of this process renews the certificates."""
        return self._thread is not None and self._thread.is_alive() and not self._cancel.is_set()

    def enter(self, cancel: threading.Event) -> None:
        """Obtain missing certificates and begin to follow. If it follows already, only count the entering.

        :param cancel: ends the entering.
        :raises RenewalFailed: a certificate could not be obtained, and no usable one is stored.
        :raises StoreError: the store cannot be read or written.
        :raises Cancelled: ``cancel`` was set.
        """
        while not self._entering.acquire(timeout=threads.SLICE):
            if cancel.is_set():
                raise stopped()
        try:
            if not self.is_running:
                self._entered, self._cancel, self._renewal = 0, cancel, None
                self.source.obtain(cancel)
                with self._looking:
                    self._load()
                if cancel.is_set():
                    raise stopped()
                self._start(self._clock.now() + _FIRST)
            self._entered += 1
            self._process = os.getpid()
        finally:
            self._entering.release()

    def enter_once(self) -> None:
        """Enter, unless this process has entered before."""
        if self._process != os.getpid():
            self.enter(threading.Event())

    def leave(self) -> bool:
        """Leave once; the last leaving closes. Return whether this was the last one."""
        with self._entering:
            self._entered = max(self._entered - 1, 0)
            is_last = not self._entered
        if is_last:
            self.close()
        return is_last

    def close(self) -> None:
        """Stop. A renewal in progress withdraws its published values."""
        self._entered = 0
        self._cancel.set()
        end = self._clock.monotonic() + _CLOSE
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE)
        if self._renewal is not None:
            self._renewal.done.wait(max(0.0, end - self._clock.monotonic()))

    def check_now(self) -> None:
        """Renew due certificates and load new ones; return when they are served, or the failure was reported."""
        if self._renewal is not None:  # it may have checked before the change that the caller knows of
            self._finish_renewal()
        self._finish_renewal()

    def follow_in_child(self) -> None:
        """Follow in a forked process. It does not have our threads, and one of them may have held a lock."""
        self._entering, self._looking = threading.Lock(), threading.Lock()
        self.context.after_fork()
        if self._thread is None or self._cancel.is_set():
            return
        self._cancel, self._renewal = threading.Event(), None
        self._process = os.getpid()
        self._fork_delay = _FORK_DELAY
        self._start(self._due + _FORK_DELAY)

    def look(self) -> None:
        """Load certificates that this or another process has renewed, and begin to renew due ones.

        A renewal has its own thread, because it may take minutes. Versions that are stored in between are served at
        once.
        """
        try:
            with self._looking:
                if self._renewal is not None and self._renewal.done.is_set():
                    self._end_renewal(self._renewal)
                if self._renewal is None and self._clock.now() >= self._due:
                    self._begin_renewal()
                self._load_changed()
        except Exception as error:  # noqa: BLE001  # the server goes on with the certificates it has
            self._unexpected(error)

    # ── the threads ─────────────────────────────────────────────────────────────────────

    def _start(self, due: datetime) -> None:
        self._due = due
        following = weakref.ref(self), self._cancel, self._clock
        self._thread = threading.Thread(target=_follow, args=following, name="dnsrenew-serve", daemon=True)
        self._thread.start()

    def _begin_renewal(self) -> threads.Task[list[Outcome]]:
        renew, cancel = self.source.renew, self._cancel
        self._renewal = threads.start(lambda: renew(cancel))
        return self._renewal

    def _finish_renewal(self) -> None:
        """Wait for the renewal in progress, or for a new one, and load its certificates."""
        with self._looking:
            renewal = self._renewal or self._begin_renewal()
        while not renewal.done.wait(threads.SLICE):
            pass
        with self._looking:
            if self._renewal is renewal:
                self._end_renewal(renewal)
            self._load_changed()

    def _end_renewal(self, renewal: threads.Task[list[Outcome]]) -> None:
        self._renewal = None
        try:
            outcomes = renewal.result()
        except Exception as error:  # noqa: BLE001  # as above
            self._unexpected(error)
            outcomes = None
        self._due = next_run(outcomes, self._clock.now()).time + self._fork_delay

    def _unexpected(self, error: Exception) -> None:
        names, reason = list(self.source.names), self.source.redact(repr(error))
        self._warnings.warn(None, *texts.NOT_RENEWED.fill(names=names, reason=reason))

    # ── taking up ───────────────────────────────────────────────────────────────────────

    def _load_changed(self) -> None:
        if any(self.source.mark(name) != self._marks[name] for name in self.source.names):
            self._load()

    def _load(self) -> None:
        """Load the current certificates into the context. If one cannot be used, the old one stays."""
        names = self.source.names
        marks = {name: self.source.mark(name) for name in names}
        changed = [name for name, mark in marks.items() if name not in self._pairs or mark != self._marks[name]]
        new = {name: certificate for name in changed if (certificate := self._taken_up(name))}
        pairs = {name: _pair(new[name]) if name in new else self._pairs[name] for name in names}
        if pairs != self._pairs:
            self.context.serve(list(pairs.values()))
        self._pairs = pairs
        self.certificates = {name: new.get(name) or self.certificates[name] for name in names}
        self._marks |= {name: marks[name] for name in new}
        for name in new:
            self._warnings.forget(name)

    def _taken_up(self, name: str) -> Certificate | None:
        """Return the current certificate, or None if it cannot be served yet; the next check tries again.

        :raises DnsRenewError: it cannot be read, and there is no old certificate.
        :raises OSError: it cannot be served, and there is no old certificate.
        """
        try:
            certificate = self.source.certificate(name)
            LiveContext.check(_pair(certificate))
        except (DnsRenewError, OSError, ValueError) as error:
            if name not in self._pairs:
                raise
            reason = as_clause(error.message if isinstance(error, DnsRenewError) else str(error))
            self._warnings.warn(name, *texts.NOT_TAKEN_UP.fill(name=name, reason=reason))
            return None
        return certificate


def _pair(certificate: Certificate) -> Pair:
    from dnsrenew.base import x509  # heavy; not needed by a program that only uses the class Served as a type

    names = x509.read_certificate(certificate.fullchain_pem).names
    if certificate.fullchain_path is None or certificate.private_key_path is None:
        return PairInMemory(names, certificate.private_key_pem + certificate.fullchain_pem)
    return ServedPair(names, certificate.fullchain_path, certificate.private_key_path)


def _follow(reference: weakref.ref[Follower], cancel: threading.Event, clock: Clock) -> None:
    while not cancel.is_set() and (follower := reference()) is not None:
        follower.look()
        del follower
        clock.wait(CHECK_EVERY, cancel)


# ── forked processes, and the end ───────────────────────────────────────────────────────

_EVERY: Final[weakref.WeakSet[Follower]] = weakref.WeakSet()


def _follow_in_child() -> None:
    for follower in list(_EVERY):
        follower.follow_in_child()


def _close_all() -> None:
    """Let renewals in progress withdraw their values, because a server may end without leaving its ``with``."""
    for follower in list(_EVERY):
        if follower.is_running:
            follower.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_follow_in_child)
