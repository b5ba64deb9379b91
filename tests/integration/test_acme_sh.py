"""Scripts of acme.sh, as Debian ships them, under our journal, zones and waiting; and scripts that misbehave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers import scripts
from dnsrenew.drivers.invoke import call_add, call_remove
from dnsrenew.errors import ProviderError
from dnsrenew.testing import check_driver
from tests.kit.acme_dns import AcmeDns
from tests.kit.api_server import Answer, Asked
from tests.kit.drivers import maker, provider_of
from tests.kit.host_work import FAULTS, always
from tests.kit.hosts.httpreq import Httpreq
from tests.kit.hosts.stand_in import ZONE, HostStandIn, record
from tests.kit.hosts.technitium import Technitium
from tests.kit.program import named_in
from tests.kit.renew_stage import Stage, names_in
from tests.lab import Lab, PowerDns
from tests.lab.workspace import Workspace

NAME = "_acme-challenge.example.test"
FOREIGN = "v=foreign 1 2"


@pytest.fixture
def key_file(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TSIG key of the lab, as nsupdate reads it."""
    file = tmp_path_factory.mktemp("key") / "lab.key"
    file.write_text(lab.key.for_bind())
    return file


@pytest.fixture
def account(lab: Lab, key_file: Path) -> dict[str, Any]:
    """An account that updates the lab's BIND by dns_nsupdate."""
    return {
        "provider": "acme.sh",
        "script": "dns_nsupdate",
        "env": {
            "NSUPDATE_SERVER": lab.ns[0],
            "NSUPDATE_SERVER_PORT": str(lab.port),
            "NSUPDATE_KEY": str(key_file),
            "NSUPDATE_ZONE": "example.test",
        },
    }


@pytest.fixture
def stage(workspace: Workspace, account: dict[str, Any]) -> Stage:
    """A workspace whose account is a script."""
    return Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account}})


def mended(lab: Lab, folder: Path, *, add: str = "", remove: str = "") -> dict[str, Any]:
    """Return the options for a script of our own that updates the lab's BIND, and what it does besides."""
    folder.mkdir(exist_ok=True)
    (folder / "dns_own.sh").write_text(f"""#!/usr/bin/env sh
dns_own_add() {{ own "update add $1. 60 TXT $2"; {add or "true"}; }}
dns_own_rm() {{ own "update delete $1. TXT $2"; {remove or "true"}; }}
own() {{
  nsupdate -k "$KEY" <<EOT
server {lab.ns[0]} {lab.port}
zone example.test.
$1
send
EOT
}}
""")
    return {"script": "dns_own", "home": str(folder)}


def own_account(lab: Lab, folder: Path, key_file: Path, **what: str) -> dict[str, Any]:
    """Return an account with a script of our own."""
    return {"provider": "acme.sh", **mended(lab, folder, **what), "env": {"KEY": str(key_file)}}


def test_nsupdate_renews(stage: Stage, lab: Lab) -> None:
    """dns_nsupdate obtains a certificate for a domain and its wildcard, whose values stand together."""
    seen: set[str] = set()
    stage.on_kind["txt-written"] = lambda: seen.update(lab.txt(NAME))
    stage.renewed()
    assert names_in(stage.leaf()) == {"example.test", "*.example.test"}
    assert len(seen) == 2
    assert not lab.txt(NAME)


def test_values_of_others_are_missed(stage: Stage, lab: Lab) -> None:
    """dns_nsupdate removes every value of a name: that is told once, with the values that are lost."""
    lab.update("example.test", add=[(f"{NAME}.", "TXT", f'"{FOREIGN}"')])
    outcome = stage.renewed()
    lost = [each for each in outcome.warnings if each.code == "foreign-values-lost"]
    assert len(lost) == 1
    assert FOREIGN in lost[0].message


def test_a_script_that_wipes_others_when_it_adds(stage: Stage, lab: Lab, tmp_path: Path, key_file: Path) -> None:
    """The attempt fails and names the values; what was written is taken back."""
    lab.update("example.test", add=[(f"{NAME}.", "TXT", f'"{FOREIGN}"')])
    wipes = own_account(lab, tmp_path / "own", key_file, add=f"own 'update delete {NAME}. TXT \"{FOREIGN}\"'")
    one = [{"name": "home", "domains": ["example.test"]}]
    error = stage.failed({"dns": {"home": wipes}, "certificate": one})
    assert error.code == "foreign-values-lost"
    assert error.evidence["values"] == [FOREIGN]
    assert not lab.txt(NAME)


def test_a_script_that_writes_nothing(stage: Stage, lab: Lab, tmp_path: Path) -> None:
    """Success without a value is found by looking at the zone's servers, not believed."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "dns_own.sh").write_text("dns_own_add() { true; }\ndns_own_rm() { true; }\n")
    account = {"provider": "acme.sh", "script": "dns_own", "home": str(folder)}
    certificate = [{"name": "home", "domains": ["example.test"], "propagation": {"timeout": 2}}]
    assert stage.failed({"dns": {"home": account}, "certificate": certificate}).code == "propagation-timeout"


def test_a_script_that_removes_nothing(
    stage: Stage, lab: Lab, tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that is still served stays in the journal, is told, and goes by the next cleanup."""
    monkeypatch.setattr("dnsrenew.challenges.host_calls._GONE_SECONDS", 1.0)
    own = own_account(lab, tmp_path / "own", key_file)
    file = tmp_path / "own" / "dns_own.sh"
    good = file.read_text()
    file.write_text(good.replace('own "update delete', 'true "update delete'))
    one = [{"name": "home", "domains": ["example.test"]}]
    outcome = stage.renewed({"dns": {"home": own}, "certificate": one})
    assert "txt-kept" in [each.code for each in outcome.warnings]
    assert lab.txt(NAME)
    file.write_text(good)
    stage.renewer({"dns": {"home": own}, "certificate": one}).cleanup()
    assert not lab.txt(NAME)


def test_a_script_that_cannot_remove_what_is_gone(
    stage: Stage, lab: Lab, tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many scripts fail to remove what is not there: a value that no server shows leaves the journal all the same."""
    monkeypatch.setattr("dnsrenew.challenges.host_calls._GONE_SECONDS", 0.0)
    own = own_account(lab, tmp_path / "own", key_file, remove="false")
    file = tmp_path / "own" / "dns_own.sh"
    file.write_text(file.read_text().replace('own "update delete', 'true "update delete'))
    settings = {"dns": {"home": own}, "certificate": [{"name": "home", "domains": ["example.test"]}]}
    outcome = stage.renewed(settings)
    assert "txt-kept" in [each.code for each in outcome.warnings]
    assert [error.code for _, error in stage.renewer(settings).cleanup().kept] == ["acme-sh-failed"]
    lab.update("example.test", remove=[(f"{NAME}.", "TXT")])
    assert stage.renewer(settings).cleanup().kept == ()
    assert stage.renewer(settings).cleanup().removed == ()


def test_what_a_script_prints_is_shown_only_with_vv(stage: Stage, lab: Lab) -> None:
    """``renew -v`` says nothing of a script; ``renew -vv``, which a failure names, has what it prints."""
    good = {**stage.base, "certificate": [{"name": "home", "domains": ["example.test"]}]}
    account = good["dns"]["home"]
    wrong = {**account, "env": {**account["env"], "NSUPDATE_SERVER_PORT": "1"}}
    stage.workspace.write({**good, "dns": {"home": wrong}})
    line = named_in(stage.workspace.run("renew").stdout, "renew -vv")
    stage.workspace.write(good)
    done = stage.workspace.run(*line.split())
    assert done.returncode == 0
    assert "dns_nsupdate: adding _acme-challenge.example.test" in done.stderr
    assert "dns_nsupdate: " not in stage.workspace.run("renew", "--force", "home", "-v").stderr
    assert "dns_nsupdate: adding _acme-challenge.example.test" in done.stderr


@pytest.fixture
def powerdns(lab: Lab) -> Iterator[PowerDns]:
    """A PowerDNS with the zone pdns.test."""
    with lab.powerdns() as server:
        server.add_zone("pdns.test", (server.address,), ())
        lab.resolver.set_stubs({"pdns.test": (server.address,)})
        yield server


def test_pdns_renews(workspace: Workspace, powerdns: PowerDns) -> None:
    """dns_pdns obtains a certificate for a domain and its wildcard at a real PowerDNS."""
    workspace.canaries.append(powerdns.api_key)
    account = {
        "provider": "acme.sh",
        "script": "dns_pdns",
        "env": {
            "PDNS_Url": powerdns.api_url,
            "PDNS_ServerId": "localhost",
            "PDNS_Token": f"literal:{powerdns.api_key}",
        },
    }
    stage = Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account}})
    stage.renewed({"certificate": [{"name": "home", "domains": ["pdns.test", "*.pdns.test"]}]})
    zone = powerdns.api("GET", "/zones/pdns.test.")
    assert not [each for each in zone["rrsets"] if each["type"] == "TXT"]


def test_pdns_damages_a_value_with_blanks(workspace: Workspace, powerdns: PowerDns) -> None:
    """dns_pdns changes values of others that contain blanks, and that is found."""
    foreign = ("_acme-challenge.blanks.test.", "TXT", '"a value of mine"')
    powerdns.add_zone("blanks.test", (powerdns.address,), (foreign,))
    workspace.lab.resolver.set_stubs({"blanks.test": (powerdns.address,)})
    workspace.canaries.append(powerdns.api_key)
    env = {"PDNS_Url": powerdns.api_url, "PDNS_ServerId": "localhost", "PDNS_Token": f"literal:{powerdns.api_key}"}
    account = {"provider": "acme.sh", "script": "dns_pdns", "env": env}
    stage = Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account}})
    error = stage.failed({"certificate": [{"name": "home", "domains": ["blanks.test"]}]})
    assert error.code == "foreign-values-lost"
    assert error.evidence["values"] == ["a value of mine"]


def test_acmedns_updates() -> None:
    """dns_acmedns updates a registration."""
    with AcmeDns() as api:
        _, registration = api._register()
        env = {"ACMEDNS_BASE_URL": api.url, "ACMEDNS_USERNAME": registration["username"]}
        env |= {"ACMEDNS_PASSWORD": registration["password"], "ACMEDNS_SUBDOMAIN": registration["subdomain"]}
        account = DnsAccount("acme.sh", script="dns_acmedns", env=env)
        name, value = registration["fulldomain"], "x" * 43
        maker(account)().add([TxtRecord("auth.example.org.", f"{name}.", value, 1)])
        assert value in api.look(name)


class TechnitiumByQuery(Technitium):
    """The same server as dns_technitium calls it: its API also takes parameters in the query, and has defaults."""

    strict = False
    bearer = False

    def answer(self, asked: Asked) -> Answer:
        """Answer as to a form."""
        path, _, query = asked.path.partition("?")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        status, body = super().answer(Asked("POST", path, form, f"{query}&zone={ZONE}&ttl=3600"))
        return status, json.dumps(body, separators=(",", ":"))


class EchoingHttpreq(Httpreq):
    """The same server as acmeproxy answers: with what was sent."""

    def answer(self, asked: Asked) -> Answer:
        """Answer with the body of the request."""
        status, body = super().answer(asked)
        return status, asked.body if status == 200 else body


def test_technitium_passes_the_contract() -> None:
    """dns_technitium keeps every MUST of a driver at a stand-in."""
    with TechnitiumByQuery() as api:
        check_driver(maker(technitium_account(api)), ZONE, look=api.look, patience=0.1)


@pytest.mark.slow
def test_acmeproxy_passes_the_contract() -> None:
    """dns_acmeproxy keeps every MUST of a driver at a server that speaks lego's protocol."""
    with EchoingHttpreq() as api:
        check_driver(maker(acmeproxy_account(api)), ZONE, look=api.look, patience=0.1)


def technitium_account(api: HostStandIn) -> DnsAccount:
    """An account that dns_technitium writes."""
    env = {"Technitium_Server": api.url, "Technitium_Token": Secret(Technitium.credentials["auth_token"])}
    return DnsAccount("acme.sh", name="mine", script="dns_technitium", env=env)


def acmeproxy_account(api: HostStandIn) -> DnsAccount:
    """An account that dns_acmeproxy writes."""
    user, password = Httpreq.credentials["username"], Secret(Httpreq.credentials["password"])
    env = {"ACMEPROXY_ENDPOINT": api.url, "ACMEPROXY_USERNAME": user, "ACMEPROXY_PASSWORD": password}
    return DnsAccount("acme.sh", name="mine", script="dns_acmeproxy", env=env)


FAULTY = [*FAULTS, "ten thousand records"]
PLACES = [(script, action) for action in ("add", "remove") for script in ("technitium", "acmeproxy")]
LISTED = json.dumps([{"name": f"host{number}.{ZONE}", "type": "TXT", "text": "x" * 40} for number in range(10000)])


@pytest.mark.parametrize(
    ("script", "action", "fault"),
    [
        pytest.param(*place, fault, marks=[] if place == PLACES[number % 4] else [pytest.mark.slow])
        for number, fault in enumerate(FAULTY)
        for place in PLACES
    ],
)
def test_a_host_whose_answers_are_bad(script: str, action: str, fault: str) -> None:
    """A script gets HTML, an empty list, another encoding, ten thousand records: the error is clear and short.

    It shows no secret, and no value at the host is lost. After the host is well again the next call succeeds. In
    `make test` the scripts and their two functions take turns.
    """
    make, kind = {
        "technitium": (technitium_account, TechnitiumByQuery),
        "acmeproxy": (acmeproxy_account, EchoingHttpreq),
    }[script]
    with kind() as api:
        context, provider, account, before = Context(), provider_of("acme.sh"), make(api), dict(api.values)
        call = call_add if action == "add" else call_remove
        api.faults = dict.fromkeys(range(100), FAULTS[fault][0] if fault in FAULTS else always(200, LISTED))
        with pytest.raises(ProviderError) as caught:
            call(context, provider, account, [record("one")])
        error = caught.value
        assert error.code == "acme-sh-failed"
        assert len(error.message) < 500
        assert "<" not in error.message
        assert ("web page" in error.message) == ("HTML" in fault or "encoding" in fault) or script == "technitium"
        assert "dnsrenew renew -vv" in error.fix
        assert api.credentials[api.secret] not in json.dumps(error.to_dict())
        assert api.values == before
        api.faults = {}
        call_add(context, provider, account, [record("one")])
        call_remove(context, provider, account, [record("one")])
        assert api.values == before


@pytest.mark.slow
def test_pdns_in_a_zone_with_10000_records(workspace: Workspace, powerdns: PowerDns) -> None:
    """dns_pdns obtains a certificate in a zone with ten thousand records, and all of them stay."""
    many = tuple((f"host{number}.plenty.test.", "TXT", f'"text {number}"') for number in range(10000))
    powerdns.add_zone("plenty.test", (powerdns.address,), many)
    workspace.lab.resolver.set_stubs({"plenty.test": (powerdns.address,)})
    workspace.canaries.append(powerdns.api_key)
    env = {"PDNS_Url": powerdns.api_url, "PDNS_ServerId": "localhost", "PDNS_Token": f"literal:{powerdns.api_key}"}
    account = {"provider": "acme.sh", "script": "dns_pdns", "env": env}
    stage = Stage(workspace, {"dns.home.tsig_secret": None, "dns": {"home": account}})
    stage.renewed({"certificate": [{"name": "home", "domains": ["plenty.test"]}]})
    sets = powerdns.api("GET", "/zones/plenty.test.")["rrsets"]
    assert sorted(each["name"] for each in sets if each["type"] == "TXT") == sorted(name for name, _, _ in many)


def test_every_script_of_debian_is_understood() -> None:
    """The host, the variables, the shell and both functions of each script are found in its file."""
    found = list(scripts.found_scripts("/usr/share/acme.sh"))
    assert len(found) > 150
    assert [each.name for each in found if not (each.defines("add") and each.defines("rm"))] == []
    assert [each.name for each in found if each.shell != "sh" or each.title == each.name] == []
    assert {each.name for each in found if not any(each.groups)} == {"dns_mydevil", "dns_selectel"}
