"""The conformance check of a driver: every MUST of its contract, in a real zone."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final, Literal

from dnsrenew.base.model import TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.drivers.error_mapping import classify
from dnsrenew.errors import Cancelled, DnsRenewError, Phrase, ProviderError, series
from dnsrenew.testing import texts
from dnsrenew.testing.script import SCRIPTS, DriverCall, MustStep, Needs, Script, after, script

_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 2.0
ANYTHING: Final = (Exception, SystemExit)
"""The exceptions a driver may raise; KeyboardInterrupt still stops the check."""

Records = Sequence[TxtRecord]


class DriverHost(Frozen):
    """How the check writes to a host and reads the served values.

    :ivar served: returns the TXT values at an absolute name.
    :ivar ttl: returns the TTL (seconds) of the values at an absolute name; None if it cannot be read.
    :ivar add_wrong: adds with wrong credentials; None if there are no wrong ones to try.
    :ivar lacks: why something is not tested, by what a step needs.
    :ivar zone: absolute.
    :ivar record_ttl: the TTL to write.
    :ivar patience: seconds until a change must be served.
    :ivar at: the only absolute name that the host can write; None for any name in the zone.
    :ivar expect: called with the records of new names before any of them is written; None if not needed.
    :ivar on_wait: called once in a wait of some seconds, with the absolute name and the seconds until it ends.
    """

    add: Callable[[Records], object]
    remove: Callable[[Records], object]
    served: Callable[[str], set[str]]
    ttl: Callable[[str], int] | None
    add_wrong: Callable[[Records], object] | None
    lacks: dict[Needs, Phrase]
    values: Script
    zone: str
    record_ttl: int
    patience: float
    at: str | None = None
    expect: Callable[[Records], object] | None = None
    on_wait: Callable[[str, float], object] | None = None


class ConformanceRun:
    """One check of one driver.

    After a broken MUST, the next one is tested at new names, with the values that it needs. The check ends after the
    first write if no later write can succeed, or if the written values are not seen.

    :param only: the key of the only MUST to test; None for all.
    """

    def __init__(self, context: Context, host: DriverHost, *, only: str | None = None) -> None:
        self._context, self._host = context, host
        steps = script(host.values, host.lacks)
        self._steps = [(step, before) for step, before in steps if only in {None, step.key}]
        self._keys = [key for key in texts.MUSTS if only in {None, key}]
        self._records: dict[str, TxtRecord] = {}
        self._present: frozenset[str] | None = frozenset()
        self._maybe: dict[TxtRecord, None] = {}
        self._has_written = self._has_seen = False
        self._use_new_names()

    def results(self) -> Iterator[MustResult]:
        """Test each MUST in the order of the script. A MUST that cannot be tested comes last.

        :raises Cancelled: the caller cancelled.
        """
        left, hopeless = dict.fromkeys(self._keys), None
        for step, before in self._steps:
            yield (result := self._result(step, before))
            left.pop(step.key, None)
            if result.result == "broken" and (hopeless := self._hopeless(result.cause)) is not None:
                break
        yield from (MustResult(key, "not-tested", reason=hopeless or self._lack(key)) for key in left)

    def _result(self, step: MustStep, before: frozenset[str]) -> MustResult:
        start, is_prepared = self._context.clock.monotonic(), False
        try:
            self._prepare(step, before)
            is_prepared = True
            self._test(step)
        except _BrokenError as error:
            self._present, reason = None, str(error)
            if is_prepared:
                return MustResult(step.key, "broken", self._since(start), reason, error.__cause__)
            return MustResult(step.key, "not-tested", self._since(start), texts.NOT_PREPARED.format(error=reason))
        return MustResult(step.key, "ok", self._since(start))

    def _hopeless(self, cause: BaseException | None) -> Phrase | None:
        """Return why testing stops after a broken MUST; None if the next MUST is tested."""
        if cause is None:
            return None if self._has_seen else texts.NOT_SEEN
        return texts.STOPPED if not self._has_written and code_of(cause) in HOPELESS else None

    def clean_up(self) -> list[str]:
        """Remove all values that may exist; return a sentence for each one that may still exist."""
        if "removes" in self._host.lacks:
            return []
        left = [record for record in self._maybe if self._may_exist(record)]
        with contextlib.suppress(*ANYTHING):
            if left:
                self._host.remove(left)  # all in one call
                if not any(self._may_exist(record) for record in left):
                    return []
        return [note for record in left if (note := self._remove_one(record))]

    # ── one MUST ────────────────────────────────────────────────────────────────────────

    def _prepare(self, step: MustStep, before: frozenset[str]) -> None:
        """Write the values that a step needs, at new names, unless they exist."""
        if self._present == before or (step.alone and self._present is not None):
            return
        self._use_new_names()
        if before and not step.alone:
            self._call(DriverCall("add", tuple(sorted(before))), texts.MUSTS["add-several-names"])
            self._await(before, texts.MUSTS["add-several-names"])
            self._present = before

    def _test(self, step: MustStep) -> None:
        own = {"ttl": self._test_ttl, "wrong-credentials": self._test_wrong}
        test = own.get(step.key, self._test_burst if step.hurried else self._test_phases)
        test(step, texts.MUSTS[step.key])

    def _test_phases(self, step: MustStep, must: str) -> None:
        for phase in step.phases:
            if len(phase) == 1:
                self._call(phase[0], must)
            else:
                for task in self._context.call_all([partial(self._call, call, must) for call in phase], len(phase)):
                    task.result()
            self._present = after(self._present or frozenset(), [phase])
            self._await(self._present, must)

    def _test_ttl(self, _step: MustStep, must: str) -> None:
        name = self._records["one"].name
        expected = self._host.record_ttl
        found = self._host.ttl(name) if self._host.ttl else expected
        if found != expected:
            raise _BrokenError(texts.OTHER_TTL.format(must=must, name=name, found=found, expected=expected))

    def _test_burst(self, step: MustStep, must: str) -> None:
        """Make calls without a pause; the host may ask to wait."""
        for phase in step.phases:
            try:
                self._call(phase[0], must)
            except _BrokenError as error:
                if error.__cause__ is None or code_of(error.__cause__) != "provider-rate-limited":
                    raise
                self._present = None
                return
        self._present = after(self._present or frozenset(), step.phases)
        self._await(self._present, must)

    def _test_wrong(self, _step: MustStep, must: str) -> None:
        if self._host.add_wrong is None:
            return
        record = self._records["wrong"]
        self._maybe[record] = None
        try:
            self._host.add_wrong([record])
        except ANYTHING as error:
            self._context.check()
            if (code := code_of(error)) != UNAUTHORIZED:
                raise _BrokenError(texts.WRONG_CODE.format(must=must, found=code, error=describe(error))) from error
        else:
            raise _BrokenError(texts.WRONG_TAKEN.format(must=must))
        self._await(self._present or frozenset(), must)

    def _lack(self, key: str) -> str:
        """Return the reason why a MUST is not tested."""
        steps = [step for kept in SCRIPTS for step, _ in script(kept, ()) if step.key == key]
        lacks = [self._host.lacks[need] for step in steps for need in sorted(step.needs) if need in self._host.lacks]
        return lacks[0] if lacks else texts.TWO_VALUES if self._host.values == "two" else texts.ONE_VALUE

    # ── records ─────────────────────────────────────────────────────────────────────────

    def _use_new_names(self) -> None:
        label, zone, at = secrets.token_hex(4), self._host.zone, self._host.at
        top, deep = at or f"_acme-challenge-{label}.{zone}", at or f"_acme-challenge.{label}.deep.{zone}"
        words = {word for step, _ in self._steps for phase in step.phases for call in phase for word in call.records}
        words |= {word for _, before in self._steps for word in before} | {"one", "wrong"}
        for word in sorted(words):
            name = f"_gone.{top}" if word == "gone" else deep if word.startswith("deep") else top
            # Like a real value: 43 characters of base64url. Some tools take a leading hyphen as an option.
            value = f"-_{secrets.token_urlsafe(32)}"[:43]
            self._records[word] = TxtRecord(zone, name, value, self._host.record_ttl)
        self._present = frozenset()
        if self._host.expect is not None:
            self._host.expect(list(self._records.values()))

    def _call(self, call: DriverCall, must: str) -> None:
        records = [self._records[word] for word in call.records]
        before = list(self._maybe)
        if call.verb == "add":
            self._maybe.update(dict.fromkeys(records))
        try:
            (self._host.add if call.verb == "add" else self._host.remove)(records)
        except DriverNotMadeError as error:
            cause = error.__cause__ or error
            raise _BrokenError(texts.RAISED.format(must=texts.IS_MADE, error=describe(cause))) from cause
        except ANYTHING as error:
            if isinstance(error, Cancelled):
                self._context.check()
            if code_of(error) in NOTHING_WRITTEN and len({record.name for record in records}) == 1:
                self._maybe = dict.fromkeys(before)
            raise _BrokenError(texts.RAISED.format(must=must, error=describe(error))) from error
        self._has_written = True
        for record in records if call.verb == "remove" else ():
            self._maybe.pop(record, None)

    def _await(self, present: frozenset[str], must: str) -> None:
        """Wait until exactly the values of these words are served."""
        for name in dict.fromkeys(record.name for word, record in sorted(self._records.items()) if word != "gone"):
            expected = {self._records[word].value for word in present if self._records[word].name == name}
            self._await_name(name, expected, must)

    def _await_name(self, name: str, expected: set[str], must: str) -> None:
        clock, pause, is_reported = self._context.clock, _FIRST_PAUSE, False
        start = clock.monotonic()
        while (found := self._host.served(name)) != expected:
            self._has_seen |= not found.isdisjoint(expected)
            left = start + self._host.patience - clock.monotonic()
            if left <= 0:
                self._maybe.update({record: None for record in self._records.values() if record.value in found})
                found_instead = difference(found, expected)
                raise _BrokenError(texts.DIFFERS.format(must=must, name=name, difference=found_instead))
            if not is_reported and pause == _LONGEST_PAUSE and self._host.on_wait is not None:
                self._host.on_wait(name, left)
                is_reported = True
            self._context.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._has_seen |= bool(expected)

    def _since(self, start: float) -> float:
        return round(self._context.clock.monotonic() - start, 3)

    # ── clean-up ────────────────────────────────────────────────────────────────────────

    def _may_exist(self, record: TxtRecord) -> bool:
        try:
            return record.value in self._host.served(record.name)
        except ANYTHING:
            return True

    def _remove_one(self, record: TxtRecord) -> str | None:
        """Remove a record; return a sentence if it may still exist."""
        try:
            if record.value in self._host.served(record.name):
                self._host.remove([record])
        except ANYTHING as error:
            return f"{record.value} may be left at {record.name}: removing it raised {describe(error)}."
        return None


class DriverNotMadeError(Exception):
    """The driver could not be created; the cause is the error of its constructor."""


class _BrokenError(Exception):
    """A MUST is broken; the cause is the error of the driver."""


# ── must result ────────────────────────────────────────────────────────────────────────

# The result of the check of one MUST.

Verdict = Literal["ok", "broken", "not-tested"]


class MustResult(Frozen):
    """The result for one MUST.

    :ivar key: the key of its sentence.
    :ivar reason: why it is broken or not tested; empty if it holds.
    :ivar cause: the exception of the driver.
    """

    key: str
    result: Verdict
    seconds: float = 0.0
    reason: str = ""
    cause: BaseException | None = None

    @property
    def sentence(self) -> str:
        """The MUST, without a final dot."""
        return texts.MUSTS[self.key]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the exception of the driver, or with the difference that was found."""
        raised = self.cause if isinstance(self.cause, DnsRenewError) else None
        error = raised or ProviderError.of(texts.MUST_BROKEN, reason=self.reason)
        found = {"must": self.key, "sentence": f"{self.sentence}.", "result": self.result, "seconds": self.seconds}
        shown = error.to_dict() if self.result == "broken" else None
        return {**found, "error": shown, "reason": self.reason or None}


# ── raised ─────────────────────────────────────────────────────────────────────────────

# The exceptions of a driver, and the differences in the served values, in words. No I/O.

UNAUTHORIZED: Final = "provider-unauthorized"
NOTHING_WRITTEN: Final = {UNAUTHORIZED, "provider-zone-unknown", "provider-address-wrong", "provider-untrusted"}
"""Errors that occur before anything is written in a zone."""
HOPELESS: Final = NOTHING_WRITTEN | {"provider-unreachable", "provider-timeout"}
"""Errors of the first write after which every later write would fail in the same way."""


def code_of(error: BaseException) -> str:
    """Return the error code for an exception of a driver."""
    return error.code if isinstance(error, DnsRenewError) else classify(error)


def describe(error: BaseException) -> str:
    """Return an exception as one line."""
    return f"{type(error).__name__}: {error}"


def difference(found: Collection[str], expected: Collection[str]) -> str:
    """Return which values are missing and which are unexpected."""
    values = {texts.IS_MISSING: set(expected) - set(found), texts.EXISTS: set(found) - set(expected)}
    return series([text.format(values=sorted(its)) for text, its in values.items() if its], ", ")
