"""What a program does with a running server: enters it twice, asks it, drops it, and ends."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew.testing import AcmeBox, acme_box
from tests.kit.load import allowed

NAME = "one.example.com"
DUE = timedelta(days=80)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A CA and DNS."""
    with acme_box() as running:
        yield running


def followers() -> int:
    """Return the number of threads that follow a store."""
    return [thread.name for thread in threading.enumerate()].count("dnsrenew-serve")


# ── entering ────────────────────────────────────────────────────────────────────────────


def test_an_inner_with_ends_nothing(box: AcmeBox) -> None:
    """Entering is counted: after an inner ``with``, a renewal is still taken up; the last leaving ends it."""
    with dnsrenew.serve([NAME], **box.arguments) as served:
        with served:
            assert followers() == 1
        assert followers() == 1
        newer = dnsrenew.obtain([NAME], **box.arguments, force=True)
        served.check_now()
        assert served.certificate.serial == newer.serial
    assert followers() == 0


def test_close_ends_it_however_often_it_was_entered(box: AcmeBox) -> None:
    """After close() the leavings that follow do nothing, and it can be entered again."""
    with dnsrenew.serve([NAME], **box.arguments) as served, served:
        served.close()
        assert followers() == 0
    with served:
        assert followers() == 1
    assert followers() == 0


def test_threads_that_enter_together_obtain_once(box: AcmeBox) -> None:
    """Two threads that enter at once: one obtains, the other waits for it."""
    served = dnsrenew.serve([NAME], **box.arguments)
    threads = [threading.Thread(target=served.__enter__) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(box.issued), followers()) == (1, 1)
    for left in (3, 2, 1, 0):
        served.__exit__(None, None, None)
        assert followers() == (1 if left else 0)


def test_the_only_certificate_needs_one_name(box: AcmeBox, tmp_path: Path) -> None:
    """Before the first entering, and with several names, the error says what to do."""
    served = dnsrenew.serve([NAME], **box.arguments)
    with pytest.raises(ValueError, match="with served"):
        _ = served.certificate
    names = "".join(f'[[certificate]]\nname = "{name}"\ndomains = ["{name}.example.com"]\n' for name in ("one", "two"))
    (tmp_path / "dnsrenew.toml").write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{names}')
    with dnsrenew.Renewer(dnsrenew.Config.load(tmp_path / "dnsrenew.toml")).serve() as both:
        with pytest.raises(ValueError, match=r"2 certificates \(one, two\): use certificates\[NAME\]"):
            _ = both.certificate
        assert [each.name for each in both.status()] == ["one", "two"]


# ── asking ──────────────────────────────────────────────────────────────────────────────


def test_check_now_renews_what_is_due(box: AcmeBox) -> None:
    """A due certificate is renewed and served when the call returns, not a minute later."""
    box.age = DUE
    with dnsrenew.serve([NAME], **box.arguments) as served:
        box.age = timedelta(0)
        first = served.certificate.serial
        served.check_now()
        assert served.certificate.serial != first
        assert len(box.issued) == 2
        served.check_now()
        assert len(box.issued) == 2


def test_check_now_needs_entering(box: AcmeBox) -> None:
    """Before entering and after leaving, nothing is served, and it says so."""
    served = dnsrenew.serve([NAME], **box.arguments)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="with served"):
            served.check_now()
        with served:
            pass


def test_a_failed_renewal_tells_what_is_kept(box: AcmeBox, caplog: pytest.LogCaptureFixture) -> None:
    """A failure in the background tells until when the certificate is valid and when it is tried again, as obtain()."""
    events: list[dnsrenew.Event] = []
    box.age = DUE
    with dnsrenew.serve([NAME], **box.arguments, on_event=events.append) as served:
        box.fail_next("rateLimited", retry_after=3600)
        with caplog.at_level(logging.WARNING, "dnsrenew"):
            served.check_now()
        until = served.certificate.not_after
        (status,) = served.status()
    (kept,) = [event for event in events if event.kind == "kept"]
    assert kept.certificate == NAME
    assert kept.data["not_after"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert kept.data["next_attempt"] is not None
    assert kept.data["error"]["code"] == "ca-rate-limited"
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "is kept until" in line
    assert kept.data["not_after"] in line
    assert kept.data["next_attempt"] in line
    assert (status.name, status.state) == (NAME, "due")


# ── dropping ────────────────────────────────────────────────────────────────────────────


def test_what_is_dropped_ends(box: AcmeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook cell that is run again leaves no thread behind."""
    monkeypatch.setattr("dnsrenew.serving.follower.CHECK_EVERY", 0.01)
    cell: dict[str, dnsrenew.Served] = {}
    for _ in range(3):
        cell["served"] = dnsrenew.serve([NAME], **box.arguments).__enter__()
    cell.clear()
    end = time.monotonic() + allowed(10)
    while followers() and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert followers() == 0


def test_the_context_alone_keeps_it_alive(box: AcmeBox) -> None:
    """A server that holds only the context still gets the newest certificate."""
    context = dnsrenew.serve([NAME], **box.arguments).__enter__().ssl_context
    gc.collect()
    assert followers() == 1
    context._keeps.close()  # type: ignore[attr-defined]  # our own class


# ── a listening socket ──────────────────────────────────────────────────────────────────


def test_a_client_that_sends_nothing_holds_up_no_other(box: AcmeBox) -> None:
    """The accepting loop of a server makes no handshake; getpeercert() and ALPN of a connection wait for it."""
    with dnsrenew.serve([NAME], **box.arguments) as served, socket.create_server(("127.0.0.1", 0)) as plain:
        served.ssl_context.set_alpn_protocols(["h2"])
        listening = served.ssl_context.wrap_socket(plain, server_side=True)
        address = listening.getsockname()
        client = ssl.create_default_context(cadata=box.root_pem)
        client.set_alpn_protocols(["h2"])
        told: list[object] = []

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                told.extend([connection.selected_alpn_protocol(), connection.getpeercert(), connection.recv(1)])

        with socket.create_connection(address):
            silent, _ = listening.accept()
            with silent:
                thread = threading.Thread(target=answer)
                thread.start()
                with socket.create_connection(address) as other, client.wrap_socket(other, server_hostname=NAME) as tls:
                    tls.sendall(b"x")
                    thread.join()
        listening.close()
        assert told == ["h2", None, b"x"]


# ── the end ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_the_end_of_the_program_withdraws_what_is_published(box: AcmeBox, tmp_path: Path) -> None:
    """A program that ends without leaving its ``with``, as a worker of gunicorn, leaves no TXT value in DNS."""
    code = """
import signal, sys, threading
import dnsrenew

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
served = dnsrenew.Renewer(dnsrenew.Config.load("dnsrenew.toml")).serve()
served.__enter__()
threading.Thread(target=served.check_now, daemon=True).start()
while True:
    threading.Event().wait(0.1)
"""
    table = f'[[certificate]]\nname = "one"\ndomains = ["{NAME}"]\npropagation = {{ settle = 60 }}\n'
    (tmp_path / "dnsrenew.toml").write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{table}')
    box.age = DUE
    dnsrenew.obtain([NAME], **{**box.arguments, "store": tmp_path / "state"}, name="one")
    command, env = [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        end = time.monotonic() + 60
        while not box.driver.values:
            assert program.poll() is None, program.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.02)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 143
    assert box.driver.values == {}
