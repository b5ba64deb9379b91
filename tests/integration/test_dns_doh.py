"""DNS over HTTPS, for networks that block port 53: a small server in front of the lab's resolver."""

from __future__ import annotations

import time

import pytest

from dnsrenew.errors import DnsError, PropagationError
from tests.kit.dns_stage import ViewStage, record, until_both_serve
from tests.kit.doh_server import DohServer, resolving
from tests.lab import Lab

pytestmark = pytest.mark.leaves_txt


def test_check_doh_asks_after_settle_and_not_before(lab: Lab) -> None:
    """The DoH server is queried only after `settle`, because an earlier query would be cached as absence."""
    lab.update("example.test", add=[("doh1", "TXT", "new")])
    until_both_serve(lab, "doh1.example.test")
    with DohServer(resolving(lab)) as server:
        stage = ViewStage(lab, doh=(server.url,))
        begin = time.monotonic()
        stage.wait(record("doh1.example.test"), settle=0.4, check="doh")
        assert server.questions[0][0] - begin >= 0.4
    assert {name for _, name in server.questions} == {"doh1.example.test."}
    assert stage.servers()[""]["server"] == server.url
    assert stage.servers()[""]["state"] == "agrees"


def test_closed_name_servers_are_replaced_by_doh(lab: Lab) -> None:
    """If no name server is reachable, DoH is used. The challenge name is not queried before the values are written."""
    lab.add_zone("walled.test", ns=["127.0.0.6"])
    lab.update("walled.test", add=[("_acme-challenge", "TXT", "new")])
    until_both_serve(lab, "_acme-challenge.walled.test")
    with DohServer(resolving(lab)) as server:
        stage = ViewStage(lab, doh=(server.url,))
        assert stage.target("walled.test").name == "_acme-challenge.walled.test."
        assert server.questions == []
        stage.wait(record("_acme-challenge.walled.test"))
    assert stage.warnings == ["dns-closed"]
    assert len(server.questions) == 1


def test_without_any_recursive_server_doh_finds_the_zone(lab: Lab) -> None:
    """If the recursive server is down, DoH finds the zone, and the recursive server is not tried again."""
    with DohServer(resolving(lab)) as server:
        stage = ViewStage(lab, doh=(server.url,), nameserver=f"127.0.0.1:{lab.reserve()}")
        assert stage.target("a.example.test").served_zone == "example.test."
        assert "_acme-challenge.a.example.test." not in {name for _, name in server.questions}


def test_doh_that_never_shows_the_value_times_out(lab: Lab) -> None:
    """If DoH never shows the value, the error says what to do."""
    with DohServer(resolving(lab)) as server:
        stage = ViewStage(lab, doh=(server.url,))
        with pytest.raises(PropagationError) as caught:
            stage.wait(record("doh2.example.test"), timeout=0.2, check="doh")
    assert caught.value.code == "propagation-timeout"
    assert "answers NXDOMAIN" in caught.value.message
    assert "settle" in caught.value.fix


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(503, b"<html>", "HTTP status 503"), (200, b"<html>", "not an answer"), (200, b"", "not an answer")],
)
def test_something_else_at_the_address_is_no_answer(lab: Lab, status: int, body: bytes, reason: str) -> None:
    """HTML, an error or silence at the DoH address is tried three times, and is then an error."""
    with DohServer(lambda _: body, status) as server:
        stage = ViewStage(lab, doh=(server.url,))
        with pytest.raises(PropagationError, match=reason) as caught:
            stage.wait(record("doh3.example.test"), check="doh")
    assert caught.value.code == "dns-unreachable"
    assert len(server.questions) == 3


def test_no_dns_server_and_no_doh_server(lab: Lab) -> None:
    """If port 53 and the DoH server are unreachable, the lookup fails."""
    stage = ViewStage(lab, doh=(f"http://127.0.0.1:{lab.reserve()}/",), nameserver=f"127.0.0.1:{lab.reserve()}")
    with pytest.raises(DnsError) as caught:
        stage.target("example.test")
    assert caught.value.code == "dns-unreachable"


def test_check_doh_without_a_server_is_a_mistake(lab: Lab) -> None:
    """`check = "doh"` without a server is a mistake, and the error has the line to write."""
    with pytest.raises(PropagationError, match=r"doh = \[") as caught:
        ViewStage(lab).wait(record("doh4.example.test"), check="doh")
    assert caught.value.code == "doh-missing"
