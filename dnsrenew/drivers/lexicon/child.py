"""The main function of the process in which lexicon runs; :mod:`~dnsrenew.drivers.lexicon.process` starts it.

It reads lines of JSON: first the setup, then requests, each with an ``id``. It answers each request with a line that
has its ``id``, and ``refused`` or ``error`` unless all is done. With ``over``, the caller of that request no longer
waits. An answer without an ``id`` says that the process is idle. It ends when its standard input does, which happens
when its parent ends in whatever way.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Never

from dnsrenew.drivers.lexicon import patches
from dnsrenew.drivers.lexicon.described_error import describe
from dnsrenew.drivers.lexicon.provider_patches import patch_provider
from dnsrenew.drivers.lexicon.zone_session import NotDone, perform


def main(requests: IO[bytes], setup: Mapping[str, Any]) -> Never:
    """Serve the requests until the parent ends, then end this process and all that it started."""
    answers = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):  # a print of a provider must not be read as an answer
        os.dup2(null, standard)
    logging.disable()  # lines of libraries may have secrets, and nothing here redacts them
    server = CallServer(answers, setup)
    threading.Thread(target=server.load, daemon=True).start()
    threading.Thread(target=server.report_idle, args=(setup["idle"],), daemon=True).start()
    for line in requests:  # from the first moment: the parent may end while the provider is imported
        server.begin(json.loads(line))
    _end()


def _end() -> Never:
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)  # at once: a call may still be hanging


class CallServer:
    """Answers requests, each in its own thread.

    :param setup: ``provider``: its name; ``connect`` and ``read``: seconds.
    """

    def __init__(self, answers: IO[bytes], setup: Mapping[str, Any]) -> None:
        self._answers = answers
        self._name: str = setup["provider"]
        self._limits = patches.RequestLimits(setup["connect"], setup["read"])
        self._lock = threading.Lock()
        self._begun = self._ended = 0
        self._broken: dict[str, Any] = {}
        self._provider: Callable[[Any], Any] | None = None
        self._loaded = threading.Event()
        self._ends: dict[int, patches.CallEnd] = {}

    def load(self) -> None:
        """Import the provider; a failure becomes the answer to each request."""
        try:
            self._provider = provider_class(self._name, self._limits)
        except BaseException as error:  # noqa: BLE001  # a module of a third party may raise anything
            self._broken = {"error": describe(error)}
        self._loaded.set()

    def begin(self, request: Mapping[str, Any]) -> None:
        """Start to work on a request."""
        number = request["id"]
        if "over" in request:
            self._ends.pop(number, patches.CallEnd(0)).at = 0.0  # it writes nothing more
            return
        self._begun += 1
        self._ends[number] = end = patches.CallEnd(request["seconds"])
        threading.Thread(target=self._answer, args=(request, end), daemon=True).start()

    def _answer(self, request: Mapping[str, Any], end: patches.CallEnd) -> None:
        patches.begin_call(end)
        self._loaded.wait(patches.left())
        answer = self._broken or self._perform(request)
        with self._lock:
            self._ended += 1
        self._ends.pop(request["id"], None)
        self._send({"id": request["id"], **answer})

    def _perform(self, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            patches.check()
            assert self._provider is not None  # noqa: S101  # it is loaded, or it is too late
            perform(self._provider, {"provider": self._name, **request})
        except NotDone as error:
            return {"refused": {"zone": error.record.zone, "name": error.record.name}}
        except BaseException as error:  # noqa: BLE001  # a provider may raise anything, SystemExit too
            return {"error": describe(error)}
        return {}

    def _send(self, answer: Mapping[str, Any]) -> None:
        line = json.dumps(answer).encode()
        with self._lock:
            self._answers.write(line + b"\n")
            self._answers.flush()

    def report_idle(self, seconds: float) -> None:
        """Tell the parent whenever there was no request for some time: it may end this process."""
        while True:
            begun = self._begun
            time.sleep(seconds)
            if begun == self._begun == self._ended:
                self._send({})


def provider_class(name: str, limits: patches.RequestLimits) -> Callable[[Any], Any]:
    """Import lexicon, and return the class of one of its providers."""
    patches.patch_libraries(limits)
    with patches.without_metadata():
        from lexicon.client import Client
        from lexicon.config import ConfigResolver

        resolver: Any = ConfigResolver  # lexicon has no annotations
        # No zone yet: each call makes an object of this class with its own.
        found: Any = Client(resolver().with_dict({"provider_name": name, "domain": "example.com"})).provider_class
    patch_provider(name, found, limits)
    return found  # type: ignore[no-any-return]
