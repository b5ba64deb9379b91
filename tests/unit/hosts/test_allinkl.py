"""ALL-INKL: sessions, and the flood protection."""

from __future__ import annotations

from tests.kit.host_work import Work
from tests.kit.hosts.allinkl import AllInkl
from tests.kit.hosts.stand_in import FOREIGN, record, records


def test_the_flood_protection() -> None:
    """A request that came too soon is sent again after as many seconds as the API says."""
    with AllInkl() as host:
        host.floods = {2}
        work = Work(host)
        work.add([record("one")])
        assert host.look(FOREIGN[0]) == {"one", FOREIGN[1]}
        assert 3 <= work.context.clock.monotonic() < 4


def test_the_password_is_sent_to_log_in_only() -> None:
    """Only the log-in has the password; all other requests have the session."""
    with AllInkl() as host:
        Work(host).add(records(2))
        assert ["good-password" in asked.body for asked in host.asked] == [True, False, False, False]
