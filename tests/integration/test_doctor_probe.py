"""The doctor's test value at real name servers and hosts: written, seen everywhere, removed; also after a kill."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dns.message
import pytest

from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.extensions.doctor.accounts import accounts, probe
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.store import FolderStore
from tests.kit.duckdns import PROVIDERS, DuckDns, DuckDnsZone, add_zone
from tests.kit.folders import here
from tests.kit.renew_stage import until
from tests.lab import Lab, Query
from tests.lab.workspace import Workspace

DNS = ("dns-01",)
NAME = "_acme-challenge.example.test"
Make = Callable[..., Facts]

KILLED = """
import os, signal, sys
from dnsrenew.config import Config
from dnsrenew.extensions.doctor.accounts import probe
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.events import Emitter
from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore

def die(event):
    if event.kind == "txt-written":
        os.kill(os.getpid(), signal.SIGKILL)

config = Config.load("dnsrenew.toml")
context = Context(emitter=Emitter(SystemClock(), die)).within(60)
probe.txt_probe(Facts(context, config, FolderStore(config.store)), config.certificates[0], "home")
"""
"""An examination that is killed as soon as its value is in DNS."""


@pytest.fixture
def facts(lab: Lab, tmp_path: Path) -> Iterator[Make]:
    """Create the facts of the lab's configuration, with changes."""
    made: list[Facts] = []

    def make(changes: Mapping[str, Any] | None = None) -> Facts:
        settings = {"dns.home.tsig_secret": lab.key.secret, **(changes or {})}
        config = Config.from_dict(lab.config(settings), base=tmp_path)
        made.append(Facts(Context().within(60), config, FolderStore(here(config.store))))
        return made[-1]

    yield make
    for each in made:
        each.close()


def spec_of(found: Facts) -> CertificateSpec:
    """Return the certificate of the facts."""
    return found.its.certificates[0]


def probed(found: Facts, name: str = "home") -> tuple[Check, Check]:
    """The checks of the credentials and of the test value."""
    credentials = probe.dns_credentials(found, spec_of(found), name)
    value = probe.txt_probe(found, spec_of(found), name)
    assert credentials is not None
    assert value is not None
    return credentials, value


def journal(found: Facts) -> list[Path]:
    """The entries of the journal."""
    return list((here(found.its.store) / "journal").glob("*.json"))


def test_a_value_at_bind(lab: Lab, facts: Make) -> None:
    """The test value is ok only when the secondary has it too. It is removed, and the foreign value stays."""
    lab.lag = 0.6
    found = facts()
    credentials, value = probed(found)
    assert (credentials.result, value.result) == ("ok", "ok")
    assert value.evidence["visible_seconds"] > 0.4
    assert value.evidence["records"] == [NAME]
    assert lab.txt(NAME) == set()
    assert journal(found) == []


def test_a_wrong_tsig_key(facts: Make) -> None:
    """A wrong TSIG key blocks dns-01, and nothing is written."""
    found = facts({"dns.home.tsig_secret": "d3Jvbmcgc2VjcmV0IG9mIHRoZSBrZXk="})
    credentials, value = probed(found)
    assert (credentials.result, credentials.blocks) == ("bad", DNS)
    assert credentials.evidence["error"] == "provider-unauthorized"
    assert (value.result, value.blocks, value.evidence["may_add"]) == ("bad", DNS, False)
    assert journal(found) == []


def test_a_key_that_may_not_write(lab: Lab, facts: Make) -> None:
    """If a key may write only one of two zones, only the names of the other zone are bad."""
    lab.add_zone("closed-doctor.test", refuse=True)
    certificate = [{"name": "home", "domains": ["example.test", "closed-doctor.test", "*.closed-doctor.test"]}]
    found = facts({"dns.home.zones": ["example.test", "closed-doctor.test"], "certificate": certificate})
    assert accounts.dns_account(found, spec_of(found)).result == "ok"
    credentials, value = probed(found)
    assert credentials.evidence["error"] == "provider-unauthorized"
    assert (value.result, value.evidence["names"]) == ("bad", ["closed-doctor.test", "*.closed-doctor.test"])
    assert lab.txt(NAME) == set()


def test_a_server_that_lags_too_long(lab: Lab, facts: Make) -> None:
    """A value that is not at all servers before the certificate's time-out is bad, and is removed."""
    with never_shows(lab, "slow-doctor.test") as zone:
        certificate = [{"name": "home", "domains": [zone], "propagation": {"timeout": 1}}]
        found = facts({"dns.home.zones": [zone], "certificate": certificate})
        credentials, value = probed(found)
    assert credentials.result == "ok"
    assert (value.result, value.evidence["error"]) == ("bad", "propagation-timeout")
    assert lab.txt(f"_acme-challenge.{zone}") == set()


@contextlib.contextmanager
def never_shows(lab: Lab, zone: str) -> Iterator[str]:
    """Make a zone whose second server never shows a TXT value."""
    lab.add_zone(zone, ns=("127.0.0.1", "127.0.0.3"))

    def without_txt(query: Query) -> dns.message.Message:
        answer = dns.message.from_wire(query.forward())
        if query.rdtype == "TXT":
            answer.answer.clear()
        return answer

    with lab.forwarder(hook=without_txt):
        yield zone


# ── PowerDNS, by its HTTP API ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("right", [True, False])
def test_a_token_of_powerdns(lab: Lab, facts: Make, right: bool) -> None:
    """For a wrong token the evidence has the HTTP status and the fix has the host's page. The token is not shown."""
    with lab.powerdns() as server:
        server.add_zone(
            "pdns-doctor.test", (server.address,), (("_acme-challenge.pdns-doctor.test.", "TXT", '"foreign"'),)
        )
        lab.resolver.set_stubs({"pdns-doctor.test": (server.address,)})
        token = server.api_key if right else "canary-wrong-token"
        account = {"provider": "powerdns", "pdns_server": server.api_url, "auth_token": token}
        certificate = [{"name": "home", "domains": ["pdns-doctor.test"]}]
        found = facts({"dns.home.tsig_secret": None, "dns": {"home": account}, "certificate": certificate})
        credentials, value = probed(found)
        assert lab.txt("_acme-challenge.pdns-doctor.test", server.address) == {"foreign"}
    assert (credentials.result, value.result) == (("ok", "ok") if right else ("bad", "bad"))
    if not right:
        assert credentials.evidence["status"] == 401
        assert found.its.providers["powerdns"].website in credentials.fix
        assert "canary" not in f"{credentials}{value}"


# ── DuckDNS, which keeps one value ──────────────────────────────────────────────────────


@pytest.fixture
def duck(lab: Lab, tmp_path: Path) -> Iterator[DuckDns]:
    """DuckDNS as a stand-in, and our provider file that points to it."""
    add_zone(lab)
    (tmp_path / "providers").mkdir()
    with DuckDns(secrets.token_hex(16), "home") as server, DuckDnsZone(lab, server):
        shipped = (PROVIDERS / "duckdns.toml").read_text()
        (tmp_path / "providers" / "duckdns.toml").write_text(f'{shipped}\n[driver_options]\napi = "{server.url}"\n')
        yield server


def at_duck(facts: Make, token: str) -> tuple[Check, Check]:
    """Return the two checks for a name at DuckDNS."""
    certificate = [{"name": "home", "domains": ["home.duckdns.org", "*.home.duckdns.org"]}]
    account = {"provider": "duckdns", "token": token}
    found = facts({"dns.home.tsig_secret": None, "dns": {"home": account}, "certificate": certificate})
    return probed(found)


def test_the_one_value_of_duckdns(facts: Make, duck: DuckDns) -> None:
    """If DuckDNS has no value, a test value is written and cleared."""
    credentials, value = at_duck(facts, duck.token)
    assert (credentials.result, value.result) == ("ok", "ok")
    assert [request.get("clear") for request in duck.requests] == [None, "true"]


def test_a_value_at_duckdns_is_not_replaced(facts: Make, duck: DuckDns) -> None:
    """If DuckDNS already has a value, no request is sent and the result is unknown."""
    duck.values["home"] = "somebody's"
    credentials, value = at_duck(facts, duck.token)
    assert (credentials.result, value.result) == ("unknown", "unknown")
    assert duck.requests == []


def test_a_wrong_token_of_duckdns(facts: Make, duck: DuckDns) -> None:
    """A wrong token of DuckDNS blocks dns-01."""
    _, value = at_duck(facts, secrets.token_hex(16))
    assert (value.result, value.blocks) == ("bad", DNS)
    assert "duckdns" in value.fix.lower()


# ── a kill ──────────────────────────────────────────────────────────────────────────────


def test_a_killed_examination_is_cleaned_up(lab: Lab, workspace: Workspace) -> None:
    """After `kill -9` while the test value is in DNS, `cleanup` removes it."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=workspace.path,
        env=workspace.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(lab.txt(NAME)) == 1
    status, document = workspace.run_json("cleanup")
    assert status == 0
    assert [record["name"] for record in document["removed"]] == [f"{NAME}."]
    assert lab.txt(NAME) == set()
    assert list((workspace.store / "journal").glob("*.json")) == []


# ── the command ─────────────────────────────────────────────────────────────────────────


def test_the_command(workspace: Workspace) -> None:
    """`doctor --probe` makes all checks of accounts and CAs, and its test value does not count as an old value."""
    status, document = workspace.run_json("doctor", "--probe")
    (diagnosis,) = document["diagnoses"]
    results = {check["code"]: check["result"] for check in diagnosis["checks"]}
    of_cas = {"clock", "ca-reachable", "ca-terms", "ca-limits", "caa"}
    of_accounts = {"secrets", "dns-account", "dns-credentials", "txt-probe", "txt-stale"}
    assert {code: results[code] for code in of_cas | of_accounts} == dict.fromkeys(of_cas | of_accounts, "ok")
    assert status == 0


def test_the_command_without_agreement(workspace: Workspace) -> None:
    """Without agreement to the terms, the next action is to agree."""
    workspace.write({"agree_terms": False})
    status, document = workspace.run_json("doctor")
    (diagnosis,) = document["diagnoses"]
    assert (status, diagnosis["renewable"]) == (1, False)
    assert "agree_terms = true" in diagnosis["next_action"]


def test_an_interrupt_takes_the_value_back(lab: Lab, workspace: Workspace) -> None:
    """Ctrl-C while the test value is waited for removes it before the command ends."""
    with never_shows(lab, "stop-doctor.test") as zone:
        certificate = [{"name": "home", "domains": [zone]}]
        workspace.write({"dns.home.zones": [zone], "certificate": certificate})
        running = workspace.start("doctor", "--probe")
        until(lambda: bool(lab.txt(f"_acme-challenge.{zone}")))
        until(lambda: not list((workspace.store / "journal").glob("*.asked")))  # the host has answered
        running.send_signal(signal.SIGINT)
        workspace.captured += running.communicate(timeout=60)
    assert running.returncode == 130
    assert lab.txt(f"_acme-challenge.{zone}") == set()
    assert list((workspace.store / "journal").glob("*.json")) == []
