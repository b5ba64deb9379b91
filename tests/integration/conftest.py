"""The fixtures of the lab and of the CA box; a plugin is registered once per name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.renew_stage import Stage
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

_ROOT = str(Path(__file__).resolve().parents[2])


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin (pytest allows `pytest_plugins` in the root conftest only)."""
    if _ROOT not in sys.path:
        sys.path.insert(0, _ROOT)
    config.pluginmanager.import_plugin("tests.lab.fixtures")
    config.pluginmanager.import_plugin("tests.kit.ca_box")


@pytest.fixture
def stage(workspace: Workspace) -> Stage:
    """The library in a workspace without a certificate."""
    return Stage(workspace)


@pytest.fixture
def ca(workspace: Workspace) -> Iterator[AcmeProxy]:
    """The CA, behind a proxy that counts."""
    with workspace.lab.acme_proxy() as proxy:
        yield proxy
