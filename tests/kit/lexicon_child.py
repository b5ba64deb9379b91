"""For tests, inside lexicon's own process: before it serves, :func:`prepare` changes what it loads.

It is imported there and nowhere else.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnsrenew.base.http import connections
from dnsrenew.extensions.hosts.lexicon import child, patches


def after_loading(change: Callable[[str, Any], object]) -> None:
    """Call ``change`` with the name and the class of the provider, once it is loaded."""
    load = child.provider_class

    def changed(name: str, limits: patches.RequestLimits) -> Any:
        kind = load(name, limits)
        change(name, kind)
        return kind

    vars(child)["provider_class"] = changed


def redirect(url: str) -> None:
    """Make the provider use a stand-in."""

    def change(name: str, kind: Any) -> None:
        original = kind.__init__

        def here(self: Any, config: Any) -> None:
            original(self, config)
            self.api_endpoint = self.endpoint_api = url

        kind.__init__ = here
        if name == "aliyun":
            vars(sys.modules[kind.__module__])["ALIYUN_DNS_API_ENDPOINT"] = url

    after_loading(change)


def bound(limit: int) -> None:
    """Let answers have at most this number of bytes."""
    vars(connections)["MOST"] = limit


def refuse_silently() -> None:
    """Let writing and removing return False."""

    def change(_name: str, kind: Any) -> None:
        kind.create_record = lambda *_: False
        kind.delete_record = lambda *_, **__: False

    after_loading(change)


def find_nothing() -> None:
    """Let removing raise as if there were no such record."""

    def gone(*_: Any, **__: Any) -> bool:
        raise ValueError("No record found for the provided type, name and content")

    after_loading(lambda _name, kind: setattr(kind, "delete_record", gone))


def print_much() -> None:
    """Let writing print, read standard input, and write to the first file descriptors."""

    def change(_name: str, kind: Any) -> None:
        original = kind.create_record

        def talk(self: Any, *arguments: Any) -> Any:
            print('{"id": 0}', flush=True)  # noqa: T201  # that is the test
            os.write(1, b'{"id": 0}\n')
            os.write(2, b"and this\n")
            assert sys.stdin.read() == ""
            return original(self, *arguments)

        kind.create_record = talk

    after_loading(change)


def exit_now(status: int) -> None:
    """Let writing end the process."""
    after_loading(lambda _name, kind: setattr(kind, "create_record", lambda *_: os._exit(status)))


def hang(file: str) -> None:
    """Let writing wait for ever, after it has started a program that does too and has written both PIDs to a file."""
    after_loading(lambda _name, kind: setattr(kind, "create_record", lambda *_: _wait(file)))


def hang_at_import(file: str) -> None:
    """Let the import of the provider wait for ever, in the same way."""
    vars(child)["provider_class"] = lambda *_: _wait(file)


def _wait(file: str) -> None:
    program = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
    path = Path(file)
    path.with_suffix(".new").write_text(f"{os.getpid()} {program.pid}")
    path.with_suffix(".new").rename(path)
    threading.Event().wait(600)


def record_connections(file: str) -> None:
    """Append the address of each connection to a file."""
    connect = socket.socket.connect

    def watch(self: socket.socket, address: Any) -> None:
        with open(file, "a", encoding="ascii") as log:
            log.write(f"{address[0]} {address[1]}\n")
        connect(self, address)

    vars(sys.modules["socket"])["socket"].connect = watch


def fail_to_load() -> None:
    """Let the import of the provider fail."""

    def broken(*_: Any) -> Any:
        raise ImportError("no module named nothing")

    vars(child)["provider_class"] = broken
