"""Netlify: zones on later pages."""

from __future__ import annotations

from tests.kit.host_work import Work, requests_of
from tests.kit.hosts.netlify import Netlify
from tests.kit.hosts.stand_in import FOREIGN, record


def test_a_zone_on_the_third_page() -> None:
    """The zones of an account are read until the zone is found."""
    with Netlify() as host:
        host.zones[:0] = [f"n{number}.example" for number in range(250)]
        assert requests_of(host, Work(host).add, [record("one")]) == 3 + 1 + 1
        assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
