"""`dnsrenew delegate` at real name servers: a person sets the CNAME record while the command waits."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.acme_dns import AcmeDns, AcmeDnsZone
from tests.kit.program import Run, named_in
from tests.lab import Lab
from tests.lab.workspace import Workspace

ZONE = "no-api-delegate.test"
"""The zone of a DNS host without an API: only a person changes it."""
ELSEWHERE = "written-delegate.test"
"""The zone that another account writes."""


@pytest.fixture
def by_hand(lab: Lab) -> Iterator[Lab]:
    """The lab with both zones; afterwards no record that a test has set is there."""
    lab.add_zone(ZONE, "@ A 192.0.2.1\nwww A 192.0.2.1\n*.wild CNAME somewhere.example.test.\n", refuse=True)
    lab.add_zone(ELSEWHERE)
    yield lab
    for name in ("@", "www", "a.wild", "own"):
        lab.update(ZONE, remove=[(label(name),), (f"{label(name)}.{ZONE}",)])


@pytest.fixture
def acme(by_hand: Lab) -> Iterator[AcmeDns]:
    """An acme-dns server, whose names are in the lab's Internet."""
    with AcmeDns() as server, AcmeDnsZone(by_hand, server):
        yield server


def label(name: str) -> str:
    """The name of the challenge, relative to the zone."""
    return "_acme-challenge" if name == "@" else f"_acme-challenge.{name}"


def point(lab: Lab, value: str, name: str = "@") -> None:
    """Set the CNAME record, as a person does."""
    lab.update(ZONE, add=[(label(name), "CNAME", f"{value}.")], ttl=1)


def with_acme(workspace: Workspace, acme: AcmeDns, *domains: str, **certificate: Any) -> Path:
    """Write a configuration with nothing but the acme-dns account."""
    account = {"provider": "acme-dns", "api": acme.url}
    certificates = [{"name": "home", "domains": list(domains or (ZONE,)), **certificate}]
    return workspace.write({"dns": {"acme": account}, "certificate": certificates})


def with_other(workspace: Workspace, *domains: str, **certificate: Any) -> Path:
    """Write a configuration with an account of another zone."""
    certificates = [{"name": "home", "domains": list(domains or (ZONE,)), **certificate}]
    return workspace.write({"dns.home.zones": [ELSEWHERE], "certificate": certificates})


def registration(workspace: Workspace) -> dict[str, str]:
    """Return the registration that is stored beside the configuration."""
    file = workspace.path / "acme-dns-acme.json"
    assert file.stat().st_mode & 0o777 == 0o600
    found: dict[str, str] = json.loads(file.read_text())
    return found


# ── acme-dns ────────────────────────────────────────────────────────────────────────────


def test_from_the_record_to_the_certificate(by_hand: Lab, workspace: Workspace, acme: AcmeDns) -> None:
    """`delegate` registers, shows the record, waits for both servers and tests. A renewal then succeeds at once.

    It does so although one failed before, and was to be tried again later.
    """
    path = with_acme(workspace, acme, ZONE, f"*.{ZONE}")
    before = path.read_bytes()
    assert workspace.run_json("renew")[0] == 1
    hint = workspace.run("providers", "--search", "acme-dns").stdout
    line = named_in(hint, "delegate NAME").replace("NAME", ZONE)
    with Run.start(workspace, *line.split()) as run:
        run.wait_for("not there yet at")
        its = registration(workspace)
        assert list(acme.values[its["fulldomain"]]) == ["", ""]
        point(by_hand, its["fulldomain"])
        assert run.process.stdout is not None
        out = run.process.stdout.read()
        assert run.process.wait(30) == 0, run.lines
    assert f"_acme-challenge.{ZONE}" in out
    assert its["fulldomain"] in out
    assert its["password"] not in out + "".join(run.lines)
    assert len(acme.look(its["fulldomain"])) == 1  # the test value, which the next ones replace
    assert path.read_bytes() == before
    again = named_in(workspace.run("providers", "acme-dns").stdout, "delegate NAME").replace("NAME", "home")
    assert workspace.run(*again.split()).returncode == 0
    status, document = workspace.run_json(*named_in(out, "renew {names}").split())
    assert status == 0, document
    assert document["outcomes"][0]["status"] == "renewed"
    assert len(acme.registrations) == 1


def test_it_can_be_run_again(by_hand: Lab, workspace: Workspace, acme: AcmeDns) -> None:
    """A second run reuses the registration and the existing record, and has the same result."""
    with_acme(workspace, acme)
    with Run.start(workspace, "delegate", "home", "--json") as run:
        run.wait_for("not there yet at")
        its = registration(workspace)
        point(by_hand, its["fulldomain"])
        first = run.end()
    second = workspace.run_json("delegate", ZONE)
    expected = {
        "version": 1,
        "records": [{"name": f"_acme-challenge.{ZONE}", "type": "CNAME", "value": its["fulldomain"]}],
        "done": True,
        "tested": True,
        "route": {"challenge": "dns-01", "dns": ["acme"]},
        "written": None,
        "to_add": [],
    }
    assert first == second == (0, expected)
    assert registration(workspace) == its
    assert len(acme.registrations) == 1


def test_a_closed_server(workspace: Workspace, acme: AcmeDns) -> None:
    """If the acme-dns server refuses registrations, the error says so. No record is shown and no file is written."""
    acme.closed = 404
    with_acme(workspace, acme)
    done = workspace.run("delegate", "home", "--json")
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"], error["evidence"]["status"]) == (1, "acme-dns-closed", 404)
    assert "_acme-challenge" not in done.stderr
    assert not list(workspace.path.glob("*.json"))
    assert not list(workspace.path.glob(".tmp-*"))


def test_a_server_that_is_down(by_hand: Lab, workspace: Workspace, acme: AcmeDns) -> None:
    """If the acme-dns server is down, the error is `provider-unreachable` and no file is written."""
    acme_at = f"http://127.0.0.1:{by_hand.reserve()}"
    workspace.write(
        {
            "dns": {"acme": {"provider": "acme-dns", "api": acme_at}},
            "certificate": [{"name": "home", "domains": [ZONE]}],
        }
    )
    status, document = workspace.run_json("delegate", "home")
    assert (status, document["error"]["code"]) == (1, "provider-unreachable")
    assert not list(workspace.path.glob("*.json"))


def test_a_name_that_cannot_be_used(workspace: Workspace, acme: AcmeDns) -> None:
    """A registration with a name outside the server's domain is refused, and no file is written."""
    acme.fulldomain = "victim.example.test"
    with_acme(workspace, acme)
    status, document = workspace.run_json("delegate", "home")
    assert (status, document["error"]["code"]) == (1, "provider-malformed-answer")
    assert not list(workspace.path.glob("*.json"))


# ── an account of another zone ──────────────────────────────────────────────────────────


def test_another_account(by_hand: Lab, workspace: Workspace) -> None:
    """Records for two domains and a wildcard are checked. The configuration is unchanged, and a renewal succeeds."""
    path = with_other(workspace, ZONE, f"*.{ZONE}", f"www.{ZONE}")
    before = path.read_bytes()
    targets = {name: f"_acme-challenge.{name}.{ELSEWHERE}" for name in (ZONE, f"www.{ZONE}")}
    with Run.start(workspace, "delegate", "home", "--json") as run:
        run.wait_for("not there yet at")
        point(by_hand, targets[ZONE])
        run.wait_for("2 of 2")
        point(by_hand, targets[f"www.{ZONE}"], "www")
        status, document = run.end()
    assert status == 0, document
    assert [(each["name"], each["value"]) for each in document["records"]] == [
        (f"_acme-challenge.{name}", value) for name, value in targets.items()
    ]
    assert path.read_bytes() == before
    assert by_hand.txt(targets[ZONE]) == set()
    assert list((workspace.store / "journal").glob("*.json")) == []
    status, document = workspace.run_json("renew")
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed"), document
    assert document["outcomes"][0]["warnings"] == []


def test_the_route_is_written(by_hand: Lab, workspace: Workspace) -> None:
    """The new route is written as the first one. The rest of the file and its mode are unchanged.

    The command is the one that a renewal and the doctor name where a person would have to set the records.
    """
    with_other(workspace, f"www.{ZONE}")
    hand = '[dns.hand]\nprovider = "manual"\n[[certificate]]'
    text = (
        workspace.config_path.read_text()
        .replace("[[certificate]]", hand)
        .replace(
            f'domains = ["www.{ZONE}"]',
            f'domains = ["www.{ZONE}"]  # the file server\n'
            'routes = [\n  # by hand first\n  { challenge = "dns-01", dns = "hand" },\n]\n'
            "# the end",
        )
    )
    workspace.write_text(text).chmod(0o640)
    point(by_hand, f"_acme-challenge.www.{ZONE}.{ELSEWHERE}", "www")
    lines = [named_in(workspace.run("renew").stdout, "delegate {identifier}")]
    lines.append(named_in(workspace.run("doctor").stdout, "delegate {domain}"))
    status, document = workspace.run_json(*lines[0].split())
    assert (status, document["written"], document["to_add"]) == (0, str(workspace.config_path), [])
    added = '  { challenge = "dns-01", dns = "home" },\n'
    assert workspace.config_path.read_text() == text.replace('  { challenge = "dns', f'{added}  {{ challenge = "dns')
    assert workspace.config_path.stat().st_mode & 0o777 == 0o640
    assert not list(workspace.path.glob(".tmp-*"))
    again = workspace.run_json(*lines[1].split())[1]
    assert again["written"] is None
    status, document = workspace.run_json("renew")
    assert (status, document["outcomes"][0]["route"]["dns"]) == (0, ["home"]), document


def test_a_file_that_is_not_edited(by_hand: Lab, workspace: Workspace) -> None:
    """A certificate in a file with mixed line ends is not edited. The route to add is printed, and the status is 1."""
    with_other(workspace)
    text = workspace.config_path.read_text()
    main, header, certificate = text.partition("[[certificate]]")
    included = workspace.path / "more.toml"
    routes = b'routes = [{ challenge = "http-01", listen = ":80" }]\r\n'
    included.write_bytes(f"{header}{certificate}".encode() + routes)
    workspace.write_text(f'include = ["more.toml"]\n{main}')
    before = included.read_bytes(), workspace.config_path.read_bytes()
    point(by_hand, f"_acme-challenge.{ZONE}.{ELSEWHERE}")
    done = workspace.run("delegate", "home")
    assert done.returncode == 1, done.stderr
    assert '\n{ challenge = "dns-01", dns = "home" },\n' in done.stdout
    assert str(included) in "".join(done.stdout.split("\n"))
    assert (included.read_bytes(), workspace.config_path.read_bytes()) == before


def test_a_server_that_refuses(by_hand: Lab, workspace: Workspace) -> None:
    """A name server that cannot be queried is named in a warning, and the command does not wait for it."""
    zone = "half-delegate.test"
    by_hand.add_zone(zone, ns=("127.0.0.1", "127.0.0.9"), refuse=True)
    workspace.write({"dns.home.zones": [ELSEWHERE], "certificate": [{"name": "home", "domains": [zone]}]})
    by_hand.update(zone, add=[("_acme-challenge", "CNAME", f"_acme-challenge.{zone}.{ELSEWHERE}.")])
    done = workspace.run("delegate", "home", "--json")
    by_hand.update(zone, remove=[("_acme-challenge",)])
    assert (done.returncode, json.loads(done.stdout)["done"]) == (0, True)
    assert "Not every name server of half-delegate.test answered" in done.stderr
    assert "127.0.0.9" in done.stderr


# ── what a person sets wrongly ──────────────────────────────────────────────────────────


def test_mistakes_are_reported_while_it_waits(by_hand: Lab, workspace: Workspace) -> None:
    """While it waits, `delegate` reports a TXT record in the way, a wrong target and a doubled zone name."""
    with_other(workspace)
    name, value = f"_acme-challenge.{ZONE}", f"_acme-challenge.{ZONE}.{ELSEWHERE}"
    by_hand.update(ZONE, add=[("_acme-challenge", "TXT", "old")], ttl=1)
    with Run.start(workspace, "delegate", "home", "--json") as run:
        run.wait_for(f"{name} already has other records (TXT)")
        by_hand.update(ZONE, remove=[("_acme-challenge",)])
        point(by_hand, "somewhere.example.test")
        run.wait_for(f"The CNAME record of {name} points to somewhere.example.test.")
        by_hand.update(ZONE, remove=[("_acme-challenge",)], add=[(f"{name}", "CNAME", f"{value}.")], ttl=1)
        run.wait_for(f"The CNAME record is at {name}.{ZONE}")
        point(by_hand, value)
        status, document = run.end()
    assert (status, document["done"]) == (0, True)


def test_a_chain_that_ends_there(by_hand: Lab, workspace: Workspace) -> None:
    """A chain of CNAME records that ends at the account is accepted."""
    with_other(workspace, f"www.{ZONE}")
    point(by_hand, f"_acme-challenge.{ZONE}", "www")
    point(by_hand, f"_acme-challenge.www.{ZONE}.{ELSEWHERE}")
    done = workspace.run("delegate", "home", "--json")
    assert done.returncode == 0, done.stderr
    assert "points to" not in done.stderr


def test_a_wildcard_is_not_enough(by_hand: Lab, workspace: Workspace) -> None:
    """A wildcard CNAME record is reported and not accepted; `delegate` waits for a record at the name itself."""
    with_other(workspace, f"a.wild.{ZONE}")
    with Run.start(workspace, "delegate", "home", "--json") as run:
        run.wait_for("Only a wildcard record answers")
        point(by_hand, f"_acme-challenge.a.wild.{ZONE}.{ELSEWHERE}", "a.wild")
        status, _ = run.end()
    assert status == 0


def test_a_name_that_is_a_zone(by_hand: Lab, workspace: Workspace) -> None:
    """If NS records delegate the challenge name, `delegate` ends with `delegate-own-zone`."""
    own = f"_acme-challenge.own.{ZONE}"
    with_other(workspace, f"own.{ZONE}")
    with by_hand.powerdns() as server:
        server.api("POST", "/zones", {"name": f"{own}.", "kind": "Native", "nameservers": [f"ns-own.{ZONE}."]})
        by_hand.update(ZONE, add=[("ns-own", "A", server.address), (label("own"), "NS", f"ns-own.{ZONE}.")], ttl=1)
        status, document = workspace.run_json("delegate", "home")
        by_hand.update(ZONE, remove=[(label("own"),), ("ns-own",)])
    assert (status, document["error"]["code"]) == (1, "delegate-own-zone")


# ── stopping, and what cannot be meant ──────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_waits_until_it_is_stopped(by_hand: Lab, workspace: Workspace, number: signal.Signals) -> None:
    """`delegate` waits until SIGINT or SIGTERM. It then changes no file and leaves no value in DNS."""
    path = with_other(workspace)
    before = path.read_bytes()
    with Run.start(workspace, "delegate", "home", "--json") as run:
        run.wait_for("not there yet at")
        status, document = run.stop(number)
    assert status == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert document["error"]["code"] == "cancelled"
    assert path.read_bytes() == before
    assert by_hand.txt(f"_acme-challenge.{ZONE}.{ELSEWHERE}") == set()


def test_an_account_that_cannot_write(by_hand: Lab, workspace: Workspace) -> None:
    """If the test value is refused, the error is that of the DNS host, and no route is written."""
    path = with_other(workspace, routes=[{"challenge": "http-01", "listen": ":80"}])
    workspace.env["TSIG_SECRET"] = "d3Jvbmcgc2VjcmV0IG9mIHRoZSBrZXk="
    before = path.read_bytes()
    point(by_hand, f"_acme-challenge.{ZONE}.{ELSEWHERE}")
    status, document = workspace.run_json("delegate", "home")
    assert (status, document["error"]["code"]) == (1, "provider-unauthorized")
    assert path.read_bytes() == before
