"""Bad input, third part: a CA that is down, is not one, refuses, or gives wrong answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from dnsrenew.extensions.doctor.issuer.texts import TCP_REFUSED
from tests.kit.program import Kept, failed
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace


def orders(outcome: Mapping[str, Any]) -> list[int]:
    """The number of orders of each attempt."""
    return [attempt["orders"] for attempt in outcome["attempts"]]


def test_a_ca_that_is_down(workspace: Workspace) -> None:
    """If nothing listens at the CA's address, nothing is ordered, and the error has the doctor's advice."""
    kept = Kept.place(workspace)
    workspace.write({"ca.lab.directory": f"https://127.0.0.1:{workspace.lab.reserve()}/dir"})
    outcome = failed(workspace, "renew", "--force", code="ca-unreachable", words=("lab", "refused"), again=False)
    assert outcome["error"]["evidence"]["stage"] == "connect"
    assert outcome["error"]["fix"] == TCP_REFUSED.fix.format(ca="lab")
    assert orders(outcome) == [0]
    kept.assert_whole()


def test_a_ca_whose_name_is_not_in_dns(workspace: Workspace) -> None:
    """A directory whose host name does not exist is reported."""
    workspace.write({"ca.lab.directory": "https://acme.invalid/dir"})
    outcome = failed(workspace, "renew", code="ca-unreachable", words=("lab", "name"), again=False)
    assert outcome["error"]["evidence"]["stage"] == "dns"


def test_not_an_https_server(workspace: Workspace) -> None:
    """A port that speaks HTTP without TLS is reported."""
    with HTTPServer(("127.0.0.1", workspace.lab.reserve()), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        workspace.write({"ca.lab.directory": f"https://127.0.0.1:{server.server_port}/dir"})
        outcome = failed(workspace, "renew", code="ca-unreachable", words=("lab",), again=False)
        server.shutdown()
    assert outcome["error"]["evidence"]["stage"] == "tls"
    assert orders(outcome) == [0]


@pytest.mark.parametrize("ours", [True, False], ids=["another-root", "the-system's-roots"])
def test_a_certificate_that_is_not_trusted(workspace: Workspace, ours: bool) -> None:
    """A CA with an untrusted TLS certificate gets no request."""
    kept = Kept.place(workspace)
    with workspace.lab.acme_proxy(ca=workspace.lab.another_ca()) as proxy:
        workspace.write({"ca.lab.directory": proxy.directory_url} if ours else {"ca.lab.trust": None})
        outcome = failed(workspace, "renew", "--force", code="ca-untrusted", words=("lab", "certificate"))
        assert not proxy.exchanges
    assert "trust" in outcome["error"]["fix"]
    assert orders(outcome) == [0]
    kept.assert_whole()


# ── one of three names ──────────────────────────────────────────────────────────────────


@dataclass
class OneDisappears:
    """Removes the TXT of one name just before the CA validates it."""

    workspace: Workspace
    name: str
    challenges: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def response(self, request: Request, response: Response) -> Response:
        """Record which challenge belongs to which name."""
        if request.kind == "authorization" and response.status == 200:
            body = response.json()
            with self.lock:
                for challenge in body["challenges"]:
                    self.challenges[challenge["url"]] = body["identifier"]["value"]
        return response

    def request(self, request: Request) -> None:
        """Remove the TXT before the validation."""
        if request.kind == "challenge" and self.challenges.get(request.header.get("url", "")) == self.name:
            label = f"_acme-challenge.{self.name}".removesuffix(".example.test")
            lab = self.workspace.lab
            lab.update("example.test", remove=[(label, "TXT")])
            while any(lab.txt(f"{label}.example.test", server) for server in lab.ns):  # the CA may query either server
                time.sleep(0.01)


def test_one_of_three_names_is_invalid(workspace: Workspace) -> None:
    """The error has the name that failed, with the CA's words, and none of the others."""
    kept = Kept.place(workspace)
    changes = {"certificate.0.domains": ["example.test", "good.example.test", "bad.example.test"]}
    breaking = OneDisappears(workspace, "bad.example.test")
    with workspace.lab.acme_proxy(breaking.request, breaking.response) as proxy:
        workspace.write({**changes, "ca.lab.directory": proxy.directory_url})
        words = ("lab", "bad.example.test", "unauthorized")
        outcome = failed(workspace, "renew", "--force", code="ca-unauthorized", words=words)
    assert outcome["error"]["evidence"]["identifiers"] == ["bad.example.test"]
    assert "good.example.test" not in outcome["error"]["message"]
    kept.assert_whole()
