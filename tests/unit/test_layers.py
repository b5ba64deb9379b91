"""The layers of the package: a folder imports only from lower layers, and files do not import each other in a cycle."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import dnsrenew
from docs import floors
from docs.syntax import nodes_of

PACKAGE = Path(dnsrenew.__file__).parent
MOST_AT_THE_ROOT = 10

MOST_FLOORS = 10
MOST_IN_A_FOLDER = 33
LEAST_MEDIAN = 100
"""Net lines of the file in the middle, without empty ones: it was 73."""
BUDGET = {"files": 438, "files of the core": 203, "late imports": 117, "lines": 55_963, "lines of the core": 29_954}
"""What the package may have: what it has today. Whoever needs more makes room first, and whoever makes room lowers it.

The goals: 500 files, 300 of the core, 120 late imports, 56,000 lines, 32,000 of the core.
"""

OWNERS = {
    "a2wsgi": {"extensions/serve"},
    "acme": {"acme"},
    "apprise": {"extensions/watch"},
    "boto3": {"extensions/hosts/lexicon/patches"},
    "botocore": {"extensions/hosts/lexicon/patches"},
    "cryptography": {"base/x509", "testing/box"},  # the CA of a box signs
    "dns": {"dns", "drivers/rfc2136", "extensions/doctor/survey", "extensions/setup/delegate/wait", "testing/box"},
    "idna": {"base/names"},
    "josepy": {"acme", "testing/box"},  # signing and key wrappers of acme, whose signatures a box verifies; keys: x509
    "keyring": {"base/secrets"},
    "lexicon": {"extensions/hosts/lexicon"},
    "procrastinate": {"extensions/fleet"},
    "psutil": {"base/found", "extensions/doctor/host", "extensions/setup/importing/served_check", "schedule/machine"},
    "psycopg": {"extensions/fleet"},
    "psycopg_pool": {"extensions/fleet"},  # procrastinate's pool
    "pytest": {"testing/plugin"},
    "requests": {"base/http", "extensions/hosts/lexicon/patches"},  # its proxies; changed for others
    "tenacity": {"base/runtime/calls"},
    "tldextract": {"base/names"},
    "urllib3": {"base/http"},
    "uvicorn": {"extensions/serve"},
}


def violations(source: str, path: str) -> list[str]:
    """Return the forbidden imports of a file of the package (`acme/session.py`)."""
    unit = floors.unit_of(path)
    if unit not in floors.RANKS:
        return [f"{path}: its folder has no floor yet: give it one in docs/floors.py"]
    found = []
    for module in floors.imported(source, path):
        top, _, rest = module.partition(".")
        target = floors.unit_of(rest.replace(".", "/"))
        if top == "dnsrenew":
            down = target in floors.RANKS and floors.RANKS[target] < floors.RANKS[unit]
            if not (target in {unit, "__version__"} or down):
                found.append(f"{path}: {module} is not below it")
        elif top not in sys.stdlib_module_names:
            place = path.removesuffix(".py").removesuffix("/__init__")
            if not any(place == owner or place.startswith(f"{owner}/") for owner in OWNERS.get(top, ())):
                found.append(f"{path}: {top} is not its library")
    return found


# __init__ is the list of public names, from every floor; another test holds it.
FILES = sorted(
    file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py"
)


def test_imports_point_down() -> None:
    """A file imports only from lower floors, and only the libraries that it owns."""
    assert [found for path in FILES for found in violations((PACKAGE / path).read_text(encoding="utf-8"), path)] == []


def test_the_core_has_few_floors() -> None:
    """The core stands on few floors, and the extensions above it."""
    assert len(floors.CORE) <= MOST_FLOORS


@cache
def counted(source: str) -> tuple[int, int]:
    """Return the lines of code of a file, without comments and docstrings, and its imports within functions."""
    words, late = set[int](), set[int]()
    for node in nodes_of(source):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            late.update(each.lineno for each in ast.walk(node) if isinstance(each, (ast.Import, ast.ImportFrom)))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            words.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = [line for number, line in enumerate(source.splitlines(), 1) if number not in words]
    return sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#")), len(late)


def test_the_package_stays_within_its_budget() -> None:
    """Files, lines of code (without catalogues of texts) and imports within functions do not grow unnoticed."""
    found = dict.fromkeys(BUDGET, 0)
    for path in FILES:
        lines, late = counted((PACKAGE / path).read_text(encoding="utf-8"))
        lines = 0 if path.endswith("texts.py") else lines
        found["files"] += 1
        found["lines"] += lines
        found["late imports"] += late
        if not path.startswith(("extensions/", "testing/")):
            found["files of the core"] += 1
            found["lines of the core"] += lines
    assert {name: count for name, count in found.items() if count > BUDGET[name]} == {}


def test_a_file_is_a_chapter_and_a_folder_can_be_held() -> None:
    """Files are not split into paragraphs, and no folder has more than a screen of them, but that of the DNS hosts."""
    sizes = {path: counted((PACKAGE / path).read_text(encoding="utf-8"))[0] for path in FILES}
    assert statistics.median(size for size in sizes.values() if size) >= LEAST_MEDIAN
    folders = Counter(path.rpartition("/")[0] for path in FILES)
    del folders["extensions/hosts"]  # a host is a file
    assert {folder: count for folder, count in folders.items() if count > MOST_IN_A_FOLDER} == {}


def test_the_root_has_few_files() -> None:
    """Few files are at the package's root."""
    assert len([file for file in PACKAGE.iterdir() if file.is_file()]) <= MOST_AT_THE_ROOT


def circles(sources: Mapping[str, str]) -> list[str]:
    """Return the files that import themselves indirectly. Late and typing imports count too."""
    edges = floors.edges(sources)
    return [start for start in sorted(edges) if start in floors.reached(edges, start)]


def test_no_file_is_in_an_import_circle() -> None:
    """No file imports itself, even indirectly, late or for typing."""
    assert circles({path: (PACKAGE / path).read_text(encoding="utf-8") for path in FILES}) == []


def test_a_planted_circle_is_found() -> None:
    """Two files that import each other, one of them late, are both named."""
    planted = {
        "acme/a.py": "from dnsrenew.acme.b import x",
        "acme/b.py": "def late():\n    from dnsrenew.acme import a",
        "acme/c.py": "from dnsrenew.acme import a",
        "acme/__init__.py": "",
    }
    assert circles(planted) == ["acme/a.py", "acme/b.py"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("acme/order.py", "import dnsrenew.renewal"),
        ("acme/order.py", "from dnsrenew.store import Store"),
        ("acme/order.py", "from dnsrenew import store"),
        ("acme/order.py", "from dnsrenew import Certificate"),
        ("acme/order.py", "from ..dns.zones import cut"),
        ("acme/order.py", "from ..extensions import doctor"),
        ("acme/order.py", "def late():\n    from dnsrenew.cli import main"),
        ("acme/order.py", "if TYPE_CHECKING:\n    from dnsrenew.config import Config"),
        ("acme/order.py", "import requests.adapters"),
        ("extensions/hosts/duckdns.py", "import dns.query"),
        ("base/runtime/calls.py", "from ..http import get"),
        ("base/clock.py", "from dnsrenew.base.runtime import context"),
        ("base/model/spec.py", "import numpy"),
        ("errors.py", "from dnsrenew.base.model import Attempt"),
        ("novelty.py", ""),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    """Each kind of forbidden import is found: upwards, sideways, late, for typing, relative, or foreign."""
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "acme/order.py",
            "import os, acme.messages, josepy\nfrom dnsrenew.base.http import Session\nfrom .session import Nonces",
        ),
        (
            "acme/order.py",
            "from dnsrenew import __version__\nfrom dnsrenew.base import x509\nfrom dnsrenew.acme.session import X",
        ),
        ("dns/zones.py", "from . import wire\nfrom .. import errors\nimport dns.query"),
        ("drivers/rfc2136/__init__.py", "import dns.tsig"),
        ("base/model/spec.py", "from ...errors import DnsRenewError"),
        ("testing.py", "from dnsrenew.drivers import Driver\nfrom dnsrenew.dns import look"),
    ],
)
def test_what_is_allowed_is_quiet(path: str, source: str) -> None:
    """Imports from below, from the same folder and of an owned library are allowed."""
    assert violations(source, path) == []


def class_names(sources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield every class with its file. A leading underscore is ignored."""
    for path, source in sources.items():
        for node in nodes_of(source):
            if isinstance(node, ast.ClassDef):
                yield node.name.lstrip("_"), path


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the package have the same name."""
    seen: dict[str, list[str]] = {}
    for name, path in class_names({path: (PACKAGE / path).read_text(encoding="utf-8") for path in FILES}):
        seen.setdefault(name, []).append(path)
    assert {name: paths for name, paths in seen.items() if len(paths) > 1} == {}


OPTIONAL = (
    *("a2wsgi", "apprise", "boto3", "keyring", "lexicon", "procrastinate", "psycopg", "psycopg_pool", "uvicorn"),
)
NEED_THEM = {"certificate_job", "deadlines", "queue", "worker"}
"""The files of a fleet that are loaded after its packages were looked for."""


def test_what_is_optional_is_imported_late() -> None:
    """Without any of the optional packages all files can be imported, but for those that are loaded after a look."""
    code = f"""
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys({OPTIONAL}))
import dnsrenew
failed = set()
for module in pkgutil.walk_packages(dnsrenew.__path__, "dnsrenew."):
    try:
        module.name.endswith("__main__") or importlib.import_module(module.name)
    except ImportError:
        failed.add(module.name)
print(*sorted(failed), sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    failed = done.stdout.split()
    assert {name.rpartition(".")[2] for name in failed} == NEED_THEM
    assert all(name.startswith("dnsrenew.extensions.fleet.") for name in failed)
