"""The examples of docs/guides/serving.md, run as they are, under constant load across three renewals.

Only host, port and the number of workers differ. The renewals are made by another process, the test. `make test` runs
each example and each server once or twice; what is like another one under load, or in its end, is run by `make soak`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue, issuer
from tests.kit.deployments import make_certificate
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
    "granian": (
        *(
            "granian",
            "--interface",
            "asgi",
            "uvicorn_app:app",
            "--host",
            "127.0.0.1",
            "--port",
            "443",
            "--workers",
            "2",
        ),
        *("--ssl-certificate", "tls/cert.pem", "--ssl-keyfile", "tls/key.pem"),
    ),
}
"""Commands that load files of the guide."""
FROM_SYSTEMD = """
import os, socket, sys
opened = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(opened.fileno(), 3)
os.set_inheritable(3, True)
os.execv(sys.argv[2], sys.argv[2:])
"""
SPEC = CertificateSpec(name=DOMAIN, domains=(DOMAIN,), identifiers=(DOMAIN,), ca="lab")
SECONDS = 2.0
"""How long after a new certificate is in the store the old one may be served."""
STARTED = 10
RATE = 25.0
"""New connections a second: hundreds of renewals under more of them are a part of `make soak`."""
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
    for file, text in {**FILES, **DJANGO, "clients.pem": issuer("Stage CA 1").pem}.items():
        (folder / file).parent.mkdir(exist_ok=True)
        own = text.replace("443", str(port)).replace("0.0.0.0", "127.0.0.1").replace(", 80,", f", {port},")
        (folder / file).write_text(own)
    (folder / "sitecustomize.py").write_text(IN_EVERY_PROCESS.format(folder=str(folder), seconds=seconds))
    current = folder / "state" / "certificates" / DOMAIN / "current"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "RECIPE_PORT": str(port)}
    env |= {"CERTIFICATE": str(current), "PYTHONASYNCIODEBUG": "1"}
    words = [word.replace("443", str(port)) for word in SERVERS.get(name, ())]
    command = [sys.executable, *(["-m", *words] if words else [name])]
    if name == "systemd_app.py":  # it gets its socket as from systemd
        command = [sys.executable, "-c", FROM_SYSTEMD, str(port), *command]
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
    "fastapi_app.py": "Hello from FastAPI",
    "starlette_app.py": "Hello from Starlette",
    "systemd_app.py": "Hello from uvicorn",
    "mtls_app.py": "Hello from uvicorn",
    "serve.py": "Hello from Django",
    "hypercorn_app.py": "Hello from hypercorn",
    "hypercorn_conf": "Hello from hypercorn",
    "aiohttp_app.py": "Hello from aiohttp",
    "asyncio_app.py": "Hello from asyncio",
    "http_server_app.py": "Hello from http.server",
    "follow_app.py": "Hello from follow",
}

LIKE_ANOTHER = {
    "load": {"gunicorn_django", "uvicorn_app.py", "fastapi_app.py", "starlette_app.py", "systemd_app.py"}
    | {"serve.py", "hypercorn_app.py"},
    "end": {"gunicorn_flask", "gunicorn_asgi", "mtls_app.py", "hypercorn_conf", "http_server_app.py"},
}
"""Examples whose server is run as another example, by what is tested; their other test is in `make test`."""


def examples(tested: str, names: Iterable[str] = EXAMPLES) -> list[Any]:
    """Return the parameters of a test of examples: those that are like another one are slow."""
    slow = LIKE_ANOTHER[tested]
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in names]


@pytest.mark.parametrize("name", examples("load"))
def test_no_handshake_fails_across_three_renewals(name: str, tmp_path: Path) -> None:
    """No handshake fails during three renewals, and every worker serves the last certificate within two seconds."""
    keep(tmp_path)
    with reserve("127.0.0.1") as port, running(tmp_path, name, port.number):
        load = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, EXAMPLES[name], client=make_certificate(tmp_path))
        load.wait_until_open()
        if name == "mtls_app.py":
            refuses_others(port.number)
        if name.startswith("hypercorn"):
            assert over_http2(tmp_path, port.number) == f"{EXAMPLES[name]} 2"
        with load.running(2, RATE):
            serial, moment = "", 0.0
            for _ in range(3):
                serial, moment = keep(tmp_path), time.monotonic()
                load.wait_for(serial, since=moment, count=STARTED)
            load.wait_for(serial, since=moment + SECONDS, count=STARTED)  # by now no worker has the old one
            assert load.others(serial, since=moment + SECONDS) == []
    assert load.failures == []


def over_http2(folder: Path, port: int) -> str:
    """Return what curl gets with one request, and in which version of HTTP."""
    root = folder / "root.pem"
    root.write_text(issuer("Stage CA 1").pem)
    known = ["--cacert", str(root), "--resolve", f"{DOMAIN}:{port}:127.0.0.1"]
    command = ["curl", "--silent", "--show-error", "--http2", "--write-out", " %{http_version}", *known]
    done = subprocess.run([*command, f"https://{DOMAIN}:{port}/"], capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def refuses_others(port: int) -> None:
    """Check that a server wants TLS 1.3 and a certificate of the client."""
    strangers = TlsLoad(port, DOMAIN, issuer("Stage CA 1").pem, "Hello")
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        strangers.context.maximum_version = version
        # asyncio ends the connection, before the alert is read or after it; some servers say why
        with pytest.raises(OSError, match=r"(?i)ssl|reset|broken|the answer is ''"):
            strangers.get()


def test_granian_serves_the_files_that_are_deployed(tmp_path: Path) -> None:
    """After SIGHUP its workers read the new files, one after the other, and it serves on."""

    def deploy() -> str:
        serial, folder = keep(tmp_path), tmp_path / "state" / "certificates" / DOMAIN / "current"
        for mine, theirs in {"fullchain.pem": "cert.pem", "privkey.pem": "key.pem"}.items():
            shutil.copy(folder / mine, tmp_path / "tls" / f"new-{theirs}")
            (tmp_path / "tls" / f"new-{theirs}").replace(tmp_path / "tls" / theirs)
        return serial

    (tmp_path / "tls").mkdir()
    deploy()
    with reserve("127.0.0.1") as port, running(tmp_path, "granian", port.number) as process:
        load = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, "Hello from uvicorn")
        load.wait_until_open()
        with load.running(2, RATE):
            serial, moment = deploy(), time.monotonic()
            process.send_signal(signal.SIGHUP)
            load.wait_for(serial, since=moment, count=STARTED)
            while load.others(serial, since=time.monotonic() - 1):  # the second worker
                assert time.monotonic() < moment + PATIENCE
                time.sleep(0.1)


def test_gunicorn_restarts_its_workers_without_a_gap(tmp_path: Path) -> None:
    """SIGHUP replaces every worker by one with the new code, and no connection is refused."""
    keep(tmp_path)
    with reserve("127.0.0.1") as port, running(tmp_path, "gunicorn_flask", port.number) as process:
        load = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, "Hello from")
        load.wait_until_open()
        with load.running(2, RATE):
            app = tmp_path / "flask_app.py"
            app.write_text(app.read_text().replace("Hello from Flask", "Hello from new code"))
            process.send_signal(signal.SIGHUP)
            newer = TlsLoad(port.number, DOMAIN, issuer("Stage CA 1").pem, "new code")
            newer.wait_until_open()
            serial, moment = keep(tmp_path), time.monotonic()
            load.wait_for(serial, since=moment + SECONDS, count=STARTED)
    assert load.failures == []


@pytest.mark.parametrize("name", ["flask_app.py", "http_server_app.py"])
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


@pytest.mark.parametrize("name", examples("end", sorted(EXAMPLES.keys() - {"follow_app.py"})))
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
    """Every file of the guide is run by a test, and by one that is not slow."""
    assert not LIKE_ANOTHER["load"] & LIKE_ANOTHER["end"]
    run = {name for name in EXAMPLES if name.endswith(".py")} | {"port_80_app.py"}
    run |= {
        word.removesuffix(".py").removeprefix("python:").split(":")[0] + ".py"
        for each in SERVERS.values()
        for word in each
        if "_" in word
    }
    elsewhere = {"own_thread.py"}  # test_python_recipes.py
    assert set(FILES) == run | elsewhere | {"tls.py"}
