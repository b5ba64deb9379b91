"""Active24 and Websupport: hosting of the same name, and the signature."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.active24 import Active24
from tests.kit.hosts.stand_in import record


def test_a_service_of_another_kind_is_asked_if_there_is_no_domain() -> None:
    """The name of the kind is text for people: it may be another one, in another language."""
    with Active24() as host:
        host.kind = "doména"
        error = Work(host).failure(Work(host).add, [record("one")])
        assert error.code == "provider-zone-unknown"
        assert host.asked[-1].path.startswith("/v2/service/1/dns/record")


def test_the_path_of_another_address_is_signed_too() -> None:
    """The signature is for the path that the server sees, without its query."""
    with Active24() as host:
        work = Work(host, host.account(api=f"{host.url}/proxy"))
        error = work.failure(work.add, [record("one")])
        assert (host.asked[0].path, error.code) == ("/proxy/v1/user/self/service", "provider-zone-unknown")
