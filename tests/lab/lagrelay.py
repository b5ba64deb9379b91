"""Makes the secondary late by an exact time.

BIND cannot delay a transfer by a given time, so the primary's NOTIFY goes to this relay, which passes it on to the
secondary `lag` seconds later; nothing else makes the secondary look. A further change of the same zone meanwhile
starts the time again, so that no value is ever seen earlier than `lag` after it was written.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdatatype

_RESEND = 0.25
_TRIES = 8


class LagRelay:
    """One thread, one UDP socket on 127.0.0.1: receives NOTIFY from the primary, sends it to the secondary."""

    def __init__(self, port: int, secondary: tuple[str, int] | None, lag: float = 0.0) -> None:
        """`secondary`: its address and port; with None a NOTIFY is only acknowledged. `lag` may change at any time."""
        self.lag = lag
        self._secondary = secondary
        self._due: dict[dns.name.Name, tuple[float, int]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="lab-lag-relay", daemon=True)

    def start(self) -> Self:
        """Start relaying."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the thread and close the port."""
        self._wake_sender.close()  # readable at the other end: the thread ends
        if self._thread.is_alive():
            self._thread.join(5)
        self._wake_receiver.close()
        self._socket.close()

    def hurry(self) -> None:
        """Pass on now what waits for its time."""
        for zone, (due, tries) in list(self._due.items()):
            self._due[zone] = (min(due, time.monotonic()), tries)
        self._socket.sendto(b"", self._socket.getsockname())  # wakes the thread

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            soonest = min((due for due, _ in self._due.values()), default=now + 60)
            readable, _, _ = select.select([self._socket, self._wake_receiver], [], [], max(0.0, soonest - now))
            if self._wake_receiver in readable:
                return
            if self._socket in readable:
                self._receive()
            self._pass_on()

    def _receive(self) -> None:
        with contextlib.suppress(OSError, dns.exception.DNSException):
            wire, sender = self._socket.recvfrom(65535)
            message = dns.message.from_wire(wire)
            if message.opcode() != dns.opcode.NOTIFY or not message.question:
                return
            zone = message.question[0].name
            if message.flags & dns.flags.QR:  # the secondary has heard it
                tries = self._due.get(zone, (0.0, 0))[1]
                if tries:
                    del self._due[zone]
                return
            self._due[zone] = (time.monotonic() + self.lag, 0)
            answer = dns.message.make_response(message)
            answer.flags |= dns.flags.AA
            self._socket.sendto(answer.to_wire(), sender)

    def _pass_on(self) -> None:
        now = time.monotonic()
        for zone, (due, tries) in list(self._due.items()):
            if due > now:
                continue
            if self._secondary is None or tries >= _TRIES:
                del self._due[zone]
                continue
            notify = dns.message.make_query(zone, dns.rdatatype.SOA, flags=dns.flags.AA)
            notify.set_opcode(dns.opcode.NOTIFY)
            with contextlib.suppress(OSError):
                self._socket.sendto(notify.to_wire(), self._secondary)
            self._due[zone] = (now + _RESEND, tries + 1)
