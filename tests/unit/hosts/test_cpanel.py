"""cPanel: serial numbers, portions, and which of both APIs."""

from __future__ import annotations

from dnsrenew.drivers.catalogue import check_options
from tests.kit.api_server import Answer, Asked
from tests.kit.drivers import provider_of
from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.cpanel import Cpanel
from tests.kit.hosts.stand_in import FOREIGN, ZONE, record, records


def test_a_zone_that_somebody_else_changes() -> None:
    """A change that was made in between is kept: the zone is read again."""
    with Cpanel() as host:

        def meanwhile(asked: Asked) -> Answer:
            host.serial += 1
            host.put(f"new.{ZONE}", "somebody else's")
            return host.answer(asked)

        host.faults = {1: meanwhile}
        Work(host).add([record("one")])
        assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
        assert host.look(f"new.{ZONE}")


def test_more_than_a_url_holds() -> None:
    """Each 20 values take two requests."""
    with Cpanel() as host:
        assert requests_of(host, Work(host).add, records(41)) == 6
        assert requests_of(host, Work(host).remove, records(41)) == 6
        assert len(host.values) == 2


def test_an_unknown_mode() -> None:
    """`mode` is one of two, in capital letters too; `dnsrenew check` names another one."""
    with Cpanel() as host:
        provider = provider_of("cpanel")
        assert check_options(provider, host.account(mode="WHM").options) == []
        (mistake,) = check_options(provider, host.account(mode="plesk").options)
        assert (mistake.key, mistake.expected) == ("mode", "cpanel or whm")
