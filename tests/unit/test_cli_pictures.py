"""The output of `renew` and `status` on a terminal, as golden pictures at 60, 80 and 120 columns."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dnsrenew.base.events import Emitter
from dnsrenew.base.model import Attempt, DeploymentResult, Outcome, OutcomeStatus, RouteTaken
from dnsrenew.cli import main, terminal
from dnsrenew.errors import AttemptError, DeployError, LockedError
from dnsrenew.schedule import detect
from dnsrenew.schedule.detect import ActiveSchedule
from tests.kit.cli_stage import FakeRenewer, FakeStatus, install
from tests.kit.clock import FakeClock

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ROUTE = RouteTaken(ca="letsencrypt", challenge="dns-01", dns=("duckdns",))
SYSTEMD, NOTHING = ActiveSchedule(True, "systemd"), ActiveSchedule(False)
HOUSE, SHOP = ("my-house.duckdns.org",), ("shop.example.org", "www.shop.example.org")
LIFE: dict[str, Any] = {"not_before": NOW - DAY, "not_after": NOW + 89 * DAY, "next_renewal": NOW + 59 * DAY}
SLOW = "1 of 2 name servers have the new value after 120 s: ns2.duckdns.org (192.0.2.2) answers NXDOMAIN."
FIX = "DNS can be slow: try again in 10 minutes, or write propagation = { timeout = 600 } in the certificate."
HFS: dict[str, Any] = {"to": "hfs", "target": "http://127.0.0.1:8080"}
REFUSED = DeployError("deploy-unreachable", "HFS at http://127.0.0.1:8080 does not answer.", fix="Start HFS.")
ERROR = AttemptError("propagation-timeout", SLOW, fix=FIX)


def stored(domains: Sequence[str], name: str = "", **more: Any) -> FakeStatus:
    """A status of a certificate at Let's Encrypt."""
    return FakeStatus(name=name or domains[0], domains=tuple(domains), ca="letsencrypt", **{**LIFE, **more})


def done(domains: Sequence[str], status: OutcomeStatus = "renewed", name: str = "", **more: Any) -> Outcome:
    """An outcome of a run."""
    name = name or domains[0]
    reason = "missing" if status == "renewed" else "renew-before"
    values: dict[str, Any] = {"reason": reason, "path": Path(f"/srv/{name}/current"), **LIFE, **more}
    return Outcome(name=name, status=status, domains=tuple(domains), **values)


def failed(domains: Sequence[str], **more: Any) -> Outcome:
    """A failure at DNS."""
    attempt = Attempt(route=ROUTE, orders=1, seconds=121.3, error=ERROR)
    return done(domains, "failed", **{"error": ERROR, "attempts": (attempt,), "next_attempt": NOW + DAY / 24, **more})


class Scene(NamedTuple):
    """A command line, the certificates or outcomes that it shows, and the active schedule."""

    line: str
    shown: Sequence[Any]
    schedule: ActiveSchedule = SYSTEMD


FLEET = [stored((f"web-{number:03}.example.org", f"www.web-{number:03}.example.org")) for number in range(4)]
FAILURE = {"time": "2026-11-27T07:00:00Z", "code": ERROR.code, "message": SLOW, "fix": FIX, "route": ROUTE.to_dict()}
TROUBLED = [
    stored(HOUSE, state="due", last_failure=FAILURE, next_attempt=NOW + DAY / 48, next_renewal=NOW - DAY / 24),
    stored(SHOP, "shop", deployed=(DeploymentResult(**HFS, ok=False, error=REFUSED),), deployment_pending=True),
    stored(("old.example.org",), state="unconfigured", next_renewal=None, reason=None),
    FakeStatus("new", ("new.example.org", "*.new.example.org"), ca="letsencrypt", state="missing", reason="missing"),
]
SCENES = {
    "one certificate, and nothing renews it": Scene("status", [stored(HOUSE)], NOTHING),
    "two, of which the CA chose a time": Scene("status", [stored(SHOP, "shop", reason="ari"), stored(HOUSE)]),
    "a name of 40 letters": Scene("status", [stored(SHOP, "a" * 40), *FLEET[:1]]),
    "a fleet in which something is wrong": Scene("status", [*FLEET, *TROUBLED]),
    "the same, where nothing tries again": Scene("status --failing", [*FLEET, *TROUBLED], NOTHING),
    "what expires soon": Scene("status --expiring 14d", [*FLEET, stored(HOUSE, not_after=NOW + 9 * DAY)]),
    "nothing expires soon": Scene("status --expiring 14d", FLEET),
    "deployments": Scene("status -v", [stored(SHOP, deployed=(DeploymentResult(**HFS, ok=True, served=True),))]),
    "the first certificate": Scene("renew", [done(HOUSE)], NOTHING),
    "the first certificate, scheduled": Scene("renew", [done(HOUSE)]),
    "a failure that nobody tries again": Scene("renew", [failed(HOUSE, **dict.fromkeys(LIFE), path=None)], NOTHING),
    "a failure that is tried again": Scene("renew", [failed(HOUSE)]),
    "failures come last": Scene(
        "renew",
        [
            failed(SHOP, name="shop"),
            done(HOUSE, "locked", error=LockedError("locked", "It is locked by process 7 on nas.", fix="Wait.")),
            done(("new.example.org",), deployed=(DeploymentResult(**HFS, ok=True, changed=True, served=True),)),
            done(("b.example.org",), deployed=(DeploymentResult(**HFS, ok=False, rolled_back=True, error=REFUSED),)),
            done(("c.example.org",), "not-due"),
        ],
    ),
    "many": Scene(
        "renew",
        [*(done((f"web-{n:03}.example.org",)) for n in range(11)), *(done((f"{n}",), "not-due") for n in range(20))],
        NOTHING,
    ),
    "nothing due": Scene("renew", [done(HOUSE, "not-due")], NOTHING),
    "deployed by hand": Scene(
        "deploy",
        [
            done(
                SHOP,
                "not-due",
                name="shop",
                deployed=(
                    DeploymentResult(**HFS, ok=True, changed=True, served=True),
                    DeploymentResult(to="files", target="/etc/nginx/shop.example.org.pem", ok=True, served=True),
                    DeploymentResult(
                        to="haproxy", target="/run/haproxy.sock", ok=False, rolled_back=True, error=REFUSED
                    ),
                ),
            ),
            done(HOUSE, "locked", error=LockedError("locked", "It is locked by process 7 on nas.", fix="Wait.")),
            done(("c.example.org",), "not-due"),
        ],
    ),
    "nothing to deploy": Scene("deploy c.example.org", [done(("c.example.org",), "not-due")]),
}


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time of Berlin, whether or not this machine knows its name; at a fixed date."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    monkeypatch.setattr("dnsrenew.cli.invocation.SystemClock", lambda: FakeClock(NOW))
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no tzset")
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """The output equals tests/unit/golden (to renew one, delete it and run this twice).

    No line is wider than the terminal.
    """
    monkeypatch.setattr(terminal.Output, "size", lambda _self: (columns, 24))
    monkeypatch.setattr(detect, "has_scheduler", lambda: True)
    pictures = []
    for title, scene in SCENES.items():

        def play(_emitter: Emitter, _cancel: threading.Event, shown: Sequence[Any] = scene.shown) -> list[Any]:
            return list(shown)

        install(FakeRenewer(play, scene.shown), None, monkeypatch.setattr, schedule=scene.schedule)
        status = main(scene.line.split())
        out, _ = capsys.readouterr()
        pictures.append(f"── {title}: {scene.line} ({status})\n{out}")
        assert max(map(len, out.splitlines())) <= columns, title
    text = "\n".join(pictures)
    golden = GOLDEN / f"results-{columns}.txt"
    if not golden.exists():
        golden.write_text(text, "utf-8", newline="\n")
        pytest.fail(f"{golden} did not exist and was written: review it")
    assert text == golden.read_text("utf-8")
