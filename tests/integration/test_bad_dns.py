"""Bad input, second part: wrong names, zones, keys and name servers."""

from __future__ import annotations

import functools
import json
import os
import secrets
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import dns.rcode
import pytest

from tests.kit.program import Case, Kept, WorkspaceHere, check_error, failed, run_inside
from tests.lab.dnsforwarder import DnsForwarder, Query, Stale, rcode
from tests.lab.lab import Lab
from tests.lab.workspace import Workspace

WORKSPACE = WorkspaceHere

Breaking = Callable[[Workspace, ExitStack], Mapping[str, Any]]


def names(*domains: str, **account: Any) -> Breaking:
    """Other domains, and changes to their account."""
    changes = {"certificate.0.domains": list(domains), **{f"dns.home.{key}": value for key, value in account.items()}}
    return lambda _workspace, _stack: changes


def wrong_secret(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """A valid secret that is not the key's."""
    wrong = b64encode(secrets.token_bytes(32)).decode()
    workspace.env["TSIG_SECRET"] = wrong
    workspace.canaries.append(wrong)
    return {}


def not_base64(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """A text that is not a secret of TSIG."""
    workspace.env["TSIG_SECRET"] = workspace.env["CANARY"]
    return {}


def another_account(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """A key that the server knows, and that may not change this zone."""
    return {"dns.home": {**workspace.other_account(), "zones": ["example.test"]}}


def refusing_zone(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """A zone without an update policy."""
    workspace.lab.add_zone("refusing.test", refuse=True)
    return {"certificate.0.domains": ["refusing.test"], "dns.home.zones": ["refusing.test"]}


def server_down(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """Nothing listens where updates are sent."""
    return {"dns.home.server": f"127.0.0.1:{workspace.lab.reserve()}"}


def not_a_name_server(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """The port of the CA instead of the name server."""
    return {"dns.home.server": f"127.0.0.1:{workspace.lab.pebble.port}"}


def resolver_down(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """The recursive server is down."""
    return {"resolver.nameservers": [f"127.0.0.1:{workspace.lab.reserve()}"]}


def resolver_answers(code: dns.rcode.Rcode) -> Breaking:
    """The recursive server answers every query with an error."""

    def breaking(workspace: Workspace, stack: ExitStack) -> Mapping[str, Any]:
        forwarder = stack.enter_context(workspace.lab.resolver_forwarder(rcode(code)))
        return {"resolver.nameservers": [f"127.0.0.1:{forwarder.listen[1]}"]}

    return breaking


def no_address_answers(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """All name servers of the zone are unreachable from here."""
    workspace.lab.add_zone("unreached.test", ns=["127.0.0.8", "127.0.0.9"])
    return {"certificate.0.domains": ["unreached.test"], "dns.home.zones": ["unreached.test"]}


def one_is_stale(workspace: Workspace, stack: ExitStack) -> Mapping[str, Any]:
    """One of the zone's name servers does not follow the primary."""
    workspace.lab.add_zone("bad-stale.test", ns=["127.0.0.1", "127.0.0.6"])
    stack.enter_context(workspace.lab.forwarder("127.0.0.6", Stale()))
    workspace.lab.txt("_acme-challenge.bad-stale.test", "127.0.0.6")  # its answer from now on
    return {
        "certificate.0.domains": ["bad-stale.test"],
        "certificate.0.propagation": {"timeout": 1},
        "dns.home.zones": ["bad-stale.test"],
    }


def cname_loop(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """`_acme-challenge` leads to itself."""
    workspace.lab.add_zone("loop.test", "_acme-challenge CNAME other\nother CNAME _acme-challenge\n")
    return {"certificate.0.domains": ["loop.test"], "dns.home.zones": ["loop.test"]}


def cname_to_nothing(workspace: Workspace, _stack: ExitStack) -> Mapping[str, Any]:
    """`_acme-challenge` leads to a zone that does not exist."""
    workspace.lab.add_zone("nowhere.test", "_acme-challenge CNAME nowhere.invalid.\n")
    return {"certificate.0.domains": ["nowhere.test"], "dns.home.zones": ["nowhere.test"]}


UNAUTHORIZED = "provider-unauthorized"
CASES = (
    Case("a name outside our zones", names("www.other.test"), "dns-no-account", ("www.other.test", "example.test"), 0),
    Case("a name in no zone", names("www.elsewhere.test", zones=None), "dns-no-zone", ("www.elsewhere.test",), 0),
    Case(
        "one of three outside", names("example.test", "a.example.test", "other.test"), "dns-no-account", ("other",), 0
    ),
    Case("a CNAME loop", cname_loop, "cname-loop", ("loop.test",), 0),
    Case("a CNAME to nothing", cname_to_nothing, "cname-dangling", ("nowhere.invalid",), 0),
    Case("wrong TSIG secret", wrong_secret, UNAUTHORIZED, ("secret", "home", "example.test"), 1),
    Case("a TSIG secret that is none", not_base64, "option-invalid", ("tsig_secret", "home"), 0),
    Case("wrong TSIG name", names("example.test", tsig_name="nobody"), UNAUTHORIZED, ("key", "home"), 1),
    Case("wrong TSIG algorithm", names("example.test", tsig_algorithm="hmac-sha512"), UNAUTHORIZED, ("key", "home"), 1),
    Case("another account's key", another_account, UNAUTHORIZED, ("REFUSED", "example.test"), 1),
    Case("a zone that refuses", refusing_zone, UNAUTHORIZED, ("REFUSED", "refusing.test"), 1),
    Case("a server that is down", server_down, "provider-unreachable", ("refused", "127.0.0.1"), 1),
    Case(
        "a server that is none",
        not_a_name_server,
        "provider-unreachable",
        ("closed the connection", "127.0.0.1"),
        1,
    ),
    Case("a resolver that is down", resolver_down, "dns-unreachable", ("127.0.0.1",), 0),
    Case("a resolver that refuses", resolver_answers(dns.rcode.REFUSED), "dns-unreachable", ("REFUSED",), 0),
    Case("a resolver that fails", resolver_answers(dns.rcode.SERVFAIL), "dns-unreachable", ("SERVFAIL",), 0),
    Case("name servers that are all down", no_address_answers, "dns-unreachable", ("unreached.test",), 0),
    Case("a name server that stays behind", one_is_stale, "propagation-timeout", ("127.0.0.6", "bad-stale.test"), 1),
)
TOLD_TWICE = {"wrong TSIG secret", "a TSIG secret that is none", "a resolver that refuses", "a CNAME loop"}
"""Those that are run with `-vv` too, which must show no secret."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_fault_in_dns(workspace: Workspace, case: Case) -> None:
    """The renewal fails with the reason, before an order if possible."""
    kept = Kept.place(workspace)
    with ExitStack() as stack:
        workspace.write(case.breaking(workspace, stack))
        again = case.name in TOLD_TWICE
        outcome = failed(workspace, "renew", "--force", code=case.code, words=case.words, again=again)
    assert [attempt["orders"] for attempt in outcome["attempts"]] == [case.orders]
    kept.assert_whole()


# ── silent servers ──────────────────────────────────────────────────────────────────────

# The real program, with shorter time-outs.
_HASTY = """
from dnsrenew.dns import lookup
lookup.ROUNDS, lookup.SECONDS = ((0.3, 0.3), (0.6, 0.6)), 1.5
"""


@pytest.fixture
def hasty(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let the program wait for less time for answers of DNS."""
    folder = tmp_path_factory.mktemp("hasty")
    (folder / "sitecustomize.py").write_text(_HASTY)
    workspace.env["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [workspace.env.get("PYTHONPATH")])])


_IMPATIENT = """
import sys
from dnsrenew.drivers import rfc2136
rfc2136.REQUEST_SECONDS = 0.3
from dnsrenew.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_dns_server_that_takes_updates_and_is_silent(workspace: Workspace) -> None:
    """If the DNS server is silent, the error names it, and a warning says that a value may have been written."""
    kept = Kept.place(workspace)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({"dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        status, document = run(workspace, [sys.executable, "-c", _IMPATIENT, "renew", "--force", "--json"])
    assert status == 1
    (outcome,) = document["outcomes"]
    check_error(outcome["error"], "provider-timeout", ("127.0.0.5", "home"))
    assert [warning["code"] for warning in outcome["warnings"]] == ["txt-kept"]  # the value may have been written
    kept.assert_whole()


@pytest.mark.usefixtures("hasty")
def test_a_resolver_that_is_silent(workspace: Workspace) -> None:
    """If the recursive server is silent, nothing is ordered, and the error names the server."""
    kept = Kept.place(workspace)
    with workspace.lab.silent("127.0.0.1", workspace.lab.reserve()) as silent:
        workspace.write({"resolver.nameservers": [f"127.0.0.1:{silent.port}"]})
        outcome = failed(workspace, "renew", "--force", code="dns-unreachable", words=("127.0.0.1",), again=False)
    assert [attempt["orders"] for attempt in outcome["attempts"]] == [0]
    kept.assert_whole()


@pytest.mark.usefixtures("hasty")
def test_name_servers_that_are_all_silent(workspace: Workspace) -> None:
    """If all name servers of a zone are silent, nothing is ordered."""
    kept = Kept.place(workspace)
    workspace.lab.add_zone("bad-silent.test", ns=["127.0.0.9"])
    workspace.write({"certificate.0.domains": ["bad-silent.test"], "dns.home.zones": ["bad-silent.test"]})
    with workspace.lab.silent("127.0.0.9"):
        words = ("bad-silent.test", "127.0.0.9")
        outcome = failed(workspace, "renew", "--force", code="dns-unreachable", words=words, again=False)
    assert [attempt["orders"] for attempt in outcome["attempts"]] == [0]
    kept.assert_whole()


@pytest.mark.parametrize("silent", [False, True], ids=["down", "silent"])
def test_one_name_server_of_two_does_not_answer(workspace: Workspace, silent: bool) -> None:
    """A warning names it after a short wait, and the certificate is obtained."""
    workspace.lab.add_zone("bad-half.test", ns=["127.0.0.1", "127.0.0.10"])
    workspace.write({"certificate.0.domains": ["bad-half.test"], "dns.home.zones": ["bad-half.test"]})
    with ExitStack() as stack:
        if silent:
            stack.enter_context(workspace.lab.silent("127.0.0.10"))
        status, document = workspace.run_json("renew")
    (outcome,) = document["outcomes"]
    assert (status, outcome["status"]) == (0, "renewed")
    (warning,) = outcome["warnings"]
    assert "127.0.0.10" in warning["message"]
    assert warning["code"]
    assert warning["fix"]


def test_a_lost_answer_to_an_update(workspace: Workspace) -> None:
    """The update is sent again, which changes nothing, and the renewal succeeds."""
    lost: list[int] = []

    def hook(query: Query) -> bytes | None:
        answer = query.forward()
        if not lost and query.transport == "tcp":
            lost.append(query.number)
            raise OSError  # the forwarder sends no answer
        return answer

    with DnsForwarder(("127.0.0.3", workspace.lab.port), ("127.0.0.1", workspace.lab.port), hook):
        workspace.write({"dns.home.server": f"127.0.0.3:{workspace.lab.port}"})
        status, document = run(workspace, [sys.executable, "-c", _IMPATIENT, "renew", "--json"])
    assert (status, document["outcomes"][0]["status"]) == (0, "renewed")
    assert lost


# ── no network at all ───────────────────────────────────────────────────────────────────


@functools.cache
def own_network() -> list[str]:
    """Return the command line that runs another in a network namespace with only a loopback device."""
    prefix = ["unshare", "--net" if os.geteuid() == 0 else "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    subprocess.run([*prefix, "true"], check=True, capture_output=True)
    return prefix


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ("127.0.0.1",)),
        ({"resolver.nameservers": ["192.0.2.53", "[2001:db8::53]"]}, ("192.0.2.53",)),
        ({"resolver": {}}, ("DNS",)),
    ],
    ids=["nobody-there", "no-route", "the-system's-resolver"],
)
def test_no_network_at_all(workspace: Workspace, changes: dict[str, Any], words: tuple[str, ...]) -> None:
    """Without a network the renewal fails soon, and the certificate stays."""
    kept = Kept.place(workspace)
    workspace.write(changes)
    done = run_inside(workspace, own_network(), "renew", "--force", "--json")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    (outcome,) = json.loads(done.stdout)["outcomes"]
    assert outcome["status"] == "failed"
    check_error(outcome["error"], "dns-unreachable", words)
    assert "network" in outcome["error"]["fix"]
    assert [attempt["orders"] for attempt in outcome["attempts"]] == [0]
    kept.assert_whole()


def test_no_network_does_not_matter_when_nothing_is_due(workspace: Workspace) -> None:
    """`renew` and `status` read only the store."""
    Kept.place(workspace)
    done = run_inside(workspace, own_network(), "renew", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"][0]["status"] == "not-due"


def run(workspace: Workspace, argv: list[str]) -> tuple[int, Any]:
    """Run another command line in the workspace; return its exit status and document."""
    done = subprocess.run(
        argv, cwd=workspace.path, env=workspace.env, capture_output=True, text=True, timeout=60, check=False
    )
    workspace.captured += [done.stdout, done.stderr]
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_lab_is_whole(lab: Lab) -> None:
    """The cases above left no TXT value in the lab."""
    assert lab.all_txt() == {}
