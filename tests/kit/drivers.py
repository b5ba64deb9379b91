"""Drivers for tests: accounts, the factory for check_driver, and log records."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from typing import Any

from dnsrenew.base.model import DnsAccount
from dnsrenew.drivers.catalogue import find_provider
from dnsrenew.drivers.loading import make_driver
from dnsrenew.drivers.protocol import Driver
from dnsrenew.drivers.provider import Provider
from tests.lab.lab import Lab
from tests.lab.powerdns import PowerDns

CANARY = "c4naryT0ken+/with=signs&and%more"
"""A secret with characters that have several encodings."""


def rfc2136_account(lab: Lab, **changes: Any) -> DnsAccount:
    """Return an account at the lab's primary."""
    options: dict[str, Any] = {
        "server": lab.dns_server,
        "tsig_name": lab.key.name,
        "tsig_algorithm": lab.key.algorithm,
        "tsig_secret": lab.key.secret,
        **changes,
    }
    return DnsAccount("rfc2136", name="home", **{key: value for key, value in options.items() if value is not None})


def powerdns_account(server: PowerDns, **changes: Any) -> DnsAccount:
    """Return an account at a PowerDNS."""
    return DnsAccount(
        "powerdns", name="pdns", **{"pdns_server": server.api_url, "auth_token": server.api_key, **changes}
    )


@functools.cache
def provider_of(name: str) -> Provider:
    """Return the provider with this name."""
    provider = find_provider(name)
    assert provider is not None
    return provider


def maker(
    account: DnsAccount, seconds: float = 30.0, provider: Provider | None = None, *, cancelled: bool = False
) -> Callable[[], Driver]:
    """Return a function that makes a new driver each time, as check_driver needs it."""
    cancel = threading.Event()
    if cancelled:
        cancel.set()
    provider = provider or provider_of(account.provider)
    run: dict[Any, Any] | None = {} if provider.driver == "lexicon" else None  # its process is for all of them
    return lambda: make_driver(provider, account, seconds_left=lambda: seconds, cancel=cancel, remembered=run)


class LogTexts(logging.Handler):
    """A handler that keeps every log record as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, formatted as any handler would."""
        self.texts.append(logging.Formatter("%(name)s %(message)s").format(record))


def assert_nothing_foreign(error: BaseException) -> None:
    """Check that no cause and no context is an exception of another library."""
    one: BaseException | None = error
    while one is not None:
        assert type(one).__module__.partition(".")[0] == "dnsrenew"
        one = one.__cause__ or one.__context__
