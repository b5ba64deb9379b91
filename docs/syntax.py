"""The source of the package as syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

PACKAGE: Final = Path(__file__).resolve().parents[1] / "dnsrenew"
UNKNOWN: Final = "…"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the package.

    :ivar nodes: all nodes of the tree, outer ones first.
    :ivar top: the names that the module assigns outside of functions and classes.
    :ivar imports: each imported name with the module it comes from; a module comes from itself.
    :ivar inside: the innermost function around a node.
    """

    nodes: tuple[ast.AST, ...]
    top: tuple[str, ...]
    imports: Mapping[str, str]
    inside: Mapping[ast.AST, Function]

    @property
    def makes_texts(self) -> bool:
        """Whether it calls :class:`dnsrenew.errors.Text`."""
        return any(isinstance(node, ast.Call) and called_name(node) == "Text" for node in self.nodes)


@cache
def files() -> Mapping[str, str]:
    """Return the source of every module of the package, by name."""
    return {_dotted_name(file): file.read_text("utf-8") for file in sorted(PACKAGE.rglob("*.py"))}


@cache
def source() -> Mapping[str, Module]:
    """Return every module of the package, by name."""
    return {name: module_of(name) for name in files()}


@cache
def module_of(name: str) -> Module:
    """Return a module of the package."""
    return _read(nodes_of(files()[name]), files().keys())


@cache
def nodes_of(text: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a source, its tree first, and outer ones before those in them."""
    return nodes_in(ast.parse(text))


@cache
def nodes_in(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return a node and all nodes in it, as :func:`ast.walk` does, in a third of its time."""
    found = [node]
    for each in found:
        found += children(each)
    return tuple(found)


def children(node: ast.AST) -> list[ast.AST]:
    """Return the nodes that a node consists of, without those that only say how a name is used."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST) and name != "ctx":
            found.append(value)
    return found


def _dotted_name(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(nodes: tuple[ast.AST, ...], modules: Iterable[str]) -> Module:
    top: dict[str, None] = {}
    for statement in cast("ast.Module", nodes[0]).body:
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        top |= dict.fromkeys(target.id for target in targets if isinstance(target, ast.Name))
    imports: dict[str, str] = {}
    inside: dict[ast.AST, Function] = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                imports[alias.asname or alias.name] = module if module in modules else node.module
        elif isinstance(node, Function):
            inside[node] = node
        if node in inside:
            inside |= dict.fromkeys(children(node), inside[node])
    return Module(nodes, tuple(top), imports, inside)


def subclasses_of(modules: Iterable[Module], root: str) -> set[str]:
    """Return the names of a class and of all its subclasses."""
    bases = {
        node.name: {getattr(base, "id", "") for base in node.bases}
        for module in modules
        for node in module.nodes
        if isinstance(node, ast.ClassDef)
    }
    found = {root}
    while more := {name for name, its in bases.items() if its & found} - found:
        found |= more
    return found


def called_name(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def tidy(text: str) -> str:
    """Return a text with one ``…`` for several in a row."""
    return re.sub(rf"{UNKNOWN}(\s*{UNKNOWN})+", UNKNOWN, text)
