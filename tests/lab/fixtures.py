"""Fixtures for tests that need the lab. A plugin: `pytest_plugins = ["tests.lab.fixtures"]` in the root conftest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .lab import Lab
from .workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAVES_TXT = "leaves_txt"


def pytest_configure(config: pytest.Config) -> None:
    """Register our marker."""
    config.addinivalue_line("markers", f"{LEAVES_TXT}: the test leaves TXT values behind on purpose (they are removed)")


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """The lab of this process (of this xdist worker), started once."""
    with Lab.start() as started:
        yield started


@pytest.fixture
def lab(running_lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab: no lag, an empty resolver cache, and a secondary that has what the primary has.

    After the test no TXT value may be left that was not there before.

    A test that leaves one on purpose is marked `@pytest.mark.leaves_txt`; its values are removed too.
    """
    running_lab.catch_up()
    running_lab.flush()
    before = running_lab.all_txt()
    yield running_lab
    left = running_lab.remove_txt_but(before)
    if left and request.node.get_closest_marker(LEAVES_TXT) is None:
        pytest.fail(f"TXT values were left behind: {left}")


@pytest.fixture
def workspace(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Iterator[Workspace]:
    """A folder with a dnsrenew.toml for the lab; afterwards no secret may be in it or in captured output."""
    made = getattr(request.module, "WORKSPACE", Workspace)(lab, tmp_path)
    yield made
    made.assert_clean()
