"""Imports inside the package point down only, and every third-party library has one owner (the design's picture)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnsrenew

PACKAGE = Path(dnsrenew.__file__).parent

# Top to bottom. A line may import from the lines below it; its members do not know each other.
LEVELS = (
    {"__main__"},
    {"cli", "serve", "testing"},
    {"doctor"},
    {"schedule"},
    {"obtaining"},
    {"renewer"},
    {"revocation", "accounts", "runs"},
    {"services", "status"},
    {"renewal", "sweep"},
    {"aftermath", "predecessor", "resuming"},
    {"job"},
    {"course", "outcomes", "wishes"},
    {"way"},
    {"due", "routes", "decisions", "memory"},
    {"config", "challenges", "deploy"},
    {"checks", "ca", "dns", "drivers", "store"},
    {"http", "x509"},
    {"model", "accountdata", "events", "errors", "secrets", "retry", "context", "pace", "silence", "programs", "turns"}
    | {"workers", "clock", "files", "hostport", "names", "words", "frozen", "mistakes", "toml_lines", "spellings"},
)
RANKS = {unit: rank for rank, units in enumerate(reversed(LEVELS)) for unit in units}
GROUND = 0  # the small words everybody speaks: single files, and they may use each other

OWNERS = {
    "acme": {"ca"},
    "cryptography": {"x509"},
    "dns": {"dns", "drivers/rfc2136"},  # dnspython
    "idna": {"names"},
    "josepy": {"ca"},  # acme's signing and key wrappers; the keys themselves are made in x509
    "keyring": {"secrets"},
    "lexicon": {"drivers/lexicon"},
    "requests": {"http"},
    "tenacity": {"retry"},
    "tldextract": {"drivers/lexicon"},  # lexicon wants one that stays offline
    "urllib3": {"http"},  # underneath requests
}


def imported(source: str, path: str) -> Iterator[str]:
    """Every module that a file names in an import, late ones and those for typing too, absolute: `dnsrenew.errors`."""
    here = ("dnsrenew", *Path(path).parts[:-1])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join((*base, node.module) if node.module else base)
            yield from [f"dnsrenew.{alias.name}" for alias in node.names] if module == "dnsrenew" else [module]


def violations(source: str, path: str) -> list[str]:
    """What a file of the package (`ca/session.py`) imports and should not."""
    unit = Path(path).parts[0].removesuffix(".py")
    if unit not in RANKS:
        return [f"{path}: has no level yet: give it one in LEVELS"]
    found = []
    for module in imported(source, path):
        top, _, rest = module.partition(".")
        target = rest.partition(".")[0]
        if top == "dnsrenew":
            down = target in RANKS and (RANKS[target] < RANKS[unit] or RANKS[target] == RANKS[unit] == GROUND)
            if not (target in {unit, "__version__"} or down):
                found.append(f"{path}: {module} is not below it")
        elif top not in sys.stdlib_module_names:
            place = path.removesuffix(".py")
            if not any(place == owner or place.startswith(f"{owner}/") for owner in OWNERS.get(top, ())):
                found.append(f"{path}: {top} is not its library")
    return found


# __init__ is the list of public names, from every level; another test holds it.
FILES = sorted(
    file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py"
)


@pytest.mark.parametrize("path", FILES)
def test_imports_point_down(path: str) -> None:
    """A file imports only what lies below it, and only the libraries it owns."""
    assert violations((PACKAGE / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ca/order.py", "import dnsrenew.renewal"),
        ("ca/order.py", "from dnsrenew.store import Store"),
        ("ca/order.py", "from dnsrenew import store"),
        ("ca/order.py", "from dnsrenew import Certificate"),
        ("ca/order.py", "from ..dns.zones import cut"),
        ("ca/order.py", "from .. import doctor"),
        ("ca/order.py", "def late():\n    from dnsrenew.cli import main"),
        ("ca/order.py", "if TYPE_CHECKING:\n    from dnsrenew.config import Config"),
        ("ca/order.py", "import requests.adapters"),
        ("drivers/duckdns.py", "import dns.query"),
        ("retry.py", "from .http import get"),
        ("model.py", "import numpy"),
        ("novelty.py", ""),
    ],
)
def test_a_planted_violation_is_found(path: str, source: str) -> None:
    """Upwards, sideways, late, for typing, relative, somebody else's library: each is seen."""
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "ca/order.py",
            "import os, acme.messages, josepy\nfrom dnsrenew.http import Session\nfrom .session import Nonces",
        ),
        ("ca/order.py", "from dnsrenew import __version__, x509\nfrom dnsrenew.ca.session import Nonces"),
        ("dns/zones.py", "from . import wire\nfrom .. import errors\nimport dns.query"),
        ("drivers/rfc2136/options.py", "import dns.tsig"),
        ("model.py", "from .errors import DnsRenewError"),
        ("testing.py", "from dnsrenew.drivers import Driver\nfrom dnsrenew.dns import look"),
    ],
)
def test_what_is_allowed_is_quiet(path: str, source: str) -> None:
    """Down, within one's own folder, among the ground floor, one's own library."""
    assert violations(source, path) == []
