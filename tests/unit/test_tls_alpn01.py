"""The solver of tls-alpn-01 without a CA, especially after a cancel."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import ExitStack
from typing import cast

import pytest

from dnsrenew.base.runtime import Context
from dnsrenew.challenges.tls_alpn01 import (
    PROTOCOL,
    ChallengeCertificate,
    TlsAlpn01,
    TlsAlpnListeners,
    TlsAlpnValue,
)
from dnsrenew.errors import Cancelled
from tests.lab.ports import reserve

PATIENCE = 10.0
VALUE = TlsAlpnValue("a.test", ":443", ChallengeCertificate.make("a.test", bytes(32)))


class SlowListeners:
    """Listeners whose port takes its time to open."""

    def __init__(self) -> None:
        self.opening, self.go_on, self.removed = threading.Event(), threading.Event(), threading.Event()
        self.held: list[str] = []

    def add(self, _listen: str, key: str, _content: ChallengeCertificate) -> None:
        """Open the port when the test allows it."""
        self.opening.set()
        assert self.go_on.wait(PATIENCE)
        self.held.append(key)

    def remove(self, _listen: str, key: str, _content: ChallengeCertificate) -> None:
        """Close it."""
        self.held.remove(key)
        self.removed.set()


def test_a_port_that_opens_after_a_cancel_is_closed_again() -> None:
    """A port that an abandoned call opens after the cleanup is closed again."""
    listeners, cancel = SlowListeners(), threading.Event()
    solver, context = TlsAlpn01(listeners=cast("TlsAlpnListeners", listeners)), Context(cancel=cancel)

    def cancel_while_it_opens() -> None:
        assert listeners.opening.wait(PATIENCE)
        cancel.set()

    threading.Thread(target=cancel_while_it_opens, daemon=True).start()
    with pytest.raises(Cancelled):
        solver.publish(context, [VALUE])
    solver.withdraw(context, [VALUE])
    assert listeners.held == []
    listeners.go_on.set()
    assert listeners.removed.wait(PATIENCE)
    assert listeners.held == []


def test_what_was_published_is_withdrawn_once() -> None:
    """Withdrawing twice, or without a publication, does nothing."""
    listeners = SlowListeners()
    listeners.go_on.set()
    solver, context = TlsAlpn01(listeners=cast("TlsAlpnListeners", listeners)), Context()
    solver.withdraw(context, [VALUE])
    solver.publish(context, [VALUE])
    assert listeners.held == ["a.test"]
    solver.withdraw(context, [VALUE])
    solver.withdraw(context, [VALUE])
    assert listeners.held == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_one_address_cannot_push_out_another() -> None:
    """Silent connections of one address do not displace an older connection of the CA."""
    listeners, client = TlsAlpnListeners(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_alpn_protocols([PROTOCOL])
    with reserve("127.0.0.1") as port, ExitStack() as stack:
        listen, address = f"127.0.0.1:{port.number}", ("127.0.0.1", port.number)
        listeners.add(listen, "a.test", VALUE.certificate)
        stack.callback(listeners.remove, listen, "a.test", VALUE.certificate)
        ca = stack.enter_context(socket.create_connection(address, PATIENCE))
        for _ in range(300):
            stack.enter_context(socket.create_connection(address, PATIENCE, ("127.0.0.2", 0)))
        assert list(listeners.ask(listen, "a.test").values()) == [VALUE.certificate.der]  # so all were let in
        tls = stack.enter_context(client.wrap_socket(ca, server_hostname="a.test"))
        assert tls.getpeercert(binary_form=True) == VALUE.certificate.der
