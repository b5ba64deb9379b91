"""The recipes of docs/guides/python-*.md, run as they are, except for port, host and check interval."""

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
from tests.kit.recipes import DOMAIN, RecipeWorld, recipe_files
from tests.lab.ports import reserve

ROOT = Path(__file__).resolve().parents[2]
SERVERS = recipe_files("python-servers.md")
DJANGO = {
    "mysite/__init__.py": "",
    "mysite/settings.py": 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nROOT_URLCONF = "mysite.urls"\n',
    "mysite/urls.py": (
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        'urlpatterns = [path("", lambda request: HttpResponse("Hello from Django"))]\n'
    ),
}
PATIENCE = 30.0


@contextmanager
def running(folder: Path, name: str) -> Iterator[int]:
    """Run a recipe as a process; yield its port."""
    command, env = [sys.executable, "-m", "tests.kit.recipes", name], {**os.environ, "PYTHONPATH": str(ROOT)}
    with reserve("127.0.0.1") as port, (folder / "log.txt").open("wb") as log:
        for file, text in {**SERVERS, **DJANGO}.items():
            (folder / file).parent.mkdir(exist_ok=True)
            own = text.replace("port=443", f"port={port.number}").replace('"0.0.0.0"', '"127.0.0.1"')
            (folder / file).write_text(own.replace("CHECK_SECONDS = 6 * 3600", "CHECK_SECONDS = 0.2"))
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


@pytest.mark.parametrize(
    ("name", "hello"),
    [
        ("flask_app.py", "Hello from Flask"),
        ("uvicorn_app.py", "Hello from uvicorn"),
        ("serve.py", "Hello from Django"),
        ("aiohttp_app.py", "Hello from aiohttp"),
    ],
)
def test_a_server_serves_its_certificate_and_the_renewed_one(name: str, hello: str, tmp_path: Path) -> None:
    """It serves a certificate for its name, and after a renewal the new one, without a restart."""
    serials: set[str] = set()
    with running(tmp_path, name) as port:
        end = time.monotonic() + PATIENCE
        while len(serials) < 2:
            assert time.monotonic() < end, serials
            try:
                answer, serial = get(tmp_path, port)
            except (ConnectionError, FileNotFoundError):  # it has not started yet
                time.sleep(0.05)
                continue
            assert hello in answer
            serials.add(serial)


def test_every_recipe_is_run() -> None:
    """A new file in the guide must be added to the test above."""
    assert sorted(SERVERS) == ["aiohttp_app.py", "flask_app.py", "serve.py", "tls.py", "uvicorn_app.py"]
    assert list(recipe_files("python-asyncio.md")) == ["asyncio_app.py"]


def test_the_reference_runs_and_logs_what_it_says(tmp_path: Path) -> None:
    """Its blocks run one after the other, ``obtain`` last, because then logging is configured."""
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
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
    assert time.monotonic() - started < PATIENCE
    assert written == [1]
    assert not any(world.driver.values.values())


def test_a_time_out_stops_the_thread(tmp_path: Path) -> None:
    """``wait_for`` raises its own error, and ``asyncio.run`` waits for the end of the thread."""
    world = RecipeWorld(tmp_path, seconds=60)
    started = time.monotonic()
    with world.in_place(), pytest.raises(TimeoutError):
        asyncio.run(asyncio_recipe()(0.2))
    assert time.monotonic() - started < PATIENCE
    assert not any(world.driver.values.values())
