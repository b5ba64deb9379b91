"""A host whose Internet is in memory: all of dnsrenew is real, down to its HTTP client, its DNS view and its ports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from unittest import mock

from dnsrenew.challenges import http01
from dnsrenew.errors import ChallengeError
from tests.kit.acme_server import AcmeServer, Internet
from tests.kit.dns import MemoryDns


class Ports:
    """In the place of the listeners for http-01: they listen to nothing.

    :param fates: listen addresses that are ``taken``, or ``lost`` between the check and the use, or ``mute``.
    :ivar contents: what is served, by token.
    """

    def __init__(self, fates: Mapping[str, str] | None = None) -> None:
        self.fates = fates or {}
        self.contents: dict[str, bytes] = {}

    def check(self, listen: str) -> None:
        """Whether it can be had."""
        self._refuse(listen, "taken")

    def add(self, listen: str, token: str, content: bytes) -> None:
        """Answer a token."""
        self._refuse(listen, "lost")
        self.contents[token] = content

    def remove(self, listen: str, token: str, content: bytes) -> None:
        """Answer it no more."""
        del self.contents[token]

    def ask(self, listen: str, token: str) -> dict[str, bytes]:
        """What we answer ourselves."""
        body = b"" if self.fates.get(listen) == "mute" else self.contents[token]
        return {listen: b"HTTP/1.1 200 OK\r\n\r\n" + body}

    def _refuse(self, listen: str, fate: str) -> None:
        if self.fates.get(listen) == fate:
            raise ChallengeError("http-port-taken", f"{listen} is taken.", fix="Free it.", evidence={"listen": listen})


@contextlib.contextmanager
def in_memory(servers: Iterable[AcmeServer], dns: MemoryDns, ports: Ports | None = None) -> Iterator[None]:
    """Let the services of the runs in this block use these CAs, this DNS and these ports."""
    internet, real = Internet(servers), http01.Http01
    listeners: Any = ports or Ports()
    with (
        mock.patch("dnsrenew.http.HttpClient", return_value=internet),
        mock.patch("dnsrenew.dns.DnsView", return_value=dns),
        mock.patch.object(http01, "Http01", lambda *view: real(*view, listeners=listeners)),
    ):
        yield
