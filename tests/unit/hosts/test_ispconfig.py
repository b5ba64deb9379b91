"""ISPConfig: the remote user and its rights."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.ispconfig import IspConfig
from tests.kit.hosts.stand_in import record


def test_a_remote_user_without_the_rights() -> None:
    """A function that the remote user may not call is `provider-unauthorized`."""
    with IspConfig() as host:
        host.allowed.remove("dns_txt_get")
        assert Work(host).failure(Work(host).add, [record("one")]).code == "provider-unauthorized"
