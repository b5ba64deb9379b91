"""The table of challenge types: what adding one touches, and what the rest of the package asks the table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import dnsrenew
from dnsrenew.base.model import Route
from dnsrenew.challenges import CHALLENGES
from dnsrenew.challenges import http01_server as server
from dnsrenew.challenges import tls_alpn01 as solver
from dnsrenew.config.routes import NAMES
from dnsrenew.extensions.doctor import facts

PACKAGE = Path(dnsrenew.__file__).parent
FREE = ("challenges/", "extensions/setup/", "testing/", "base/translation/")
"""The types' own folder; what writes configurations; stand-ins for a CA; texts in other languages."""
EXCEPTIONS = {
    "base/model/spec.py": "the type of a route, for type checkers",
    "config/certificates.py": "the default route",
    "config/routes.py": "the schema: the name of each type, and the keys that have a meaning with it",
    "config/schema.py": "the route that is shown where a key of one stands in a certificate",
    "extensions/doctor/folding.py": "what follows from a network that blocks DNS",
    "extensions/serve/source.py": "the routes of a certificate that options name",
    "extensions/doctor/host/machine.py": "the error codes of the http-01 listener, which tries any port",
    "extensions/doctor/facts.py": "a check about what only dns-persist-01 has: a record that stays",
    "store/paths.py": "the name of a folder, in stores that exist",
}
BEGINNINGS = {f"{name.rsplit('-', 1)[0]}-" for name in CHALLENGES} | {f"{name.split('-')[0]}-" for name in CHALLENGES}


def documentation(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield the strings that are statements: docstrings."""
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))


def named(source: str) -> list[str]:
    """Return the strings of a file that name a type, by its whole name, within quotes, or by how names begin."""
    tree = ast.parse(source)
    ignored = set(documentation(tree))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in ignored
        if node.value in BEGINNINGS or any(name == node.value or f'"{name}"' in node.value for name in CHALLENGES)
    ]


def users() -> dict[str, list[str]]:
    """Return the files that name a type, without catalogues of texts, whose sentences may be about one type."""
    files = {file.relative_to(PACKAGE).as_posix(): file for file in PACKAGE.rglob("*.py") if file.name != "texts.py"}
    found = {path: named(file.read_text("utf-8")) for path, file in sorted(files.items()) if not path.startswith(FREE)}
    return {path: strings for path, strings in found.items() if strings}


def test_a_new_type_touches_its_folder_the_table_and_the_schema() -> None:
    """No other file names a challenge type, but for a few that are about one type alone."""
    assert users().keys() == EXCEPTIONS.keys()


@pytest.mark.parametrize(
    "source",
    [
        'if route.challenge == "dns-01": pass',
        '_LISTENING = ("http-01", "tls-alpn-01")',
        'route.challenge.startswith("dns-")',
        'SQL = """SELECT 1 WHERE wanted @? \'$ ? (@.challenge == "dns-01")\'"""',
    ],
)
def test_a_planted_name_is_found(source: str) -> None:
    """A comparison, a list, a prefix and a name within a longer text are found."""
    assert named(source)


@pytest.mark.parametrize("source", ['"""What ``"dns-01"`` is."""', "x = 'a route by dns-01'", "# dns-01"])
def test_prose_is_quiet(source: str) -> None:
    """Docstrings, comments and sentences may name a type."""
    assert named(source) == []


def test_a_route_has_the_types_of_the_table() -> None:
    """A route takes every type of the table, and no other: in the configuration, in Python, and for type checkers."""
    assert sorted(NAMES) == sorted(CHALLENGES)
    for declared in (Route, Route.__init__):
        assert sorted(get_args(get_type_hints(declared)["challenge"])) == sorted(CHALLENGES)


def test_a_type_is_by_port_or_by_dns() -> None:
    """A CA connects to a port, whose errors the table has, or it looks into DNS, where answers take time to arrive."""
    for its in CHALLENGES.values():
        assert (its.port is None) == (its.unreachable is None)
        assert not its.propagates or its.port is None
        assert not its.writes_dns or its.port is None


def test_a_listener_opens_the_port_of_the_table() -> None:
    """A route without `listen` opens the port that the CA connects to."""
    assert CHALLENGES["http-01"].listen == server.DEFAULT
    assert CHALLENGES["tls-alpn-01"].listen == solver.DEFAULT


def test_the_checks_know_the_types_by_port_and_by_account() -> None:
    """The doctor tells the types apart by what the table says of them."""
    assert (facts.HTTP, facts.TLS) == (("http-01",), ("tls-alpn-01",))
    assert facts.INBOUND == ("http-01", "tls-alpn-01")
    assert {name for name in CHALLENGES if facts.kind_of(name) in facts.DNS} == {"dns-01", "dns-account-01"}
    assert facts.DNS == ("dns-01",)
