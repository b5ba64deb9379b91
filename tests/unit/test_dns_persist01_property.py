"""Properties of every run with dns-persist-01 routes, in any world, with the real renewal and a real store."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnsrenew.base.model import CertificateSpec, Route
from dnsrenew.renewal.planner import route_key
from tests.kit.acme_server import CaBehaviour
from tests.kit.run_stage import RunStage, RunWorld

DOMAINS = ("x.test", "*.x.test", "www.x.test", "y.test")
ACCOUNTS = ("a", "b")
ALL = ("http-01", "dns-01", "dns-persist-01")
HOST_BEHAVIOURS = st.sampled_from(
    ["ok", "ok", "ok", "refuses", "half", "down", "hidden", "keeps", "one", "lost", "secretless"]
)
DNS = st.lists(st.sampled_from(ACCOUNTS), max_size=2, unique=True)
ROUTES = st.lists(
    st.builds(Route, st.sampled_from(["dns-persist-01", "dns-persist-01", "dns-01"]), dns=DNS, ca=st.just("one")),
    min_size=1,
    max_size=4,
).map(lambda routes: list({route_key(route, "one"): route for route in routes}.values()))
BEHAVIOURS = st.builds(
    CaBehaviour,
    offers=st.sampled_from([ALL, ALL, ("http-01", "dns-01")]),
    dialect=st.sampled_from(["00", "01", "02"]),
    reuses=st.booleans(),
    issuing=st.sampled_from(["", "", "", "ca-error", "ca-order-invalid"]),
)
RECORDS = st.lists(st.tuples(st.sampled_from([-10, 10, 400]), st.booleans(), st.booleans()), max_size=3)


@dataclass(frozen=True, slots=True)
class Case:
    """A certificate and its world.

    :ivar records: the records that are there: the days they are valid, whether for wildcards, whether for our account.
    """

    routes: list[Route]
    domains: list[str]
    world: RunWorld
    records: list[tuple[int, bool, bool]]
    dry_run: bool

    @property
    def spec(self) -> CertificateSpec:
        """The certificate."""
        names = tuple(self.domains)
        return CertificateSpec(name="home", domains=names, identifiers=names, ca="one", routes=tuple(self.routes))


def world(
    behaviour: CaBehaviour, hosts: Mapping[str, str], zones: Mapping[str, tuple[str, ...]], stop: int
) -> RunWorld:
    """A world with one CA and its staging CA."""
    return RunWorld({"one": behaviour, "stage": behaviour}, hosts, zones, stop=stop or None)


CASES = st.builds(
    Case,
    ROUTES,
    st.lists(st.sampled_from(DOMAINS), min_size=1, unique=True),
    st.builds(
        world,
        BEHAVIOURS,
        st.fixed_dictionaries(dict.fromkeys(ACCOUNTS, HOST_BEHAVIOURS)),
        st.fixed_dictionaries(dict.fromkeys(ACCOUNTS, st.sampled_from([(), ("x.test",), ("far.test",)]))),
        st.sampled_from([0, 0, 0, *range(1, 16)]),
    ),
    RECORDS,
    st.booleans(),
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(CASES)
def test_every_run_keeps_what_it_did_not_write(case: Case) -> None:
    """Foreign records stay, own ones are only replaced by better ones, no other value is left, and orders are few."""
    with tempfile.TemporaryDirectory() as folder:
        stage = RunStage(Path(folder), case.world)
        foreign, ours = put_records(stage, case)
        outcome = stage.run(case.spec, **({"dry_run": True} if case.dry_run else {}))
        assert outcome.error is None or outcome.error.code != "internal-error", outcome.error.evidence
        outcome.to_dict()
        held = [(name, value) for host in stage.hosts.values() for name, its in host.values.items() for value in its]
        persist = {value for name, value in held if name.startswith("_validation")}
        if "one" not in case.world.hosts.values():
            assert foreign <= persist
        written = [each["value"] for data in stage.event_data("txt-writing") for each in data["records"]]
        for text in ours - persist:
            assert not case.dry_run
            assert any(text.partition("; persistUntil")[0].removesuffix("; policy=wildcard") in new for new in written)
        for name, host in stage.hosts.items():
            tidy = host.behaviour != "keeps" and case.world.stop is None
            challenge = [values for each, values in host.values.items() if each.startswith("_acme") and values]
            assert not (tidy and challenge), name
        if case.dry_run and case.world.stop is None and "keeps" not in case.world.hosts.values():
            assert persist == foreign | ours
        ordered = sum(attempt.orders for attempt in outcome.attempts)
        assert ordered <= 2 * sum(1 if route.dns else 1 + len(ACCOUNTS) for route in case.routes) * (1 + case.dry_run)


def put_records(stage: RunStage, case: Case) -> tuple[set[str], set[str]]:
    """Set the records of the case at the first account's host. Return the foreign and the own ones."""
    url = stage._client("one").open(stage.context.for_certificate("other")) if case.records else ""
    foreign: set[str] = set()
    ours: set[str] = set()
    values: list[str] = stage.hosts["a"].values.setdefault("_validation-persist.x.test.", [])
    for days, wildcard, is_ours in case.records:
        until = int((stage.clock.now() + timedelta(days=days)).timestamp())
        account = url if is_ours else "https://acme-v02.api.letsencrypt.org/account/77"
        text = f"one.test; accounturi={account}{'; policy=wildcard' if wildcard else ''}; persistUntil={until}"
        (ours if is_ours else foreign).add(text)
        if text not in values:
            values.append(text)
    return foreign, ours
