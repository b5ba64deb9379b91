"""`dnsrenew.testing.acme_box`: its use in a program's tests, and that it behaves like a real CA."""

from __future__ import annotations

import contextlib
import email.message
import json
import multiprocessing
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

import dnsrenew
from dnsrenew.acme.resources import base64url
from dnsrenew.base.model import TxtRecord
from dnsrenew.errors import AttemptError
from dnsrenew.testing import AcmeBox, acme_box
from dnsrenew.testing.box.resources import AcmeProblem, SignedRequest, thumbprint
from tests.kit.load import allowed

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_second_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal waits before the second try of a validation that failed: 15 seconds, and for the caches of the CA."""
    monkeypatch.setattr("dnsrenew.renewal.planner.SETTLE_AGAIN", 0.0)
    monkeypatch.setattr("dnsrenew.challenges.dns01.LONGEST_CACHING", 0)


@pytest.fixture
def box() -> Iterator[AcmeBox]:
    """A box of the test's own."""
    with acme_box() as running:
        yield running


def refused(box: AcmeBox, name: str, **how: Any) -> AttemptError:
    """The error of the attempt to obtain a certificate."""
    with pytest.raises(dnsrenew.RenewalFailed) as caught:
        dnsrenew.obtain([name], **{**box.arguments, **how})
    error = caught.value.attempts[0].error
    assert isinstance(error, AttemptError)
    return error


def test_a_certificate_for_names_and_a_wildcard(box: AcmeBox) -> None:
    """A certificate is obtained and kept, and its TXT records are removed. The box lists what it has issued."""
    names = ("example.com", "*.example.com", "www.a.b.example.net", "localhost")
    certificate = dnsrenew.obtain(names, **box.arguments)
    assert dnsrenew.obtain(names, **box.arguments).serial == certificate.serial
    (issued,) = box.issued
    assert (issued.names, issued.not_after) == (names, certificate.not_after)
    assert certificate.fullchain_pem == issued.pem
    assert certificate.not_after - certificate.not_before == 90 * DAY
    assert box.driver.values == {}


def test_a_server_with_it_is_trusted(box: AcmeBox) -> None:
    """A client that trusts the root of the box accepts the server, with strict X.509 verification."""
    certificate = dnsrenew.obtain(["example.com"], **box.arguments)
    client = ssl.create_default_context(cadata=box.root_pem)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    with ours, theirs:
        serving = threading.Thread(target=_serve_once, args=(certificate.ssl_context(), theirs))
        serving.start()
        with client.wrap_socket(ours, server_hostname="example.com") as connection:
            assert connection.getpeercert() is not None
        serving.join()


def _serve_once(context: ssl.SSLContext, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as serving:
        serving.recv(1)  # the client ends without a farewell


def test_the_renewal_of_a_due_certificate(box: AcmeBox) -> None:
    """A certificate that is old when it is issued is due at once. Its renewal names it (ARI)."""
    box.age = 80 * DAY
    first = dnsrenew.obtain(["example.com"], **box.arguments)
    box.age = timedelta(0)
    second = dnsrenew.obtain(["example.com"], **box.arguments)
    assert second.not_after - first.not_after == pytest.approx(80 * DAY, abs=timedelta(minutes=1))
    assert box.issued[1].replaces is not None


def test_a_server_renews_in_the_background(box: AcmeBox) -> None:
    """`serve` uses a renewed certificate while it runs."""
    box.age = 80 * DAY
    with dnsrenew.serve(["example.com"], **box.arguments) as served:
        first = served.certificate
        assert first is not None
    box.age = timedelta(0)
    with dnsrenew.serve(["example.com"], **box.arguments) as served:
        end = time.monotonic() + 10
        while served.certificate.serial == first.serial and time.monotonic() < end:
            time.sleep(0.01)
        assert served.certificate.serial != first.serial


@pytest.mark.parametrize(
    ("error", "at", "count"),
    [
        ("rateLimited", None, 1),
        ("rejectedIdentifier", None, 1),
        ("caa", None, 1),
        ("dns", None, 2),  # a second try follows
        ("badCSR", "finalize", 1),
        ("unauthorized", "newAccount", 1),
    ],
)
def test_the_next_requests_fail_as_asked(box: AcmeBox, error: str, at: str | None, count: int) -> None:
    """Each next request fails with its configured error. Afterwards the CA works again."""
    box.fail_next(error, at=at, count=count, detail="because of the test")
    found = refused(box, "example.com")
    assert isinstance(found, dnsrenew.CAError)
    assert (found.type or "").endswith(error)
    assert "because of the test" in str(found.to_dict())
    assert dnsrenew.obtain(["example.com"], now=True, **box.arguments).not_after == box.issued[0].not_after


@pytest.mark.parametrize(
    ("error", "at", "said"), [("rateLimit", None, "rateLimited"), ("rateLimited", "neworder", "newOrder")]
)
def test_a_word_that_no_request_would_meet_is_refused(box: AcmeBox, error: str, at: str | None, said: str) -> None:
    """An unknown error or resource is refused. The error lists the known ones."""
    with pytest.raises(ValueError, match=said):
        box.fail_next(error, at=at)
    dnsrenew.obtain(["example.com"], **box.arguments)


def test_a_failure_that_ends_is_survived(box: AcmeBox) -> None:
    """Temporary server errors are retried, and a used nonce is replaced."""
    box.fail_next("badNonce", count=2)
    dnsrenew.obtain(["example.com"], **box.arguments)
    assert len(box.issued) == 1


def test_the_time_that_the_ca_asks_to_wait(box: AcmeBox) -> None:
    """The error has the time that the CA asks to wait."""
    box.fail_next("rateLimited", retry_after=3600)
    error = refused(box, "example.com")
    assert isinstance(error, dnsrenew.CAError)
    assert error.retry_after == pytest.approx(3600, abs=5)


# ── it is honest ────────────────────────────────────────────────────────────────────────


class Forgetful:
    """A driver that writes nothing."""

    def add(self, records: object) -> None:
        """Forget."""

    def remove(self, records: object) -> None:
        """Forget."""


class Altering(Forgetful):
    """A driver that writes another value."""

    def __init__(self, box: AcmeBox) -> None:
        self.box = box

    def add(self, records: Any) -> None:
        """Write another value."""
        self.box.driver.add([TxtRecord(each.zone, each.name, f"{each.value[:-1]}-", each.ttl) for each in records])


@pytest.mark.parametrize("kind", ["nothing", "another value"])
def test_a_name_without_its_value_is_not_validated(box: AcmeBox, kind: str) -> None:
    """The CA looks up the TXT record itself. A missing or a wrong value fails the validation."""
    driver = Forgetful() if kind == "nothing" else Altering(box)
    error = refused(box, "example.com", dns=driver, propagation={"check": "none"})
    assert isinstance(error, dnsrenew.CAError)
    assert (error.type or "").endswith("dns" if kind == "nothing" else "unauthorized")
    assert box.issued == []


def test_http_01_is_validated_at_the_port() -> None:
    """The CA fetches the response from the port, for a DNS name and an IP address. Without a response it refuses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with acme_box(http_port=port) as box:
        routes = [dnsrenew.Route("http-01", listen=f"127.0.0.1:{port}")]
        arguments = {**box.arguments, "routes": routes}
        dnsrenew.obtain(["example.com", "127.0.0.1"], **{**arguments, "dns": ()})
        assert box.issued[0].names == ("example.com", "127.0.0.1")
        elsewhere = [dnsrenew.Route("http-01", webroot=str(box.store))]
        assert refused(box, "other.example", routes=elsewhere, dns=()).code


def test_only_what_was_ordered_is_issued(box: AcmeBox) -> None:
    """A request with a wrong signature, an old nonce or another URL is refused."""
    signed = {
        "alg": "ES256",
        "jwk": {"kty": "EC", "crv": "P-256", "x": base64url(b"1" * 32), "y": base64url(b"2" * 32)},
    }
    assert post(box, "newAccount", {**signed, "nonce": "old"})["type"].endswith("badNonce")
    assert post(box, "newAccount", {**signed, "nonce": nonce(box)})["type"].endswith("unauthorized")
    header = {**signed, "nonce": nonce(box), "url": url(box, "newAccount")}
    assert post(box, "newAccount", header)["type"].endswith("malformed")
    header = {**signed, "nonce": nonce(box), "url": url(box, "newAccount"), "alg": "HS256"}
    assert post(box, "newAccount", header)["type"].endswith("badSignatureAlgorithm")
    unknown = {"alg": "ES256", "kid": "x", "nonce": nonce(box), "url": url(box, "newOrder")}
    assert post(box, "newOrder", unknown)["type"].endswith("accountDoesNotExist")
    assert post(box, "nothing", unknown)["status"] == 404


def url(box: AcmeBox, resource: str) -> str:
    """The URL of a resource."""
    return box.directory.replace("/directory", f"/{resource}")


def send(box: AcmeBox, address: str, body: bytes | None = None) -> tuple[email.message.Message, bytes]:
    """Send a request as a client that trusts the box."""
    context = ssl.create_default_context(cafile=str(box.trust))
    try:
        with urllib.request.urlopen(address, body, context=context) as answer:  # noqa: S310  # an address of the box
            return answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.headers, error.read()


def nonce(box: AcmeBox) -> str:
    """A new nonce."""
    return str(send(box, url(box, "newNonce"))[0]["Replay-Nonce"])


def post(box: AcmeBox, resource: str, header: dict[str, Any]) -> Any:
    """The answer to a request with a signature that cannot be right."""
    parts = {"protected": base64url(json.dumps(header).encode()), "payload": "", "signature": base64url(b"x" * 64)}
    return json.loads(send(box, url(box, resource), json.dumps(parts).encode())[1])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"protected": "", "payload": "", "signature": ""}', b"\xff"])
def test_a_body_that_is_no_jws(body: bytes) -> None:
    """A body that is no JWS is refused with `malformed`."""
    with pytest.raises(AcmeProblem, match="malformed"):
        SignedRequest.read(body)


def test_the_thumbprint_of_a_key() -> None:
    """The thumbprint equals the example in RFC 7638 section 3.1. A key of another kind is refused."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQv"
        "RL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnq"
        "DKgw"
    )
    key = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    with pytest.raises(AcmeProblem, match="badPublicKey"):
        thumbprint({"kty": "OKP", "crv": "Ed25519", "x": "a"})


def test_accounts_keys_and_revocation(box: AcmeBox) -> None:
    """An account is kept, its key is rolled over, a certificate is revoked, and the account is deactivated."""
    dnsrenew.obtain(["example.com"], **box.arguments)
    text = {
        "store": str(box.store),
        "contact": ["test@example.com"],
        "agree_terms": True,
        "default_ca": "box",
        "ca": {"box": {"directory": box.directory, "trust": str(box.trust)}},
        "certificate": [{"name": "example.com", "domains": ["example.com"], "routes": [{"challenge": "http-01"}]}],
    }
    renewer = dnsrenew.Renewer(dnsrenew.Config.from_dict(text, base=box.store))
    (account,) = renewer.accounts()
    (rolled,) = renewer.roll_accounts()
    assert (rolled.url, account.contact) == (account.url, ("mailto:test@example.com",))
    renewer.revoke("example.com")
    assert renewer.certificate("example.com").serial
    (closed,) = renewer.deactivate_accounts()
    assert closed.url == account.url


# ── DNS ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "kind", "answers", "rcode"),
    [
        ("_acme-challenge.example.com.", "TXT", ["a-value"], "NOERROR"),
        ("_ACME-challenge.EXAMPLE.com.", "TXT", ["a-value"], "NOERROR"),
        ("_other.example.com.", "TXT", [], "NXDOMAIN"),
        ("_acme-challenge.example.com.", "A", [], "NOERROR"),
        ("www.example.com.", "A", ["127.0.0.1"], "NOERROR"),
        ("www.example.com.", "AAAA", [], "NOERROR"),
        ("www.example.com.", "CAA", [], "NOERROR"),
        ("example.com.", "NS", ["ns1.example.com."], "NOERROR"),
        ("www.example.com.", "SOA", [], "NOERROR"),
    ],
)
def test_the_name_server(box: AcmeBox, name: str, kind: str, answers: list[str], rcode: str) -> None:
    """The name server answers authoritatively. Negative answers have the SOA record of the zone."""
    box.driver.add([TxtRecord("example.com.", "_acme-challenge.example.com.", "a-value", 60)])
    host, _, port = box.resolver.nameservers[0].partition(":")
    for ask in (dns.query.udp, dns.query.tcp):
        answer = ask(dns.message.make_query(name, kind), host, port=int(port), timeout=5)
        assert answer.flags & dns.flags.AA
        assert dns.rcode.to_text(answer.rcode()) == rcode
        assert [item.to_text().strip('"') for rrset in answer.answer for item in rrset] == answers
        assert bool(answer.authority) == (not answers)


def test_garbage_gets_no_answer(box: AcmeBox) -> None:
    """The server ignores garbage and continues to work."""
    host, _, port = box.resolver.nameservers[0].partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"\x00", (host, int(port)))
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(b"\x00\x01\x00")
        assert client.recv(1) == b""
    assert dnsrenew.obtain(["example.com"], **box.arguments)


# ── in a test suite ─────────────────────────────────────────────────────────────────────


def test_boxes_are_separate_and_end() -> None:
    """Two boxes share nothing. A closed box leaves no open port, no thread and no folder."""
    before = {thread for thread in threading.enumerate() if thread.name == "dnsrenew"}
    with acme_box() as one, acme_box() as other:
        dnsrenew.obtain(["example.com"], **one.arguments)
        assert (len(one.issued), len(other.issued)) == (1, 0)
        assert one.root_pem != other.root_pem
        folder, port = one.trust.parent, int(one.resolver.nameservers[0].rpartition(":")[2])
    assert not folder.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    end = time.monotonic() + 5
    while {thread for thread in threading.enumerate() if thread.name == "dnsrenew"} - before:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_box_starts_fast() -> None:
    """A box starts in less than 0.3 s, because many tests start one."""
    started = time.perf_counter()
    with acme_box():
        assert time.perf_counter() - started < allowed(0.3)


def test_the_lifetime(tmp_path: Path) -> None:
    """A certificate has the lifetime that the box was given."""
    with acme_box(lifetime=timedelta(hours=2)) as box:
        certificate = dnsrenew.obtain(["example.com"], **{**box.arguments, "store": tmp_path / "store"})
        assert certificate.not_after - certificate.not_before == timedelta(hours=2)


@pytest.mark.parametrize("lifetime", ["2 days", "400 days"])
def test_an_order_may_ask_for_another_lifetime(lifetime: str) -> None:
    """The CA keeps to `notAfter`, shorter or longer than its own lifetime, as Pebble does."""
    with acme_box(lifetime=timedelta(days=10)) as box:
        given = tomllib.loads(f'default_ca = "box"\nagree_terms = true\n{box.toml()}')
        given |= {"store": str(box.store), "certificate": [{"domains": ["example.com"], "lifetime": lifetime}]}
        (outcome,) = dnsrenew.Renewer(dnsrenew.Config.from_dict(given)).renew()
        wanted = timedelta(days=int(lifetime.split(maxsplit=1)[0]))
        (issued,) = box.issued
        assert issued.not_after == outcome.not_after
        assert abs(issued.not_after - issued.not_before - wanted) < timedelta(minutes=5)


@pytest.mark.parametrize(("reuse", "orders"), [(timedelta(0), 2), (timedelta(hours=7), 1)])
def test_how_long_a_validation_counts(reuse: timedelta, orders: int) -> None:
    """Without reuse each order validates anew; within its time a validation counts for the next order too."""
    validated: list[dnsrenew.Event] = []
    with acme_box(authorization_reuse=reuse) as box:
        for _ in range(2):
            dnsrenew.obtain(["example.com"], on_event=validated.append, force=True, **box.arguments)
    assert sum(event.kind == "txt-written" for event in validated) == orders


PLUGIN = """
from dnsrenew.testing import InMemoryDriver

driver = InMemoryDriver()

def test_app(acme_box):
    import dnsrenew
    assert dnsrenew.obtain(["example.com"], **acme_box.arguments).not_after

def test_driver(driver_check):
    driver_check(lambda: driver, "example.com", look=driver.look, parallel=True)

def test_bad_driver(driver_check):
    class Bad(InMemoryDriver):
        def add(self, records):
            super().add(records[:1])
    bad = Bad()
    driver_check(lambda: bad, "example.com", look=bad.look, patience=0)
"""


def test_the_plug_in(tmp_path: Path) -> None:
    """The plug-in provides the fixture and one test for each MUST. A test that does not apply is skipped."""
    (tmp_path / "test_it.py").write_text(PLUGIN)
    root = Path(dnsrenew.__file__).parents[1]
    environment = {"PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HOME": str(tmp_path)}
    command = ("pytest", "-q", "-W", "error", "-p", "dnsrenew.testing.plugin", "-p", "no:cacheprovider", "-rf")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"test_it.py::test_bad_driver[add-writes]"}, done.stdout
    assert "skipped" in done.stdout.splitlines()[-1]


def test_the_plug_in_loads_nothing_heavy() -> None:
    """The plug-in loads no heavy module, because pytest imports it at every start."""
    script = (
        "import pytest, sys; before = set(sys.modules); import dnsrenew.testing.plugin; "
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['dnsrenew']"


# ── other processes, and dnsrenew.toml ──────────────────────────────────────────────────


def configuration(box: AcmeBox, folder: Path, certificates: str = "") -> Path:
    """Write a dnsrenew.toml that leads to the box."""
    path = folder / "dnsrenew.toml"
    path.write_text(f'default_ca = "box"\nagree_terms = true\n{box.toml()}{certificates}')
    return path


def test_a_configuration_file_leads_to_it(box: AcmeBox, tmp_path: Path) -> None:
    """The tables of the box make a complete configuration, together with a certificate, for the command too."""
    path = configuration(box, tmp_path, '[[certificate]]\ndomains = ["example.com", "*.example.com"]\n')
    command = [sys.executable, "-m", "dnsrenew", "renew", "--json", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"][0]["status"] == "renewed"
    assert len(box.issued) == 1
    assert box.driver.values == {}


def _obtain_in_child(arguments: dict[str, Any], name: str, answers: Any) -> None:
    answers.put(dnsrenew.obtain([name], **arguments).serial)


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_processes_use_it(box: AcmeBox, method: str) -> None:
    """The arguments go to forked and to spawned processes, as those of a server with workers."""
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork")
    context: Any = multiprocessing.get_context(method)
    answers = context.Queue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: this process has threads
        children = [
            context.Process(target=_obtain_in_child, args=(box.arguments, f"n{number}.example.com", answers))
            for number in range(2)
        ]
        for child in children:
            child.start()
    assert len({answers.get(timeout=60) for _ in children}) == 2
    for child in children:
        child.join()
    assert len(box.issued) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_that_ends_leaves_it_running() -> None:
    """A forked process that leaves the block of its parent ends neither the servers nor the files of the box."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        with acme_box() as box:
            if not (child := os.fork()):
                try:
                    box.__exit__(None, None, None)
                finally:
                    os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert dnsrenew.obtain(["example.com"], **box.arguments).serial


def test_its_terms_must_be_agreed_to(box: AcmeBox) -> None:
    """The mistake that every program makes first is found in its tests."""
    assert refused(box, "example.com", agree_terms=False).code == "ca-terms"
    assert dnsrenew.obtain(["example.com"], **box.arguments).serial


def test_a_perfect_driver_passes_the_check_of_an_account(box: AcmeBox, tmp_path: Path) -> None:
    """The name server shows the TTL that was written, so nothing is broken."""
    path = configuration(box, tmp_path, '[[certificate]]\ndomains = ["example.com"]\n')
    command = [sys.executable, "-m", "dnsrenew", "providers", "--check", "box", "--json", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    results = {check["result"] for check in json.loads(done.stdout)["checks"]}
    assert "broken" not in results
    assert "kept" in results or "ok" in results


def test_the_ttl_is_the_one_that_was_written(box: AcmeBox) -> None:
    """A driver of the program that writes 300 is shown 300."""
    box.driver.add([TxtRecord("example.com.", "_acme-challenge.example.com.", "a-value", 300)])
    query = dns.message.make_query("_acme-challenge.example.com.", "TXT")
    host, _, port = box.resolver.nameservers[0].rpartition(":")
    (answer,) = dns.query.udp(query, host, port=int(port), timeout=10).answer
    assert answer.ttl == 300
