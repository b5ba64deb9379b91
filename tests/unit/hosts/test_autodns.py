"""AutoDNS: a user of another context, and a stream that is refused."""

from __future__ import annotations

import json

from tests.kit.host_work import Work, always
from tests.kit.hosts.autodns import AutoDns
from tests.kit.hosts.stand_in import record


def test_a_user_of_another_context() -> None:
    """The status 404 of an unknown user is a wrong user, not a missing zone."""
    with AutoDns() as host:
        work = Work(host, host.account(context="10"))
        assert work.failure(work.add, [record("one")]).code == "provider-unauthorized"
        assert host.asked[0].headers["X-Domainrobot-Context"] == "10"


def test_a_stream_that_failed_with_the_status_200() -> None:
    """The status in the body counts, and its text is in the error."""
    with AutoDns() as host:
        host.faults = {2: always(200, AutoDns.problem(200, "EF02022", "twice")[1])}
        error = Work(host).failure(Work(host).add, [record("one")])
        assert error.code == "provider-refused"
        assert "Zone could not be updated" in error.message


def test_a_record_is_removed_as_the_zone_has_it() -> None:
    """Another TTL, and quotes that the host added, do not hide a value: the record is named as it was read."""
    with AutoDns() as host:
        Work(host).add([record("one", ttl=60)])
        Work(host).remove([record("one")])
        (stream,) = [json.loads(asked.body) for asked in host.asked if '"rems": [{' in asked.body]
        assert [item["ttl"] for item in stream["rems"]] == [600]
