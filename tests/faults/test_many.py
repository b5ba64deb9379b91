"""Many certificates in one run: one that fails or hangs delays no other, and exclusive hosts get one change at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dnsrenew import Event, Outcome
from dnsrenew.base import runtime as context
from tests.kit.api_server import Api
from tests.kit.renew_stage import Stage, certificates
from tests.lab import Query
from tests.lab.dnsforwarder import delay

WORKERS = 8
NARROW = """
title = "A host that takes one change at a time"
driver = "rfc2136"
[options.server]
[options.tsig_name]
[options.tsig_algorithm]
[options.tsig_secret]
secret = true
[behaviour]
exclusive = true
"""
BUSY = """
title = "A host that has no time"
driver = "lexicon"
[driver_options]
provider = "powerdns"
[options.pdns_server]
[options.auth_token]
secret = true
"""


def sound_certificates(count: int) -> list[dict[str, Any]]:
    """Return the tables of this number of certificates that can be obtained."""
    return certificates(*(f"good{number:02}" for number in range(count)))


def routed_by(account: str) -> dict[str, Any]:
    """Return a route by this account only."""
    return {"routes": [{"challenge": "dns-01", "dns": account}]}


def provide(stage: Stage, name: str, file: str) -> None:
    """Write a provider file of the user."""
    folder = stage.workspace.path / "providers"
    folder.mkdir()
    (folder / f"{name}.toml").write_text(file)


class Until:
    """Cancels the run after this number of certificates, and records the order in which they finished."""

    def __init__(self, stage: Stage, count: int) -> None:
        self.cancel = threading.Event()
        self.finished: list[str | None] = []
        self._count = count
        self._heard = stage._heard
        stage._heard = self  # type: ignore[method-assign]

    def __call__(self, event: Event) -> None:
        """Receive an event, as the stage does."""
        self._heard(event)
        if event.kind == "certificate-finished":
            self.finished.append(event.certificate)
            if len(self.finished) == self._count:
                self.cancel.set()


def by_status(outcomes: list[Outcome]) -> dict[str, list[str]]:
    """Return the names of each status, in the order of the outcomes."""
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.status, []).append(outcome.name)
    return found


def test_a_certificate_that_fails_or_hangs_delays_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that fail or hang come first in the file, and all others are renewed while they hang.

    More certificates use the silent host than there are workers. The outcomes have the order of the file.
    """
    monkeypatch.setattr(context, "LONG", 0.5)
    lab, wanted = stage.lab, 36
    lab.add_zone("nobodys.test", refuse=True)
    silent_ca, gone = lab.reserve(), lab.reserve()
    unresponsive = [f"deaf-host{number:02}" for number in range(WORKERS + 2)]
    trouble = [
        {"name": "deaf-ca", "domains": ["deaf-ca.example.test"], "ca": "deaf"},
        {"name": "no-ca", "domains": ["no-ca.example.test"], "ca": "gone"},
        *({"name": name, "domains": [f"{name}.example.test"], **routed_by("deaf")} for name in unresponsive),
        {"name": "refused", "domains": ["nobodys.test"], **routed_by("refused")},
    ]
    account = lab.config(stage.base)["dns"]["home"]
    listed = [*trouble, *sound_certificates(wanted)]
    with lab.silent("127.0.0.5") as host, lab.silent("127.0.0.1", silent_ca):
        ca = {"trust": str(lab.ca.trust_pem)}
        until = Until(stage, len(listed) - len(unresponsive) - 1)
        outcomes = stage.run(
            {
                "certificate": listed,
                "ca.deaf": {**ca, "directory": f"https://127.0.0.1:{silent_ca}/dir"},
                "ca.gone": {**ca, "directory": f"https://127.0.0.1:{gone}/dir"},
                "dns.deaf": {**account, "server": f"{host.address}:{host.port}"},
                "dns.refused": {**account, "zones": ["nobodys.test"]},
            },
            workers=WORKERS,
            cancel=until.cancel,
        )
    assert [outcome.name for outcome in outcomes] == [certificate["name"] for certificate in listed]
    assert by_status(outcomes) == {
        "interrupted": ["deaf-ca", *unresponsive],
        "failed": ["no-ca", "refused"],
        "renewed": [certificate["name"] for certificate in sound_certificates(wanted)],
    }
    assert set(until.finished[-1 - len(unresponsive) :]) == {"deaf-ca", *unresponsive}


def test_a_cancel_stops_many_certificates(stage: Stage) -> None:
    """After a cancel, certificates at work remove their values, no other starts, and each has an outcome."""
    listed = sound_certificates(36)
    until = Until(stage, 1)
    outcomes = stage.run({"certificate": listed}, workers=WORKERS, cancel=until.cancel)
    assert [outcome.name for outcome in outcomes] == [certificate["name"] for certificate in listed]
    assert {outcome.status for outcome in outcomes} == {"renewed", "interrupted"}
    # A certificate that was nearly finished may still be renewed.
    assert len(by_status(outcomes)["renewed"]) <= WORKERS
    assert not list((stage.workspace.store / "journal").iterdir())


class OneAtATime:
    """A DNS host that counts the changes that are made at the same moment."""

    def __init__(self) -> None:
        self._slowly = delay(0.02)
        self.changes = 0
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Count one change."""
        with self._lock:
            self.changes += 1
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1

    def __call__(self, query: Query) -> bytes:
        """Forward the query, slowly."""
        with self.changing():
            return self._slowly(query)


def test_a_host_that_takes_one_change_at_a_time_gets_one_at_a_time(stage: Stage) -> None:
    """Of eight workers in one zone of an exclusive host, only one writes at a time."""
    provide(stage, "narrow", NARROW)
    host, wanted = OneAtATime(), 16
    with stage.lab.forwarder("127.0.0.3", host) as forwarder:
        server = f"{forwarder.listen[0]}:{forwarder.listen[1]}"
        outcomes = stage.run(
            {"certificate": sound_certificates(wanted), "dns.home.provider": "narrow", "dns.home.server": server},
            workers=WORKERS,
        )
    assert [outcome.status for outcome in outcomes] == ["renewed"] * wanted
    assert host.changes == 2 * wanted
    assert host.most == 1


def test_a_host_that_hangs_is_not_waited_for_by_every_certificate(stage: Stage) -> None:
    """If a host hangs, most of its later certificates order nothing instead of waiting for it too."""
    provide(stage, "busy", BUSY)
    hanging = certificates(*(f"hanging{number:02}" for number in range(2 * WORKERS)), **routed_by("busy"))
    with Api(lambda _: (408, "")) as server:
        busy = {"provider": "busy", "auth_token": "token", "pdns_server": server.url}
        listed = [*hanging, *sound_certificates(4)]
        outcomes = stage.run({"certificate": listed, "dns.busy": busy, "dns.home.zones": None}, workers=WORKERS)
    assert [outcome.status for outcome in outcomes] == ["failed"] * len(hanging) + ["renewed"] * 4
    failed = outcomes[: len(hanging)]
    assert {outcome.error and outcome.error.code for outcome in failed} == {"provider-timeout"}
    assert sum(outcome.attempts[0].orders for outcome in failed) < len(failed)
