"""The text of the metrics: read by Prometheus' own parser, with any label, and with thousands of certificates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import CertificateSpec, Deployment, rfc3339
from dnsrenew.base.values import replace
from dnsrenew.extensions.watch.metrics import STATES, CertificateNumbers, LastRun, collect, exposition
from dnsrenew.store import FolderStore
from tests.kit.clock import START, FakeClock
from tests.kit.stores import SPEC, keep
from tests.kit.watching import config_for, numbers, parsed, value

DAY = timedelta(days=1)
BEGIN = START + DAY
"""The start of certificate 1 of the kit; it lives for 90 days."""


def test_every_promised_metric_is_there() -> None:
    """Times are seconds since the epoch. Exactly one state is 1."""
    deployed = {("files", "/etc/nginx/tls"): True, ("hfs", "http://127.0.0.1:80"): False}
    one = numbers(failures=3, state="due", deployed=deployed)
    samples = parsed(exposition([one], LastRun(START + DAY, success=False)))
    assert value(samples, "certificate_not_before_seconds", name="home") == START.timestamp()
    assert value(samples, "certificate_not_after_seconds", name="home") == (START + 90 * DAY).timestamp()
    assert value(samples, "certificate_next_renewal_seconds", name="home") == (START + 60 * DAY).timestamp()
    assert value(samples, "certificate_failures", name="home") == 3
    states = {state: value(samples, "certificate_state", name="home", state=state) for state in STATES}
    assert states == {state: float(state == "due") for state in STATES}
    assert value(samples, "certificate_deployed", name="home", to="files", target="/etc/nginx/tls") == 1
    assert value(samples, "certificate_deployed", name="home", to="hfs", target="http://127.0.0.1:80") == 0
    assert value(samples, "last_run_timestamp_seconds") == (START + DAY).timestamp()
    assert value(samples, "last_run_success") == 0


def test_what_is_unknown_has_no_sample() -> None:
    """A missing certificate has no times. Before the first run there are no metrics of it."""
    missing = numbers(not_before=None, not_after=None, next_renewal=None, state="missing")
    samples = parsed(exposition([missing], None))
    assert {name for name, _ in samples} == {"dnsrenew_certificate_state", "dnsrenew_certificate_failures"}
    assert parsed(exposition([], None)) == {}


@pytest.mark.parametrize("target", ['a"b', "a\\b", "a\nb", "\\n", 'end\\"', "münchen → 东京", 'x"} 1\nfake{y="'])
def test_any_label_survives(target: str) -> None:
    """Any label survives writing and parsing, with quotes, backslashes and line feeds."""
    samples = parsed(exposition([numbers(deployed={("run", target): True})], None))
    assert value(samples, "certificate_deployed", name="home", to="run", target=target) == 1


def test_ten_thousand_certificates_in_reasonable_time() -> None:
    """The text for 10,000 certificates is made in limited time and has a line for each sample."""
    many = [numbers(f"site{number}") for number in range(10_000)]
    before = time.process_time()
    text = exposition(many, LastRun(START, success=True))
    assert time.process_time() - before < 2
    assert text.count("\n") == 10_000 * 10 + 8 * 2 + 2


# ── from the store ──────────────────────────────────────────────────────────────────────


def collected(folder: Path, *specs: CertificateSpec, days: float = 1) -> list[CertificateNumbers]:
    """Return the metrics of a store, the given number of days after the start of the certificate."""
    store, clock = FolderStore(folder), FakeClock(BEGIN + days * DAY)
    return collect(config_for(folder, *(specs or (SPEC,))), store, clock)


def test_numbers_are_those_of_the_status(tmp_path: Path) -> None:
    """The metrics have the failures and the state of each certificate."""
    store = FolderStore(tmp_path / "state")
    state = keep(store, 1)
    failure = {"time": rfc3339(BEGIN), "code": "ca-unreachable", "message": "No.", "fix": "Look."}
    store.update("home", lambda old: replace(old, failures=2, last_failure=failure), known=state)
    home, shop = collected(tmp_path / "state", SPEC, replace(SPEC, name="shop"), days=70)
    assert (home.status.state, home.failures) == ("due", 2)
    assert home.status.not_after == BEGIN + 90 * DAY
    assert (shop.status.state, shop.failures) == ("missing", 0)


def _record(**more: Any) -> Mapping[str, Any]:
    return {
        "to": "files",
        "target": "/a",
        "ok": True,
        "serial": "1",
        "time": "2026-11-26T10:00:00Z",
        "files": {},
        **more,
    }


def test_a_target_has_the_certificate_in_force_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is 0 after a failure, with an older certificate, and before the first try.

    Entries of one target share a sample.
    """
    from dnsrenew.deploy.entry import entry

    first, second, third = (
        Deployment("files", certificate=path, key=f"{path}.key", **more)
        for path, more in (("/a", {}), ("/b", {}), ("/a", {"reload": ("true",)}))
    )
    spec = replace(SPEC, deploy=(first, second, third))
    ids = [entry(one).id for one in spec.deploy]
    targets = [entry(one).target for one in spec.deploy]
    store = FolderStore(tmp_path / "state")
    state = keep(store, 1)

    def look(**records: Mapping[str, Any]) -> Mapping[tuple[str, str], bool]:
        placed = {ids[int(name[1:])]: record for name, record in records.items()}
        nonlocal state
        state = store.update("home", lambda old: replace(old, deployments=placed), known=state)
        (found,) = collected(tmp_path / "state", spec)
        return found.deployed

    good = _record(serial=state.serial, target=targets[0])
    other = {**good, "target": targets[1]}
    a, b = ("files", targets[0]), ("files", targets[1])
    assert targets[0] == targets[2]
    assert look() == {a: False, b: False}
    assert look(_0=good, _1={**other, "serial": "older"}, _2=good) == {a: True, b: False}
    assert look(_0=good, _1=other, _2={**good, "ok": False}) == {a: False, b: True}
    assert look(_0=good, _1=other, _2=good) == {a: True, b: True}
    found = {**other, "target": "/found", "ok": False}  # as of an HFS that was found
    assert look(_0=good, _1=found, _2=good) == {a: True, ("files", "/found"): False}


def test_a_state_that_cannot_be_read_counts_as_a_failure(tmp_path: Path) -> None:
    """An unreadable state counts as a failure and does not affect other certificates."""
    store = FolderStore(tmp_path / "state")
    keep(store, 1)
    path = next((tmp_path / "state").rglob("state.json"))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99').replace('"schema":1', '"schema":99'))
    home, shop = collected(tmp_path / "state", SPEC, replace(SPEC, name="shop"))
    assert (home.status.known, home.failures) == (False, 1)
    assert shop.status.state == "missing"


def test_reading_states_again_is_for_failures_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without failures each state is read once."""
    keep(FolderStore(tmp_path / "state"), 1)
    read, names = FolderStore.read_state, list[str]()

    def noted(store: FolderStore, name: str, **how: Any) -> Any:
        names.append(name)
        return read(store, name, **how)

    monkeypatch.setattr(FolderStore, "read_state", noted)
    assert [one.failures for one in collected(tmp_path / "state")] == [0]
    assert names == ["home"]
