"""docs/guides/testing.md: its tests run and pass, as they stand on the page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kit.documents import DOCS, ROOT, blocks


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    """All tests of the page pass in one file, with warnings as errors."""
    page = blocks((DOCS / "guides" / "testing.md").read_text("utf-8"), "python")
    (tmp_path / "test_page.py").write_text("\n\n".join(page), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = ("pytest", "-q", "-W", "error", "-p", "dnsrenew.testing.plugin", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(block.count('def test_') for block in page)} passed" in done.stdout
