"""A CA whose answers to one kind of request wait until the test allows them."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.kit.program import PATIENCE
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace


@dataclass
class Gate:
    """Requests of one kind wait at the gate.

    :ivar asked: all requests that reached the gate, by kind.
    """

    kind: str
    directory_url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _reached: threading.Event = field(default_factory=threading.Event)
    _open: threading.Event = field(default_factory=threading.Event)
    _shut: bool = False

    @classmethod
    @contextlib.contextmanager
    def before(cls, workspace: Workspace, kind: str) -> Iterator[Gate]:
        """Put a gate in front of the workspace's CA; at the end of the block, requests that still wait are dropped."""
        gate = cls(kind)
        with workspace.lab.acme_proxy(gate._ask) as proxy:
            gate.directory_url = proxy.directory_url
            workspace.write({"ca.lab.directory": proxy.directory_url})
            try:
                yield gate
            finally:
                gate._shut = True
                gate._open.set()

    def wait(self) -> None:
        """Wait until a request is at the gate."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Let all requests pass."""
        self._open.set()

    def _ask(self, request: Request) -> Response | None:
        with self._lock:
            self.asked[request.kind] += 1
        if request.kind == self.kind:
            self._reached.set()
            self._open.wait(PATIENCE)
        return DROP if self._shut else None
