"""Helpers for reading the source of the package as a syntax tree."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parents[1] / "dnsrenew"
UNKNOWN: Final = "…"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Module:
    """A file of the package: its tree, what stands in it at the top, and which function a node is in.

    :ivar imports: names that come from another file, each with that file's name.
    """

    tree: ast.Module
    top: Mapping[str, ast.expr]
    imports: Mapping[str, str]
    inside: Mapping[ast.AST, Function]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands.

    :ivar bound: what a caller hands over, for the parameters of the function.
    """

    module: Module
    function: Function | None
    bound: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def set_in(function: Function, module: Module, name: str) -> list[ast.expr]:
    """Return what a name in a function is set to, also as a part of a tuple, or of the tuples of a table."""
    found: list[ast.expr] = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                found.append(node.value)
            elif isinstance(target, ast.Tuple):
                places = [place for place, part in enumerate(target.elts) if getattr(part, "id", None) == name]
                found += [each for place in places for each in parts_of(node.value, place, module)]
    return found


def parts_of(value: ast.expr, place: int, module: Module) -> list[ast.expr]:
    """Return what stands at a place of a tuple, or of each tuple of a table; ``…`` where that cannot be told."""
    if isinstance(value, ast.Tuple) and place < len(value.elts):
        return [value.elts[place]]
    if isinstance(value, ast.IfExp):
        return [*parts_of(value.body, place, module), *parts_of(value.orelse, place, module)]
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name):
        table = module.top.get(value.value.id)
        rows = table.values if isinstance(table, ast.Dict) else []
        return [each for row in rows for each in parts_of(row, place, module)]
    return [ast.Constant(UNKNOWN)]


def assigned_to(statement: ast.Assign, body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Give what ``error.code`` and ``error.fix`` are set to, in this statement or in the next one."""
    place = list(body).index(statement)
    following = [other for other in body[place + 1 : place + 2] if isinstance(other, ast.Assign)]
    for each in (statement, *following):
        for target in each.targets:
            if isinstance(target, ast.Attribute) and target.attr in {"code", "fix"}:
                yield target.attr, each.value
            elif isinstance(target, ast.Tuple) and isinstance(each.value, ast.Tuple) and each is statement:
                for part, value in zip(target.elts, each.value.elts, strict=True):
                    if isinstance(part, ast.Attribute) and part.attr in {"code", "fix"}:
                        yield part.attr, value


def read_module(tree: ast.Module) -> Module:
    """Return what is asked of a file later."""
    top: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            top[node.target.id] = node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            top[node.targets[0].id] = node.value
    imports = {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith(PACKAGE.name)
        for alias in node.names
        if alias.name[0].isupper() and file_of(node.module).is_file()
    }
    inside: dict[ast.AST, Function] = {}
    for each in ast.walk(tree):  # outer functions come first, so the innermost one stays
        if isinstance(each, Function):
            inside |= dict.fromkeys(ast.walk(each), each)
    return Module(tree, top, imports, inside)


def dotted_name(file: Path) -> str:
    """Return what a file is called in an import."""
    return ".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts))


def file_of(dotted: str) -> Path:
    """Return the file of a name in an import."""
    return PACKAGE.parent.joinpath(*dotted.split(".")).with_suffix(".py")


def subclasses_of(modules: Sequence[Module], root: str) -> set[str]:
    """Return a class and all that are made from it, by name."""
    bases = {
        node.name: {getattr(base, "id", "") for base in node.bases}
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {root}
    while more := {name for name, its in bases.items() if its & found} - found:
        found |= more
    return found


def parameters_of(function: Function) -> list[str]:
    """Return the names of the parameters, in order."""
    arguments = function.args
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def defaults_of(function: Function) -> Iterator[tuple[str, ast.expr]]:
    """Give the parameters that have a default, with it."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(positional) - len(arguments.defaults)
    yield from zip((each.arg for each in positional[count:]), arguments.defaults, strict=True)
    for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if value is not None:
            yield each.arg, value


def given_to(call: ast.Call, names: Sequence[str]) -> Iterator[tuple[str, ast.expr]]:
    """Give what a call hands over, by name."""
    plain = list(itertools.takewhile(lambda each: not isinstance(each, ast.Starred), call.args))
    yield from zip(names, plain, strict=False)
    for keyword in call.keywords:
        if keyword.arg in names:
            yield keyword.arg or "", keyword.value


def called_name(call: ast.expr) -> str:
    """Return the last name of what is called."""
    function = call.func if isinstance(call, ast.Call) else None
    return getattr(function, "id", "") or getattr(function, "attr", "")


def receiver_of(call: ast.Call) -> ast.expr | None:
    """Return the object whose method is called."""
    return call.func.value if isinstance(call.func, ast.Attribute) else None


def is_sentence(text: str) -> bool:
    """Tell whether a text is more than a word, and begins as a sentence does."""
    return " " in text and (text[0].isupper() or text.startswith(UNKNOWN))


def fragment(text: str) -> str:
    """Mark a part of a sentence as one."""
    return f"{UNKNOWN} {text.rstrip('.')} {UNKNOWN}" if text[:1].islower() else text


def tidy(text: str) -> str:
    """Let what is not known stand once where it stood several times in a row."""
    return re.sub(rf"{UNKNOWN}(\s*{UNKNOWN})+", UNKNOWN, text)
