"""Certificates of a running server: renewed in the background, and always the newest in its ``SSLContext``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Self

from dnsrenew import x509
from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError
from dnsrenew.renewal.next_run import next_run
from dnsrenew.serving.live_context import LiveContext, Pair

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from types import TracebackType

    from dnsrenew.base.clock import Clock
    from dnsrenew.model import Certificate, Outcome

_LOOK: Final = 1.0
"""Seconds between two looks at the store: another process may have renewed."""

_CLOSE: Final = 10.0
"""Seconds that :meth:`Served.close` waits for a renewal to withdraw what it has published."""

_logger: Final = logging.getLogger("dnsrenew.serving")


class CertificateSource(Frozen):
    """Where the certificates come from: one :class:`~dnsrenew.Renewer` and some of its names.

    :ivar names: the first is also served for unknown server names.
    :ivar obtain: renews what is due; raises unless every certificate can be used.
    :ivar renew: renews what is due; an outcome holds every error.
    :ivar certificate: returns the certificate in force; raises ``StoreError`` if there is none.
    :ivar mark: returns a value that differs after another process has changed the certificate.
    """

    names: Sequence[str]
    obtain: Callable[[threading.Event], list[Outcome]]
    renew: Callable[[threading.Event], list[Outcome]]
    certificate: Callable[[str], Certificate]
    mark: Callable[[str], object]


class Served:
    """The certificates of a running server, made by :meth:`Renewer.serve` and :func:`serve`; a context manager.

    Entering obtains what is missing. From then on a daemon thread renews what is due, and takes up what another process
    has renewed, until :meth:`close`. A failure is logged and emitted as an event; it never reaches a handshake.

    :param source: the certificates.
    :param clock: the clock; for tests.
    """

    __module__ = "dnsrenew"

    def __init__(self, source: CertificateSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._context = LiveContext()
        self._certificates: dict[str, Certificate] = {}
        self._marks: dict[str, object] = {}
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None

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

    def close(self) -> None:
        """Stop renewing. A renewal at work withdraws what it has published; the context goes on as it is."""
        self._cancel.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE)

    def __enter__(self) -> Self:
        """Obtain what is missing, load the certificates, and follow them from now on.

        :raises RenewalFailed: one could not be obtained, and no usable one is stored.
        :raises StoreError: the store cannot be read or written.
        """
        outcomes = self._source.obtain(self._cancel)
        self._load()
        due = next_run(outcomes, self._clock.now()).time
        self._thread = threading.Thread(target=self._follow, args=[due], name="dnsrenew-serve", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    # ── the thread ──────────────────────────────────────────────────────────────────────

    def _follow(self, next_time: datetime) -> None:
        while not self._cancel.is_set():
            try:
                next_time = self._step(next_time)
            except Exception:  # the server goes on with what it has
                _logger.exception("the certificates could not be followed")
                next_time = next_run(None, self._clock.now()).time
            self._clock.wait(_LOOK, self._cancel)

    def _step(self, next_time: datetime) -> datetime:
        """Take up what another process has renewed, and renew what is due; return when the next one is due."""
        if self._clock.now() >= next_time:
            outcomes = self._source.renew(self._cancel)
            next_time = next_run(outcomes, self._clock.now()).time
        if self._has_changed():
            self._load()
        return next_time

    def _has_changed(self) -> bool:
        return any(self._source.mark(name) != self._marks.get(name) for name in self._source.names)

    def _load(self) -> None:
        """Put the certificates in force into the context; where one cannot be used, the old one stays."""
        marks = {name: self._source.mark(name) for name in self._source.names}
        found = {name: self._newest(name) for name in self._source.names}
        if _serials(found) != _serials(self._certificates):
            try:
                self._context.serve([_pair(one) for one in found.values()])
            except (OSError, ValueError) as error:
                if not self._certificates:
                    raise
                _logger.warning("a new certificate cannot be served, the old one is kept: %s", error)
                found = self._certificates
        self._certificates, self._marks = found, marks

    def _newest(self, name: str) -> Certificate:
        try:
            return self._source.certificate(name)
        except DnsRenewError as error:
            if name not in self._certificates:
                raise
            _logger.warning("%s could not be read again: %s", name, error)
            return self._certificates[name]


def _serials(certificates: Mapping[str, Certificate]) -> dict[str, str]:
    return {name: one.serial for name, one in certificates.items()}


def _pair(certificate: Certificate) -> Pair:
    facts = x509.read_certificate(certificate.fullchain_pem)
    return Pair(facts.names, certificate.fullchain_path, certificate.private_key_path)
