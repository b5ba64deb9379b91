"""The unit tests that are nearest to what changed, within a minute: ``make quick``.

What changed is what the working tree and the branch have beside ``main``. A test is as near as the chain of imports
from its file to a changed one is short. The nearest files run first, and no test starts once the time is over.

As a plugin of pytest (``-p tests.kit.quick``), this module keeps that time.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import dnsrenew

ROOT: Final = Path(__file__).resolve().parents[2]
MOST_FILES: Final = 100
"""More would take a good part of the minute to be collected."""
SECONDS: Final = 40.0
"""From the first test to the last that starts; the start of pytest takes 10 seconds on two quiet cores."""
WHOLE: Final = "part:the source of the package"
"""What a file reaches that looks into every file of the package."""
Graph = Mapping[str, set[str]]


# ── what changed, and the tests that are near ───────────────────────────────────────────


def changed() -> list[str]:
    """Return the files that differ from the commit at which the branch left ``main``."""
    left = _git("merge-base", "HEAD", "main") or ["HEAD"]
    return sorted({*_git("diff", "--name-only", *left), *_git("ls-files", "--others", "--exclude-standard")})


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.splitlines()


def sources() -> dict[str, str]:
    """Return the text of each Python file that unit tests can reach."""
    folders = ("dnsrenew", "docs", "bench", "tests/kit", "tests/lab", "tests/unit")
    files = [ROOT / "tests" / "conftest.py", *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    return {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in sorted(files)}


def graph(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Return what each file imports, or names in a string: modules, and the parts of paths to other files.

    A module that no other one imports is loaded by name, by a file above it that calls ``import_module``.
    """
    modules = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in texts}
    found = {path: set(_named(text, modules)) - {path} for path, text in texts.items()}
    loaders = {str(Path(path).parent): path for path, text in texts.items() if "import_module(" in text}
    imported = {target for path, its in found.items() if not path.startswith("tests/") for target in its}
    for path in found.keys() - imported:
        for folder in map(str, Path(path).parents):
            if folder in loaders:
                found[loaders[folder]].add(path)
                break
    for path, its in found.items():
        if _is_test(path):
            its.update(each for folder in Path(path).parents if (each := str(folder / "conftest.py")) in texts)
    return found


def _is_test(path: str) -> bool:
    return Path(path).name.startswith("test_")


def _named(text: str, modules: Mapping[str, str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{_home(node.module, alias.name)}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 100:
            names = [node.value]
            yield from (f"part:{part}" for part in node.value.split("/"))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "dnsrenew.__file__":
            names = []
            yield WHOLE
        else:
            continue
        yield from (modules[module] for name in names if (module := _module(name, modules)))


def _home(module: str, name: str) -> str:
    """Return a name as it is written behind its module; a public name has a home below the package."""
    return f"{dnsrenew._HOMES[name]}.{name}" if module == "dnsrenew" and name in dnsrenew._HOMES else name


def _module(name: str, modules: Mapping[str, str]) -> str | None:
    """Return the longest beginning of a dotted name that is a module, unless it is only the whole package."""
    while "." in name:
        if name in modules:
            return name
        name = name.rpartition(".")[0]
    return None


def distances(edges: Graph, files: Iterable[str]) -> dict[str, int]:
    """Return how many imports each file is away from the nearest changed one.

    What is no Python is one step away from a file that has its name in a string, and two from one with its folder's.
    A test that reads the whole package is two steps away from each of its files.
    """
    users: dict[str, set[str]] = {}
    for path, targets in edges.items():
        for target in targets:
            users.setdefault(target, set()).add(path)
    found: dict[str, int] = {}
    at: dict[int, set[str]] = {0: {file for file in files if file in edges}}
    for file in files:
        parts = (
            () if file.endswith(".py") else reversed(Path(file).parts)
        )  # a module that is gone was changed in others
        for level, part in enumerate(parts, 1):
            if part != "tests":
                at.setdefault(level, set()).update(users.get(f"part:{part}", ()))
    if any(file.startswith("dnsrenew/") for file in files):
        at.setdefault(2, set()).update(filter(_is_test, users.get(WHOLE, ())))
    for distance in range(len(edges)):
        new = at.get(distance, set()) - found.keys()
        found |= dict.fromkeys(new, distance)
        at.setdefault(distance + 1, set()).update(user for path in new for user in users.get(path, ()))
    return found


def nearest(edges: Graph, files: Iterable[str]) -> list[str]:
    """Return the files of unit tests that reach a changed file, nearest and most special first; if none does, all."""
    tests = sorted(path for path in edges if _is_test(path))
    away = distances(edges, files)
    return sorted((path for path in tests if path in away), key=lambda path: (away[path], len(edges[path]))) or tests


def main(arguments: list[str]) -> int:
    """Run them, and return the exit status of pytest."""
    files = changed()
    tests = nearest(graph(sources()), files)
    few = tests[:MOST_FILES]
    found = f"{len(files)} files changed, {len(tests)} files of unit tests reach them: the nearest {len(few)} run"
    print(found, flush=True)  # noqa: T201  # `make quick` shows it
    command = [sys.executable, "-m", "pytest", "-p", "tests.kit.quick", "-q", "-n", "2", "--dist", "loadfile"]
    command += ["--no-loadscope-reorder", *few, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


# ── the plugin ──────────────────────────────────────────────────────────────────────────

_left_out: list[str] = []


@functools.cache
def _begin() -> float:
    return time.monotonic()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run no test once the time is over."""
    if _begin() + SECONDS > time.monotonic():
        return None
    _left_out.append(item.nodeid)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that shows the results what was left out here."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what the workers left out."""
    _left_out.extend(node.workeroutput["left_out"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run, so that green means no more than it does."""
    if _left_out:
        count = len({nodeid.partition("::")[0] for nodeid in _left_out})
        terminalreporter.write_line(f"The time is over: {len(_left_out)} tests in {count} files did not run.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
