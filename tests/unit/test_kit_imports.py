"""Tests share code through tests/kit and tests/lab only: no test imports another one."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from tests.kit.users import NOBODY, acting_as, as_root

TESTS = Path(__file__).resolve().parents[1]
SHARED = ("tests.kit", "tests.lab")


def imported(path: Path) -> Iterator[str]:
    """Yield the test modules that a file imports, including those in the code of a child process."""
    package, text = path.relative_to(TESTS.parent).with_suffix("").parts[:-1], path.read_text("utf-8")
    if not re.search(r"\btests\b|import\s+\.|from\s+\.", text):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "tests")
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            if module == "tests":
                yield from (f"tests.{alias.name}" for alias in node.names)
            elif module.startswith("tests."):
                yield module
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()
            yield from (after for word, after in itertools.pairwise(words)
                        if word in {"from", "import"} and after.startswith("tests."))  # fmt: skip


def test_the_tests_import_the_kit_and_the_lab_only() -> None:
    """Tests import shared code only from tests/kit and tests/lab."""
    found = [
        f"{path.relative_to(TESTS)}: {module}"
        for path in sorted(TESTS.rglob("*.py"))
        for module in imported(path)
        if not module.startswith(SHARED) and path.parent.name != "typing"
    ]
    assert found == []


@as_root
def test_an_open_folder_is_below_no_folder_of_pytest(open_path: Path) -> None:
    """Each start of pytest closes the folder of all runs to other users; they still reach this one."""
    assert not any(each.name.startswith("pytest-of-") for each in open_path.parents)
    with acting_as(NOBODY):
        assert list(open_path.iterdir()) == []


def test_the_lab_needs_no_kit() -> None:
    """The lab does not import the kit."""
    lab = [path for path in (TESTS / "lab").glob("*.py") if any("tests.kit" in module for module in imported(path))]
    assert lab == []


def test_only_tests_stand_beside_the_kit() -> None:
    """A folder of tests contains only tests and a conftest."""
    others = [
        path.relative_to(TESTS).as_posix()
        for folder in ("unit", "integration", "contract", "faults")
        for path in (TESTS / folder).glob("*.py")
        if not path.name.startswith("test_") and path.name not in {"__init__.py", "conftest.py"}
    ]
    assert others == []
