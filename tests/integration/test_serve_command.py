"""``dnsrenew serve`` as users start it: a command, a CA, a DNS host, and real connections."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dnsrenew.testing import AcmeBox, acme_box
from tests.kit.serve_command import FASTAPI, PATIENCE, ROOT, Serving, configure, failed, run, serving
from tests.kit.tls_load import TlsLoad
from tests.kit.users import as_root
from tests.lab.ports import reserve
from tests.lab.workspace import Workspace

WHO = """
import asyncio, os, time
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    if scope["path"] == "/slow":
        open("begun", "w").close()
        while not os.path.exists("go"):
            await asyncio.sleep(0.05)
    if scope["path"] == "/block":
        time.sleep(600)
    body = b"Hello from process %d" % os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
"""
FLASK = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def home():
    return "Hello from Flask"
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello from WSGI"]
"""
FACTORY = f"{FASTAPI}\ndef make():\n    return app\n"


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A CA and DNS."""
    with acme_box() as running:
        yield running


@pytest.fixture
def port() -> Iterator[int]:
    """A free port for HTTPS."""
    with reserve("127.0.0.1") as reserved:
        yield reserved.number


@pytest.fixture
def http_port() -> Iterator[int]:
    """A free port for HTTP."""
    with reserve("127.0.0.1") as reserved:
        yield reserved.number


def renew(folder: Path) -> None:
    """Renew in another process, due or not."""
    done = run(folder, "renew", "--force", "--all")
    assert done.returncode == 0, done.stderr


def pids(running: Serving, count: int) -> set[str]:
    """Return the processes that answer, when there are so many of them."""
    seen: set[str] = set()

    def all_seen() -> bool:
        seen.add(running.get()[0])
        return len(seen) == count

    running.wait_for(all_seen)
    return {text.rpartition(" ")[2] for text in seen}


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (FASTAPI, ("main:app",)),
        (FACTORY, ("main:make",)),
        pytest.param(FACTORY, ("main:make()",), marks=pytest.mark.slow),
        pytest.param(FLASK, ("main:app",), marks=pytest.mark.slow),
        (WSGI, ("main:app",)),
        pytest.param(WSGI, ("main:app", "--interface", "wsgi"), marks=pytest.mark.slow),
        pytest.param(WHO, ("main:app",), marks=pytest.mark.slow),
        pytest.param(WHO, ("main:app", "--interface", "asgi"), marks=pytest.mark.slow),
    ],
    ids=["fastapi", "factory", "factory-called", "flask", "wsgi", "wsgi-named", "asgi", "asgi-named"],
)
def test_an_app_answers_over_https(app: str, words: tuple[str, ...], box: AcmeBox, port: int, tmp_path: Path) -> None:
    """An app in the current folder, ASGI or WSGI, answers within ten seconds with a certificate of the CA."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(app)
    began = time.monotonic()
    with serving(tmp_path, port, *words, trusted=box.root_pem) as running:
        running.wait_for_answer("Hello from")
        assert time.monotonic() - began < 10
        assert running.end() == 143
    assert box.driver.values == {}


def test_with_a_real_ca_and_real_name_servers(workspace: Workspace, port: int) -> None:
    """With Pebble and BIND the app of the guide answers within ten seconds, and no secret is written anywhere."""
    root = workspace.lab.pebble.roots()[0].public_bytes(Encoding.PEM).decode()
    (workspace.path / "main.py").write_text(FASTAPI)
    began = time.monotonic()
    with serving(workspace.path, port, "main:app", "-vv", trusted=root, env=workspace.env) as running:
        running.wait_for(lambda: "Hello" in running.get(name="any.example.test")[0])
        assert time.monotonic() - began < 10
        assert running.end() == 143
    workspace.assert_clean()


def test_certificates_are_told_apart_by_their_names(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Of two certificates and none named, each client gets the one for its name; ``--certificate`` serves one."""
    configure(tmp_path, box, "one", "two")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", trusted=box.root_pem) as running:
        running.wait_for_answer("Hello")
        assert running.get(name="two.example.com")[1] != running.get()[1]
        assert running.end(signal.SIGINT) == 130
    with serving(tmp_path, port, "main:app", "--certificate", "two", trusted=box.root_pem) as running:
        running.wait_for(lambda: running.get(name="two.example.com"))
        with pytest.raises(OSError, match="Hostname mismatch"):
            running.get(name="one.example.com")


def test_a_new_certificate_is_served_by_every_worker(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Several workers answer, all follow what another process has renewed, and one that is killed is replaced."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WHO)
    with serving(tmp_path, port, "main:app", "--workers", "3", trusted=box.root_pem) as running:
        first = pids(running, 3)
        assert str(running.process.pid) not in first
        before = running.get()[1]
        renew(tmp_path)
        running.wait_for(lambda: all(running.get()[1] != before for _ in range(20)))
        os.kill(int(next(iter(first))), signal.SIGKILL)
        running.wait_for_line("starting another one")
        running.wait_for(lambda: len(pids(running, 3) - first) == 1)
        assert running.end() == 143
    assert len(box.issued) == 2


def test_redirect(box: AcmeBox, port: int, http_port: int, tmp_path: Path) -> None:
    """Requests for HTTP are sent to the same host and path over HTTPS, with every method."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    options = ("--redirect", f"127.0.0.1:{http_port}")
    with serving(tmp_path, port, "main:app", *options, trusted=box.root_pem) as running:
        running.wait_for_answer("Hello")
        for method, path, host, location in [
            ("GET", "/a?b=c", "one.example.com", f"https://one.example.com:{port}/a?b=c"),
            ("POST", "/", f"one.example.com:{http_port}", f"https://one.example.com:{port}/"),
            ("HEAD", "/", "[::1]", f"https://[::1]:{port}/"),
            ("GET", "http://one.example.com/x", "x", f"https://x:{port}/x"),
            ("GET", "/", "bad host", f"https://one.example.com:{port}/"),
            ("GET", "/", "", f"https://one.example.com:{port}/"),
        ]:
            connection = HTTPConnection("127.0.0.1", http_port, timeout=10)
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Location"]) == (308, location)
            connection.close()


@pytest.mark.parametrize("domain", [False, True], ids=["configuration", "options"])
def test_the_redirect_answers_http_01(domain: bool, port: int, http_port: int, tmp_path: Path) -> None:
    """The port that redirects answers the CA, for a route that listens there and for ``--domain`` without ``--dns``."""
    with acme_box(http_port=http_port) as box:
        configure(tmp_path, box, "one", more=f'routes = [{{ challenge = "http-01", listen = ":{http_port}" }}]')
        (tmp_path / "main.py").write_text(WSGI)
        options = ["--redirect", f"127.0.0.1:{http_port}"]
        if domain:
            (tmp_path / "dnsrenew.toml").unlink()
            options += ["--domain", "one.example.com", "--ca", box.directory, "--agree-terms"]
        env = {"SSL_CERT_FILE": str(box.trust)}
        with serving(tmp_path, port, "main:app", *options, trusted=box.root_pem, env=env) as running:
            running.wait_for_answer("Hello")
            assert running.end() == 143


IN_BOX = """
from dnsrenew import Config
made = Config.from_dict
Config.from_dict = lambda mapping, **more: made({{**mapping, "resolver": {resolver!r}}}, **more)
"""
"""The options have none for the name servers of this machine: those of the box."""


def test_a_certificate_by_options(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Without a configuration the options name the domain, the CA, and the DNS host with a reference to its secret."""
    tables = tomllib.loads(box.toml())
    (tmp_path / "main.py").write_text(WSGI)
    (tmp_path / "sitecustomize.py").write_text(IN_BOX.format(resolver=tables["resolver"]))
    env = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT))), "SSL_CERT_FILE": str(box.trust)}
    words = ["--domain", "one.example.com", "--domain", "*.example.com", "--ca", box.directory, "--dns", "httpreq"]
    words += ["--dns-option", f"api={tables['dns']['box']['api']}", "--dns-option", "password=env:API_PASSWORD"]
    words += ["--dns-option", "username=me", "--contact", "me@example.com", "--agree-terms"]
    env |= {"XDG_STATE_HOME": str(tmp_path / "state"), "API_PASSWORD": "s3cr3t-of-the-api"}
    with serving(tmp_path, port, "main:app", *words, trusted=box.root_pem, env=env) as running:
        running.wait_for_answer("Hello")
        assert running.get(name="any.example.com")[1] == running.get()[1]
        assert running.end() == 143
    assert box.driver.values == {}


def test_reload(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """An edited file is served; one that cannot be imported is shown, and the next edit mends it."""
    configure(tmp_path, box, "one")
    main = tmp_path / "main.py"
    main.write_text(WSGI)
    with serving(tmp_path, port, "main:app", "--reload", trusted=box.root_pem) as running:
        running.wait_for_answer("Hello")
        main.write_text(WSGI.replace("Hello", "Good day"))
        running.wait_for_answer("Good day")
        main.write_text("import no_such_thing\n")
        running.wait_for_line("No module named 'no_such_thing'")
        running.wait_for_line("Waiting for the next change")
        main.write_text(WSGI.replace("Hello", "Good evening"))
        running.wait_for_answer("Good evening")
        assert running.end() == 143
    assert len(box.issued) == 1


def test_sighup_loads_the_app_again(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """SIGHUP starts new processes with the new code; one that cannot be imported leaves the old one there."""
    configure(tmp_path, box, "one")
    main = tmp_path / "main.py"
    main.write_text(WSGI)
    with serving(tmp_path, port, "main:app", trusted=box.root_pem) as running:
        running.wait_for_line("Serving")
        main.write_text("1 / 0\n")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for_line("ZeroDivisionError")
        running.wait_for_line("The running processes keep running")
        assert "Hello" in running.get()[0]
        main.write_text(WSGI.replace("Hello", "Good day"))
        running.process.send_signal(signal.SIGHUP)
        running.wait_for_answer("Good day")


def wait_for_others(running: Serving) -> None:
    """Send SIGHUP, and wait until every process has been replaced."""
    command = psutil.Process(running.process.pid)
    old = {each for each in command.children() if "spawn_main" in " ".join(each.cmdline())}
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(lambda: not old & set(command.children()))


def test_no_connection_fails_while_certificates_and_processes_change(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Under load no connection fails, neither during a renewal nor while SIGHUP replaces the processes."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", "-q", "--workers", "2", trusted=box.root_pem) as running:
        load = TlsLoad(port, "one.example.com", box.root_pem, "Hello")
        load.wait_until_open()
        running.wait_for(running.get)
        with load.running(2, 50):
            moment = time.monotonic()
            renew(tmp_path)
            serial = f"{x509.load_pem_x509_certificate(box.issued[-1].pem.encode()).serial_number:x}"
            load.wait_for(serial, since=moment, count=20)
            wait_for_others(running)
        assert load.failures == []
        assert running.end() == 143


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_request_finishes_before_the_end(
    number: signal.Signals, status: int, box: AcmeBox, port: int, tmp_path: Path
) -> None:
    """After Ctrl-C, which a terminal sends to every process, and after SIGTERM, a request at work is answered."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WHO)
    with serving(tmp_path, port, "main:app", "--json", trusted=box.root_pem) as running:
        running.wait_for_line("Serving")
        answers: list[str] = []
        client = threading.Thread(target=lambda: answers.append(running.get("/slow")[0]))
        client.start()
        running.wait_for((tmp_path / "begun").exists)
        os.killpg(running.process.pid, number)
        running.wait_for_line("Stopping")
        (tmp_path / "go").touch()
        assert running.process.wait(PATIENCE) == status
        client.join(PATIENCE)
        assert "Hello" in answers[0]
        document = json.loads(running.out.read_text())
        assert document["addresses"] == [f"https://127.0.0.1:{port}"]
        assert all(json.loads(line) for line in running.log.read_text().splitlines())


IMPATIENT = """
from dnsrenew.extensions.serve import supervisor, worker
supervisor.KILL_AFTER = worker._BLOCKED_AFTER = 2.5
"""
"""Seconds in place of ten, and of five; the loop gives a sign each second."""


def test_an_app_that_blocks_the_loop(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """A blocked event loop is named with its line, and does not keep the command from ending."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WHO)
    (tmp_path / "sitecustomize.py").write_text(IMPATIENT)
    env = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    with serving(tmp_path, port, "main:app", trusted=box.root_pem, env=env) as running:
        running.wait_for_line("Serving")
        running.wait_for_answer("Hello")
        client = threading.Thread(target=lambda: running.get("/block"))
        client.start()
        running.wait_for_line(f"{tmp_path}/main.py:11 in app")
        assert running.end() == 143
        assert "was killed" in running.log.read_text()
        client.join(PATIENCE)


@pytest.mark.parametrize("count", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_the_end_while_the_processes_start(count: int, box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Ctrl-C before the processes have loaded anything ends them without a traceback."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", "--workers", str(count), trusted=box.root_pem) as running:
        running.wait_for(lambda: len(psutil.Process(running.process.pid).children()) > 1)  # one is of multiprocessing
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(PATIENCE) == 130
        assert "Traceback" not in running.log.read_text()
    assert box.issued == []


def test_the_end_while_a_certificate_is_obtained(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Ctrl-C during the first order removes the TXT value."""
    configure(tmp_path, box, "one", more="propagation = { settle = 600 }")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", trusted=box.root_pem) as running:
        running.wait_for(lambda: box.driver.values)
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(PATIENCE) == 130
    assert box.driver.values == {}


def test_the_end_while_a_certificate_is_renewed(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """SIGTERM during a renewal in the background removes the TXT value; until then the old certificate is served."""
    configure(tmp_path, box, "one")
    box.age = timedelta(days=80)
    renew(tmp_path)
    configure(tmp_path, box, "one", more="propagation = { settle = 600 }")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", "--workers", "2", trusted=box.root_pem) as running:
        running.wait_for_answer("Hello")
        running.wait_for(lambda: box.driver.values)
        assert "Hello" in running.get()[0]
        assert running.end() == 143
    assert box.driver.values == {}


def test_processes_end_with_a_command_that_is_killed(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """After SIGKILL of the command, the port is free: its processes have ended too."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    with serving(tmp_path, port, "main:app", trusted=box.root_pem) as running:
        running.wait_for_line("Serving")
        running.process.kill()
        end = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as free:
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    free.bind(("127.0.0.1", port))
                except OSError:
                    assert time.monotonic() < end
                    time.sleep(0.05)
                    continue
                break


def test_sockets_of_systemd(box: AcmeBox, port: int, http_port: int, tmp_path: Path) -> None:
    """Sockets that systemd has opened are used: the one named http redirects."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    script = (
        "import os, sys; fds = [os.dup(int(each)) for each in sys.argv[1:3]]\n"
        "for number, fd in enumerate(fds, 3): os.dup2(fd, number); os.set_inheritable(number, True)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2', LISTEN_FDNAMES='app:http')\n"
        "os.execv(sys.argv[3], sys.argv[3:])"
    )
    with socket.create_server(("127.0.0.1", port)) as https, socket.create_server(("127.0.0.1", http_port)) as http:
        fds = (https.fileno(), http.fileno())
        wrapper = (sys.executable, "-c", script, *map(str, fds))
        with serving(
            tmp_path, port, "main:app", trusted=box.root_pem, bind=False, wrapper=wrapper, pass_fds=fds
        ) as running:
            running.wait_for_answer("Hello")
            connection = HTTPConnection("127.0.0.1", http_port, timeout=10)
            connection.request("GET", "/a", headers={"Host": "one.example.com"})
            assert connection.getresponse().headers["Location"] == f"https://one.example.com:{port}/a"
            connection.close()


# ── bad input ───────────────────────────────────────────────────────────────────────────


def test_an_app_that_cannot_be_imported(box: AcmeBox, tmp_path: Path) -> None:
    """What an app raises at import is shown as Python shows it; nothing was ordered, and the exit status is 1."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text("raise ValueError('no database')")
    with reserve("127.0.0.1") as reserved:
        done = failed(tmp_path, "main:app", "--bind", f"127.0.0.1:{reserved.number}", "--json")
    assert done.returncode == 1
    assert [text for text in ('main.py", line 1', "ValueError: no database") if text not in done.stderr] == []
    assert "importlib" not in done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "serve-app-failed"
    assert box.issued == []


def test_an_app_that_ends_the_process(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """A module that ends the process at once is an error too."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text("import os; os._exit(7)")
    done = failed(tmp_path, "main:app", "--bind", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["evidence"]["status"]) == ("serve-app-failed", 7)


def test_a_lifespan_that_fails(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """What the start of an app raises is shown, and the exit status is 1."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(
        "from contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n@asynccontextmanager\n"
        "async def begin(app):\n    raise OSError('no database')\n    yield\napp = FastAPI(lifespan=begin)\n"
    )
    done = failed(tmp_path, "main:app", "--bind", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert "OSError: no database" in done.stderr


def test_an_app_that_is_not_there(box: AcmeBox, tmp_path: Path) -> None:
    """A name that is not there is wrong usage, and the message shows the right form."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI.replace("app", "application"))
    with reserve("127.0.0.1") as reserved:
        done = failed(tmp_path, "main:app", "--bind", f"127.0.0.1:{reserved.number}", "--json")
    assert done.returncode == 2, done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["code"], "main:application" in error["fix"]) == ("serve-app-missing", True)
    assert box.issued == []


def test_an_error_in_another_language(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """What a process says of the app is in the language of the command."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    done = failed(tmp_path, "main:other", "--bind", f"127.0.0.1:{port}", "--lang", "zh")
    assert done.returncode == 2
    assert "模块 main 中没有 other" in done.stderr
    assert "main:app" in done.stderr


def test_a_port_that_is_taken(box: AcmeBox, tmp_path: Path) -> None:
    """A port that another program has is named, with the program; for HTTPS and for the redirect."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    with socket.create_server(("127.0.0.1", 0)) as taken, reserve("127.0.0.1") as free:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for options in (("--bind", address), ("--bind", f"127.0.0.1:{free.number}", "--redirect", address)):
            done = failed(tmp_path, "main:app", *options, "--json")
            error = json.loads(done.stdout)["error"]
            assert (done.returncode, error["code"]) == (1, "serve-port-taken")
            assert str(os.getpid()) in error["message"]
            assert f"{options[-2]} :" in error["fix"]


def test_an_address_of_another_host(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """An address that this machine does not have is named."""
    configure(tmp_path, box, "one")
    done = failed(tmp_path, "main:app", "--bind", f"192.0.2.1:{port}", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "serve-address-missing")


def test_no_configuration(tmp_path: Path) -> None:
    """Without a configuration the message names the options that stand in for one."""
    (tmp_path / "main.py").write_text(WSGI)
    env = {"XDG_CONFIG_HOME": str(tmp_path), "DNSRENEW_CONFIG": ""}
    done = failed(tmp_path, "main:app", "--json", env=env)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "config-missing")
    assert "--domain DOMAIN --dns PROVIDER" in error["fix"]


def test_a_plain_secret_on_the_command_line(tmp_path: Path) -> None:
    """A secret that is written out is warned of, and shown nowhere."""
    words = ("--domain", "a.example", "--dns", "desec", "--agree-terms", "--bind", "192.0.2.1:8443")
    done = failed(tmp_path, "main:app", *words, "--dns-option", "auth_token=plain-s3cr3t", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "serve-address-missing")
    assert "auth_token" in done.stderr
    assert "plain-s3cr3t" not in done.stdout + done.stderr
    done = failed(tmp_path, "main:app", *words, "--dns-option", "plain-s3cr3t")
    assert done.returncode == 2
    assert "plain-s3cr3t" not in done.stdout + done.stderr


@pytest.mark.parametrize("module", [False, True], ids=["folder", "module"])
@as_root
def test_an_app_that_others_can_change(module: bool, box: AcmeBox, port: int, tmp_path: Path) -> None:
    """As root nothing is imported from a folder or a file that others can change; ``--insist`` takes it."""
    folder = tmp_path / "app"
    folder.mkdir()
    config = configure(tmp_path, box, "one")
    (folder / "main.py").write_text("open('imported', 'w')\nraise ValueError\n")
    (folder / "main.py" if module else folder).chmod(0o777)
    words = ("main:app", "--config", str(config), "--bind", f"127.0.0.1:{port}", "--json")
    done = failed(folder, *words)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-untrusted")
    assert not (folder / "imported").exists()
    assert json.loads(failed(folder, *words, "--insist").stdout)["error"]["code"] == "serve-app-failed"


def test_a_certificate_that_cannot_be_obtained(box: AcmeBox, port: int, tmp_path: Path) -> None:
    """Where no certificate can be obtained, nothing is served, and the reason is the CA's."""
    configure(tmp_path, box, "one")
    (tmp_path / "main.py").write_text(WSGI)
    box.fail_next("rejectedIdentifier")
    done = failed(tmp_path, "main:app", "--bind", f"127.0.0.1:{port}", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["evidence"]["cause"]["code"] == "ca-rejected-identifier"


@pytest.mark.parametrize(
    ("code", "lacking"),
    [
        (
            (
                "import importlib.util as util\nfind = util.find_spec\n"
                "util.find_spec = lambda name, *more: None if name == 'a2wsgi' else find(name, *more)\n"
            ),
            "a2wsgi>=1.10",
        ),
        ("from importlib import metadata\nmetadata.version = lambda name: '0.46.1rc2'\n", "uvicorn>=0.47"),
    ],
    ids=["missing", "old"],
)
def test_a_missing_package(code: str, lacking: str, tmp_path: Path) -> None:
    """Without uvicorn or a2wsgi, or with an old one, the message has the command that installs it."""
    (tmp_path / "sitecustomize.py").write_text(code)
    env = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    done = failed(tmp_path, "main:app", "--json", env=env)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (2, "serve-extra-missing")
    assert lacking in error["evidence"]["packages"]
    assert lacking in error["fix"]
