"""`make quick` finds the unit tests that are nearest to a changed file, and its time has an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import quick

PLANTED = {
    "dnsrenew/__init__.py": "",
    "dnsrenew/low.py": "",
    "dnsrenew/middle.py": "from dnsrenew import low",
    "dnsrenew/top.py": "def late():\n    from dnsrenew.middle import x",
    "dnsrenew/base/checks/__init__.py": "",
    "dnsrenew/base/checks/table.py": "import importlib\nimportlib.import_module(name)",
    "dnsrenew/base/checks/ports.py": "from dnsrenew.low import x",
    "tests/conftest.py": 'pytest_plugins = ["tests.kit.plugin"]',
    "tests/kit/plugin.py": "",
    "tests/unit/test_low.py": "from dnsrenew.low import x",
    "tests/unit/test_top.py": "from dnsrenew.top import x",
    "tests/unit/test_patching.py": 'monkeypatch.setattr("dnsrenew.middle.Class.method", None)',
    "tests/unit/test_table.py": "from dnsrenew.base.checks.table import x",
    "tests/unit/test_pages.py": 'Path("docs") / "page.md"',
    "tests/unit/test_folder.py": 'Path("docs").iterdir()',
    "tests/unit/test_sources.py": "import dnsrenew\nPath(dnsrenew.__file__)",
}
ALL = [path for path in PLANTED if path.startswith("tests/unit/")]


@pytest.mark.parametrize(
    ("changed", "near"),
    [
        ("dnsrenew/low.py", ["low", "sources", "patching", "table", "top"]),
        ("dnsrenew/top.py", ["top", "sources"]),
        ("dnsrenew/base/checks/ports.py", ["sources", "table"]),  # loaded by name
        ("docs/page.md", ["pages", "folder"]),
        ("tests/unit/test_low.py", ["low"]),
    ],
)
def test_the_nearest_tests_come_first(changed: str, near: list[str]) -> None:
    """Imports count, direct, late and indirect; and names in strings: of modules, of files and of folders."""
    found = quick.nearest(quick.graph(PLANTED), [changed])
    assert [path.removeprefix("tests/unit/test_").removesuffix(".py") for path in found] == near


@pytest.mark.parametrize("changed", ["tests/kit/plugin.py", "LICENSE"])
def test_what_concerns_no_test_or_each_runs_all(changed: str) -> None:
    """A plugin of conftest.py is imported by every test. A file that no test reaches, or no change, runs all."""
    assert sorted(quick.nearest(quick.graph(PLANTED), [changed])) == sorted(ALL)
    assert sorted(quick.nearest(quick.graph(PLANTED), [])) == sorted(ALL)


def test_no_test_starts_after_the_time(tmp_path: Path) -> None:
    """What did not run in time is counted, with workers and without."""
    (tmp_path / "slow_box.py").write_text("from tests.kit import quick\nquick.SECONDS = 0.0\n")
    (tmp_path / "test_it.py").write_text("def test_one(): raise ValueError\ndef test_two(): raise ValueError\n")
    for workers in ("0", "1"):
        command = [sys.executable, "-m", "pytest", "-p", "slow_box", "-p", "tests.kit.quick", "-p", "no:cacheprovider"]
        path = os.pathsep.join((str(quick.ROOT), str(tmp_path)))
        done = subprocess.run(
            [*command, "-n", workers, "-q", "test_it.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert "2 tests in 1 files did not run" in done.stdout
        assert "ValueError" not in done.stdout
