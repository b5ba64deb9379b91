"""Shared by the tests of drivers for HTTP APIs: writing and removing at a stand-in, and the faults of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unittest import mock

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.errors import ProviderError
from dnsrenew.testing.box.order_server import BoxValidation
from tests.kit.api_server import Answer, Asked
from tests.kit.clock import FakeClock
from tests.kit.drivers import provider_of
from tests.kit.hosts.stand_in import ZONE, Fault, HostStandIn
from tests.kit.memory_lab import MemoryLab, MemoryStage

ANYTHING = "may succeed"
"""Of an answer whose content says nothing that a driver needs, such as that to a deletion."""
HTML = "<html><body>Bad gateway</body></html>"


def always(status: int, body: object) -> Fault:
    """Return a fault that always gives this answer."""

    def answer(_: Asked) -> Answer:
        return status, body

    return answer


FAULTS: dict[str, tuple[Fault, set[str]]] = {
    "429": (always(429, {"message": "slow down"}), {"provider-rate-limited"}),
    "500": (always(500, {"message": "internal error"}), {"provider-server-error"}),
    "502 with HTML": (always(502, HTML), {"provider-server-error"}),
    "HTML in place of the answer": (always(200, HTML), {"provider-malformed-answer"}),
    "a page in another encoding": (always(200, HTML.encode("utf-16")), {"provider-malformed-answer"}),
    "an empty list": (
        always(200, []),
        {"provider-malformed-answer", "provider-refused", "provider-zone-unknown", ANYTHING},
    ),
    "another JSON": (always(200, [17, {"a": None}]), {"provider-malformed-answer", "provider-refused", ANYTHING}),
    "401": (always(401, {"message": "unauthorized"}), {"provider-unauthorized"}),
}
"""What may happen at any request, and the codes that it may come to."""
ALIKE = {"502 with HTML", "a page in another encoding"}
"""Those that differ little from the ones before them."""
each_fault = pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=pytest.mark.slow if name in ALIKE else ()) for name in FAULTS]
)


class Work:
    """Writes and removes at a stand-in, with the time of a clock that only waiting moves."""

    def __init__(self, host: HostStandIn, account: DnsAccount | None = None) -> None:
        self.context = Context(clock=FakeClock())
        self.account = host.account() if account is None else account
        self.provider = provider_of(host.provider)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        call_add(self.context, self.provider, self.account, records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        call_remove(self.context, self.provider, self.account, records)

    def outcome(
        self, action: Callable[[Sequence[TxtRecord]], None], records: Sequence[TxtRecord]
    ) -> ProviderError | None:
        """Return the error of an action, or None."""
        try:
            action(records)
        except ProviderError as error:
            return error
        return None

    def failure(self, action: Callable[[Sequence[TxtRecord]], None], records: Sequence[TxtRecord]) -> ProviderError:
        """Return the error of an action that must fail."""
        error = self.outcome(action, records)
        assert error is not None
        return error


def requests_of(host: HostStandIn, action: Callable[[Sequence[TxtRecord]], None], records: Sequence[TxtRecord]) -> int:
    """Return the number of requests that an action takes."""
    before = len(host.asked)
    action(records)
    return len(host.asked) - before


def renew_late(host: HostStandIn, lab: MemoryLab, stage: MemoryStage, domains: list[str]) -> None:
    """Obtain a certificate where the name servers of the host serve a change after ten minutes."""
    look = host.late(lab.clock, 600)
    lab.dns.zones, lab.dns.seconds, lab.dns.hosts = [ZONE], 600, {"late": mock.Mock(look=look)}
    lab.validate = BoxValidation(look, lab.http_port).validate
    account = DnsAccount(host.provider, name="home", zones=(ZONE,), **host.account().options)
    stage.base = {"dns": {"home": account}}
    stage.renewed({"certificate": [{"name": "home", "domains": domains, "propagation": {"timeout": 900}}]})
    assert lab.clock.monotonic() >= 600
