"""What a renewal reads from the store, and what a run with nothing due loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateSpec, Deployment, Route
from dnsrenew.base.values import replace
from dnsrenew.store import AtomicFiles
from tests.kit.run_stage import RunStage, RunWorld

SPEC = CertificateSpec(
    name="site",
    domains=("x.test",),
    identifiers=("x.test",),
    ca="one",
    key="ecdsa-p256",
    routes=(Route("dns-01", dns="a", ca="one"),),
)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were read."""
    found: list[str] = []
    read = AtomicFiles.read

    def noted(files: AtomicFiles, path: str) -> bytes | None:
        found.append(path)
        return read(files, path)

    monkeypatch.setattr(AtomicFiles, "read", noted)
    return found


@pytest.mark.parametrize(("host", "status"), [("ok", "renewed"), ("half", "failed")])
def test_state_json_is_read_twice_in_a_renewal(tmp_path: Path, reads: list[str], host: str, status: str) -> None:
    """The state is read once before and once after the lock, in a successful and a failed renewal."""
    assert RunStage(tmp_path / "state", RunWorld(hosts={"a": host})).run(SPEC).status == status
    assert len([path for path in reads if path.endswith("/state.json")]) == 2


def test_a_deployment_needs_no_further_read(tmp_path: Path, reads: list[str]) -> None:
    """A renewal with a deployment reads the state no more often."""
    files = Deployment("files", certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    done = RunStage(tmp_path / "state", RunWorld(hosts={"a": "ok"})).run(replace(SPEC, deploy=(files,)))
    assert (done.status, [each.ok for each in done.deployed]) == ("renewed", [True])
    assert len([path for path in reads if path.endswith("/state.json")]) == 2


NOTHING_DUE = (
    "dnsrenew.renewal.renew",
    "dnsrenew.renewal.resume",
    "dnsrenew.renewal.failure",
    "dnsrenew.renewal.renew",
    "dnsrenew.renewal.services",
    "dnsrenew.renewal.planner",
    "dnsrenew.renewal.policy",
    "dnsrenew.challenges.solver",
    "dnsrenew.challenges.dns01",
    "dnsrenew.acme",
    "dnsrenew.dns",
    "dnsrenew.base.http",
    "dnsrenew.base.x509",
    "acme",
    "cryptography",
    "dns",
    "josepy",
    "requests",
    "tenacity",
)
"""Modules that cost time and that a run with nothing due does not need."""


def test_a_run_with_nothing_due_loads_no_heavy_module() -> None:
    """A run with nothing due loads no heavy module, because a timer starts it every few hours."""
    code = "import sys, dnsrenew.cli.renew, dnsrenew.renewer, dnsrenew.renewal.batch; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert [name for name in NOTHING_DUE if name in loaded] == []
