"""The examples of docs/guides/serving.md, run as they are, under constant load across three renewals.

Only host, port and the number of workers differ. The renewals are made by another process, the test.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.runtime.context import Context
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue, issuer
from tests.kit.recipes import DOMAIN, IN_EVERY_PROCESS, recipe_files
from tests.kit.tls_load import TlsLoad
from tests.lab.ports import reserve

ROOT = Path(__file__).resolve().parents[2]
FILES = recipe_files("serving.md")
DJANGO = {
    "mysite/__init__.py": "",
    "mysite/settings.py": 'SECRET_KEY = "x"\nALLOWED_HOSTS = ["*"]\nROOT_URLCONF = "mysite.urls"\n',
    "mysite/urls.py": (
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        'urlpatterns = [path("", lambda request: HttpResponse("Hello from Django"))]\n'
    ),
    "mysite/wsgi.py": (
        "import os\nfrom django.core.wsgi import get_wsgi_application\n"
        'os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"\napplication = get_wsgi_application()\n'
    ),
}
SERVERS = {
    "gunicorn_flask": ("gunicorn", "-c", "gunicorn_conf.py", "flask_app:app"),
    "gunicorn_django": ("gunicorn", "-c", "gunicorn_conf.py", "mysite.wsgi:application"),
    "gunicorn_asgi": ("gunicorn", "-k", "asgi", "-c", "gunicorn_conf.py", "uvicorn_app:app"),
    "gunicorn_uvicorn": ("gunicorn", "-c", "gunicorn_uvicorn_conf.py", "uvicorn_app:app"),
    "hypercorn_conf": ("hypercorn", "-c", "python:hypercorn_conf", "hypercorn_app:app"),
}
"""Commands that load files of the guide."""
SPEC = CertificateSpec(name=DOMAIN, domains=(DOMAIN,), identifiers=(DOMAIN,), ca="lab")
SECONDS = 2.0
"""How long after a new certificate is in the store the old one may be served."""
STARTED = 20
PATIENCE = 60.0
"""Seconds for the start and the end of a server."""


def keep(folder: Path, *, age: timedelta = timedelta(minutes=1)) -> str:
    """Store a new certificate, as another process does; return its serial number."""
    pem, key, facts = issue(SPEC.identifiers, SystemClock().now() - age)
    store = FolderStore(folder / "state")
    with store.lock(DOMAIN, context=Context(), wait=10):
        store.prove_writable(DOMAIN)
        store.keep(SPEC, "lab", pem, key, facts, state=store.read_state(DOMAIN))
    return facts.serial.lower().lstrip("0")


@contextmanager
def running(folder: Path, name: str, port: int, *, seconds: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """Run an example as a process.

    :param seconds: how long it takes until a TXT value is seen.
    """
    for file, text in {**FILES, **DJANGO}.items():
        (folder / file).parent.mkdir(exist_ok=True)
        own = text.replace("443", str(port)).replace("0.0.0.0", "127.0.0.1").replace(", 80,", f", {port},")
        (folder / file).write_text(own)
    (folder / "sitecustomize.py").write_text(IN_EVERY_PROCESS.format(folder=str(folder), seconds=seconds))
    current = folder / "state" / "certificates" / DOMAIN / "current"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "RECIPE_PORT": str(port)}
    env["CERTIFICATE"] = str(current)
    command = [sys.executable, *(["-m", *SERVERS[name]] if name in SERVERS else [name])]
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    except BaseException as error:
        error.add_note(log.read_text()[-5000:])
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the workers of gunicorn too
        process.wait()


EXAMPLES = {
    "flask_app.py": "Hello from Flask",
    "gunicorn_flask": "Hello from Flask",
    "gunicorn_django": "Hello from Django",
    "gunicorn_asgi": "Hello from uvicorn",
    "gunicorn_uvicorn": "Hello from uvicorn",
    "uvicorn_app.py": "Hello from uvicorn",
    "uvicorn_workers.py": "Hello from uvicorn",
    "serve.py": "Hello from Django",
    "hypercorn_app.py": "Hello from hypercorn",
    "hypercorn_conf": "Hello from hypercorn",
    "aiohttp_app.py": "Hello from aiohttp",
    "asyncio_app.py": "Hello from asyncio",
    "http_server_app.py": "Hello from http.server",
    "follow_app.py": "Hello from follow",
}


@pytest.mark.parametrize(("name", "hello"), EXAMPLES.items())
def test_no_handshake_fails_across_three_renewals(name: str, hello: str, tmp_path: Path) -> None:
    """No handshake fails during three renewals, and every worker serves the last certificate within two seconds."""
    keep(tmp_path)
    with reserve("127.0.0.1") as port, running(tmp_path, name, port.number):
        load = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, hello)
        load.wait_until_open()
        with load.running(clients=2):
            serial, moment = "", 0.0
            for _ in range(3):
                serial, moment = keep(tmp_path), time.monotonic()
                load.wait_for(serial, since=moment, count=STARTED)
            load.wait_for(serial, since=moment + SECONDS, count=STARTED)  # by now no worker has the old one
            assert load.others(serial, since=moment + SECONDS) == []
    assert load.failures == []


@pytest.mark.parametrize("name", ["flask_app.py", "http_server_app.py", "follow_app.py"])
def test_a_client_that_sends_nothing_holds_up_no_other(name: str, tmp_path: Path) -> None:
    """A connection without a handshake, as every port scanner makes, does not stop a server with threads."""
    keep(tmp_path)
    with reserve("127.0.0.1") as port, running(tmp_path, name, port.number):
        load = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, EXAMPLES[name])
        load.wait_until_open()
        with contextlib.ExitStack() as silent:
            for _ in range(5):
                silent.enter_context(socket.create_connection(("127.0.0.1", port.number)))
            assert load.get()


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"follow_app.py"}))
def test_the_end_by_sigterm_leaves_no_txt_value(name: str, tmp_path: Path) -> None:
    """A server that is ended while it waits for DNS in a renewal removes its TXT value first, in a worker too."""
    keep(tmp_path, age=timedelta(days=61))  # it is due
    journal = FolderStore(tmp_path / "state").journal
    with reserve("127.0.0.1") as port, running(tmp_path, name, port.number, seconds=600) as process:
        end = time.monotonic() + PATIENCE
        while not journal.live_values():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        process.terminate()
        process.wait(PATIENCE)
        assert journal.live_values() == set()


def test_an_app_at_port_80_answers_the_ca(tmp_path: Path) -> None:
    """The example obtains its certificate by http-01 and ends; no thread of ours keeps it alive."""
    with reserve("127.0.0.1") as port, running(tmp_path, "port_80_app.py", port.number) as process:
        assert process.wait(30) == 0, (tmp_path / "log.txt").read_text()
    printed = (tmp_path / "log.txt").read_text().splitlines()[-1]
    assert Path(printed).name == "fullchain.pem"


def test_processes_that_start_together_obtain_one_certificate(tmp_path: Path) -> None:
    """Four processes that start together all serve the same certificate."""
    code = "from tls import served\nwith served:\n    print(served.certificate.serial)\n"
    for file, text in {"tls.py": FILES["tls.py"], "worker.py": code}.items():
        (tmp_path / file).write_text(text)
    command, env = [sys.executable, "-m", "tests.kit.recipes", "worker.py"], {**os.environ, "PYTHONPATH": str(ROOT)}
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True))
            for _ in range(4)
        ]
        serials = [worker.communicate(timeout=60)[0] for worker in workers]
    assert serials[0]
    assert len(set(serials)) == 1


def test_every_example_is_run() -> None:
    """Every file of the guide is run by a test."""
    run = {name for name in EXAMPLES if name.endswith(".py")} | {"port_80_app.py"}
    run |= {
        word.removesuffix(".py").removeprefix("python:").split(":")[0] + ".py"
        for each in SERVERS.values()
        for word in each
        if "_" in word
    }
    elsewhere = {"own_thread.py"}  # test_python_recipes.py
    assert set(FILES) == run | elsewhere | {"tls.py"}
