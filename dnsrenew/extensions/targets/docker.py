"""``docker``: tells a container that its certificate is new, by a signal or a program in it.

Written from the Docker Engine API reference: ContainerKill, ContainerExec, ExecStart and ExecInspect. Podman has the
same API.
"""

from __future__ import annotations

import http.client
import json
import shlex
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.protocol import PROGRAM_TIMEOUT, DeployerContext, TargetDeployer, TargetKind, TargetOption, late
from dnsrenew.errors import DeployError, printable

_SOCKET: Final = "/var/run/docker.sock"
_SHOWN: Final = 300
_HEADER: Final = struct.Struct(">BxxxL")
"""The header of each piece of output: the stream, and the length."""


class DockerDeployer(TargetDeployer):
    """Signals a container, or runs a program in it. The effect cannot be inspected or undone."""

    def __init__(self, context: DeployerContext) -> None:
        super().__init__(context)
        self._socket = str(self._options.get("socket", _SOCKET))
        self._container = str(self._options["container"])
        self._seconds = float(self._options.get("timeout", PROGRAM_TIMEOUT))

    def deploy(self, _certificate: Certificate) -> None:
        """Send the signal, then run the program."""
        path = f"/containers/{quote(self._container, safe='')}"
        if "signal" in self._options:
            self._ask("POST", f"{path}/kill?signal={quote(self._options['signal'], safe='')}")
            self.has_changed = True
        if "run" in self._options:
            self._run(path, list(self._options["run"]))

    def _run(self, path: str, command: list[str]) -> None:
        document = {"Cmd": command, "AttachStdout": True, "AttachStderr": True}
        number = quote(str(self._field("Id", "POST", f"{path}/exec", document)), safe="")
        self.has_changed = True
        output = self._ask("POST", f"/exec/{number}/start", {"Detach": False, "Tty": False})
        status = self._field("ExitCode", "GET", f"/exec/{number}/json")
        if status != 0:
            fields = {"program": command[0], "container": self._container, "status": status}
            shown = self._shown(_demultiplexed(output)) or "it printed nothing"
            certificate = self._context.run.certificate or ""
            raise DeployError.of(texts.DOCKER_PROGRAM, output=shown, certificate=certificate, **fields)

    def _field(self, name: str, method: str, path: str, document: object = None) -> Any:
        """Return one field of an answer."""
        try:
            answer = json.loads(self._ask(method, path, document))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or answer.get(name) is None:
            raise DeployError.of(texts.DOCKER_STRANGE, socket=self._socket)
        return answer[name]

    def _ask(self, method: str, path: str, document: object = None) -> bytes:
        """Send a request over the socket, and return the body of its answer."""
        try:
            end = time.monotonic() + self._seconds
            status, body = self._context.run.call(lambda: _exchange(self._socket, method, path, document, end))
        except TimeoutError:
            raise DeployError.of(texts.DOCKER_LATE, container=self._container, **late(self._seconds)) from None
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise DeployError.of(texts.DOCKER_SILENT, socket=self._socket, reason=reason) from None
        except http.client.HTTPException:
            raise DeployError.of(texts.DOCKER_STRANGE, socket=self._socket) from None
        if not 200 <= status < 300:
            reason = self._shown(_message(body)) or "no reason"
            raise DeployError.of(texts.DOCKER_REFUSED, container=self._container, status=status, reason=reason)
        return body

    def _shown(self, text: bytes) -> str:
        return printable(self._context.run.redactor.redact(text.decode("utf-8", "replace")))[-_SHOWN:].rstrip(". ")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("Python has no unix sockets on this system")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _exchange(path: str, method: str, target: str, document: object, end: float) -> tuple[int, bytes]:
    """Send one request and read its answer until it ends, at most until a time."""
    connection = _UnixConnection(path, max(end - time.monotonic(), 0.001))
    try:
        body = None if document is None else json.dumps(document).encode()
        connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        output = bytearray()
        while piece := answer.read1(4096):
            output += piece
            del output[: -64 << 10]
            if time.monotonic() >= end:
                raise TimeoutError
        return answer.status, bytes(output)
    finally:
        connection.close()


def _message(body: bytes) -> bytes:
    try:
        return str(json.loads(body)["message"]).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return b"" if body.lstrip().startswith(b"<") else body


def _demultiplexed(output: bytes) -> bytes:
    """Return the output of a program without the headers that Docker puts before its pieces."""
    found, rest = b"", output
    while len(rest) >= _HEADER.size:
        stream, length = _HEADER.unpack_from(rest)
        if stream > 2:
            return output  # not in pieces, or its beginning was dropped
        found += rest[_HEADER.size : _HEADER.size + length]
        rest = rest[_HEADER.size + length :]
    return found


def _describe(options: Mapping[str, Any]) -> str:
    action = options.get("signal") or shlex.join(options.get("run", ()))
    return f"{options['container']}: {action}"


TARGET = TargetKind(
    to="docker",
    options={
        "container": TargetOption("text", required=True),
        "signal": TargetOption("text"),
        "run": TargetOption("remote"),
        "timeout": TargetOption("limit", default=PROGRAM_TIMEOUT),
        "socket": TargetOption("path", default=_SOCKET),
    },
    one_of=("signal", "run"),
    describe=_describe,
    make=DockerDeployer,
    needs_key=lambda _options: False,
    can_inspect=False,
)
