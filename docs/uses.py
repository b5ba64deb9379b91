"""Finds the classes of each text of the catalogues: what the source makes where it uses the text.

From a use outwards, the first of these decides: the class whose ``of`` or constructor gets the text, ``warn`` or
``notes.add`` (a notice), a called function that says it returns an error or a notice, the function around it that says
so, the errors made from the names that the text is assigned to. Where a text is only stored or returned, the uses of
that constant, field or function decide.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from docs.syntax import Function, called_name, children, nodes_in, source, subclasses_of

NOTICE: Final = "Notice"
CHECK: Final = "Check"
"""The result of a check, which a function of the same module may turn into an error."""

_FINDING: Final = "NameFinding"
"""What a check of several names is made from."""

_Use = tuple[str, ast.expr]
"""The name of a module, and an expression in it."""


def classes_of(module: str, name: str) -> set[str]:
    """Return the names of the classes that have the text of a module constant.

    :data:`NOTICE` stands for a warning, :data:`CHECK` for the result of a check.
    """
    found = _Search(_index()).of(module, name)
    return {CHECK if each == _FINDING else each for each in found}


def error_classes() -> set[str]:
    """Return the names of all classes of errors."""
    return _index().kinds - {NOTICE, CHECK, _FINDING}


@dataclass(frozen=True, slots=True)
class _Index:
    """The package by names.

    :ivar kinds: the classes of errors, :data:`NOTICE` and :data:`CHECK`.
    :ivar handlers: the ``except`` clauses for an exception, with their modules.
    """

    kinds: set[str]
    classes: set[str] = field(default_factory=set)
    uses: dict[str, list[_Use]] = field(default_factory=dict)
    functions: dict[str, list[tuple[str, Function]]] = field(default_factory=dict)
    handlers: dict[str, list[tuple[str, ast.ExceptHandler]]] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def add(self, module: str, node: ast.AST) -> None:
        """Add one node of a module."""
        self.parents.update(dict.fromkeys(children(node), node))
        if isinstance(node, Function):
            self.functions.setdefault(node.name, []).append((module, node))
        elif isinstance(node, ast.ClassDef):
            self.classes.add(node.name)
        elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
            self.handlers.setdefault(node.type.id, []).append((module, node))
        elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
            self.uses.setdefault(_last_name(node), []).append((module, node))

    def nearest(self, module: str, name: str) -> list[tuple[str, Function]]:
        """Return the functions that a call in a module can mean: the module's own, imported ones, others."""
        found = self.functions.get(name, [])
        folder, imported = module.rpartition(".")[0], set(source()[module].imports.values())
        by_distance = (
            [each for each in found if each[0] == module],
            [each for each in found if each[0] in imported],
            [each for each in found if each[0].rpartition(".")[0] == folder],
        )
        return next(filter(None, by_distance), found)


@cache
def _index() -> _Index:
    index = _Index({*subclasses_of(source().values(), "DnsRenewError"), NOTICE, CHECK, _FINDING})
    for name, module in source().items():
        for node in module.nodes:
            index.add(name, node)
    return index


_NOTES = "dnsrenew.extensions.setup.importing.reading"
"""The module of the notes of an import, which are shown as warnings."""


@dataclass(slots=True)
class _Search:
    """One search. It follows no name twice."""

    index: _Index
    followed: set[tuple[str, str]] = field(default_factory=set)

    def of(self, module: str, name: str) -> set[str]:
        """Return the classes that the uses of a name lead to: a constant, or a function that returns texts."""
        return self._from_uses(module, name, [use for use in self._uses(name) if _means(use, module, name)])

    def _field(self, name: str) -> set[str]:
        return self._from_uses("", name, [use for use in self._uses(name) if isinstance(use[1], ast.Attribute)])

    def _uses(self, name: str) -> list[_Use]:
        return self.index.uses.get(name, [])

    def _from_uses(self, module: str, name: str, uses: Sequence[_Use]) -> set[str]:
        if (module, name) in self.followed:
            return set()
        self.followed.add((module, name))
        found: set[str] = set()
        for where, node in uses:
            kinds = self._from_use(where, node)
            found |= kinds | (_from_checks(where) if CHECK in kinds else set())
        return found

    def _from_use(self, where: str, node: ast.AST) -> set[str]:
        keyword = ""
        while not isinstance(node, ast.stmt):
            parent = self.index.parents[node]
            if isinstance(parent, ast.keyword):
                keyword = parent.arg or ""
            elif isinstance(parent, ast.Call) and node is not parent.func:
                made = self._made_by(where, parent) or self._given(where, parent)
                if made or (keyword and called_name(parent) in self.index.classes):
                    return made or self._field(keyword)
            node = parent
        function = source()[where].inside.get(node)
        return self._from_top(where, node) if function is None else self._from_function(where, function, node)

    def _from_top(self, where: str, node: ast.stmt) -> set[str]:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        in_class = isinstance(self.index.parents[node], ast.ClassDef)
        return {kind for name in names for kind in (self._field(name) if in_class else self.of(where, name))}

    def _from_function(self, where: str, function: Function, node: ast.stmt) -> set[str]:
        if own := _returned(function):
            return own
        names = _names(node, ast.Store)
        inner: ast.AST = node
        while names and inner is not function:
            parent = self.index.parents[inner]
            if made := self._made_from(where, names, _following(parent, inner)):
                return made
            inner = parent
        return self.of(where, function.name) if _has_text(function.returns) else set()

    def _given(self, where: str, call: ast.Call) -> set[str]:
        """Return what a called function makes from its texts."""
        found: set[str] = set()
        if (where, called_name(call)) in self.followed:
            return found
        self.followed.add((where, called_name(call)))
        for module, function in self.index.nearest(where, called_name(call)):
            names = {each.arg for each in function.args.args if _has_text(each.annotation)}
            found |= self._made_from(module, names, function.body) if names else set()
        return found

    def _made_from(self, where: str, names: AbstractSet[str], body: Sequence[ast.AST]) -> set[str]:
        """Return what statements make from names, or from what they assign from these."""
        nodes = [node for statement in body for node in nodes_in(statement)]
        for node in nodes:
            value = node.iter if isinstance(node, (ast.For, ast.comprehension)) else getattr(node, "value", None)
            if isinstance(node, (ast.Assign, ast.AnnAssign, ast.For, ast.comprehension)) and value is not None:
                names = names | (_names(node, ast.Store) if names & _names(value) else set())
        calls = [node for node in nodes if isinstance(node, ast.Call) and names & set(_arguments(node))]
        return {kind for call in calls for kind in self._made_by(where, call) or self._given(where, call)}

    def _made_by(self, where: str, call: ast.Call) -> set[str]:
        """Return the classes of what a call makes; for another exception, of what its handlers make."""
        name = called_name(call)
        owner = _last_name(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        adds_note = owner.lstrip("_") == "notes" or (owner, where) == ("self", _NOTES)
        if name == "warn" or (name == "add" and adds_note):
            return {NOTICE}
        if name in self.index.kinds or (name == "of" and owner in self.index.kinds):
            return {name} if name in self.index.kinds else {owner}
        if name in self.index.handlers:
            if ("except", name) in self.followed:  # its own handler may raise another one
                return set()
            self.followed.add(("except", name))
            handlers = self.index.handlers[name]
            calls = [(at, each) for at, body in handlers for each in nodes_in(body) if isinstance(each, ast.Call)]
            return {kind for at, each in calls for kind in self._made_by(at, each)}
        return {kind for _, each in self.index.nearest(where, name) for kind in _returned(each)}


@cache
def _from_checks(where: str) -> set[str]:
    """Return the errors that the functions of a module make from verdicts."""
    found = [each for each in source()[where].nodes if isinstance(each, Function)]
    annotations = [(each, argument.annotation) for each in found for argument in each.args.args]
    makers = [each for each, annotation in annotations if annotation is not None and CHECK in _names(annotation)]
    return {kind for each in makers for kind in _returned(each)} - {CHECK}


def _returned(function: Function) -> set[str]:
    return _index().kinds & _names(function.returns) if function.returns is not None else set()


def _means(use: _Use, module: str, name: str) -> bool:
    """Return whether a use means the name of this module: plain there, imported or dotted elsewhere."""
    where, node = use
    imports = source()[where].imports
    if isinstance(node, ast.Attribute):
        owner = _last_name(node.value)
        return (owner in {"self", "cls"} and where == module) or imports.get(owner) == module
    return where == module or imports.get(name) == module


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def _names(node: ast.AST, context: type[ast.expr_context] = ast.Load) -> frozenset[str]:
    """Return the names in a node, without the objects they belong to."""
    every = (each for each in nodes_in(node) if isinstance(each, (ast.Name, ast.Attribute)))
    return frozenset(_last_name(each) for each in every if isinstance(each.ctx, context))


def _arguments(call: ast.Call) -> Iterator[str]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        yield from _names(argument)


def _has_text(annotation: ast.expr | None) -> bool:
    names = [] if annotation is None else _names(annotation)
    return any(name == "tuple" or name.endswith(("Text", "Texts")) for name in names)


def _following(parent: ast.AST, node: ast.AST) -> list[ast.AST]:
    """Return a statement and those after it in its block."""
    for block in (getattr(parent, name, None) for name in ("body", "orelse", "finalbody", "handlers")):
        if isinstance(block, list) and node in block:
            return block[block.index(node) :]
    return []
