"""`aobtain`, `arenew` and `async with`: the event loop goes on, cancelling the task cancels, nothing is left in DNS."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

import dnsrenew
from dnsrenew.base import threads
from dnsrenew.base.model import TxtRecord
from dnsrenew.testing import AcmeBox, acme_box
from tests.kit.load import allowed

NAME = "one.example.com"
MOST = 5.0
"""Seconds within which a cancelled task ends."""


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A CA and DNS."""
    with acme_box() as running:
        yield running


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine function in an event loop, asyncio's in debug mode."""
    if request.param == "trio":
        return trio.run
    return lambda main: asyncio.run(main(), debug=True)


class Waiting:
    """A driver of the program whose values are never seen, so that the run waits for DNS.

    :ivar written: set when the values are written.
    """

    def __init__(self) -> None:
        self.written = threading.Event()
        self.values: set[str] = set()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values, here only."""
        self.values |= {record.value for record in records}
        self.written.set()

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        self.values -= {record.value for record in records}


def to_the_wait(box: AcmeBox, driver: Waiting) -> dict[str, Any]:
    """Return the arguments of a call that waits for DNS for minutes."""
    return {**box.arguments, "dns": driver}


async def sleep(seconds: float) -> None:
    """Sleep in the loop that runs."""
    if threads._running_trio() is None:
        await asyncio.sleep(seconds)
    else:
        await trio.sleep(seconds)


# ── what it gives ───────────────────────────────────────────────────────────────────────


def test_a_certificate_is_awaited(box: AcmeBox, run: Any) -> None:
    """It is the certificate that obtain() gives; a second call gives it again."""

    async def main() -> list[str]:
        return [(await dnsrenew.aobtain([NAME], **box.arguments)).serial for _ in range(2)]

    first, again = run(main)
    assert first == again == dnsrenew.obtain([NAME], **box.arguments).serial
    assert len(box.issued) == 1


def test_mistakes_and_failures_are_raised(box: AcmeBox, run: Any) -> None:
    """The errors are those of obtain(), from the await."""
    box.fail_next("rejectedIdentifier")

    async def main() -> tuple[str, str]:
        with pytest.raises(dnsrenew.RenewalFailed) as failed:
            await dnsrenew.aobtain([NAME], **box.arguments)
        with pytest.raises(dnsrenew.ConfigError) as wrong:
            await dnsrenew.aobtain([NAME], **{**box.arguments, "key": "rsa1024"})
        return failed.value.code, wrong.value.code

    assert run(main) == ("renewal-failed", "config-invalid")


def test_a_renewal_is_awaited(box: AcmeBox, tmp_path: Path, run: Any) -> None:
    """The method arenew() gives the outcomes of renew(), with the same arguments."""
    toml = f'default_ca = "box"\nagree_terms = true\n{box.toml()}[[certificate]]\ndomains = ["{NAME}"]\n'
    (tmp_path / "dnsrenew.toml").write_text(toml)
    renewer = dnsrenew.Renewer(dnsrenew.Config.load(tmp_path / "dnsrenew.toml"))

    async def main() -> list[str]:
        outcomes = [*await renewer.arenew(), *await renewer.arenew([NAME], force=True, now=True)]
        return [outcome.status for outcome in outcomes]

    assert run(main) == ["renewed", "renewed"]
    assert len(box.issued) == 2


def test_a_server_is_entered(box: AcmeBox, run: Any) -> None:
    """``async with`` gives the object of ``with``, which follows until the last leaving."""

    async def main() -> list[int]:
        async with dnsrenew.serve([NAME], **box.arguments) as served:
            assert served.certificate.fullchain_pem == box.issued[0].pem
            async with served:
                inner = followers()
            between = followers()
        return [inner, between, followers()]

    assert run(main) == [1, 1, 0]


def followers() -> int:
    """Return the number of threads that follow a store."""
    return [thread.name for thread in threading.enumerate()].count("dnsrenew-serve")


def test_events_come_in_the_thread_of_the_loop(box: AcmeBox, tmp_path: Path, run: Any) -> None:
    """The listener is called in the loop's thread, in order, before the await ends; its error ends nothing."""
    seen: list[tuple[str, bool]] = []

    def listen(event: dnsrenew.Event) -> None:
        seen.append((event.kind, threading.current_thread() is threading.main_thread()))
        raise ZeroDivisionError

    async def main() -> list[int]:
        counts = []
        await dnsrenew.aobtain([NAME], **box.arguments, on_event=listen)
        counts.append(len(seen))
        other = {**box.arguments, "store": tmp_path / "other"}
        async with dnsrenew.serve([NAME], **other, on_event=listen):
            counts.append(len(seen))
        return counts

    first, second = run(main)
    assert {is_main for _, is_main in seen} == {True}
    kinds = [kind for kind, _ in seen]
    assert (kinds[0], kinds[first - 1]) == ("run-started", "run-finished")
    assert kinds[:first].count("certificate-stored") == kinds[first:second].count("certificate-stored") == 1


def test_without_a_loop_events_come_as_before(box: AcmeBox) -> None:
    """After ``async with``, the same object in ``with`` calls the listener in its own threads."""
    seen: list[bool] = []
    served = dnsrenew.serve(
        [NAME], **box.arguments, on_event=lambda _: seen.append(threading.current_thread() is threading.main_thread())
    )

    async def main() -> None:
        async with served:
            seen.clear()

    box.age = timedelta(days=80)  # it is due at once
    asyncio.run(main(), debug=True)
    with served:
        served.check_now()
    assert seen
    assert not all(seen)


def test_after_the_loop_events_come_as_before(box: AcmeBox) -> None:
    """A server that is entered by a thread too goes on after the loop has ended, and so do its events."""
    seen: list[str] = []
    served = dnsrenew.serve([NAME], **box.arguments, on_event=lambda event: seen.append(event.kind))
    box.age = timedelta(days=80)  # it is due at once

    async def main() -> None:
        async with served:
            served.__enter__()
        seen.clear()

    asyncio.run(main(), debug=True)
    served.check_now()
    served.close()
    assert "certificate-stored" in seen


# ── cancelling ──────────────────────────────────────────────────────────────────────────


def calls(box: AcmeBox, driver: Waiting, tmp_path: Path) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return the three calls that can be cancelled; each waits for DNS."""
    arguments = to_the_wait(box, driver)

    async def enter() -> None:
        async with dnsrenew.serve([NAME], **arguments):
            pass

    tables = {
        "ca": {"box": box.ca},
        "dns": {"own": dnsrenew.DnsAccount("", name="own", driver=driver)},
        "resolver": box.resolver,
        "certificate": [{"name": NAME, "domains": [NAME]}],
    }
    store = str(tmp_path / "store")
    config = dnsrenew.Config.from_dict({**tables, "default_ca": "box", "agree_terms": True, "store": store})
    return {
        "aobtain": lambda: dnsrenew.aobtain([NAME], **arguments),
        "arenew": lambda: dnsrenew.Renewer(config).arenew(),
        "async with": enter,
    }


@pytest.mark.parametrize("call", ["aobtain", "arenew", "async with"])
def test_a_cancelled_task_withdraws_its_values(box: AcmeBox, tmp_path: Path, call: str) -> None:
    """The task ends with CancelledError within seconds, and its values are gone by then."""
    driver = Waiting()
    work = calls(box, driver, tmp_path)[call]

    async def main() -> tuple[float, set[str]]:
        task = asyncio.ensure_future(work())
        await asyncio.to_thread(driver.written.wait, 30)
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began, set(driver.values)

    seconds, left = asyncio.run(main(), debug=True)
    assert seconds < allowed(MOST)
    assert left == set()
    assert followers() == 0


@pytest.mark.parametrize("call", ["aobtain", "arenew", "async with"])
def test_a_cancelled_scope_of_trio_withdraws_its_values(box: AcmeBox, tmp_path: Path, call: str) -> None:
    """The same under trio."""
    driver = Waiting()
    work = calls(box, driver, tmp_path)[call]

    async def main() -> set[str]:
        with trio.move_on_after(60) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                await trio.to_thread.run_sync(driver.written.wait, 30)
                nursery.cancel_scope.cancel()
        assert not scope.cancelled_caught
        return set(driver.values)

    assert trio.run(main) == set()
    assert followers() == 0


def test_a_time_limit_is_kept(box: AcmeBox) -> None:
    """A limit of asyncio raises its own error."""
    driver = Waiting()

    async def main() -> None:
        async with asyncio.timeout(0.5):
            await dnsrenew.aobtain([NAME], **to_the_wait(box, driver))

    with pytest.raises(TimeoutError):
        asyncio.run(main(), debug=True)
    assert driver.values == set()


def test_a_second_cancel_waits_too(box: AcmeBox) -> None:
    """A task that is cancelled again and again, as anyio does, still leaves nothing in DNS."""
    driver = Waiting()

    async def main() -> set[str]:
        task = asyncio.ensure_future(dnsrenew.aobtain([NAME], **to_the_wait(box, driver)))
        await asyncio.to_thread(driver.written.wait, 30)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        return set(driver.values)

    assert asyncio.run(main(), debug=True) == set()


def test_a_call_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that ignores its cancel, such as a DNS host's library, is waited for some seconds only."""
    monkeypatch.setattr(threads, "PATIENCE", 0.1)
    go_on, cancel = threading.Event(), threading.Event()

    async def main() -> None:
        task = asyncio.ensure_future(threads.call(lambda: go_on.wait(60), cancel))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main(), debug=True)
    assert cancel.is_set()
    assert not go_on.is_set()
    go_on.set()


def test_a_cancel_just_after_entering_leaves(box: AcmeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that is cancelled when its thread has entered already leaves nothing running."""
    served = dnsrenew.serve([NAME], **box.arguments)
    enter = served._follower.enter

    async def main() -> None:
        task = asyncio.ensure_future(served.__aenter__())
        loop = asyncio.get_running_loop()

        def entered(cancel: threading.Event) -> None:
            enter(cancel)
            loop.call_soon_threadsafe(task.cancel)

        monkeypatch.setattr(served._follower, "enter", entered)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main(), debug=True)
    assert followers() == 0


# ── the loop ────────────────────────────────────────────────────────────────────────────


def test_without_a_loop_it_is_an_error() -> None:
    """Awaited by hand, without asyncio or trio, it says what is missing."""
    with contextlib.closing(dnsrenew.aobtain([NAME])) as coroutine, pytest.raises(RuntimeError, match="event loop"):
        coroutine.send(None)


@pytest.mark.parametrize("count", [1, 100])
def test_the_loop_is_never_held_up(box: AcmeBox, count: int) -> None:
    """While it obtains, enters, renews and leaves, a ticker in the loop is late by milliseconds only."""
    late: list[float] = []
    names = [f"n{number}.example.com" for number in range(count)]

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - before - 0.001)

    async def main() -> None:
        await dnsrenew.aobtain([NAME], **box.arguments)  # the first call loads the libraries
        ticker = asyncio.ensure_future(tick())
        await dnsrenew.aobtain(names, **box.arguments)
        async with dnsrenew.serve(names, **box.arguments):
            await dnsrenew.aobtain(names, **box.arguments, force=True)
            await sleep(0.6)
        ticker.cancel()

    asyncio.run(main())
    late.sort()
    assert late[len(late) * 99 // 100] < allowed(0.02)
