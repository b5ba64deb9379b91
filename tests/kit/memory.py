"""A host whose Internet is in memory: all of dnsrenew is real, down to its HTTP client, its DNS view and its ports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from dnsrenew.base import threads
from dnsrenew.base.model import CA, CertificateSpec, DnsAccount, Resolver
from dnsrenew.challenges import http01
from dnsrenew.challenges.http01_server import TokenResponse
from dnsrenew.config import Config
from dnsrenew.drivers.provider import OWN_OBJECT, Behaviour, Provider
from dnsrenew.errors import ChallengeError
from dnsrenew.testing import InMemoryDriver
from tests.kit.acme_server import AcmeServer, Internet
from tests.kit.dns import MemoryDns

T = TypeVar("T")


class Ports:
    """A replacement of the listeners for http-01 that opens no port.

    :param faults: listen addresses that are ``taken``, or ``lost`` between the check and the use, or ``mute``.
    :ivar contents: what is served, by token.
    """

    def __init__(self, faults: Mapping[str, str] | None = None) -> None:
        self.faults = faults or {}
        self.contents: dict[str, bytes] = {}

    def check(self, listen: str) -> None:
        """Whether it can be had."""
        self._refuse(listen, "taken")

    def add(self, listen: str, token: str, content: TokenResponse) -> None:
        """Answer a token."""
        self._refuse(listen, "lost")
        self.contents[token] = content.body

    def remove(self, listen: str, token: str, content: TokenResponse) -> None:
        """Stop answering a token."""
        del self.contents[token]

    def kept_open(self, _listens: Iterable[str]) -> contextlib.AbstractContextManager[None]:
        """Keep nothing open."""
        return contextlib.nullcontext()

    def ask(self, listen: str, token: str) -> dict[str, bytes]:
        """Return our own response for a token."""
        body = b"" if self.faults.get(listen) == "mute" else self.contents[token]
        return {listen: b"HTTP/1.1 200 OK\r\n\r\n" + body}

    def _refuse(self, listen: str, fault: str) -> None:
        if self.faults.get(listen) == fault:
            raise ChallengeError("http-port-taken", f"{listen} is taken.", fix="Free it.", evidence={"listen": listen})


@contextlib.contextmanager
def in_memory(servers: Iterable[AcmeServer], dns: MemoryDns, ports: Ports | None = None) -> Iterator[None]:
    """Let the services of the runs in this block use these CAs, this DNS and these ports."""
    internet, real = Internet(servers), http01.Http01
    listeners: Any = ports or Ports()
    with (
        mock.patch("dnsrenew.base.http.HttpClient", return_value=internet),
        mock.patch("dnsrenew.renewal.services.HttpClient", return_value=internet),
        mock.patch("dnsrenew.renewal.services.DnsView", return_value=dns),
        mock.patch("dnsrenew.extensions.doctor.after_failure.explain"),  # it looks at the real network
        mock.patch.object(http01, "Http01", lambda resources=None: real(resources, listeners)),
    ):
        yield


def host_config(
    store: Path,
    specs: Sequence[CertificateSpec],
    drivers: Mapping[str, InMemoryDriver],
    cas: Mapping[str, CA],
    *,
    behaviours: Mapping[str, Behaviour] | None = None,
    path: Path | None = None,
) -> Config:
    """Return the configuration of a host: a DNS account for each driver, and the first CA by default.

    :param path: of the configuration file; None: there is none.
    """
    accounts = {name: DnsAccount(f"host-{name}", name=name, driver=driver) for name, driver in drivers.items()}
    providers = {
        account.provider: Provider(
            name=account.provider,
            title=name,
            driver=OWN_OBJECT,
            any_options=True,
            behaviour=(behaviours or {}).get(name, Behaviour()),
        )
        for name, account in accounts.items()
    }
    return Config(
        path=path,
        store=store,
        contact=(),
        agree_terms=True,
        default_ca=next(iter(cas)),
        cas=dict(cas),
        accounts=accounts,
        providers=providers,
        resolver=Resolver(),
        certificates=tuple(specs),
    )


def _at_once(function: Callable[[], T]) -> threads.Task[T]:
    task = threads.Task(function)
    task.run()
    return task


def _all_at_once(_pool: threads.ThreadPool, functions: Sequence[Callable[[], T]]) -> list[threads.Task[T]]:
    return [_at_once(function) for function in functions]


@contextlib.contextmanager
def threads_at_once() -> Iterator[None]:
    """Run the work of a thread where the thread is started."""
    with mock.patch.object(threads, "start", _at_once), mock.patch.object(threads.ThreadPool, "start", _all_at_once):
        yield
