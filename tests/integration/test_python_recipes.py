"""The recipes around ``obtain`` in docs/guides/, run as they are, except for port, host and check interval."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import dnsrenew
from tests.kit.load import allowed
from tests.kit.recipes import DOMAIN, RecipeWorld, recipe_files
from tests.lab.ports import reserve

ROOT = Path(__file__).resolve().parents[2]
NAME = "own_thread.py"
PATIENCE = 30.0


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """Run the server with a thread of its own as a process; yield its port."""
    command, env = [sys.executable, "-m", "tests.kit.recipes", NAME], {**os.environ, "PYTHONPATH": str(ROOT)}
    with reserve("127.0.0.1") as port, (folder / "log.txt").open("wb") as log:
        own = recipe_files("serving.md")[NAME].replace("443", str(port.number)).replace('"0.0.0.0"', '"127.0.0.1"')
        (folder / NAME).write_text(own.replace("CHECK_SECONDS = 6 * 3600", "CHECK_SECONDS = 0.2"))
        with subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log) as process:
            try:
                yield port.number
            except BaseException as error:
                error.add_note((folder / "log.txt").read_text())
                raise
            finally:
                process.kill()


def get(folder: Path, port: int) -> tuple[str, str]:
    """Request the page of the server; return the answer and the serial number of its verified certificate."""
    context = ssl.create_default_context(cafile=folder / "root.pem")
    with (
        socket.create_connection(("127.0.0.1", port), 5) as connection,
        context.wrap_socket(connection, server_hostname=DOMAIN) as tls,
    ):
        serial = str((tls.getpeercert() or {})["serialNumber"])
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: tls.recv(65536), b"")).decode()
        return answer, serial


def test_a_server_with_its_own_thread_serves_its_certificate_and_the_renewed_one(tmp_path: Path) -> None:
    """The server serves its certificate, and after a renewal the new one, without a restart."""
    serials: set[str] = set()
    with running(tmp_path) as port:
        end = time.monotonic() + PATIENCE
        while len(serials) < 2:
            assert time.monotonic() < end, serials
            try:
                answer, serial = get(tmp_path, port)
            except (ConnectionError, FileNotFoundError):  # it has not started yet
                time.sleep(0.05)
                continue
            assert "Hello from a thread of your own" in answer
            serials.add(serial)


def test_the_reference_runs_and_logs_what_it_says(tmp_path: Path) -> None:
    """The blocks above the names run one after the other, ``obtain`` last, because logging is configured by then."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8").partition("<!-- made from the code")[0]
    obtain, *others = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "reference.py").write_text("\n".join([*others, obtain]))
    command, env = [sys.executable, "-m", "tests.kit.recipes", "reference.py"], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert str(tmp_path / "state" / "certificates" / "example.com") in done.stdout
    line = "INFO:dnsrenew:example.com: obtained a certificate for example.com, *.example.com, valid until "
    assert done.stderr.startswith(line)
    assert line.replace("obtained a", "renewed the") in page


def asyncio_recipe() -> Any:
    """The coroutine function of the guide."""
    namespace: dict[str, Any] = {"__name__": "asyncio_app"}
    exec(recipe_files("python-asyncio.md")["asyncio_app.py"], namespace)  # noqa: S102  # our own guide
    return namespace["obtain"]


def test_the_event_loop_goes_on_while_a_thread_obtains(tmp_path: Path) -> None:
    """The certificate is obtained, and the loop is never blocked."""
    world = RecipeWorld(tmp_path)

    async def work() -> tuple[dnsrenew.Certificate, int]:
        task = asyncio.ensure_future(asyncio_recipe()(60))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return task.result(), turns

    with world.in_place():
        certificate, turns = asyncio.run(work())
    assert certificate.domains == (DOMAIN,)
    assert turns > 10


def test_a_cancelled_task_stops_the_thread_and_leaves_nothing_in_dns(tmp_path: Path) -> None:
    """The task is cancelled while the thread waits for DNS, and both end at once."""
    world = RecipeWorld(tmp_path, seconds=60)
    written: list[int] = []

    async def work() -> None:
        task = asyncio.ensure_future(asyncio_recipe()(60))
        loop = asyncio.get_running_loop()

        def listen(event: dnsrenew.Event) -> None:
            if event.kind == "txt-written":
                written.append(len(world.driver.values))
                loop.call_soon_threadsafe(task.cancel)

        world.on_event = listen
        await task

    started = time.monotonic()
    with world.in_place(), pytest.raises(asyncio.CancelledError):
        asyncio.run(work())
    assert time.monotonic() - started < allowed(PATIENCE)
    assert written == [1]
    assert not any(world.driver.values.values())


def test_a_time_out_stops_the_thread(tmp_path: Path) -> None:
    """``wait_for`` raises its own error, and ``asyncio.run`` waits for the end of the thread."""
    world = RecipeWorld(tmp_path, seconds=60)
    started = time.monotonic()
    with world.in_place(), pytest.raises(TimeoutError):
        asyncio.run(asyncio_recipe()(0.2))
    assert time.monotonic() - started < allowed(PATIENCE)
    assert not any(world.driver.values.values())
