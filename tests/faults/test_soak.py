"""Twenty renewals of the soak that `make soak` makes 500 of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.soak import soaking
from tests.lab import Lab

SEED = 20342
"""One in which nearly everything comes up within twenty."""


@pytest.mark.timeout(300)
def test_whatever_goes_wrong_at_real_servers_nothing_is_lost(lab: Lab, tmp_path: Path) -> None:
    """The same seed each time; after each renewal all that soak_look.py looks at, and at the end one that is clean."""
    lines: list[str] = []
    with soaking(lab, tmp_path, SEED, lines.append) as soak:
        soak.go(20)
    assert len(lines) == 22
