"""A part of the soak: twenty renewals of 500 with random faults, and twenty of 1,000 of a server under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.serving_soak import soak as soak_server
from tests.kit.soak import soaking
from tests.lab import Lab

SEED = 20342
"""With this seed nearly every fault occurs within twenty renewals."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_random_faults_at_real_servers_lose_nothing(lab: Lab, tmp_path: Path) -> None:
    """After each renewal all checks of soak_checks.py hold, and at the end one run is clean. The seed is fixed."""
    lines: list[str] = []
    with soaking(lab, tmp_path, SEED, lines.append) as soak:
        soak.go(20)
    assert len(lines) == 22


def test_no_handshake_fails_during_twenty_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in asyncio, in debug mode, loses none of 200 connections a second, and serves what is new."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    found = soak_server(20, 200)
    assert found.failures == []
    assert found.serials > 1
