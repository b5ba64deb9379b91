"""The writer thread: it writes in order and completely, and a slow reader does not block a cancelled run."""

import threading
import time
from collections.abc import Iterator

import pytest

from dnsrenew.cli import terminal
from dnsrenew.cli.terminal import WriterThread
from tests.kit.load import allowed


class Reader:
    """A reader that reads nothing until it is released."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.reads = threading.Event()
        self.left: float | None = None
        self.writer = WriterThread(lambda: self.left)

    def say(self, number: int) -> None:
        """Put one text."""

        def write() -> None:
            self.reads.wait()
            self.read.append(number)

        self.writer.put(write)


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Return a reader that reads nothing until the test ends."""
    found = Reader()
    yield found
    found.reads.set()
    found.writer.close()


def test_all_arrives_in_order(reader: Reader) -> None:
    """All texts arrive in order, even if the reader is late."""
    for number in range(100):
        reader.say(number)
    assert reader.writer.is_behind
    assert reader.read == []
    threading.Timer(0.1, reader.reads.set).start()
    assert reader.writer.drain()
    assert reader.read == list(range(100))
    assert not reader.writer.is_behind


def test_a_text_that_cannot_be_written_stops_no_other(reader: Reader) -> None:
    """An exception in one write does not prevent the next one."""
    reader.writer.put(lambda: 1 / 0)
    reader.say(1)
    reader.reads.set()
    assert reader.writer.drain()
    assert reader.read == [1]


@pytest.mark.parametrize("left", [60.0, 0.2, 0.0])
def test_after_a_signal_the_reader_is_not_waited_for(reader: Reader, left: float) -> None:
    """After a signal, the remaining output gets at most one second or half of the remaining time, once."""
    reader.say(1)
    reader.left = left
    began = time.monotonic()
    assert not reader.writer.drain()
    assert not reader.writer.drain()
    assert time.monotonic() - began < allowed(20)  # what has no end would be seen by now


def test_a_signal_that_comes_meanwhile_ends_the_wait(reader: Reader) -> None:
    """A signal ends the wait for a reader that does not read."""
    reader.say(1)
    threading.Timer(0.1, lambda: setattr(reader, "left", 0.1)).start()
    assert not reader.writer.drain()


def test_a_wait_may_have_an_end(reader: Reader) -> None:
    """A wait with a limit ends although the reader takes nothing."""
    reader.say(1)
    assert not reader.writer.drain(0.01)


def test_who_is_far_ahead_waits(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits while the queue is full, so that memory stays limited. After a signal it does not wait."""
    monkeypatch.setattr(terminal, "_CAPACITY", 2)
    said = threading.Event()

    def talk() -> None:
        for number in range(5):
            reader.say(number)
        said.set()

    threading.Thread(target=talk).start()
    assert not said.wait(0.1)
    reader.left = 5.0
    assert said.wait(5)
