"""Eight workers of gunicorn with `dnsrenew.ssl_context_factory`: one order, all follow, killing one ends nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew.base import x509
from dnsrenew.base.model import TxtRecord
from dnsrenew.testing import AcmeBox, acme_box
from tests.lab.ports import reserve

ROOT = Path(__file__).resolve().parents[2]
NAME = "one.example.com"
WORKERS = 8
PATIENCE = 90.0
"""Seconds for eight workers to start, or to follow, on a busy machine."""
CONF = """
import dnsrenew
workers = {workers}
bind = "127.0.0.1:{port}"
certfile = __file__
ssl_context = dnsrenew.ssl_context_factory("one")

def post_fork(server, worker):
    ssl_context(server.cfg, None)
"""
APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Site:
    """A server with workers, whose certificate is from a box."""

    def __init__(self, box: AcmeBox, folder: Path, port: int) -> None:
        self.box = box
        self._port = port
        self._client = ssl.create_default_context(cadata=box.root_pem)
        path = folder / "dnsrenew.toml"
        certificate = f'[[certificate]]\nname = "one"\ndomains = ["{NAME}"]\n'
        path.write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{certificate}')
        (folder / "conf.py").write_text(CONF.format(workers=WORKERS, port=port))
        (folder / "app.py").write_text(APP)
        self.renewer = dnsrenew.Renewer(dnsrenew.Config.load(path))

    def get(self) -> tuple[str, str]:
        """Return the worker that answers, and the serial number of its certificate."""
        with (
            socket.create_connection(("127.0.0.1", self._port), 20) as connection,
            self._client.wrap_socket(connection, server_hostname=NAME) as tls,
        ):
            der = tls.getpeercert(binary_form=True)
            assert der is not None
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: tls.recv(65536), b"")).decode()
        return answer.rpartition("\r\n")[2], x509.read_certificate(ssl.DER_cert_to_PEM_cert(der)).serial

    def until_all_serve(self, serial: str) -> None:
        """Wait until every worker serves a certificate: as many answers as make it certain, one after the other."""
        same, end = 0, time.monotonic() + PATIENCE
        while same < 5 * WORKERS:
            assert time.monotonic() < end, serial
            try:
                same = same + 1 if self.get()[1] == serial else 0
            except OSError:
                time.sleep(0.1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server that is about to start."""
    with acme_box() as box, reserve("127.0.0.1") as port:
        yield Site(box, tmp_path, port.number)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run gunicorn."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder)))}
    command = [sys.executable, "-m", "gunicorn", "-c", "conf.py", "app:app"]
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
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_eight_workers_make_one_order(site: Site, tmp_path: Path) -> None:
    """Eight workers that start without a certificate obtain one, and take up what another process renews."""
    with running(tmp_path):
        wait_for(lambda: site.renewer.usable_certificate("one"))
        site.until_all_serve(site.renewer.certificate("one").serial)
        assert len(site.box.issued) == 1
        (outcome,) = site.renewer.renew(force=True, wait=30)
        assert outcome.serial is not None
        site.until_all_serve(outcome.serial)
    assert len(site.box.issued) == 2


def test_another_worker_goes_on_if_the_one_that_renews_is_killed(site: Site, tmp_path: Path) -> None:
    """A worker is killed in the middle of a renewal; another one renews, nothing is left in DNS, all follow."""
    site.box.age = timedelta(days=80)
    (first,) = site.renewer.renew()
    site.box.age = timedelta(0)
    reached, go_on, add = threading.Event(), threading.Event(), site.box.driver.add

    def slow_add(records: Sequence[TxtRecord]) -> None:
        add(records)
        if not reached.is_set():
            reached.set()
            go_on.wait(25)

    site.box.driver.add = slow_add  # type: ignore[method-assign]  # the first call takes long
    with running(tmp_path):
        assert reached.wait(PATIENCE)
        (locked,) = site.renewer.renew()
        assert locked.error is not None
        os.kill(locked.error.evidence["pid"], signal.SIGKILL)
        go_on.set()
        wait_for(lambda: len(site.box.issued) == 2)
        wait_for(lambda: site.renewer.certificate("one").serial != first.serial)
        newest = site.renewer.certificate("one").serial
        site.until_all_serve(newest)
        wait_for(lambda: not any(site.box.driver.values.values()))
    assert len(site.box.issued) == 2
