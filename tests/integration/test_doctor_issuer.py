"""The doctor at a real CA that hangs, refuses, is not trusted or is none, and at real CAA records."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base.model import CertificateSpec, Check
from dnsrenew.base.runtime import Context
from dnsrenew.config import Config
from dnsrenew.extensions.doctor.facts import Facts
from dnsrenew.extensions.doctor.issuer import ca, caa
from dnsrenew.extensions.doctor.issuer import ca as reachable
from dnsrenew.store import FolderStore
from tests.kit.clock import RealClock
from tests.kit.folders import here
from tests.kit.load import allowed
from tests.lab import Lab, badports
from tests.lab.acmemessages import Request, Response

ALL = ("all",)
Make = Callable[..., Facts]


@pytest.fixture
def facts(lab: Lab, tmp_path: Path) -> Iterator[Make]:
    """Create the facts of the lab's configuration, with changes."""
    made: list[Facts] = []

    def make(changes: Mapping[str, Any] | None = None, later: timedelta = timedelta()) -> Facts:
        settings = {"dns.home.tsig_secret": lab.key.secret, **(changes or {})}
        config = Config.from_dict(lab.config(settings), base=tmp_path)
        context = Context(clock=RealClock(later)).within(13)
        made.append(Facts(context, config, FolderStore(here(config.store))))
        return made[-1]

    yield make
    for each in made:
        each.close()


def at(port: int, host: str = "127.0.0.1", scheme: str = "https") -> dict[str, Any]:
    """The change that puts the CA at a port."""
    return {"ca.lab.directory": f"{scheme}://{host}:{port}/dir"}


PORTS: dict[str, tuple[Callable[[Lab], AbstractContextManager[Any]], str, str]] = {
    "refuses": (lambda _: badports.NobodyThere(), "tcp", "bad"),
    "drops every packet": (lambda _: badports.NoWay(), "tcp", "unknown"),
    "accepts and says nothing": (lambda _: badports.Silence(), "tls", "unknown"),
    "speaks no TLS": (lambda _: badports.plain_http(), "tls", "bad"),
    "is made by nobody we trust": (
        lambda lab: badports.with_certificate(lab.another_ca().server_context()),
        "tls",
        "bad",
    ),
    "is for another name": (
        lambda lab: badports.with_certificate(lab.ca.another_context("other.test")),
        "tls",
        "bad",
    ),
    "is over": (
        lambda lab: badports.with_certificate(lab.ca.another_context("127.0.0.1", expired=True)),
        "tls",
        "bad",
    ),
    "is an empty page": (lambda lab: badports.with_certificate(lab.ca.server_context()), "acme", "bad"),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second for each stage, in place of three."""
    monkeypatch.setattr("dnsrenew.extensions.doctor.issuer.stages.SECONDS", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("what", PORTS)
def test_a_port_that_is_no_ca(lab: Lab, facts: Make, what: str) -> None:
    """The evidence names the stage that failed, within the time of the stages."""
    make, stage, result = PORTS[what]
    with make(lab) as port:
        started = time.monotonic()
        check = reachable.ca_reachable(facts(at(port.port)), "lab")
        assert time.monotonic() - started < allowed(2.5)
    assert (check.result, check.evidence["stage"], check.blocks) == (result, stage, ALL)
    assert ("issuer" in check.evidence) is (stage == "tls" and result == "bad")
    if "trust" in what or what == "is for another name":
        assert check.evidence["issuer"].startswith("dnsrenew lab")


def test_the_ca_answers(lab: Lab, facts: Make) -> None:
    """For a working CA, the checks of the CA, the clock and the terms are ok."""
    found = facts()
    assert reachable.ca_reachable(found, "lab").result == "ok"
    assert ca.clock(found).result == "ok"
    assert ca.ca_terms(found, "lab").result == "ok"


@pytest.mark.parametrize(
    ("answer", "stage"),
    [
        (Response(200, b"<html>Log in first</html>", (("Content-Type", "text/html"),)), "acme"),
        (Response(200, b'{"newNonce": 1}', (("Content-Type", "application/json"),)), "acme"),
        (Response(503, b"<h1>Maintenance</h1>", (("Content-Type", "text/html"),)), "http"),
        (Response(404, b"\x1b[2J", (("Content-Type", "text/\x7fplain"),)), "http"),
    ],
)
def test_a_directory_that_is_none(lab: Lab, facts: Make, answer: Response, stage: str) -> None:
    """An HTML page, an incomplete directory or an error status is bad, and the summary has no control characters."""
    with lab.acme_proxy(lambda _: answer) as proxy:
        check = reachable.ca_reachable(facts({"ca.lab.directory": proxy.directory_url}), "lab")
    assert (check.result, check.evidence["stage"], check.blocks) == ("bad", stage, ALL)
    assert check.summary.isprintable()


@pytest.mark.usefixtures("impatient")
def test_a_ca_that_takes_the_request_and_hangs(lab: Lab, facts: Make) -> None:
    """A CA that accepts the request and sends no response is unknown within the time of the stages."""
    end = threading.Event()

    def hang(_: Request) -> Response | None:
        end.wait(20)
        return None

    with lab.acme_proxy(hang) as proxy:
        started = time.monotonic()
        check = reachable.ca_reachable(facts({"ca.lab.directory": proxy.directory_url}), "lab")
        seconds = time.monotonic() - started
        end.set()
    assert (check.result, check.evidence["stage"]) == ("unknown", "http")
    assert seconds < allowed(2.5)


def test_a_name_that_nobody_knows(facts: Make) -> None:
    """If the CA's name cannot be resolved, the stage is `dns`."""
    check = reachable.ca_reachable(facts(at(14000, "ca.nowhere.invalid")), "lab")
    assert (check.result in {"bad", "unknown"}, check.evidence["stage"]) == (True, "dns")


# ── behind a proxy ──────────────────────────────────────────────────────────────────────


def proxy_that(answers: bytes, target: tuple[str, int] | None = None) -> badports.Talker:
    """Return an HTTP proxy that gives one answer to CONNECT, and connects to the target if there is one."""

    def talk(client: socket.socket) -> None:
        while b"\r\n\r\n" not in (client.recv(4096) or b"\r\n\r\n"):
            pass
        client.sendall(answers)
        if target is not None:
            with socket.create_connection(target) as server:
                threading.Thread(target=pump, args=(server, client), daemon=True).start()
                pump(client, server)

    return badports.Talker(talk)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy data until the end."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the proxy of the environment."""
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda port: monkeypatch.setenv("HTTPS_PROXY", f"http://user:canary@127.0.0.1:{port}")


def test_a_proxy_that_denies(facts: Make, through: Callable[[int], None]) -> None:
    """The evidence names the proxy that refused the connection, without its password."""
    with proxy_that(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        through(proxy.port)
        check = reachable.ca_reachable(facts(at(14000, "ca.test")), "lab")
    assert (check.result, check.evidence["stage"], check.evidence["error"]) == ("bad", "tcp", "403")
    assert check.evidence["proxy"] == f"127.0.0.1:{proxy.port}"
    assert "canary" not in str(check)


def test_a_proxy_that_intercepts(lab: Lab, facts: Make, through: Callable[[int], None]) -> None:
    """The evidence has the issuer of the certificate that an intercepting proxy presents."""
    with badports.with_certificate(lab.another_ca().another_context("ca.test")) as inspection:
        established = b"HTTP/1.1 200 Connection established\r\n\r\n"
        with proxy_that(established, ("127.0.0.1", inspection.port)) as proxy:
            through(proxy.port)
            check = reachable.ca_reachable(facts(at(14000, "ca.test")), "lab")
    assert (check.result, check.evidence["stage"]) == ("bad", "tls")
    assert check.evidence["issuer"].startswith("dnsrenew lab")
    assert (check.evidence["host"], check.evidence["port"]) == ("ca.test", 14000)


def test_a_proxy_that_is_not_there(facts: Make, through: Callable[[int], None]) -> None:
    """If the proxy is down, the stage is `tcp` and the evidence names the proxy."""
    with badports.NobodyThere() as nobody:
        through(nobody.port)
        check = reachable.ca_reachable(facts(at(14000, "ca.test")), "lab")
    assert (check.result, check.evidence["stage"]) == ("bad", "tcp")
    assert check.evidence["proxy"] == f"127.0.0.1:{nobody.port}"


@pytest.mark.parametrize(
    "address",
    [
        "http://user:canary@host:port",
        "http://user:canary@127.0.0.1:99999",
        "user:canary@[::1",
        "http://[::1",
        "::::",
        "http://user:canary@",
    ],
)
def test_a_proxy_without_a_valid_address(
    facts: Make, through: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """An address that cannot be read is a mistake in the environment, and no part of it is shown."""
    through(1)
    monkeypatch.setenv("HTTPS_PROXY", address)
    check = reachable.ca_reachable(facts(at(14000, "ca.test")), "lab")
    assert (check.result, check.blocks, check.evidence["stage"], check.evidence["proxy"]) == ("bad", ALL, "dns", None)
    assert "has no valid address" in check.summary
    assert "HTTPS_PROXY" in check.fix
    assert "canary" not in str(check)


# ── the clock ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("later", "result", "blocks"),
    [
        (timedelta(minutes=-65), "bad", ALL),
        (timedelta(minutes=-55), "ok", ()),
        (timedelta(days=3), "bad", ()),
    ],
)
def test_a_clock_that_is_off(facts: Make, later: timedelta, result: str, blocks: tuple[str, ...]) -> None:
    """The clock is compared with the Date of a real CA: more than an hour late blocks all challenges."""
    check = ca.clock(facts(later=later))
    assert (check.result, check.blocks) == (result, blocks)
    assert abs(check.evidence["ahead"] - later.total_seconds()) < 5


# ── CAA ─────────────────────────────────────────────────────────────────────────────────

RECORDS = {
    "free-doctor.test": ("", "ok", None),
    "ours-doctor.test": ('@ CAA 0 issue "{ca}"', "ok", None),
    "else-doctor.test": ('@ CAA 0 issue "else.test"', "bad", "ca"),
    "none-doctor.test": ('@ CAA 0 issue ";"', "bad", "ca"),
    "method-doctor.test": ('@ CAA 0 issue "{ca}; validationmethods=http-01"', "bad", "method"),
    "account-doctor.test": ('@ CAA 0 issue "{ca}; accounturi=https://ca.test/2"', "bad", "account"),
    "critical-doctor.test": ('@ CAA 128 tbs "what"', "bad", "ca"),
    "iodef-doctor.test": ('@ CAA 0 iodef "mailto:me@example.test"', "ok", None),
}


def test_caa_records_at_real_servers(lab: Lab, facts: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a certificate with many names, exactly those that CAA records deny are named."""
    identity = "pebble.letsencrypt.org"
    for zone, (records, _result, _scope) in RECORDS.items():
        lab.add_zone(zone, f"{records.format(ca=identity)}\n" if records else "")
    monkeypatch.setattr("dnsrenew.acme.transport.Directory.caa_identities", (identity,))
    monkeypatch.setattr(caa, "account_url", lambda *_: "https://ca.test/1")
    found = facts({"certificate": [{"name": "home", "domains": list(RECORDS)}], "dns.home.zones": list(RECORDS)})
    check = caa.caa(found, found.its.certificates[0], "lab")
    assert check is not None
    assert (check.result, check.blocks) == ("bad", ALL)
    assert check.evidence["names"] == [zone for zone, its in RECORDS.items() if its[1] == "bad"]
    for zone, (_records, result, scope) in RECORDS.items():
        alone = one(found, zone)
        assert (alone.result, alone.evidence.get("scope")) == (result, scope), zone


def one(found: Facts, zone: str) -> Check:
    """Return the check of a certificate for one name."""
    from dnsrenew.base.values import replace

    spec: CertificateSpec = replace(found.its.certificates[0], name=zone, domains=(zone,), identifiers=(zone,))
    check = caa.caa(found, spec, "lab")
    assert check is not None
    return check


def test_a_wildcard_that_is_denied(lab: Lab, facts: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """``issuewild`` denies the wildcard and not the name itself."""
    lab.add_zone("wild-doctor.test", '@ CAA 0 issue "ca.test"\n@ CAA 0 issuewild ";"\n')
    monkeypatch.setattr("dnsrenew.acme.transport.Directory.caa_identities", ("ca.test",))
    names = ["wild-doctor.test", "*.wild-doctor.test"]
    found = facts({"certificate": [{"name": "home", "domains": names}], "dns.home.zones": ["wild-doctor.test"]})
    check = caa.caa(found, found.its.certificates[0], "lab")
    assert check is not None
    assert (check.result, check.evidence["names"]) == ("bad", ["*.wild-doctor.test"])
