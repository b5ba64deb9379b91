"""The lab itself, because the other tests depend on it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest
import requests
from cryptography import x509

from tests.kit.load import allowed
from tests.lab import DROP, PRIMARY, SECONDARY, Lab, Request, Response, dnsforwarder
from tests.lab.canary import assert_no_canary
from tests.lab.dnsclient import ask
from tests.lab.ports import has_ipv6
from tests.lab.settings import changed, to_toml
from tests.lab.smoke import Client, issue
from tests.lab.web import fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], bool], patience: float = 30.0) -> float:
    """Return the seconds until the condition is true; fail after `patience`."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < patience
        time.sleep(0.002)
    return time.monotonic() - begin


@pytest.mark.leaves_txt
def test_update_is_at_the_primary_now_and_at_the_secondary_after_the_lag(lab: Lab) -> None:
    """An update is at the primary at once, and at the secondary after the lag."""
    lab.lag = 0.3
    lab.update("example.test", add=[("late", "TXT", "one")], key=lab.key)
    assert lab.txt("late.example.test") == {"one"}
    assert lab.txt("late.example.test", SECONDARY) == set()
    taken = until(lambda: bool(lab.txt("late.example.test", SECONDARY)))
    assert 0.25 < taken < allowed(0.6)


@pytest.mark.leaves_txt
def test_without_lag_the_secondary_follows_at_once(lab: Lab) -> None:
    """Without a lag the secondary has an update within 0.3 s."""
    lab.update("example.test", add=[("now", "TXT", "one")])
    assert until(lambda: bool(lab.txt("now.example.test", SECONDARY))) < 0.3


@pytest.mark.leaves_txt
def test_resolver_keeps_the_absence_of_a_name_until_flushed(lab: Lab) -> None:
    """The resolver caches the absence of a name until it is flushed."""
    assert lab.resolve("early.example.test", "TXT").rcode() == dns.rcode.NXDOMAIN
    lab.update("example.test", add=[("early", "TXT", "one")])
    until(lambda: bool(lab.txt("early.example.test", SECONDARY)))
    assert lab.resolve("early.example.test", "TXT").rcode() == dns.rcode.NXDOMAIN
    lab.flush()
    assert lab.resolve("early.example.test", "TXT").answer


def test_resolver_knows_no_other_internet(lab: Lab) -> None:
    """The resolver answers NXDOMAIN at once for a name outside the lab."""
    begin = time.monotonic()
    assert lab.resolve("www.example.com", "A").rcode() == dns.rcode.NXDOMAIN
    assert time.monotonic() - begin < allowed(0.5)


@pytest.mark.leaves_txt
def test_resolver_follows_a_cname_into_another_zone(lab: Lab) -> None:
    """The resolver follows a CNAME into another zone."""
    lab.update("example.test", add=[("_acme-challenge.alias", "CNAME", "target.other.test.")])
    lab.update("other.test", add=[("target", "TXT", "one")], key=lab.other_key)
    while (
        "one" not in lab.txt("target.other.test", server=SECONDARY)
        or not lab.ask("_acme-challenge.alias.example.test", "CNAME", SECONDARY).answer
    ):
        time.sleep(0.01)  # the resolver may query either server
    answer = lab.resolve("_acme-challenge.alias.example.test", "TXT")
    assert any("target.other.test." in rrset.to_text() and '"one"' in rrset.to_text() for rrset in answer.answer)
    lab.update("example.test", remove=[("_acme-challenge.alias",)])


def test_a_key_changes_its_own_zones_only(lab: Lab) -> None:
    """A key is refused in the zone of another key, and a zone can refuse all updates."""
    with pytest.raises(RuntimeError, match="REFUSED"):
        lab.update("example.test", add=[("x", "TXT", "one")], key=lab.other_key)
    lab.add_zone("refusing.test", refuse=True)
    with pytest.raises(RuntimeError, match="REFUSED"):
        lab.update("refusing.test", add=[("x", "TXT", "one")], key=lab.key)


def test_a_zone_added_later_is_served_everywhere(lab: Lab) -> None:
    """A zone that is added later is served by the primary, the secondary and the resolver."""
    lab.add_zone("later.test", "www A 192.0.2.7\n_acme-challenge CNAME x.other.test.\n")
    for server in (PRIMARY, SECONDARY, "::1") if has_ipv6() else (PRIMARY, SECONDARY):
        assert "192.0.2.7" in lab.ask("www.later.test", "A", server).to_text()
    assert "192.0.2.7" in lab.resolve("www.later.test", "A").to_text()
    with pytest.raises(ValueError, match="another zone"):
        lab.add_zone("later.test", "www A 192.0.2.8\n")


def test_a_certificate_is_issued_under_the_ca_s_root(lab: Lab) -> None:
    """The lab's own client obtains a certificate for the apex and its wildcard, under the CA's root."""
    chain, _ = issue(lab, ["example.test", "*.example.test"])
    leaf, intermediate, *_ = x509.load_pem_x509_certificates(chain.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"example.test", "*.example.test"}
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(lab.pebble.roots()[0])


def test_the_directory_answers_to_those_who_trust_the_lab(lab: Lab) -> None:
    """A client that trusts the lab gets the directory, and another one refuses its certificate."""
    assert requests.get(lab.directory_url, verify=str(lab.ca.trust_pem), timeout=5).json()["newOrder"]
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(lab.directory_url, context=ssl.create_default_context())


def test_another_pebble_has_other_manners(lab: Lab) -> None:
    """Another Pebble can need external accounts or have alternate roots."""
    with lab.another_pebble(eab={"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}) as ca:
        _, body = fetch(ca.directory_url, context=lab.ca.client_context())
        assert b'"externalAccountRequired": true' in body
    with lab.another_pebble(alternate_roots=1, chain_length=2) as ca:
        assert len({root.serial_number for root in ca.roots()}) == 2


def test_powerdns_makes_a_zone_by_its_api(lab: Lab) -> None:
    """PowerDNS serves a zone that its API has added, and the resolver finds it."""
    with lab.powerdns() as powerdns:
        powerdns.add_zone("power.test", ("127.0.0.4",), (("www.power.test.", "A", "192.0.2.9"),))
        lab.resolver.set_stubs({"power.test": (powerdns.address,)})
        assert "192.0.2.9" in lab.ask("www.power.test", "A", powerdns.address).to_text()
        assert "192.0.2.9" in lab.resolve("www.power.test", "A").to_text()


def test_the_acme_proxy_records_and_counts(lab: Lab) -> None:
    """The proxy records and counts all requests of a client."""
    with lab.acme_proxy() as proxy:
        issue(lab, ["example.test"], Client(proxy.directory_url, str(lab.ca.trust_pem)))
        counts = proxy.counts
        order = proxy.of_kind("newOrder")[0]
    assert [counts[kind] for kind in ("newOrder", "authorization", "challenge", "finalize", "certificate")] == [1] * 5
    assert order.request.payload == {"identifiers": [{"type": "dns", "value": "example.test"}]}
    assert order.response is not None
    assert order.response.json()["status"] == "pending"


def test_the_acme_proxy_answers_instead_changes_and_loses(lab: Lab) -> None:
    """Hooks of the proxy can answer, change an answer, or drop it."""

    def before(request: Request) -> Response | None:
        return Response(503, b"<html>busy</html>") if request.kind == "directory" and request.number == 1 else None

    def after(request: Request, response: Response) -> Response:
        if request.kind == "directory" and request.number == 2:
            return DROP
        return response.with_json({**response.json(), "extra": 1}) if request.kind == "directory" else response

    with lab.acme_proxy(before, after) as proxy, requests.Session() as session:
        session.verify, session.trust_env = str(lab.ca.trust_pem), False
        assert session.get(proxy.directory_url, timeout=5).status_code == 503
        with pytest.raises(requests.ConnectionError):
            session.get(proxy.directory_url, timeout=5)
        assert session.get(proxy.directory_url, timeout=5).json()["extra"] == 1
        assert [exchange.response is None for exchange in proxy.exchanges] == [False, True, False]


def test_the_acme_proxy_raises_the_error_of_a_hook(lab: Lab) -> None:
    """An exception in a hook of the proxy is raised at its end."""

    def broken(request: Request) -> Response | None:
        raise ZeroDivisionError(request.kind)

    with pytest.raises(ZeroDivisionError, match="directory"), lab.acme_proxy(broken) as proxy:  # noqa: SIM117  # what is raised at the end is not what is raised inside
        with pytest.raises(requests.ConnectionError):
            requests.get(proxy.directory_url, verify=str(lab.ca.trust_pem), timeout=5)


def test_an_untrusted_endpoint(lab: Lab) -> None:
    """The proxy can have a certificate that the client does not trust."""
    with lab.acme_proxy(ca=lab.another_ca()) as proxy, pytest.raises(requests.exceptions.SSLError):
        requests.get(proxy.directory_url, verify=str(lab.ca.trust_pem), timeout=5)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_the_misbehaving_name_server(lab: Lab, *, tcp: bool) -> None:
    """The forwarder passes queries and signed updates on, until a hook changes them."""
    transport = dns.query.tcp if tcp else dns.query.udp
    query = dns.message.make_query("example.test", "SOA", flags=0)

    with lab.forwarder("127.0.0.3") as forwarder:

        def asked() -> dns.message.Message:
            return transport(query, "127.0.0.3", port=lab.port, timeout=0.5)

        assert asked().flags & dns.flags.AA
        update = dns.update.UpdateMessage("example.test.", keyring=lab.key.for_dnspython())
        update.delete("nothing")
        assert transport(update, "127.0.0.3", port=lab.port, timeout=2).rcode() == dns.rcode.NOERROR
        forwarder.hook = dnsforwarder.strip_aa
        assert not asked().flags & dns.flags.AA
        forwarder.hook = dnsforwarder.rcode(dns.rcode.SERVFAIL)
        assert asked().rcode() == dns.rcode.SERVFAIL
        forwarder.hook = dnsforwarder.truncate
        assert bool(asked().flags & dns.flags.TC) is not tcp
        forwarder.hook = dnsforwarder.drop
        with pytest.raises(dns.exception.Timeout):
            asked()
        assert {query.transport for query in forwarder.queries} == {"tcp" if tcp else "udp"}


@pytest.mark.leaves_txt
def test_a_stale_name_server_keeps_its_first_answer(lab: Lab) -> None:
    """A stale name server keeps its first answer after its upstream has changed."""
    with lab.forwarder("127.0.0.3", dnsforwarder.Stale()):
        assert lab.txt("stale.example.test", "127.0.0.3") == set()
        lab.update("example.test", add=[("stale", "TXT", "one")])
        assert lab.txt("stale.example.test", PRIMARY) == {"one"}
        assert lab.txt("stale.example.test", "127.0.0.3") == set()


def test_a_silent_server_accepts_and_says_nothing(lab: Lab) -> None:
    """A silent server answers nothing, over UDP or TCP. A reserved port without a server refuses connections."""
    with lab.silent() as silent:
        with pytest.raises(dns.exception.Timeout):
            ask("example.test", "SOA", silent.address, silent.port, timeout=0.1)
        with socket.create_connection((silent.address, silent.port), timeout=0.1) as connection:
            connection.sendall(b"hello")
            with pytest.raises(TimeoutError):
                connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((PRIMARY, lab.reserve()), timeout=1)


def round_trips(call: Callable[[], object]) -> int:
    """Return how many round trips of 50 ms the fastest of twenty calls takes: a busy machine delays some of them."""

    def seconds() -> float:
        begin = time.monotonic()
        call()
        return time.monotonic() - begin

    return int(min(seconds() for _ in range(20)) / 0.05)


def test_a_lab_far_away_takes_a_round_trip_for_everything() -> None:
    """With a round trip of 50 ms, UDP takes one, TCP two and HTTPS three. A certificate is issued."""
    with Lab.start(round_trip=0.05, second=True) as far:
        server, port = far.ns[0], far.port
        query = dns.message.make_query("example.test", "SOA", flags=0)
        for transport, trips in ((dns.query.udp, 1), (dns.query.tcp, 2)):
            assert round_trips(partial(transport, query, server, port=port, timeout=20)) == trips
        get = partial(requests.get, far.directory_url, timeout=20, verify=str(far.ca.trust_pem))
        assert round_trips(get) == 3  # connection and TLS 1.3 handshake
        with requests.Session() as session:
            session.verify, session.trust_env = str(far.ca.trust_pem), False
            assert round_trips(partial(session.get, far.directory_url, timeout=20)) == 1  # all but the first
        assert far.lag == 0
        chain, _ = issue(far, ["example.test"])
        assert chain.startswith("-----BEGIN CERTIFICATE-----")


def test_two_labs_do_not_meet(lab: Lab) -> None:
    """Two labs have different ports and zones of their own."""
    with Lab.start(second=False) as other:
        assert other.port != lab.port
        other.update("example.test", add=[("mine", "TXT", "one")])
        assert other.txt("mine.example.test") == {"one"}
        assert lab.txt("mine.example.test") == set()


def test_the_servers_die_with_a_killed_test_run() -> None:
    """The servers end with their test run, even after SIGKILL."""
    code = (
        "from tests.lab import Lab; import time; lab = Lab.start();"
        "servers = (lab.primary, lab.secondary, lab.resolver, lab.pebble);"
        "print(*(server.process.pid for server in servers), lab.folder, flush=True);"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout is not None
        *pids, folder = child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
    assert len(pids) == 4
    until(lambda: not any(_alive(int(pid), folder) for pid in pids))
    subprocess.run(["rm", "-rf", folder], check=True)


def _alive(pid: int, folder: str) -> bool:
    """Tell whether the same process runs; a zombie has no command line."""
    try:
        return folder in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_the_config_is_what_was_asked_for(workspace: Workspace) -> None:
    """Dotted keys change the configuration, and None removes a key."""
    workspace.write({"certificate.0.name": "x", "resolver": None, "dns.other": workspace.other_account()})
    read = tomllib.loads(workspace.config_path.read_text())
    assert read["certificate"] == [{"name": "x", "domains": ["example.test", "*.example.test"]}]
    assert "resolver" not in read
    assert read["dns"]["other"]["zones"] == ["other.test"]
    assert read == workspace.config(
        {"certificate.0.name": "x", "resolver": None, "dns.other": workspace.other_account()}
    )
    routes = changed(read, {"certificate.0.routes": [{"challenge": "dns-01", "dns": ["home", "other"]}]})
    assert tomllib.loads(to_toml(routes)) == routes


def test_a_canary_is_found_however_it_is_written(tmp_path: Path) -> None:
    """A canary is found in files, in texts, and encoded."""
    canary = "geheim/+word=="
    (tmp_path / "clean").write_text("nothing")
    assert_no_canary([canary], paths=[tmp_path], texts=["nothing"])
    for text in (canary, "x%2F%2Bword", canary.encode().hex(), "geheim%2F%2Bword%3D%3D"):
        if text.startswith("x"):
            assert_no_canary([canary], texts=[text])
            continue
        with pytest.raises(AssertionError, match="geh"):
            assert_no_canary([canary], texts=["before", f"in the middle {text} of it"])
        (tmp_path / "dirty").write_text(text)
        with pytest.raises(AssertionError, match="dirty"):
            assert_no_canary([canary], paths=[tmp_path])
    assert os.environ.get("CANARY") is None
