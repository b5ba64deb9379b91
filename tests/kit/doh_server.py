"""A server for DNS over HTTPS, in front of the lab's resolver or of anything else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import dns.message

from tests.kit.api_server import Api, Asked
from tests.lab import Lab

DohAnswer = Callable[[bytes], bytes]


class DohServer(Api):
    """DohAnswers with `answer`, and keeps the time and the name of each question in `questions`."""

    def __init__(self, answer: DohAnswer, status: int = 200) -> None:
        super().__init__(self._respond, {"Content-Type": "application/dns-message"})
        self._answer = answer
        self._status = status
        self.questions: list[tuple[float, str]] = []

    @property
    def url(self) -> str:
        """The address of questions."""
        return f"{super().url}/dns-query"

    def _respond(self, asked: Asked) -> tuple[int, bytes]:
        assert asked.headers["Content-Type"] == "application/dns-message"
        assert asked.octets[:2] == b"\0\0"
        name = dns.message.from_wire(asked.octets).question[0].name.to_text()
        self.questions.append((time.monotonic(), name))
        return self._status, self._answer(asked.octets)


def resolving(lab: Lab) -> DohAnswer:
    """Return a function that answers as the lab's resolver."""

    def answer(query: bytes) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(5)
            link.connect(("127.0.0.1", lab.resolver_port))
            link.send(query)
            return link.recv(65535)

    return answer
