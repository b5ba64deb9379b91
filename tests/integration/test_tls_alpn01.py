"""The tls-alpn-01 challenge (RFC 8737) with a real CA, which connects and gets the challenge certificate."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dnsrenew import Outcome
from dnsrenew.challenges import tls_alpn01 as solver
from dnsrenew.challenges.tls_alpn01 import PROTOCOL
from tests.kit.fallback_stage import attempt_rows, codes, site
from tests.kit.renew_stage import Stage, error_of
from tests.lab.ports import has_ipv6
from tests.lab.workspace import Workspace


@pytest.fixture
def stage(workspace: Workspace) -> Iterator[Stage]:
    """A stage; afterwards nothing of ours listens where the CA connects."""
    made = Stage(workspace)
    yield made
    assert not is_open(made)


def is_open(stage: Stage) -> bool:
    """Tell whether something listens at the port of the CA's connections, instead of 443."""
    with socket.socket() as probe:
        probe.settimeout(10)
        return probe.connect_ex(("127.0.0.1", stage.lab.pebble.tls_port)) == 0


def alpn(stage: Stage, host: str = "") -> dict[str, Any]:
    """A tls-alpn-01 route at the CA's port."""
    return {"challenge": "tls-alpn-01", "listen": f"{host}:{stage.lab.pebble.tls_port}"}


def renewed(stage: Stage, *names: str, routes: list[dict[str, Any]] | None = None) -> Outcome:
    """Renew by these routes; by default only by tls-alpn-01."""
    return stage.renewed({**site(stage, *names), "certificate.0.routes": routes or [alpn(stage)]})


def test_the_ca_validates_a_certificate_of_two_names(stage: Stage) -> None:
    """Two names are validated at one port, each with its challenge certificate, and without a TXT value."""
    outcome = renewed(stage, "site.test", "www.site.test")
    assert attempt_rows(outcome) == [("lab", "tls-alpn-01", (), 1, None)]
    assert outcome.to_dict()["route"] == {"ca": "lab", "challenge": "tls-alpn-01", "dns": []}
    assert "txt-written" not in stage.kinds()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["", "[::1]"])
def test_the_ca_can_connect_by_ipv6(stage: Stage, host: str) -> None:
    """A name with only an AAAA record is validated over IPv6."""
    zone = "six-listen.test" if host else "six-any.test"
    stage.lab.add_zone(zone, "@ AAAA ::1\n")
    changes = {"dns.home.zones": [zone], "certificate.0.domains": [zone]}
    assert stage.renewed({**changes, "certificate.0.routes": [alpn(stage, host)]}).status == "renewed"


def test_a_wildcard_takes_the_dns_route_beside_it(stage: Stage) -> None:
    """One order uses tls-alpn-01 for a name and dns-01 for its wildcard."""
    routes = [alpn(stage), {"challenge": "dns-01", "dns": "home"}]
    outcome = renewed(stage, "site.test", "*.site.test", routes=routes)
    assert outcome.to_dict()["route"]["challenge"] == "mixed"
    assert len(outcome.attempts) == 1


def test_a_taken_port_costs_no_order(stage: Stage) -> None:
    """If the port is taken, the evidence has it, and the next route is tried without an order for this one."""
    with socket.create_server(("127.0.0.1", stage.lab.pebble.tls_port)):
        outcome = renewed(stage, routes=[alpn(stage, "127.0.0.1"), {"challenge": "dns-01", "dns": "home"}])
        assert attempt_rows(outcome) == [
            ("lab", "tls-alpn-01", (), 0, "tls-alpn-port-taken"),
            ("lab", "dns-01", ("home",), 1, None),
        ]
        error = error_of(outcome.attempts[0])
        assert error.evidence["port"] == stage.lab.pebble.tls_port
        assert "tls-alpn-01" in error.message


def test_a_ca_that_cannot_connect_costs_one_order(stage: Stage) -> None:
    """If the CA cannot connect, the attempt fails, and the next route succeeds in the same run."""
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    routes = [{"challenge": "tls-alpn-01", "listen": f":{port}"}, {"challenge": "dns-01", "dns": "home"}]
    outcome = renewed(stage, routes=routes)
    assert codes(outcome) == ["ca-unauthorized", None]  # Pebble's error; other CAs have "connection"


def test_certificates_at_once_share_the_port(stage: Stage) -> None:
    """At a shared port, each connection gets the certificate of its name."""
    names = ["site.test", "www.site.test", "mail.site.test"]
    certificates = [{"domains": [name], "routes": [alpn(stage)]} for name in names]
    outcomes = stage.run({**site(stage), "certificate": certificates})
    assert [outcome.status for outcome in outcomes] == ["renewed"] * 3


def test_a_cancel_closes_the_port(stage: Stage) -> None:
    """A cancel after the challenges are answered interrupts the outcome and closes the port."""
    cancel = threading.Event()
    stage.on_kind["challenges-answered"] = cancel.set
    outcome = stage.one({**site(stage), "certificate.0.routes": [alpn(stage)]}, cancel=cancel)
    assert outcome.status == "interrupted"
    assert not is_open(stage)


def shake_hands(port: int, name: str, protocol: str | None = PROTOCOL) -> bytes | None:
    """Return the certificate of the listener; None if it refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocol:
        context.set_alpn_protocols([protocol])
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=name) as tls,
        ):
            return tls.getpeercert(binary_form=True)
    except ssl.SSLError:
        return None
    except OSError as error:
        assert error.errno == errno.ECONNRESET  # noqa: PT017  # a refusal may close the connection
        return None


def test_strangers_learn_nothing(stage: Stage) -> None:
    """An unknown name gets an alert. Garbage and silence block nothing, and the CA is served meanwhile."""
    port = stage.lab.pebble.tls_port
    found: list[bytes | None] = []

    def visit() -> None:
        with socket.create_connection(("127.0.0.1", port)) as rude, socket.create_connection(("127.0.0.1", port)):
            rude.sendall(b"GET / HTTP/1.1\r\n\r\n")
            found.append(shake_hands(port, "nobody.test"))
            found.append(shake_hands(port, "SITE.test"))

    ask = solver.TlsAlpnListeners.ask

    def asked(listeners: solver.TlsAlpnListeners, listen: str, key: str) -> dict[str, bytes]:
        visit()
        return ask(listeners, listen, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver.TlsAlpnListeners, "ask", asked)
        assert renewed(stage).status == "renewed"
    assert found[0] is None
    assert found[1] is not None


def test_our_own_check_is_first(stage: Stage) -> None:
    """If the listener presents another certificate, the CA is not asked, because a failed validation counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver.TlsAlpnListeners, "fetch", lambda *_: b"something else")
        outcome = stage.one({**site(stage), "certificate.0.routes": [alpn(stage)]})
    assert outcome.status == "failed"
    assert error_of(outcome).code == "tls-alpn-not-served"
    assert "challenges-answered" not in stage.kinds()
