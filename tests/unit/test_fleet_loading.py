"""The threads that load certificates for servers of a fleet."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from dnsrenew.extensions.fleet.serving.loading import BackgroundLoader, ServerThreads


def test_what_is_asked_for_while_it_is_read_is_read_again() -> None:
    """A request during a load causes a second load, because the first may have missed the new version."""
    begun, go_on, second = threading.Event(), threading.Event(), threading.Event()
    loads: list[Sequence[str]] = []

    def load(certificates: Sequence[str]) -> None:
        loads.append(certificates)
        if len(loads) > 1:
            second.set()
            return
        begun.set()
        assert go_on.wait(10)

    threads = ServerThreads()
    try:
        loader = BackgroundLoader(threads, load, lambda error: None)
        first = loader.request("a.example")
        assert begun.wait(10)
        assert loader.request("a.example") is first
        assert loader.request("a.example") is first
        go_on.set()
        assert second.wait(10)
        assert loads == [["a.example"], ["a.example"]]
    finally:
        go_on.set()
        threads.stopping.set()
        threads.join()
