"""A TXT value that is visible at all servers, but not to the CA: once more on the same route, then the next route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from dnsrenew.renewal import planner
from tests.kit.api_server import Api
from tests.kit.fallback_stage import DNS, attempt_rows, codes
from tests.kit.renew_stage import Stage
from tests.lab import Pebble, PebbleOptions, Query
from tests.lab.dnsforwarder import rcode
from tests.lab.workspace import Workspace

AGAIN = 0.5


@pytest.fixture
def stage(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A workspace with a short wait before the second try."""
    monkeypatch.setattr(planner, "SETTLE_AGAIN", AGAIN)
    return Stage(workspace)


NXDOMAIN = rcode(dns.rcode.NXDOMAIN)
"""The answer of a server that has not got the change."""


def old_value(query: Query) -> dns.message.Message:
    """Answer with an older value."""
    answer = dns.message.make_response(query.message)
    text = '"gfj9Xq...Rg85nM_the_value_of_another_time_0"'
    answer.answer.append(dns.rrset.from_text(query.message.question[0].name, 60, "IN", "TXT", text))
    return answer


@dataclass
class CaView:
    """How the CA sees DNS: while it is blind, TXT queries get another answer."""

    blind: bool
    what: Any = NXDOMAIN
    seen: list[str] = field(default_factory=list)

    def __call__(self, query: Query) -> Any:
        """Answer one query."""
        if query.rdtype != "TXT":
            return query.forward()
        self.seen.append(query.name)
        return self.what(query) if self.blind else query.forward()

    def open_eyes(self) -> None:
        """Answer truthfully from now on."""
        self.blind = False


@contextmanager
def ca_with_view(stage: Stage, view: CaView) -> Iterator[Pebble]:
    """Run a CA with this view of DNS, and configure it."""
    lab = stage.lab
    with lab.resolver_forwarder(view) as resolver:
        folder = Path(mkdtemp(prefix="pebble-", dir=lab.folder))
        where = f"{resolver.listen[0]}:{resolver.listen[1]}"
        with Pebble(folder, lab.ca, where, PebbleOptions()) as ca:
            stage.base["ca.lab.directory"] = ca.directory_url
            yield ca


def settled(stage: Stage) -> list[float]:
    """Return the seconds of each wait for DNS."""
    return [data["seconds"] for data in stage.event_data("dns-visible")]


@pytest.mark.parametrize("what", [NXDOMAIN, old_value], ids=["absent", "old"])
def test_the_ca_sees_nothing_and_then_the_value(stage: Stage, what: Any) -> None:
    """If the CA sees no value, a second order on the same route after a longer wait succeeds."""
    view = CaView(blind=True, what=what)
    stage.on_kind["route-failed"] = view.open_eyes
    with ca_with_view(stage, view):
        outcome = stage.renewed({"certificate.0.domains": ["seen.example.test"]})
    assert len(outcome.attempts) == 2
    assert attempt_rows(outcome)[0][:4] == attempt_rows(outcome)[1][:4] == ("lab", "dns-01", ("home",), 1)
    assert codes(outcome)[0] in {"ca-unauthorized", "ca-dns", "ca-incorrect-response"}
    first, second = settled(stage)
    assert first < AGAIN <= second
    assert len({data["url"] for data in stage.event_data("order-created")}) == 2


def test_a_value_that_is_not_visible_here_is_not_tried_again(stage: Stage) -> None:
    """If the secondary is too slow for our own check, the CA is not asked."""
    stage.lab.lag = 60.0
    view = CaView(blind=False)
    with ca_with_view(stage, view):
        outcome = stage.one({"certificate.0.propagation": {"timeout": 1}})
    stage.lab.lag = 0.0
    assert attempt_rows(outcome) == [("lab", "dns-01", ("home",), 1, "propagation-timeout")]
    assert not view.seen


def test_a_failed_http_01_is_not_tried_again(stage: Stage) -> None:
    """A failed http-01 is not tried again, because a wait does not change the answer of another web server."""
    lab = stage.lab
    lab.add_zone("wrong-web.test", "@ A 127.0.0.1")
    with ca_with_view(stage, CaView(blind=False)) as ca:
        changes = {
            "dns.home.zones": ["wrong-web.test"],
            "certificate.0.domains": ["wrong-web.test"],
            "certificate.0.routes": [{"challenge": "http-01", "webroot": str(stage.workspace.path)}, DNS],
        }
        with Api(lambda _: (200, "<h1>It works!</h1>"), port=ca.http_port):
            outcome = stage.renewed(changes)
    assert [each[1:4] for each in attempt_rows(outcome)] == [("http-01", (), 1), ("dns-01", ("home",), 1)]
