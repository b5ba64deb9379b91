"""Mail-in-a-Box: its address, and what a request without a value would do."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.mailinabox import MailInABox
from tests.kit.hosts.stand_in import record


def test_every_deletion_has_a_value() -> None:
    """A deletion without a value would delete all values of the name."""
    with MailInABox() as host:
        Work(host).add([record("one"), record("two")])
        Work(host).remove([record("one"), record("two"), record("three")])
        assert [asked.body for asked in host.asked if asked.method == "DELETE"] == ["one", "two"]


def test_a_wrong_address() -> None:
    """A server that is no box answers 404: the address is wrong, not the zone."""
    with MailInABox() as host:
        host.faults = {0: lambda _: (404, "<html>Not Found</html>")}
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-address-wrong"
