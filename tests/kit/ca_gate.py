"""A CA that keeps a run waiting until the test lets it go on."""

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
    """Requests of a kind wait before it.

    :ivar asked: all requests that the CA got, or is about to get, by their kind.
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
        """Put it into the way to the workspace's CA, which forgets what still waits when the block ends."""
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
        """Until somebody stands before it."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        """Let all go on."""
        self._open.set()

    def _ask(self, request: Request) -> Response | None:
        with self._lock:
            self.asked[request.kind] += 1
        if request.kind == self.kind:
            self._reached.set()
            self._open.wait(PATIENCE)
        return DROP if self._shut else None
