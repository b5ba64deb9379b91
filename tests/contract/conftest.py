"""Servers for the drivers' tests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dnsrenew.drivers import Driver, find_provider
from dnsrenew.drivers.loading import make_driver
from dnsrenew.model import DnsAccount
from dnsrenew.runtime.context import Context
from tests.lab.lab import Lab
from tests.lab.powerdns import PowerDns

CANARY = "c4naryT0ken+/with=signs&and%more"
"""A secret with characters that travel in several spellings."""


@pytest.fixture(scope="module")
def bind() -> Iterator[Lab]:
    """A primary and a secondary, for RFC 2136."""
    with Lab.start() as lab:
        yield lab


@pytest.fixture(scope="module")
def powerdns(bind: Lab) -> Iterator[PowerDns]:
    """A PowerDNS with an empty zone pdns.test."""
    with bind.powerdns() as server:
        server.add_zone("pdns.test", (server.address,))
        yield server


def rfc2136_account(lab: Lab, **changes: Any) -> DnsAccount:
    """An account at the lab's primary."""
    options: dict[str, Any] = {
        "server": lab.dns_server,
        "tsig_name": lab.key.name,
        "tsig_algorithm": lab.key.algorithm,
        "tsig_secret": lab.key.secret,
        **changes,
    }
    return DnsAccount("rfc2136", name="home", **{key: value for key, value in options.items() if value is not None})


def powerdns_account(server: PowerDns, **changes: Any) -> DnsAccount:
    """An account at a PowerDNS."""
    return DnsAccount(
        "powerdns", name="pdns", **{"pdns_server": server.api_url, "auth_token": server.api_key, **changes}
    )


def maker(account: DnsAccount, seconds: float = 30.0) -> Callable[[], Driver]:
    """What check_driver wants: makes a new driver each time."""
    provider = find_provider(account.provider)
    assert provider is not None
    return lambda: make_driver(provider, account, seconds_left=lambda: seconds, cancel=threading.Event())


class Kept(logging.Handler):
    """Every log record, as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, as any handler would write it."""
        self.texts.append(logging.Formatter("%(name)s %(message)s").format(record))


@pytest.fixture
def all_logs() -> Iterator[Kept]:
    """What reaches a host program that logs everything."""
    handler = Kept()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def context() -> Context:
    """A context that waits in real time."""
    return Context()
