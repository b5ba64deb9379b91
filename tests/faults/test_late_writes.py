"""A DNS host that makes a change after the run that requested it has ended."""

from __future__ import annotations

import signal
import threading
from typing import Self

import dns.opcode
import pytest

from tests.kit.processes import NAME, NEVER, Zygote, settle
from tests.kit.program import PATIENCE
from tests.lab import Lab, Query
from tests.lab.workspace import Workspace


class Slow:
    """A DNS host that holds its first change until the test allows it, and does not answer until then."""

    def __init__(self, lab: Lab) -> None:
        self.address = "127.0.0.6"
        self.asked, self.allowed, self.done = threading.Event(), threading.Event(), threading.Event()
        self._server = lab.forwarder(self.address, self._answer)

    def _answer(self, query: Query) -> bytes:
        if query.message.opcode() != dns.opcode.UPDATE or self.asked.is_set():
            return query.forward()
        self.asked.set()
        assert self.allowed.wait(PATIENCE)
        answer = query.forward()
        self.done.set()
        return answer

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.allowed.set()
        self._server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_late_write_is_removed(workspace: Workspace, zygote: Zygote, number: int) -> None:
    """The run has ended: stopped, with the value removed; or killed, with the value removed by the next run.

    A value that the host writes after that is in the journal, and is removed ten minutes later.
    """
    with Slow(workspace.lab) as host:
        workspace.write({"dns.home.server": f"{host.address}:{workspace.lab.port}"})
        run = zygote.start(workspace, NEVER, "renew")
        assert host.asked.wait(PATIENCE)
        run.signal(number)
        assert run.end() in {143, -signal.SIGKILL}
        if number == signal.SIGKILL:
            assert workspace.run_json("cleanup")[0] == 0
        assert workspace.lab.txt(NAME) == set()
        host.allowed.set()
        assert host.done.wait(PATIENCE)
        assert len(workspace.lab.txt(NAME)) > 0
        settle(workspace)
    assert workspace.lab.txt(NAME) == set()
    assert list((workspace.store / "journal").iterdir()) == []
