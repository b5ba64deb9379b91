"""What a driver must not do beside its calls: show its secrets, touch other records of the zone, or take its time."""

from __future__ import annotations

import contextlib
import logging
import secrets
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.testing import texts
from dnsrenew.testing.conformance import DriverHost

_ANYTHING: Final = (Exception, SystemExit)
"""What a driver may raise."""
_Call = Callable[[Sequence[TxtRecord]], object]


class CallWatch(logging.Handler):
    """Finds the secrets that are revealed in its block, in what calls raise, and in what is logged.

    :ivar leak: a sentence about the first one that was found; empty if there was none.
    :ivar slowest: the seconds of the longest call.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(logging.NOTSET)
        self.leak, self.slowest = "", 0.0
        self._clock = clock
        self._redactor = Redactor()
        self._reveal: Callable[..., str] = Secret.reveal
        self._level = logging.root.level

    def __enter__(self) -> Self:
        def reveal(secret: Secret, *arguments: Any, **more: Any) -> str:
            return self._redactor.add(self._reveal(secret, *arguments, **more))

        setattr(Secret, "reveal", reveal)  # noqa: B010  # only here, and only in tests
        logging.root.addHandler(self)
        logging.root.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        setattr(Secret, "reveal", self._reveal)  # noqa: B010  # as above
        logging.root.removeHandler(self)
        logging.root.setLevel(self._level)

    def watched(self, call: _Call) -> _Call:
        """Return a call whose exceptions are searched, and whose time is taken."""

        def watched_call(records: Sequence[TxtRecord]) -> object:
            start = self._clock.monotonic()
            try:
                return call(records)
            except BaseException as error:
                shown = "".join(traceback.format_exception_only(error))
                self._search(f"{shown} {getattr(error, 'evidence', '')}", texts.RAISED_SECRET)
                raise
            finally:
                self.slowest = max(self.slowest, self._clock.monotonic() - start)

        return watched_call

    def emit(self, record: logging.LogRecord) -> None:
        """Search a line of the log."""
        self._search(record.getMessage(), texts.LOGGED_SECRET)

    def _search(self, text: str, sentence: str) -> None:
        hidden = self._redactor.redact(text)
        if hidden != text and not self.leak:
            self.leak = sentence.format(shown=hidden.strip())


class Bystander:
    """A value at another name of the zone, such as SPF or DKIM, which must outlive the check.

    :param late: adds with a context that is cancelled, which must write nothing; None: there is none.
    """

    def __init__(self, host: DriverHost, zone: str, ttl: int, late: _Call | None) -> None:
        self._host, self._late = host, late
        self._record = _unused(zone, "dnsrenew-check-", ttl)
        self._late_record = _unused(zone, "_acme-challenge-", ttl)
        self._is_there = False

    def write(self) -> None:
        """Write it; a host that writes challenges only has none. Try the late call."""
        with contextlib.suppress(*_ANYTHING):
            self._host.add([self._record])
            self.see()
        try:
            if self._late is not None:
                self._late([self._late_record])
        except _ANYTHING as error:
            error.__traceback__ = None  # its frames hold what the driver has revealed

    def see(self) -> None:
        """Look whether it is served; name servers may show it later."""
        with contextlib.suppress(*_ANYTHING):
            self._is_there = self._is_there or self._record.value in self._host.served(self._record.name)

    def check(self) -> str:
        """Return a sentence if it is gone, or the value of the late call exists; else nothing."""
        if self._late is not None and self._host.served(self._late_record.name):
            return texts.LATE_WRITTEN.format(name=self._late_record.name)
        if not self._is_there or self._record.value in self._host.served(self._record.name):
            return ""
        return texts.BYSTANDER_GONE.format(name=self._record.name)

    def remove(self) -> None:
        """Remove both."""
        with contextlib.suppress(*_ANYTHING):  # a value that stays does no harm, and its name says what it is
            self._host.remove([self._record])
            if self._late is not None:
                self._host.remove([self._late_record])


def _unused(zone: str, label: str, ttl: int) -> TxtRecord:
    value = f"dnsrenew-check={secrets.token_urlsafe(24)}"
    return TxtRecord(zone, f"{label}{secrets.token_hex(4)}.{zone}", value, ttl)
