"""Whether a real server has read its configuration since a moment, by its processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from dnsrenew.extensions.setup.importing.served_check import has_loaded_since
from tests.kit import servers
from tests.kit.deployments import make_certificate
from tests.kit.processes import wait_until
from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

TICK = 0.02
"""Seconds: the times of processes have hundredths, rounded down."""
Running = Callable[[Path], AbstractContextManager[servers.Served]]


@contextmanager
def haproxy(folder: Path) -> Iterator[servers.Served]:
    """HAProxy with a main process and a worker, as Debian's service runs it."""
    with ports.reserve(servers.LOOPBACK) as port:
        frontend = f"frontend tls\n bind {servers.LOOPBACK}:{port.number} ssl crt {folder}/both.pem\n"
        timeouts = "timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
        (folder / "haproxy.cfg").write_text(
            f"defaults\n mode http\n {timeouts}{frontend} http-request return status 200\n"
        )
        argv = [find_program("haproxy"), "-W", "-db", "-f", str(folder / "haproxy.cfg")]
        process = ServerProcess("haproxy", argv, folder).start()
        try:
            process.wait_ready(servers.accepts(port.number))
            reload = ["kill", "-USR2", str(process.pid)]
            yield servers.Served(folder=folder, port=port.number, process=process, reload=reload)
        finally:
            process.stop()


@pytest.mark.parametrize("running", [servers.nginx, servers.apache, haproxy])
def test_a_reload_is_seen(running: Running, tmp_path: Path) -> None:
    """A start and a reload of nginx, Apache and HAProxy are detected, although the main process stays."""
    certificate = make_certificate(tmp_path / "pair")
    folder = tmp_path / "server"
    folder.mkdir()
    servers.place(folder, certificate)
    before = time.time() - TICK
    with running(folder) as served:
        # HAProxy's main process executes itself again once its first worker serves: for an instant nothing is certain.
        wait_until(lambda: has_loaded_since(served.port, before))
        moment = time.time()
        assert not has_loaded_since(served.port, moment)
        subprocess.run(served.reload, check=True, capture_output=True)
        wait_until(lambda: has_loaded_since(served.port, moment))


def test_a_server_that_reads_in_the_same_process(tmp_path: Path) -> None:
    """A reload of Mosquitto cannot be detected, and is not claimed. Its start is detected."""
    certificate = make_certificate(tmp_path / "pair")
    folder = tmp_path / "server"
    folder.mkdir()
    servers.place(folder, certificate)
    before = time.time() - TICK
    with servers.mosquitto(folder) as served:
        assert has_loaded_since(served.port, before)
        moment = time.time()
        subprocess.run(served.reload, check=True, capture_output=True)
        assert not has_loaded_since(served.port, moment)


def test_a_port_of_nobody() -> None:
    """For a port without a server, no reload is claimed."""
    assert not has_loaded_since(1, 0.0)
