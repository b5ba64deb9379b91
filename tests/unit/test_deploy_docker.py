"""The target ``docker`` against a stand-in on a unix socket, which was written from the Docker Engine API reference.

https://docs.docker.com/reference/api/engine/: ContainerKill, ContainerExec, ExecStart, ExecInspect.
"""

from __future__ import annotations

import json
import socketserver
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.docker import TARGET, DockerDeployer
from tests.kit.deployments import SLOW, deployer_context, make_certificate, type_what_the_error_advises

pytestmark = pytest.mark.skipif(not hasattr(socketserver, "UnixStreamServer"), reason="no unix sockets here")


class Engine:
    """A Docker Engine with one container.

    :ivar status: what its program ends with.
    :ivar output: pieces of its output; a number is the stream.
    :ivar hangs: released at the end of a test; until then a program does not end.
    :ivar takes: seconds after which it ends all the same.
    """

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.is_running = True
        self.status = 0
        self.output: list[tuple[int, bytes]] = []
        self.hangs: threading.Event | None = None
        self.takes = 10.0
        self.nonsense: bytes | None = None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer a request as the Engine does."""
        if self.nonsense is not None:
            return 200, self.nonsense
        path, _, query = path.partition("?")
        _, kind, name, action = path.split("/")
        if kind == "containers" and unquote(name) != "web/1":
            return 404, {"message": f"No such container: {name}"}
        if (method, kind, action) == ("POST", "containers", "kill"):
            if not self.is_running:
                return 409, {"message": "cannot kill container: web/1: container is not running"}
            self.told.append(query)
            return 204, b""
        if (method, kind, action) == ("POST", "containers", "exec"):
            if body.keys() != {"Cmd", "AttachStdout", "AttachStderr"}:
                return 400, {"message": "bad parameter"}
            self.told.append(body["Cmd"])
            return 201, {"Id": "e5ec"}
        if (method, path) == ("POST", "/exec/e5ec/start") and body == {"Detach": False, "Tty": False}:
            if self.hangs is not None:
                self.hangs.wait(self.takes)
            return 200, b"".join(struct.pack(">BxxxL", stream, len(piece)) + piece for stream, piece in self.output)
        if (method, path) == ("GET", "/exec/e5ec/json"):
            return 200, {"ID": "e5ec", "Running": False, "ExitCode": self.status}
        return 404, {"message": "page not found"}

    @contextmanager
    def running(self) -> Iterator[str]:
        """Answer on a socket; give its path."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = outer.answer(self.command, self.path, json.loads(raw) if raw else None)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _answer  # noqa: N815  # names of the base class

            def log_message(self, *_: object) -> None:
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

        with tempfile.TemporaryDirectory() as folder:  # the path of a socket is short
            path = str(Path(folder, "docker.sock"))
            with Server(path, Handler) as server:
                threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
                try:
                    yield path
                finally:
                    if self.hangs is not None:
                        self.hangs.set()
                    server.shutdown()


@pytest.fixture
def docker() -> Engine:
    """Return an Engine with a running container."""
    return Engine()


def put(docker: Engine, tmp_path: Path, **options: Any) -> None:
    """Deploy to the container."""
    with docker.running() as path:
        given = {"container": "web/1", "socket": path, **options}
        DockerDeployer(deployer_context(given)).deploy(make_certificate(tmp_path))


def test_a_signal(docker: Engine, tmp_path: Path) -> None:
    """The signal is sent to the container."""
    put(docker, tmp_path, signal="SIGHUP")
    assert docker.told == ["signal=SIGHUP"]


def test_a_slow_program(docker: Engine, tmp_path: Path) -> None:
    """A program that is too late ends the deployment; the line that the error advises helps."""
    docker.hangs, docker.takes = threading.Event(), SLOW
    with docker.running() as path:
        options = {"container": "web/1", "socket": path, "run": ["nginx", "-s", "reload"]}
        type_what_the_error_advises("docker", options, tmp_path)


def test_a_program(docker: Engine, tmp_path: Path) -> None:
    """The arguments of the program are passed unchanged."""
    docker.output = [(1, b"reloading\n")]
    put(docker, tmp_path, run=("nginx", "-s", "re load"))
    assert docker.told == [["nginx", "-s", "re load"]]


def test_a_program_that_fails(docker: Engine, tmp_path: Path) -> None:
    """The error has both output streams, without the headers between them."""
    docker.status, docker.output = 3, [(1, b"testing "), (2, b"no such\n\x1b[31m file\n")]
    with pytest.raises(DeployError) as failed:
        put(docker, tmp_path, run=("nginx", "-t"))
    assert failed.value.code == "deploy-refused"
    assert failed.value.evidence["output"] == "testing no such [31m file"


def test_a_program_that_hangs(docker: Engine, tmp_path: Path) -> None:
    """The wait for a program ends at its time limit."""
    docker.hangs = threading.Event()
    with pytest.raises(DeployError) as late:
        put(docker, tmp_path, run=("sleep", "60"), timeout=0.2)
    assert late.value.code == "deploy-timeout"


def test_a_container_that_is_not_there(docker: Engine, tmp_path: Path) -> None:
    """A missing or stopped container is an error with Docker's message."""
    with pytest.raises(DeployError) as missing:
        put(docker, tmp_path, container="mail", signal="SIGHUP")
    docker.is_running = False
    with pytest.raises(DeployError) as stopped:
        put(docker, tmp_path, signal="SIGHUP")
    assert (missing.value.code, stopped.value.code) == ("deploy-refused", "deploy-refused")
    assert "No such container: mail" in missing.value.message
    assert "is not running" in stopped.value.message


@pytest.mark.parametrize("nonsense", [b"", b"<html>", b"[]", b"{}", b"[" * 50_000])
def test_another_server_at_the_socket(docker: Engine, tmp_path: Path, nonsense: bytes) -> None:
    """A server that is not Docker gives `deploy-unsupported`."""
    docker.nonsense = nonsense
    with pytest.raises(DeployError) as strange:
        put(docker, tmp_path, run=("true",))
    assert strange.value.code == "deploy-unsupported"


def test_no_socket(tmp_path: Path) -> None:
    """A missing socket is `deploy-unreachable`."""
    options = {"container": "web", "signal": "SIGHUP", "socket": str(tmp_path / "none.sock")}
    with pytest.raises(DeployError) as silent:
        DockerDeployer(deployer_context(options)).deploy(make_certificate(tmp_path / "store"))
    assert silent.value.code == "deploy-unreachable"


def test_it_can_neither_look_nor_put_back(tmp_path: Path) -> None:
    """The target can neither check nor restore a certificate."""
    deployer = DockerDeployer(deployer_context({"container": "web", "run": ("nginx", "-s", "reload")}))
    assert not deployer.check(make_certificate(tmp_path))
    assert not deployer.restore()
    assert TARGET.describe({"container": "web", "run": ("nginx", "-s", "reload")}) == "web: nginx -s reload"
