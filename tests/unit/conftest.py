"""The lab in memory, for whole runs that need no real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.memory_lab import MemoryCa, MemoryLab, MemoryStage, MemoryWorkspace


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[MemoryLab]:
    """A lab in memory. After the test no TXT value may be left."""
    made = MemoryLab(tmp_path)
    with made.installed():
        yield made
    assert not any(made.host.values.values())


@pytest.fixture
def workspace(lab: MemoryLab, tmp_path: Path) -> Iterator[MemoryWorkspace]:
    """A folder with a dnsrenew.toml for the lab; afterwards no secret may be in it or in captured output."""
    made = MemoryWorkspace(lab, tmp_path)
    yield made
    made.assert_clean()


@pytest.fixture
def ca(lab: MemoryLab) -> Iterator[MemoryCa]:
    """The CA, behind a proxy that counts."""
    with lab.acme_proxy() as proxy:
        yield proxy


@pytest.fixture
def stage(workspace: MemoryWorkspace) -> MemoryStage:
    """The library in a workspace without a certificate."""
    return MemoryStage(workspace)
