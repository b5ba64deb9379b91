"""What a program passes to be called, and what it gets back: listeners, cancel events, its own drivers, logging."""

from __future__ import annotations

import asyncio
import functools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from dnsrenew.base.model import TxtRecord
from dnsrenew.testing import AcmeBox, acme_box

NAME = "one.example.com"


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A CA and DNS."""
    with acme_box() as running:
        yield running


async def listen(_event: dnsrenew.Event) -> None:
    """A listener that would have to be awaited."""


class Awaited:
    """An object that would have to be awaited when it is called."""

    async def __call__(self, _event: dnsrenew.Event) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("argument", "value", "found"),
    [
        ("cancel", asyncio.Event(), "an asyncio.locks.Event"),
        ("cancel", 4, "a number"),
        ("cancel", threading.Lock(), "a _thread.lock"),
        ("on_event", 3, "a number"),
        ("on_event", listen, "a coroutine function"),
        ("on_event", Awaited(), "a coroutine function"),
        ("on_event", functools.partial(listen), "a coroutine function"),
    ],
)
def test_what_cannot_be_one_is_refused_at_the_call(box: AcmeBox, argument: str, value: Any, found: str) -> None:
    """An object that would fail in the middle of a run is a mistake of the call; nothing was sent."""
    calls: list[Callable[[], object]] = [lambda: dnsrenew.obtain([NAME], **box.arguments, **{argument: value})]
    if argument == "on_event":
        calls.append(lambda: dnsrenew.serve([NAME], **box.arguments, on_event=value))
        calls.append(lambda: asyncio.run(dnsrenew.aobtain([NAME], **box.arguments, on_event=value)))
    for call in calls:
        with pytest.raises(dnsrenew.ConfigError) as caught:
            call()
        (mistake,) = caught.value.evidence["mistakes"]
        assert mistake["key"] == argument
        assert found in mistake["found"]
    assert box.issued == []


@pytest.mark.parametrize(
    ("argument", "value", "key"),
    [
        ("routes", [dnsrenew.Route("dns-02")], "routes[0].challenge"),  # type: ignore[arg-type]  # a type checker finds it
        ("renew_before", dnsrenew.RenewBefore("1/3"), "renew_before"),  # type: ignore[arg-type]  # as above
        ("renew_before", dnsrenew.RenewBefore(), "renew_before"),
        ("propagation", dnsrenew.Propagation(check="foo"), "propagation.check"),  # type: ignore[arg-type]  # as above
        ("propagation", {"chek": "doh"}, "propagation.chek"),
        ("dns", object(), "dns"),
    ],
    ids=["challenge", "text for a number", "neither", "check", "unknown key", "no driver"],
)
def test_a_value_that_cannot_be_is_refused_at_the_call(box: AcmeBox, argument: str, value: Any, key: str) -> None:
    """A value with a word that does not exist is a mistake of the call, and mypy finds it before that."""
    with pytest.raises(dnsrenew.ConfigError) as caught:
        dnsrenew.obtain([NAME], **{**box.arguments, argument: value})
    assert [mistake["key"] for mistake in caught.value.evidence["mistakes"]] == [key]
    assert " a object" not in str(caught.value)
    assert box.issued == []


def test_a_failure_is_told_once(box: AcmeBox, caplog: pytest.LogCaptureFixture) -> None:
    """What is raised is no warning in the log too, and what is kept is one warning, with its expiry."""

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]

    box.fail_next("rateLimited", retry_after=60)
    with pytest.raises(dnsrenew.RenewalFailed):
        dnsrenew.obtain([NAME], **box.arguments)
    assert warnings() == []
    box.age = timedelta(days=80)
    dnsrenew.obtain([NAME], **box.arguments, now=True)
    box.fail_next("rateLimited", retry_after=60)
    kept = dnsrenew.obtain([NAME], **box.arguments)
    (line,) = warnings()
    assert f"is kept until {kept.not_after:%Y-%m-%dT%H:%M:%SZ}" in line


def test_any_event_of_threads_is_taken(box: AcmeBox) -> None:
    """A subclass, and an object with the same methods, are events too."""

    class Own:
        def __init__(self) -> None:
            self._event = threading.Event()
            self.set, self.is_set, self.wait = self._event.set, self._event.is_set, self._event.wait

    cancel: Any = Own()
    assert dnsrenew.obtain([NAME], **box.arguments, cancel=cancel).serial


class Broken:
    """A driver of the program with a bug."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Fail."""
        self._zone({"secret": "s3cret-in-an-error"})

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Do nothing."""

    def _zone(self, answer: dict[str, str]) -> str:
        return answer["zone_id"]


def test_a_bug_of_the_program_s_driver_is_told_with_its_line(box: AcmeBox, caplog: pytest.LogCaptureFixture) -> None:
    """The error has type, text, file and line; the traceback is logged at DEBUG by the logger that it names."""
    with pytest.raises(dnsrenew.RenewalFailed) as caught:
        dnsrenew.obtain([NAME], **{**box.arguments, "dns": Broken()})
    cause = caught.value.__cause__
    assert isinstance(cause, dnsrenew.ProviderError)
    line = next(
        number for number, text in enumerate(Path(__file__).read_text().splitlines(), 1) if '["zone_id"]' in text
    )
    assert (cause.code, cause.evidence["file"], cause.evidence["line"]) == ("provider-bug", __file__, line)
    assert f"raised KeyError: 'zone_id' at {Path(__file__).name}:{line}" in cause.message
    (record,) = [record for record in caplog.records if record.name == cause.evidence["logger"]]
    assert record.levelno == logging.DEBUG
    assert "in _zone" in record.getMessage()


def test_a_program_without_logging_gets_no_line_on_standard_error(tmp_path: Path) -> None:
    """Python prints warnings of a logger without any handler; ours has one that does nothing."""
    code = (
        "import logging, dnsrenew\ndnsrenew.obtain\nlogging.getLogger('dnsrenew').warning('x')\n"
        "logging.getLogger('dnsrenew.acme').warning('x')\n"
        "print(logging.getLogger('dnsrenew').handlers, logging.getLogger().handlers)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == "[<NullHandler (NOTSET)>] []\n"
