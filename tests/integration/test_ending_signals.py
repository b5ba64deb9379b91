"""Ctrl-C and SIGTERM end a run within five seconds, at any point."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

import dns.opcode
import dns.rcode
import pytest

from tests.kit.ca_gate import Gate
from tests.kit.network_ca import REQUESTS
from tests.kit.program import Kept, Run
from tests.lab.dnsforwarder import Query
from tests.lab.workspace import Workspace

SIGINT, SIGTERM = (signal.SIGINT, 130), (signal.SIGTERM, 143)
SIGNALS = pytest.mark.parametrize(("number", "status"), [SIGINT, SIGTERM])
INTERRUPTED = pytest.mark.parametrize(("number", "status"), [SIGINT, pytest.param(*SIGTERM, marks=pytest.mark.slow)])
"""Where the other signal, which leads to the same end, is tested by `make soak`."""


def interrupted(document: Any) -> dict[str, Any]:
    """Return the outcome of a run that was stopped."""
    (outcome,) = document["outcomes"]
    assert outcome["status"] == "interrupted"
    assert outcome["error"]["code"] == "cancelled"
    assert outcome["error"]["fix"]
    found: dict[str, Any] = outcome
    return found


@SIGNALS
def test_while_waiting_for_dns(workspace: Workspace, number: int, status: int) -> None:
    """A signal during the wait for DNS removes the values. The old certificate stays, and the document is complete."""
    kept = Kept.place(workspace)
    workspace.lab.lag = 10.0
    with Run.start(workspace, "renew", "--force", "--json") as run:
        run.wait_for("TXT values written")
        assert workspace.lab.txt("_acme-challenge.example.test")
        found, document = run.stop(number)
    assert found == status
    outcome = interrupted(document)
    assert outcome["warnings"] == []
    assert outcome["serial"] is not None
    assert workspace.lab.txt("_acme-challenge.example.test") == set()
    assert any("2 TXT values removed" in line for line in run.lines)
    kept.assert_whole()


@pytest.mark.parametrize(
    ("kind", "number", "status"),
    [
        pytest.param(kind, *each, marks=[] if each is (SIGINT, SIGTERM)[place % 2] else [pytest.mark.slow])
        for place, kind in enumerate(REQUESTS[:-1])
        for each in (SIGINT, SIGTERM)
    ],
)
def test_while_the_ca_is_silent(workspace: Workspace, kind: str, number: int, status: int) -> None:
    """A signal ends a run that waits for the CA, for each kind of request; the signals take turns in `make test`."""
    kept = Kept.place(workspace)
    with Gate.before(workspace, kind) as gate, Run.start(workspace, "renew", "--force", "--json") as run:
        gate.wait()
        found, document = run.stop(number)
    assert found == status
    interrupted(document)
    assert workspace.lab.txt("_acme-challenge.example.test") == set()
    kept.assert_whole()


@INTERRUPTED
def test_while_the_dns_server_hangs(workspace: Workspace, number: int, status: int) -> None:
    """If the server of the updates is silent, a signal ends the run without waiting for the update or the removal."""
    kept = Kept.place(workspace)
    with workspace.lab.silent("127.0.0.5"):
        workspace.write({"dns.home.server": f"127.0.0.5:{workspace.lab.port}"})
        with Run.start(workspace, "renew", "--force", "--json", "-v") as run:
            run.wait_for("writing _acme-challenge")
            found, document = run.stop(number)
    assert found == status
    interrupted(document)
    kept.assert_whole()


def test_while_the_resolver_is_silent(workspace: Workspace) -> None:
    """A signal while the resolver is silent ends the run before an order."""
    kept = Kept.place(workspace)
    with workspace.lab.silent("127.0.0.1", workspace.lab.reserve()) as silent:
        workspace.write({"resolver.nameservers": [f"127.0.0.1:{silent.port}"]})
        with Run.start(workspace, "renew", "--force", "--json", "-v") as run:
            run.wait_for("renewing because of --force")
            found, document = run.stop(signal.SIGINT)
    assert found == 130
    interrupted(document)
    kept.assert_whole()


@dataclass
class Updates:
    """A name server that accepts this number of updates; later ones get the given answer (None: silence)."""

    good: int
    code: dns.rcode.Rcode | None
    seen: int = 0

    def __call__(self, query: Query) -> bytes | dns.message.Message | None:
        """Answer one message."""
        if query.message.opcode() != dns.opcode.UPDATE:
            return query.forward()
        self.seen += 1
        if self.seen <= self.good:
            return query.forward()
        if self.code is None:
            return None
        answer = dns.message.make_response(query.message)
        answer.set_rcode(self.code)
        return answer


@pytest.mark.leaves_txt
def test_values_that_cannot_be_removed_in_time(workspace: Workspace) -> None:
    """If the DNS server fails after a write, the run ends within five seconds, and a warning names the values."""
    kept = Kept.place(workspace)
    workspace.lab.lag = 10.0
    with workspace.lab.forwarder("127.0.0.3", Updates(1, None)):
        workspace.write({"dns.home.server": f"127.0.0.3:{workspace.lab.port}"})
        with Run.start(workspace, "renew", "--force", "--json") as run:
            run.wait_for("TXT values written")
            found, document = run.stop(signal.SIGINT)
    assert found == 130
    (warning,) = interrupted(document)["warnings"]
    assert warning["code"] == "txt-kept"
    assert "_acme-challenge.example.test" in warning["message"]
    assert len(workspace.lab.txt("_acme-challenge.example.test")) == 2
    kept.assert_whole()


@pytest.mark.leaves_txt
def test_a_second_signal_ends_at_once(workspace: Workspace) -> None:
    """A second signal ends the run at once, with a document. The old certificate stays."""
    kept = Kept.place(workspace)
    workspace.lab.lag = 10.0
    with workspace.lab.forwarder("127.0.0.3", Updates(1, None)):
        workspace.write({"dns.home.server": f"127.0.0.3:{workspace.lab.port}"})
        with Run.start(workspace, "renew", "--force", "--json") as run:
            run.wait_for("TXT values written")
            run.process.send_signal(signal.SIGTERM)
            run.wait_for("interrupt again")
            found, document = run.stop(signal.SIGINT, within=1.0)
    assert found == 143
    assert document["error"]["code"] == "cancelled"
    kept.assert_whole()


def test_several_certificates_are_interrupted(workspace: Workspace) -> None:
    """Each certificate has an outcome, also one that had not started."""
    certificates = [{"name": f"host{number}", "domains": [f"host{number}.example.test"]} for number in range(4)]
    workspace.write({"certificate": certificates})
    workspace.lab.lag = 10.0
    with Run.start(workspace, "renew", "--workers", "2", "--json") as run:
        run.wait_for("host0: 1 TXT value written")
        run.wait_for("host1: 1 TXT value written")
        found, document = run.stop(signal.SIGINT)
    assert found == 130
    assert [outcome["status"] for outcome in document["outcomes"]] == ["interrupted"] * 4
    assert workspace.lab.all_txt() == {}


# ── errors in the removal ───────────────────────────────────────────────────────────────


@pytest.mark.leaves_txt
def test_an_error_while_withdrawing_does_not_hide_the_first(workspace: Workspace) -> None:
    """If DNS never agrees and the removal fails, the outcome has the first error and a warning for the second."""
    kept = Kept.place(workspace)
    workspace.lab.lag = 3.0
    with workspace.lab.forwarder("127.0.0.3", Updates(1, dns.rcode.REFUSED)):
        server = f"127.0.0.3:{workspace.lab.port}"
        workspace.write({"dns.home.server": server, "certificate.0.propagation": {"timeout": 1}})
        status, document = workspace.run_json("renew", "--force")
    (outcome,) = document["outcomes"]
    assert (status, outcome["status"], outcome["error"]["code"]) == (1, "failed", "propagation-timeout")
    (warning,) = outcome["warnings"]
    assert warning["code"] == "txt-kept"
    assert "_acme-challenge.example.test" in warning["message"]
    kept.assert_whole()


@pytest.mark.leaves_txt
def test_an_error_while_withdrawing_does_not_undo_a_success(workspace: Workspace) -> None:
    """If the removal fails after the issuance, the certificate is stored, and a warning names the values."""
    with workspace.lab.forwarder("127.0.0.3", Updates(1, dns.rcode.REFUSED)):
        workspace.write({"dns.home.server": f"127.0.0.3:{workspace.lab.port}"})
        status, document = workspace.run_json("renew")
    (outcome,) = document["outcomes"]
    assert (status, outcome["status"]) == (0, "renewed")
    assert [warning["code"] for warning in outcome["warnings"]] == ["txt-kept"]
    Kept.of(workspace.store).assert_whole()


@INTERRUPTED
def test_the_helper_outside(workspace: Workspace, number: int, status: int) -> None:
    """A signal ends `doctor --serve-probe` with the same status as `run`."""
    address = f"127.0.0.1:{workspace.lab.reserve()}"
    with Run.start(workspace, "doctor", "--serve-probe", address, "--json") as run:
        run.wait_for(address)
        assert run.stop(number) == (status, {"version": 1})
    assert run.lines[-1] == "Stopped.\n"
