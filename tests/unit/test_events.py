"""Every emitted event has a documented kind, with the documented data."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnsrenew
from dnsrenew.base.model import DeploymentResult
from docs.syntax import called_name, nodes_of
from docs.tables import EVENTS

PACKAGE = Path(dnsrenew.__file__).parent
EMITTERS = {"emit", "_emit"}


def documented(kind: str) -> set[str]:
    """Return the keys of the data of a kind. A text in parentheses explains the key before it."""
    data = re.sub(r"\([^)]*\)", "", EVENTS[kind].partition("; data: ")[2])
    return {key.strip() for key in data.split(",")}


@functools.cache
def emitted() -> list[tuple[str, set[str], bool]]:
    """All kinds that the package emits; see :func:`_emitted`."""
    return list(_emitted())


def _emitted() -> Iterator[tuple[str, set[str], bool]]:
    """Kind, keys, and whether these are all: a call may take further ones from an object."""
    for path in PACKAGE.rglob("*.py"):
        for node in nodes_of(path.read_text("utf-8")):
            if isinstance(node, ast.Call) and called_name(node) in EMITTERS and node.args:
                for each in ast.walk(node.args[0]):
                    if isinstance(each, ast.Constant):
                        keys = {keyword.arg for keyword in node.keywords}
                        yield str(each.value), {key for key in keys if key}, None not in keys


def test_every_kind_is_emitted_and_none_beside_them() -> None:
    """The kinds in the list are exactly those that the code emits, and that of a line of the command line."""
    assert {kind for kind, _, _ in emitted()} == set(EVENTS) - {"message"}


def test_an_event_has_the_data_that_is_documented() -> None:
    """The keys of each emitted event are documented. Unless it has dynamic ones, all documented keys are emitted."""
    for kind, keys, whole in emitted():
        if not kind.startswith("deploy") and kind != "certificate-finished":  # results, which have fields of their own
            assert keys - documented(kind) == set(), kind
            assert not whole or keys == documented(kind), kind


@pytest.mark.parametrize("kind", ["deployed", "deploy-failed"])
def test_the_result_of_a_deployment_is_an_event(kind: str) -> None:
    """The data of the event is the JSON form of the result."""
    assert documented(kind) == set(DeploymentResult(to="files", target="x", ok=True).to_dict())
