"""The doctor's checks of DNS accounts and its test value, with hosts in memory and a real store."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dnsrenew.base.model import Check, Propagation, Route, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.challenges.leftovers import Leftovers, cleanup
from dnsrenew.challenges.records import writers_of
from dnsrenew.drivers.provider import Behaviour, OptionSpec, Provider
from dnsrenew.errors import Cancelled, LockedError, PropagationError, ProviderError
from dnsrenew.extensions.doctor.accounts import accounts, probe
from dnsrenew.extensions.doctor.accounts.probe import ProbedZone, ProbeResult, judge_credentials, judge_probe
from dnsrenew.store.zone_locks import ZoneLocks
from tests.kit.clock import FakeClock
from tests.kit.dns import Host
from tests.kit.doctor_stage import DoctorStage, account, doctor_stage

DNS = ("dns-01",)
FOREIGN = TxtRecord("a.test.", "_acme-challenge.a.test.", "another value", 60)
ONE = Behaviour(values="one")


# ── secrets ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("secret", "result"),
    [
        (Secret("canary-1234"), "ok"),
        (Secret.env("NO_SUCH_VARIABLE_HERE"), "bad"),
        (Secret.file("/no/such/file"), "bad"),
        (Secret.command([sys.executable, "-c", "raise SystemExit(3)"]), "bad"),
        (Secret.command([sys.executable, "-c", "print('canary-5678')"]), "ok"),
    ],
)
def test_secrets(tmp_path: Path, secret: Secret, result: str) -> None:
    """A secret is read as by a renewal and is never shown."""
    with doctor_stage(tmp_path) as stage:
        account(stage, "home").options["token"] = secret
        check = accounts.secrets(stage.facts, "home")
        assert stage.facts.context.redactor.redact("canary-1234") == (
            "•••" if secret == Secret("canary-1234") else "canary-1234"
        )
    assert (check.code, check.result, check.evidence["dns"]) == ("secrets", result, "home")
    assert check.blocks == (DNS if result == "bad" else ())
    assert "canary" not in str(check)


def test_a_secret_of_another_form(tmp_path: Path) -> None:
    """A value that cannot be a token is found without asking the host. The check does not show it."""
    with doctor_stage(tmp_path) as stage:
        account(stage, "home").options["token"] = Secret("token = canary")
        host = stage.config.providers["host-home"]
        known = replace(host, options={"token": OptionSpec(secret=True, pattern="[a-f0-9]+", form="the token alone")})
        stage.config.providers["host-home"] = known  # type: ignore[index]  # a dict, seen as a Mapping
        check = accounts.secrets(stage.facts, "home")
    assert check.result == "bad"
    assert "canary" not in str(check)


def test_a_secret_that_waits_for_a_person(tmp_path: Path) -> None:
    """A secret's program that hangs is ended, and the result is unknown."""
    with doctor_stage(tmp_path, clock=FakeClock(tick=1.0)) as stage:
        waits = [sys.executable, "-c", "import time; time.sleep(60)"]
        account(stage, "home").options["token"] = Secret.command(waits)
        check = accounts.secrets(stage.facts, "home")
    assert (check.result, check.blocks) == ("unknown", DNS)


# ── dns-account ─────────────────────────────────────────────────────────────────────────


def test_every_name_has_an_account(tmp_path: Path) -> None:
    """The check is ok if each name has an account by its zone or by a CNAME."""
    with doctor_stage(
        tmp_path,
        domains=("a.test", "*.b.test", "c.test"),
        hosts={"one": Host(), "two": Host()},
        zones={"one": ("a.test",), "two": ("b.test",)},
        dns={"cnames": {"_acme-challenge.c.test.": "c.b.test."}},
    ) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.blocks) == ("ok", ())
    assert check.evidence["accounts"] == {"a.test": ["one"], "*.b.test": ["two"], "c.test": ["two"]}


def test_a_name_without_an_account(tmp_path: Path) -> None:
    """Only dns-01 is blocked, and only the name outside all zones is named."""
    with doctor_stage(tmp_path, domains=("a.test", "b.test"), zones={"home": ("a.test",)}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.blocks, check.evidence["names"]) == ("bad", DNS, ["b.test"])
    assert check.evidence["zones"] == ["a.test"]


def test_one_route_that_fits_is_enough(tmp_path: Path) -> None:
    """One route with a fitting account is enough."""
    routes = (Route("dns-01", dns="one"), Route("dns-01", dns="two"))
    hosts = {"one": Host(), "two": Host()}
    with doctor_stage(tmp_path, hosts=hosts, routes=routes, zones={"one": ("b.test",)}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.evidence["accounts"]) == ("ok", {"a.test": ["two"]})


def test_no_account_at_all(tmp_path: Path) -> None:
    """Without any account the check is bad."""
    with doctor_stage(tmp_path, hosts={}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.evidence["zones"]) == ("bad", [])


def test_names_whose_dns_does_not_answer(tmp_path: Path) -> None:
    """If the DNS of a name does not answer, it is unknown whether the account may write."""
    with doctor_stage(tmp_path, domains=("a.test", "b.test"), dns={"lost": ["b.test"]}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.blocks, check.evidence["names"]) == ("unknown", DNS, ["b.test"])


def test_a_route_that_needs_a_person(tmp_path: Path) -> None:
    """A route by hand is unknown, as it works at a terminal only; without another account `delegate` cannot help."""
    domains = ("a.test", "*.a.test")
    with doctor_stage(tmp_path, domains=domains, behaviours={"home": Behaviour(by_hand=True)}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.blocks, check.evidence["by_hand"]) == ("unknown", DNS, ["home"])
    assert check.evidence["names"] == list(domains)
    assert "by hand" in check.summary
    assert ("`dnsrenew providers --search WORD`" in check.fix, "delegate" in check.fix) == (True, False)


def test_a_person_and_names_whose_dns_does_not_answer(tmp_path: Path) -> None:
    """Names without DNS and names of a route by hand are reported together as unknown."""
    behaviours = {"home": Behaviour(by_hand=True)}
    with doctor_stage(tmp_path, domains=("a.test", "b.test"), behaviours=behaviours, dns={"lost": ["b.test"]}) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.evidence["names"]) == ("unknown", ["a.test", "b.test"])
    assert "manual-no-terminal" in check.evidence["errors"]


def test_an_account_that_no_cname_leads_to(tmp_path: Path) -> None:
    """An account without its CNAME cannot write, which is bad. The fix names the command."""
    behaviours = {"home": Behaviour(delegated=True)}
    with doctor_stage(tmp_path, domains=("*.a.test",), behaviours=behaviours) as stage:
        check = accounts.dns_account(stage.facts, stage.spec)
    assert (check.result, check.blocks, check.evidence["delegated"]) == ("bad", DNS, ["home"])
    assert "_acme-challenge.a.test" in check.summary
    assert "dnsrenew delegate a.test`:" in check.fix


@pytest.mark.parametrize(
    ("provider", "options", "code"),
    [
        (Provider(name="x", title="X", driver="no-such-driver"), {}, "driver-missing"),
        (Provider(name="x", title="X", driver="rfc2136", any_options=True), {"server": "::::"}, "option-invalid"),
    ],
)
def test_a_driver_that_cannot_be_made(tmp_path: Path, provider: Provider, options: dict[str, str], code: str) -> None:
    """A driver that is not installed or has a wrong option makes the account bad."""
    with doctor_stage(tmp_path) as stage:
        stage.config.providers["host-home"] = provider  # type: ignore[index]  # a dict, seen as a Mapping
        account(stage, "home").options.update(options)
        check = probe.dns_account(stage.facts, "home")
    assert check is not None
    assert (check.result, check.blocks, check.evidence) == ("bad", DNS, {"dns": "home", "error": code})


def test_a_driver_that_works(tmp_path: Path) -> None:
    """A working driver gives no check. A missing secret is reported by another check."""
    with doctor_stage(tmp_path) as stage:
        assert probe.dns_account(stage.facts, "home") is None
        account(stage, "home").options["token"] = Secret.env("NO_SUCH_VARIABLE_HERE")
        assert probe.dns_account(stage.facts, "home") is None


# ── the test value ──────────────────────────────────────────────────────────────────────


def probed(stage: DoctorStage, name: str = "home") -> Check:
    """The check of the test value."""
    check = probe.txt_probe(stage.facts, stage.spec, name)
    assert check is not None
    return check


def credentials(stage: DoctorStage, name: str = "home") -> Check:
    """The check of the credentials."""
    check = probe.dns_credentials(stage.facts, stage.spec, name)
    assert check is not None
    return check


def test_a_value_is_written_seen_and_removed(tmp_path: Path) -> None:
    """One test value is written for each zone, seen and removed. Both checks share it."""
    host = Host()
    host.add([FOREIGN])
    with doctor_stage(tmp_path, domains=("a.test", "*.a.test", "b.test"), hosts={"home": host}) as stage:
        stage.dns.seconds = 2.0
        check = probed(stage)
        assert credentials(stage).result == "ok"
        assert (check.result, check.blocks) == ("ok", ())
        assert check.evidence["records"] == ["_acme-challenge.a.test", "_acme-challenge.b.test"]
        assert check.evidence["visible_seconds"] == 2.0
        assert (check.evidence["may_add"], check.evidence["may_remove"]) == (True, True)
        assert len(stage.dns.waits) == 1
        assert stage.dns.waits[0]["settle"] == 0.0
        assert all(len(record.value) == 43 for record in stage.dns.waits[0]["records"])
        assert stage.journal() == []
    assert host.values == {FOREIGN.name: [FOREIGN.value]}


def test_a_host_that_refuses(tmp_path: Path) -> None:
    """A host that refuses blocks the names of its zone. No value is left."""
    with doctor_stage(tmp_path, hosts={"home": Host("refuses")}) as stage:
        check = probed(stage)
        assert (check.result, check.blocks, check.evidence["names"]) == ("bad", DNS, ["a.test"])
        assert check.evidence["may_add"] is False
        assert (credentials(stage).result, credentials(stage).blocks) == ("unknown", ())
        assert stage.journal() == []


def test_a_host_that_does_not_remove(tmp_path: Path) -> None:
    """A host that does not remove values is bad but blocks nothing. The journal keeps the value for cleanup."""
    host = Host("keeps")
    with doctor_stage(tmp_path, hosts={"home": host}) as stage:
        check = probed(stage)
        assert (check.result, check.blocks, check.evidence["may_remove"]) == ("bad", (), False)
        assert len(stage.journal()) == 1
        host.behaviour = "ok"
        its = stage.config
        locks, journal = ZoneLocks(stage.facts.store), stage.facts.store.journal
        writers, served = writers_of(its.accounts, its.providers), stage.facts.dns.values
        swept = cleanup(Context(clock=stage.clock), Leftovers(journal, writers, locks, served))
        assert len(swept.removed) == 1
    assert host.values == {}


def test_a_value_that_is_not_seen(tmp_path: Path) -> None:
    """A value that is not visible before the time-out is bad. It is removed."""
    host = Host("hidden")
    with doctor_stage(tmp_path, hosts={"home": host}) as stage:
        check = probed(stage)
        assert (check.result, check.blocks) == ("bad", DNS)
        assert credentials(stage).result == "ok"
    assert host.values == {}


def test_a_wait_that_is_cut_short_proves_nothing(tmp_path: Path) -> None:
    """If the diagnosis ends before the host's time-out, the result is unknown."""
    with doctor_stage(tmp_path, hosts={"home": Host("hidden")}) as stage:
        stage.facts.context = stage.facts.context.within(100)
        check = probed(stage)
        assert stage.dns.waits[0]["timeout"] == 90.0
    assert (check.result, check.blocks) == ("unknown", DNS)


class Unauthorized(Host):
    """A host that answers with a status."""

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Refuse."""
        response = type("Response", (), {"status_code": 403, "text": "bad token canary-1234", "headers": {}})()
        error = RuntimeError("refused")
        error.response = response  # type: ignore[attr-defined]  # as requests does
        raise error


def test_credentials_that_a_host_refuses(tmp_path: Path) -> None:
    """The check shows the status and the host's page. The secret is hidden."""
    with doctor_stage(tmp_path, hosts={"home": Unauthorized()}) as stage:
        account(stage, "home").options["token"] = Secret("canary-1234")
        host = replace(stage.config.providers["host-home"], website="https://host.test")
        stage.config.providers["host-home"] = host  # type: ignore[index]  # a dict, seen as a Mapping
        check, value = credentials(stage), probed(stage)
    assert (check.result, check.blocks, check.evidence["status"]) == ("bad", DNS, 403)
    assert "https://host.test" in check.fix
    assert (value.result, value.evidence["error"]) == ("bad", "provider-unauthorized")
    assert "canary" not in f"{check}{value}"


def test_a_host_that_keeps_one_value_in_use(tmp_path: Path) -> None:
    """A host that keeps one value is not tested while it has one, which the test would replace."""
    host = Host(one=True)
    host.add([FOREIGN])
    with doctor_stage(tmp_path, hosts={"home": host}, behaviours={"home": ONE}) as stage:
        check = probed(stage)
        assert credentials(stage).result == "unknown"
    assert (check.result, check.blocks) == ("unknown", ())
    assert host.values == {FOREIGN.name: [FOREIGN.value]}


def test_a_host_that_keeps_one_value(tmp_path: Path) -> None:
    """A host that keeps one value is tested if it has none."""
    host = Host(one=True)
    with doctor_stage(tmp_path, hosts={"home": host}, behaviours={"home": ONE}) as stage:
        assert probed(stage).result == "ok"
    assert host.values == {}


def test_a_zone_that_a_run_uses(tmp_path: Path) -> None:
    """Nothing is written while a renewal uses the zone."""
    host = Host(one=True)
    with doctor_stage(tmp_path, hosts={"home": host}, behaviours={"home": ONE}) as stage:
        name = "_acme-challenge.a.test."
        with stage.facts.store.lock_zone(name, context=Context()):
            check = probed(stage)
    assert (check.result, check.blocks) == ("unknown", ())
    assert stage.dns.waits == []


def test_two_accounts_of_one_route_write_together(tmp_path: Path) -> None:
    """Two hosts of one zone are tested together, because the value is visible only if both have it."""
    hosts = {"one": Host(), "two": Host()}
    with doctor_stage(tmp_path, hosts=hosts, routes=(Route("dns-01", dns=("one", "two")),)) as stage:
        assert [probed(stage, name).result for name in hosts] == ["ok", "ok"]
        assert len(stage.dns.waits) == 1
    assert [host.values for host in hosts.values()] == [{}, {}]


def test_the_other_account_is_not_blamed(tmp_path: Path) -> None:
    """Only the account whose host refused is bad."""
    hosts = {"one": Host("refuses"), "two": Host()}
    with doctor_stage(tmp_path, hosts=hosts, routes=(Route("dns-01", dns=("one", "two")),)) as stage:
        assert [probed(stage, name).result for name in hosts] == ["bad", "unknown"]
    assert hosts["two"].values == {}


def test_an_account_that_writes_nowhere(tmp_path: Path) -> None:
    """An account without a fitting zone has no such check: another one reports it."""
    with doctor_stage(tmp_path, zones={"home": ("b.test",)}) as stage:
        assert probe.txt_probe(stage.facts, stage.spec, "home") is None
        assert probe.dns_credentials(stage.facts, stage.spec, "home") is None


def test_nobody_looks_if_the_user_says_so(tmp_path: Path) -> None:
    """With ``propagation.check = "none"`` only the write access is tested."""
    with doctor_stage(tmp_path) as stage:
        spec = replace(stage.spec, propagation=Propagation(check="none"))
        check = probe.txt_probe(stage.facts, spec, "home")
    assert check is not None
    assert (check.result, stage.dns.waits[0]["check"]) == ("ok", "none")


def test_a_cancel_takes_the_value_back(tmp_path: Path) -> None:
    """Ctrl-C during the wait removes the value before the diagnosis is closed."""
    reached, closing = threading.Event(), threading.Event()

    def slow(call: Callable[[], None]) -> None:
        if reached.is_set():
            assert closing.wait(3)
        call()

    host = Host(around=slow)
    with doctor_stage(tmp_path, hosts={"home": host}) as stage:

        def interrupt(context: Context, _records: object, **_how: object) -> None:
            assert host.values
            stage.facts.context.cancel.set()
            reached.set()
            context.check()

        stage.dns.wait_visible = interrupt  # type: ignore[method-assign,assignment]  # the moment of the cancel
        with pytest.raises(Cancelled):
            probed(stage)
        threading.Timer(0.1, closing.set).start()
        stage.facts.close()
        assert host.values == {}
        assert stage.journal() == []


def test_the_time_of_a_test(tmp_path: Path) -> None:
    """The time limit is the hosts' longest time-out, unless the certificate has one."""
    behaviours = {"home": Behaviour(propagation_timeout=300)}
    with doctor_stage(tmp_path, behaviours=behaviours) as stage:
        spec = replace(stage.spec, propagation=Propagation(timeout=45))
        assert probe.propagation_limit(stage.config, stage.spec) == 300
        assert probe.propagation_limit(stage.config, spec) == 45


ZONE = ProbedZone("a.test", "_acme-challenge.a.test", ("a.test",), write_seconds=0.1)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (ProbeResult(zones=(ZONE,), visible_seconds=1.0, removes=False), ("ok", ())),
        (ProbeResult(zones=(ZONE,), unseen=PropagationError("dns-unreachable", "No.", fix="")), ("unknown", DNS)),
        (ProbeResult(zones=(replace(ZONE, error=ProviderError("provider-timeout", "No.", fix="")),)), ("unknown", DNS)),
        (
            ProbeResult(zones=(replace(ZONE, error=ProviderError("provider-zone-unknown", "No.", fix="")),)),
            ("bad", DNS),
        ),
        (ProbeResult(zones=(ZONE,), locked=LockedError("locked", "No.", fix="")), ("unknown", ())),
    ],
)
def test_verdicts_of_a_test(result: ProbeResult, expected: tuple[str, tuple[str, ...]]) -> None:
    """An uncertain result is unknown."""
    check = judge_probe(result, "home")
    assert (check.result, check.blocks) == expected


def test_credentials_without_a_status() -> None:
    """An error without an HTTP status is shown with its own message and fix."""
    error = ProviderError("provider-unauthorized", "The key is wrong.", fix="Compare it.", evidence={"account": "home"})
    found = ProbeResult(zones=(replace(ZONE, error=error),))
    check = judge_credentials(found, "home", Provider(name="x", title="X", driver="rfc2136", website="https://x.test"))
    assert (check.result, check.summary, check.fix) == ("bad", "The key is wrong.", "Compare it.")


def test_an_account_is_not_said_to_write_before_a_test() -> None:
    """Without `--probe` the check says that the account was not tested."""
    placed = accounts.AccountPlacements({}, {})
    assert "(not tested)" in accounts.judge_placements(placed).summary
    assert "not tested" not in accounts.judge_placements(placed, is_tested=True).summary
