"""The lab's fixtures (a plugin is registered once per name), and the loaded program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.stage import Zygote


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin (pytest allows `pytest_plugins` in the root conftest only)."""
    config.pluginmanager.import_plugin("tests.lab.fixtures")


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """The loaded program, of which processes are forked."""
    with Zygote() as started:
        yield started
