"""``dnsrenew serve`` as a process, with the certificates of a box, and its clients."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnsrenew.testing import AcmeBox
from tests.lab.forks import forks

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0
GUIDE = (
    (ROOT / "docs" / "guides" / "serving.md").read_text("utf-8").partition("## Without code")[2].partition("\n## ")[0]
)
FASTAPI = GUIDE.partition("```python\n")[2].partition("```")[0]
"""The app of the guide, as it stands there."""


def configure(folder: Path, box: AcmeBox, *names: str, more: str = "", before: str = "") -> Path:
    """Write a configuration of certificates at the box, each with the domain NAME.example.com.

    :param more: further lines of each certificate.
    :param before: further lines at the top.
    """
    certificates = "".join(
        f'[[certificate]]\nname = "{name}"\ndomains = ["{name}.example.com"]\n{more}\n' for name in names
    )
    path = folder / "dnsrenew.toml"
    path.write_text(f'default_ca = "box"\nagree_terms = true\n{before}{box.toml()}{certificates}')
    path.chmod(0o600)
    return path


@dataclass
class Serving:
    """A running command.

    :ivar port: of HTTPS, on 127.0.0.1.
    :ivar log: what it has written to standard error; standard output is in ``out``.
    """

    process: subprocess.Popen[Any]
    port: int
    trusted: str
    log: Path
    out: Path

    def get(self, path: str = "/", name: str = "one.example.com", timeout: float = 20) -> tuple[str, str]:
        """Return an answer without its head, and the serial number of the certificate, which is checked."""
        context = ssl.create_default_context(cadata=self.trusted)
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout) as connection,
            context.wrap_socket(connection, server_hostname=name) as tls,
        ):
            serial = str((tls.getpeercert() or {})["serialNumber"])
            tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tls.recv(65536), b"")).decode()
        return answer.partition("\r\n\r\n")[2], serial.lower().lstrip("0")

    def wait_for(self, true: Callable[[], object]) -> None:
        """Wait until something is true; a connection that fails is not."""
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                if true():
                    return
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def wait_for_answer(self, text: str, path: str = "/") -> None:
        """Wait for an answer that holds a text."""
        self.wait_for(lambda: text in self.get(path)[0])

    def wait_for_line(self, text: str) -> None:
        """Wait until standard error holds a text."""
        self.wait_for(lambda: text in self.log.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def serving(
    folder: Path,
    port: int,
    *arguments: str,
    trusted: str = "",
    env: Mapping[str, str] | None = None,
    bind: bool = True,
    wrapper: tuple[str, ...] = (),
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Serving]:
    """Run the command in a folder.

    :param trusted: the root of its certificates, PEM.
    :param bind: whether it is told the port.
    :param wrapper: a program that starts it.
    """
    at = ("--bind", f"127.0.0.1:{port}") if bind else ()
    words = ["serve", *arguments, *at]
    log, out = folder / "log.txt", folder / "out.txt"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **(env or {})}
    process: subprocess.Popen[Any]
    with log.open("wb") as errors, out.open("wb") as output:
        if not wrapper and forks().serves(words, environ):
            process = forks().start(words, folder, environ, [output.fileno(), errors.fileno()])
        else:
            process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "dnsrenew", *words],
                cwd=folder,
                env=environ,
                stdout=output,
                stderr=errors,
                pass_fds=pass_fds,
                start_new_session=True,
            )
    try:
        yield Serving(process, port, trusted, log, out)
    except BaseException as error:
        error.add_note(log.read_text()[-5000:])
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its processes too
        process.wait()


def failed(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``dnsrenew serve``, which ends by itself."""
    return run(folder, "serve", *arguments, env=env)


def run(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), **(env or {})}
    if forks().serves(arguments, environ):
        with forks().start(arguments, folder, environ) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)
    command = [sys.executable, "-m", "dnsrenew", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
