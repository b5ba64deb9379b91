"""A DNS host that does what it was asked to after the run that asked has ended."""

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
    """A DNS host that does the first change that it is asked for only when it may, and answers nobody until then."""

    def __init__(self, lab: Lab) -> None:
        self.address = "127.0.0.6"
        self.asked, self.may, self.done = threading.Event(), threading.Event(), threading.Event()
        self._server = lab.forwarder(self.address, self._answer)

    def _answer(self, query: Query) -> bytes:
        if query.message.opcode() != dns.opcode.UPDATE or self.asked.is_set():
            return query.forward()
        self.asked.set()
        assert self.may.wait(PATIENCE)
        answer = query.forward()
        self.done.set()
        return answer

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may.set()
        self._server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_host_does_late_is_removed_too(workspace: Workspace, zygote: Zygote, number: int) -> None:
    """It was asked to add, and the run has ended: stopped, and the value removed; or killed, and swept by the next.

    The value that comes after that is known, and gone ten minutes later.
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
        host.may.set()
        assert host.done.wait(PATIENCE)
        assert len(workspace.lab.txt(NAME)) > 0
        settle(workspace)
    assert workspace.lab.txt(NAME) == set()
    assert list((workspace.store / "journal").iterdir()) == []
