"""Servers for the tests of drivers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from dnsrenew.base.runtime import Context
from tests.kit.clock import FakeClock
from tests.kit.drivers import LogTexts
from tests.lab.lab import Lab
from tests.lab.powerdns import PowerDns


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


@pytest.fixture
def all_logs() -> Iterator[LogTexts]:
    """All log records, as a program that logs everything gets them."""
    handler = LogTexts()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def context() -> Iterator[Context]:
    """A context whose waits take no time."""
    run = Context(clock=FakeClock())
    yield run
    run.close()
