"""Waiting, blocking calls and cancellation."""

import threading
import time

import pytest

from dnsrenew.base import threads
from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.errors import Cancelled
from tests.kit.clock import FakeClock
from tests.kit.load import allowed


def test_waiting_takes_the_time_of_the_clock() -> None:
    """A wait takes the requested time."""
    clock = FakeClock()
    Context(clock=clock).wait(200)
    assert clock.elapsed == pytest.approx(200)


def test_a_cancelled_wait_ends_at_once() -> None:
    """After a cancel a wait takes no time."""
    clock = FakeClock()
    context = Context(clock=clock)
    context.cancel.set()
    with pytest.raises(Cancelled):
        context.wait(200)
    assert clock.elapsed == 0


def test_a_hanging_call_is_left_behind() -> None:
    """A call that never returns does not delay the cancellation."""
    context = Context()
    release = threading.Event()
    threading.Timer(0.05, context.cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        context.call(lambda: release.wait(30))
    assert time.monotonic() - started < allowed(2)
    release.set()


def test_a_task_is_outwaited_after_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait for a task that ends by itself goes on after a cancel, lends the worker slot, and raises its error."""
    monkeypatch.setattr("dnsrenew.base.runtime.LONG", 0.05)
    pool = threads.ThreadPool(1)
    context = replace(Context(), pool=pool)
    context.cancel.set()
    second_runs = threading.Event()

    def first() -> None:
        context.outwait(threads.start(fails_later))

    def fails_later() -> None:
        assert second_runs.wait(30), "the slot was not lent"
        raise ZeroDivisionError

    waits, runs = pool.start([first, second_runs.set])
    assert runs.done.wait(30)
    assert waits.done.wait(30)
    with pytest.raises(ZeroDivisionError):
        waits.result()


def test_a_time_within_a_time_ends_with_the_earlier() -> None:
    """Of two nested deadlines the earlier one counts."""
    context = Context(clock=FakeClock())
    ends = [context.within(outer).within(inner).deadline for outer, inner in ((60, 10), (10, 60))]
    assert ends == [10, 10]


def test_an_error_in_a_call_arrives() -> None:
    """The caller gets the exception of the call."""
    with pytest.raises(ZeroDivisionError):
        Context().call(lambda: 1 / 0)


def test_calls_run_at_most_limit_at_once_and_come_back_in_order() -> None:
    """At most `limit` calls run at once. Results and errors keep the order of the calls."""
    running, most, lock = 0, 0, threading.Lock()

    def call(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        if number == 3:
            raise ValueError(number)
        return number

    tasks = Context().call_all([lambda n=n: call(n) for n in range(8)], limit=2)  # type: ignore[misc]  # bound default
    assert most == 2
    assert [task.result() for task in tasks if task.error is None] == [0, 1, 2, 4, 5, 6, 7]
    assert isinstance(tasks[3].error, ValueError)


@pytest.mark.parametrize("limit", [0, -1])
def test_at_least_one_call_is_under_way(limit: int) -> None:
    """A limit below one counts as one, so that the calls make progress."""
    context = Context(deadline=Context().clock.monotonic() + 10)
    assert [task.result() for task in context.call_all([lambda: 1, lambda: 2], limit)] == [1, 2]


def test_putting_back_goes_on_for_its_grace_after_a_cancel() -> None:
    """After cancellation, cleanup continues for its grace period and then ends."""
    clock = FakeClock()
    context = Context(clock=clock)
    context.cancel.set()
    ending = context.for_cleanup(60, 4)
    ending.wait(3)
    with pytest.raises(Cancelled):
        ending.wait(3)
    assert 3 <= clock.elapsed <= 5


def test_putting_back_ends_at_its_deadline_without_a_cancel() -> None:
    """Without cancellation, cleanup ends at its deadline, even if a host hangs."""
    clock = FakeClock()
    with pytest.raises(Cancelled):
        Context(clock=clock).for_cleanup(60, 4).wait(1000)
    assert clock.elapsed == pytest.approx(60, abs=1)


def test_a_warning_is_noted_once_and_told() -> None:
    """A repeated warning is recorded and emitted once."""
    told: list[Event] = []
    context = Context(emitter=Emitter(FakeClock(), told.append)).for_certificate("home")
    context.warn("some-code", "Something.", "Do this.")
    context.warn("some-code", "Something.", "Do this.")
    assert [notice.code for notice in context.notices] == ["some-code"]
    assert [(event.kind, event.certificate) for event in told] == [("warning", "home")]


def test_a_listener_that_fails_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The exception of a listener does not reach the run."""

    def listener(_event: Event) -> None:
        raise RuntimeError("listener")

    Emitter(FakeClock(), listener).emit("run-started", None, {})
    assert "the event listener failed at run-started" in caplog.text


def test_events_come_one_at_a_time() -> None:
    """The listener is never called by two threads at once."""
    inside, clashes = threading.Lock(), []

    def listener(_event: Event) -> None:
        if not inside.acquire(blocking=False):
            clashes.append(1)
            return
        time.sleep(0.001)
        inside.release()

    emitter = Emitter(FakeClock(), listener)

    def emit_ten() -> None:
        for _ in range(10):
            emitter.emit("warning", None, {})

    threads = [threading.Thread(target=emit_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clashes == []
