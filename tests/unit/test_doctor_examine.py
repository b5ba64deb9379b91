"""A whole examination: it ends in time, and a failing check does not stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model import Check, Diagnosis, Route
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import Cancelled, StoreError
from dnsrenew.extensions.doctor import examine
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.host import internet
from dnsrenew.extensions.doctor.table import CheckEntry
from dnsrenew.renewal import planner
from dnsrenew.store import FolderStore, State
from tests.kit.doctor_stage import doctor_stage
from tests.kit.folders import here
from tests.kit.load import allowed

Make = Callable[[str], Check | None]


def diagnose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make, cancel: threading.Event | None = None
) -> Diagnosis:
    """The diagnosis of a certificate with a port route, whose checks are made by a function of their code."""

    def function(entry: CheckEntry) -> Callable[..., Check | None]:
        def made(_facts: Facts, **_about: Any) -> Check | None:
            return make(entry.code)

        return made

    monkeypatch.setattr(CheckEntry, "function", property(function))
    route = {"challenge": "http-01", "listen": ":80"}
    tables = {"name": "home", "domains": ["a.test"], "routes": [route]}
    config = Config.from_dict({"certificate": [tables], "agree_terms": True}, base=tmp_path)
    context = Context(clock=SystemClock(), cancel=cancel or threading.Event())
    (found,) = examine.examine(context, config, FolderStore(here(config.store)), config.certificates)
    return found


def ok(code: str) -> Check:
    """A check that found nothing wrong."""
    return Check(code, "ok", "It works.", {}, "")


def test_a_check_that_hangs_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The diagnosis ends at its deadline. A check that hangs is unknown and blocks what it can block."""
    monkeypatch.setattr(examine, "SECONDS", 0.3)
    end = threading.Event()

    def make(code: str) -> Check:
        if code == "ca-reachable":
            end.wait(20)
        return ok(code)

    began = time.monotonic()
    found = diagnose(tmp_path, monkeypatch, make)
    end.set()
    assert time.monotonic() - began < allowed(5)
    results = {check.code: (check.result, check.blocks) for check in found.checks}
    assert results["ca-reachable"] == ("unknown", ("all",))
    assert found.renewable is None
    assert {result for code, (result, _) in results.items() if code != "ca-reachable"} == {"ok"}


def test_an_error_in_a_check_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A known error is shown with its message, another one as a bug. The other checks run."""

    def make(code: str) -> Check:
        if code == "clock":
            raise ValueError("a secret may be in here")
        if code == "domain":
            raise StoreError("store-full", "The disk is full.", fix="Free some.")
        return ok(code)

    found = {check.code: check for check in diagnose(tmp_path, monkeypatch, make).checks}
    assert (found["clock"].result, found["clock"].evidence) == ("unknown", {"cause": "ValueError"})
    assert "secret" not in str(found["clock"].to_dict())
    assert (found["domain"].summary, found["domain"].fix) == ("The disk is full.", "Free some.")
    assert found["caa"].result == "ok"


def test_what_has_nothing_to_do_with_the_routes_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a route by port 80 there are no checks of DNS accounts or port 443, and none that writes."""
    codes = {check.code for check in diagnose(tmp_path, monkeypatch, ok).checks}
    assert {"port-80-free", "nat", "expiry"} <= codes
    assert not codes & {"dns-account", "txt-probe", "dns-credentials", "port-443-free", "cname", "wildcard-shadow"}


@pytest.mark.parametrize(("domains", "listed"), [(["192.0.2.7"], False), (["192.0.2.7", "a.test"], True)])
def test_ip_addresses_need_no_name_servers(tmp_path: Path, domains: list[str], listed: bool) -> None:
    """Whether this machine may query name servers is looked at only for a certificate with a name."""
    tables = {
        "ca": {"lab": {"directory": "https://ca.test/dir"}},
        "certificate": [{
            "name": "home", "domains": domains, "ca": "lab", "routes": [{"challenge": "http-01", "listen": ":80"}],
        }],
    }  # fmt: skip
    config = Config.from_dict(tables, base=tmp_path)
    facts = Facts(Context(), config, FolderStore(here(config.store)))
    codes = {entry.code for entry, *_ in examine.subjects(facts, config.certificates[0])}
    assert ("port-53" in codes, "port-80-free" in codes) == (listed, True)


@pytest.mark.parametrize(
    ("domain", "accounts"), [("x.one.test", ["one"]), ("x.two.test", ["two"]), ("elsewhere.test", ["one", "two"])]
)
def test_the_accounts_that_a_certificate_may_use(tmp_path: Path, domain: str, accounts: list[str]) -> None:
    """The accounts whose zones have the domain are used.

    Outside all zones every account is, as a CNAME may lead to it.
    """
    account = {"provider": "duckdns", "token": Secret("a-token")}
    tables = {
        "dns": {name: {**account, "zones": [f"{name}.test"]} for name in ("one", "two")},
        "certificate": [{"name": "home", "domains": [domain], "routes": [{"challenge": "dns-01"}]}],
    }
    config = Config.from_dict(tables, base=tmp_path)
    facts = Facts(Context(), config, FolderStore(here(config.store)))
    assert facts.accounts(config.certificates[0]) == accounts


def test_the_host_is_judged_by_certificates_without_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of the host look at the CAs, names and clocks of all certificates, those of a fleet too."""
    seen: list[Facts] = []

    def function(entry: CheckEntry) -> Callable[..., Check | None]:
        def made(facts: Facts, **_about: Any) -> Check | None:
            seen.append(facts)
            return ok(entry.code)

        return made

    monkeypatch.setattr(CheckEntry, "function", property(function))
    route = {"challenge": "http-01", "listen": ":80"}
    tables = {
        "ca": {"lab": {"directory": "https://ca.test/dir"}},
        "certificate": [{"name": "home", "domains": ["a.test"], "ca": "lab", "routes": [route]}],
    }
    config = Config.from_dict(tables, base=tmp_path)
    without = replace(config, certificates=())
    examine.examine(Context(clock=SystemClock()), without, FolderStore(here(config.store)), config.certificates)
    assert [spec.name for spec in seen[0].its.certificates] == ["home"]
    assert [ca.name for ca in internet.cas_used(seen[0])] == ["lab"]


def test_a_cancel_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancellation ends the diagnosis."""
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        diagnose(tmp_path, monkeypatch, ok, cancel)


def test_the_routes_are_in_the_order_of_a_run(tmp_path: Path) -> None:
    """A route that failed within a day comes after the one that led to the certificate, as `renew` tries them."""
    http, dns = Route("http-01", listen=":80"), Route("dns-01", dns="home")
    with doctor_stage(tmp_path, routes=(http, dns)) as stage:
        assert [route.challenge for route in examine.options(stage.facts, stage.spec)["a.test"]] == [
            "http-01",
            "dns-01",
        ]
        now = stage.clock.now()
        known = planner.remember_failures(State(), {planner.route_key(http, "lab"): "http-unreachable"}, now)
        known = planner.remember_success(known, [planner.route_key(dns, "lab")], now)
        stage.facts.store.update("home", lambda _: known, known=State())
        assert [route.challenge for route in examine.options(stage.facts, stage.spec)["a.test"]] == [
            "dns-01",
            "http-01",
        ]
