"""The lab's fixtures: a plugin is registered once per name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin (pytest allows `pytest_plugins` in the root conftest only)."""
    config.pluginmanager.import_plugin("tests.lab.fixtures")
