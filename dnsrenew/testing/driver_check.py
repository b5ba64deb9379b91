"""The conformance check as a test in a driver's own project."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from dnsrenew.base import names
from dnsrenew.base.clock import Clock, SystemClock
from dnsrenew.base.model import Resolver, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.secrets.redactor import Redactor
from dnsrenew.base.values import Frozen
from dnsrenew.dns import DnsView
from dnsrenew.testing import texts
from dnsrenew.testing.conformance import ANYTHING, ConformanceRun, DriverHost, DriverNotMadeError, MustResult

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import Driver
    from dnsrenew.errors import Phrase
    from dnsrenew.testing.script import Needs, ValuesKept

    Make = Callable[[], Driver]
    Look = Callable[[str], Collection[str]]

_SLOW: Final = 2.0
"""A call that takes more seconds than this causes a warning."""


def check_driver(
    make: Callable[[], Driver],
    zone: str,
    *,
    look: Callable[[str], Collection[str]] | None = None,
    ttl: int = 60,
    patience: float = 60.0,
    wrong: Callable[[], Driver] | None = None,
    cancelled: Callable[[], Driver] | None = None,
    parallel: bool = False,
    values: Literal["many", "one"] = "many",
    clock: Clock | None = None,
) -> None:
    """Test a driver against the contract of :class:`~dnsrenew.Driver`, in a real zone.

    It writes some 20 TXT values at unused names below the zone and removes them again.

    :param make: returns a new driver for each call, as dnsrenew does.
    :param zone: a zone that the driver may edit.
    :param look: returns the TXT values served at an absolute name: a set; a list, in which a value that exists twice is
        found; or a mapping to the TTL of each, which is then compared. Default: queries the name servers of the zone,
        and compares the TTL too.
    :param ttl: TTL of the records in seconds; some hosts require more than 60.
    :param patience: seconds until ``look`` must show a change.
    :param wrong: returns a driver with wrong credentials, which must be refused as such.
    :param cancelled: returns a driver whose context is cancelled; it must not write.
    :param parallel: also call two drivers at the same time; not for a host whose provider file says ``exclusive``.
    :param values: ``"one"``: the host keeps one value at a name, so nothing is tested that needs two.
    :param clock: for tests of this function.
    :raises AssertionError: names the MUST that the driver violates. A call that takes more than two seconds is only a
        ``UserWarning``.
    :raises ValueError: ``zone`` is not a domain name.
    """
    __tracebackhide__ = True  # pytest shows the test and the sentence, not this code
    check = DriverCheck(make, zone, look, ttl, patience, wrong, cancelled, parallel, values, clock)
    check.run()


check_driver.__module__ = "dnsrenew.testing"


class DriverCheck(Frozen):
    """A test of a driver; the fields are the arguments of :func:`check_driver`.

    :ivar only: the key of the one MUST to test.
    """

    make: Make
    zone: str
    look: Look | None = None
    ttl: int = 60
    patience: float = 60.0
    wrong: Make | None = None
    cancelled: Make | None = None
    parallel: bool = False
    values: ValuesKept = "many"
    clock: Clock | None = None
    only: str | None = None

    def run(self) -> list[MustResult]:
        """Test the driver, and return the results.

        :raises AssertionError: names the MUST that the driver violates.
        :raises ValueError: ``zone`` is not a domain name.
        """
        __tracebackhide__ = True  # as above
        try:
            zone = names.to_a_labels(self.zone)
        except names.InvalidName as error:
            raise ValueError(f"zone={self.zone!r} is not a domain name: {error}") from None
        if names.is_wildcard(zone):
            raise ValueError(f"zone={zone!r} is a wildcard, not a zone")
        context = Context(clock=self.clock or SystemClock())
        watch = CallWatch(context.clock)
        with watch:
            try:
                results = self._test(context, self._host(context, watch, zone))
            except AssertionError as error:
                if watch.leak:
                    error.add_note(watch.leak)
                raise
        if watch.leak:
            raise AssertionError(watch.leak)
        if watch.slowest > _SLOW:
            warnings.warn(texts.SLOW.format(seconds=f"{watch.slowest:.1f}"), stacklevel=3)
        return results

    def _host(self, context: Context, watch: CallWatch, zone: str) -> DriverHost:
        served, served_ttl = _seen_by(self.look, zone) if self.look is not None else _zone_servers(context)
        lacks: dict[Needs, Phrase] = {} if self.parallel else {"parallel": texts.NOT_PARALLEL}
        lacks |= {"ttl": texts.NO_TTL} if served_ttl is None else {}
        lacks |= {"wrong": texts.NO_WRONG_CREDENTIALS} if self.wrong is None else {}
        add_wrong = None if self.wrong is None else watch.watched(_adding(self.wrong))
        remove = watch.watched(lambda records: _made(self.make).remove(records))
        add = watch.watched(_adding(self.make))
        how = self.values, names.absolute(zone), self.ttl, self.patience
        return DriverHost(add, remove, served, served_ttl, add_wrong, lacks, *how)

    def _test(self, context: Context, host: DriverHost) -> list[MustResult]:
        __tracebackhide__ = True  # as above
        bystander = Bystander(host, None if self.cancelled is None else _adding(self.cancelled))
        # Without a second value: the host keeps one value, perhaps for the whole zone.
        has_bystander = self.only is None and self.values == "many"
        run = ConformanceRun(context, host, only=self.only)
        results: list[MustResult] = []
        try:
            if has_bystander:
                bystander.write()
            for result in run.results():
                if result.result == "broken":
                    raise AssertionError(result.reason) from result.cause
                results.append(result)
                if has_bystander:
                    bystander.see()
            if gone := bystander.check():
                raise AssertionError(gone)
        except BaseException as error:
            for note in run.clean_up():
                error.add_note(note)
            raise
        finally:
            if has_bystander:
                bystander.remove()
        if notes := run.clean_up():
            raise AssertionError(" ".join(notes))
        return results


def _adding(make: Make) -> _Call:
    return lambda records: _made(make).add(records)


def _made(make: Make) -> Driver:
    try:
        return make()
    except (Exception, SystemExit) as error:
        raise DriverNotMadeError from error


def _seen_by(look: Look, zone: str) -> tuple[Callable[[str], set[str]], Callable[[str], int] | None]:
    """Return the functions that call the author's ``look``; the second is None if ``look`` returns no TTL."""

    def served(name: str) -> set[str]:
        found = list(look(name))
        return {*found, *(texts.TWICE.format(value=value) for value in found if found.count(value) > 1)}

    def ttl(name: str) -> int:
        found = look(name)
        return next(iter(found.values()), 0) if isinstance(found, Mapping) else 0

    try:
        knows_ttl = isinstance(look(names.absolute(zone)), Mapping)
    except Exception:  # noqa: BLE001  # it may fail before the first write
        knows_ttl = False
    return served, ttl if knows_ttl else None


def _zone_servers(context: Context) -> tuple[Callable[[str], set[str]], Callable[[str], int]]:
    """Return the functions that query all servers of the zone for values and for their TTL."""
    view = DnsView(Resolver())
    return lambda name: view.values(context, name), lambda name: view.ttl(context, name)


# ── new driver ─────────────────────────────────────────────────────────────────────────

# A driver and its test as a starting point: both pass pytest, mypy and ruff unchanged.


def new_driver(name: str) -> dict[str, str]:
    """Return the text of each file, by file name.

    :param name: of the DNS host; a ``-`` becomes ``_`` in the names of the files, which are Python modules.
    """
    module = name.replace("-", "_")
    kind = "".join(part.capitalize() for part in module.split("_")) + "Driver"
    fields = {"NAME": name, "HOST": name.replace("_", "-"), "MODULE": module, "CLASS": kind}
    found = {}
    for file, template in ((f"{module}.py", "driver"), (f"test_{module}.py", "driver_test")):
        text = (Path(__file__).parent / "templates" / f"{template}.py.txt").read_text("utf-8")
        found[file] = re.sub("@([A-Z]+)@", lambda match: fields.get(match[1], match[0]), text)
    return found


# ── watching ───────────────────────────────────────────────────────────────────────────

# What a driver must not do besides its calls: reveal its secrets, change other records of the zone, or be slow.

_Call = Callable[[Sequence[TxtRecord]], object]


class CallWatch(logging.Handler):
    """Finds the secrets that its block reveals in exceptions and in the log.

    :ivar leak: a sentence about the first secret that was found; empty if there was no leak.
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
        """Return a call whose exceptions are searched for secrets and whose time is measured."""

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
        """Search a line of the log for secrets."""
        self._search(record.getMessage(), texts.LOGGED_SECRET)

    def _search(self, text: str, sentence: str) -> None:
        hidden = self._redactor.redact(text)
        if hidden != text and not self.leak:
            self.leak = sentence.format(shown=hidden.strip())


class Bystander:
    """A value at another name of the zone, such as SPF or DKIM, which must survive the check.

    :param late: adds with a cancelled context, which must not write; None if this is not tested.
    """

    def __init__(self, host: DriverHost, late: _Call | None) -> None:
        self._host, self._late = host, late
        self._record, self._late_record = (_unused(host, label) for label in ("dnsrenew-check-", "_acme-challenge-"))
        self._is_there = False

    def write(self) -> None:
        """Write the value, unless the host can write only challenges. Try the late call."""
        with contextlib.suppress(*ANYTHING):
            self._host.add([self._record])
            self.see()
        try:
            if self._late is not None:
                self._late([self._late_record])
        except ANYTHING as error:
            error.__traceback__ = None  # its frames hold secrets that the driver has revealed

    def see(self) -> None:
        """Check whether the value is served; name servers may show it later."""
        with contextlib.suppress(*ANYTHING):
            self._is_there = self._is_there or self._record.value in self._host.served(self._record.name)

    def check(self) -> str:
        """Return a sentence if the value is gone or the value of the late call exists, otherwise an empty text."""
        if self._late is not None and self._host.served(self._late_record.name):
            return texts.LATE_WRITTEN.format(name=self._late_record.name)
        if not self._is_there or self._record.value in self._host.served(self._record.name):
            return ""
        return texts.BYSTANDER_GONE.format(name=self._record.name)

    def remove(self) -> None:
        """Remove both values."""
        with contextlib.suppress(*ANYTHING):  # a value that stays is harmless, and its name explains it
            self._host.remove([self._record])
            if self._late is not None:
                self._host.remove([self._late_record])


def _unused(host: DriverHost, label: str) -> TxtRecord:
    value = f"dnsrenew-check={secrets.token_urlsafe(24)}"
    return TxtRecord(host.zone, f"{label}{secrets.token_hex(4)}.{host.zone}", value, host.record_ttl)
