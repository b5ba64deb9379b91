"""Messages to systemd: over real sockets, and the watchdog that is silent when the loop hangs."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnsrenew.base import systemd_notify
from dnsrenew.base.systemd_notify import LifeSign, ServiceNotifier, Watchdog, watchdog_period
from tests.kit.clock import FakeClock
from tests.kit.load import allowed
from tests.kit.watching import NotifySocket

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd is on Linux")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the abstract namespace is on Linux")


@pytest.fixture(params=["path", pytest.param("abstract", marks=linux)])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """A socket of each kind."""
    name = f"@dnsrenew-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    receiver = NotifySocket(name)
    yield receiver
    receiver.close()


def test_a_message_is_one_datagram(receiver: NotifySocket) -> None:
    """Each field is one line. A line feed in a value becomes a space."""
    notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": receiver.address})
    assert notifier.send(READY=1, STATUS="Next check: soon.\nMAINPID=1")
    assert receiver.receive() == "READY=1\nSTATUS=Next check: soon. MAINPID=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_is_sent(environ: dict[str, str]) -> None:
    """Without a supported socket address nothing is sent."""
    assert not ServiceNotifier.from_environment(environ).send(READY=1)


def test_a_socket_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    """If the socket does not exist, sending returns false."""
    assert not ServiceNotifier(str(tmp_path / "nobody")).send(READY=1)
    assert not ServiceNotifier("/" + 200 * "a").send(READY=1)


def test_a_full_queue_is_waited_for_only_briefly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending to a full queue ends after a short time-out."""
    monkeypatch.setattr(systemd_notify, "SEND_TIMEOUT", 0.01)
    receiver = NotifySocket(str(tmp_path / "notify"))
    notifier = ServiceNotifier(receiver.address)
    before = time.monotonic()
    assert not all(notifier.send(STATUS=200 * "a") for _ in range(5000))
    assert time.monotonic() - before < allowed(5)
    receiver.close()


@pytest.mark.parametrize(
    ("environ", "period"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_period_of_the_watchdog(environ: dict[str, str], period: float | None) -> None:
    """The period is that of the process that systemd names, not of a child that inherited the variable."""
    assert watchdog_period(environ) == period


def test_the_watchdog_is_silent_when_the_loop_hangs(receiver: NotifySocket) -> None:
    """The watchdog sends as long as signs of life arrive, stops without them, and continues with the next one."""
    clock = FakeClock()
    sign = LifeSign(clock.monotonic)
    sign.give(150)
    watchdog = Watchdog(ServiceNotifier(receiver.address), sign, 0.04)
    assert [receiver.receive() for _ in range(3)] == 3 * ["WATCHDOG=1"]
    clock.elapsed = 149
    assert receiver.receive() == "WATCHDOG=1"
    clock.elapsed = 151
    while receiver.receive(0.05) is not None:  # what was on its way
        pass
    assert receiver.receive(0.1) is None
    sign.give(150)
    assert receiver.receive() == "WATCHDOG=1"
    watchdog.stop()
    while receiver.receive(0.05) is not None:
        pass
    assert receiver.receive(0.1) is None
