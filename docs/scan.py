"""Reads the error and warning codes that are not in a catalogue yet out of the source; to be deleted.

An error is found where it is made: a call of a class of the error tree, or of :class:`Notice`. Where a function
makes it from its arguments, the callers are looked at; where the code comes from a table, the table is. What is
only known at run time becomes ``…``.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

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


NOTICE: Final = "Notice"

_CODE: Final = re.compile(r"[a-z]+(-[a-z]+)*")
_DASHED: Final = re.compile(r"[a-z]+(-[a-z]+)+")
_FIELD: Final = re.compile(r"\{[a-z_]+\}")
_MOST: Final = 12
_DEEPEST: Final = 3
_FIELDS: Final = ("code", "message", "fix")

T = TypeVar("T")


@dataclass(slots=True)
class Entry:
    """What the source says of one code.

    :ivar classes: of the errors that have it; :data:`NOTICE` for a warning.
    """

    code: str
    classes: set[str] = field(default_factory=set)
    messages: dict[str, None] = field(default_factory=dict)
    fixes: dict[str, None] = field(default_factory=dict)


class Source:
    """The whole package."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.by_name = {dotted_name(file): read_module(ast.parse(file.read_text("utf-8"))) for file in files}
        self.modules = list(self.by_name.values())
        self.errors = subclasses_of(self.modules, "DnsRenewError")
        self.calls: dict[str, list[tuple[Module, ast.Call]]] = {}
        self.functions: dict[str, list[tuple[Module, Function]]] = {}
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Call):
                    self.calls.setdefault(called_name(node), []).append((module, node))
                elif isinstance(node, Function):
                    self.functions.setdefault(node.name, []).append((module, node))
        self.found: dict[tuple[str, str], Entry] = {}
        for kind in sorted({*self.errors, NOTICE}):
            for module, call in self.calls.get(kind, []):
                self._made(kind, module, call)
        for module in self.modules:
            self._assigned(module)
        self._verdicts()

    # ── where errors are made ───────────────────────────────────────────────────────────

    def _made(self, kind: str, module: Module, call: ast.Call) -> None:
        """Take in one call of a class of errors."""
        parts = dict(given_to(call, _FIELDS))
        if "code" not in parts:
            self._dicts(kind, module)
            return
        scope = Scope(module, module.inside.get(call))
        for here in self._callers(scope, parts["code"]):
            read = self.texts(parts["code"], here)
            codes = [code for code in read if _CODE.fullmatch(code)]
            said = {name: self.texts(parts[name], here) for name in _FIELDS[1:] if name in parts}
            for code in codes:
                self._add(kind, code, said.get("message", ()), said.get("fix", ()))
            own = [] if here.function is None else parameters_of(here.function)
            if UNKNOWN in read and isinstance(parts["code"], ast.Name) and parts["code"].id not in own:
                self._tables(kind, module, said.get("message", ()))

    def _callers(self, scope: Scope, code: ast.expr) -> Iterator[Scope]:
        """Give the scope itself, or one for each caller of a function that makes errors from its arguments."""
        function = scope.function
        names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
        own = parameters_of(function) if function is not None else []
        used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} if function is not None else set()
        if function is None or not (set(own) & (names or used)):
            yield scope
            return
        calls = self._near(self.calls.get(function.name, []), function.name, scope.module)
        bound = [self._bound(function, module, call) for module, call in calls]
        found = [each for each in bound if each is not None]
        if not found and not names & set(own):
            yield scope
        for each in found:
            yield Scope(scope.module, function, each)

    @staticmethod
    def _near(found: Sequence[tuple[Module, T]], name: str, module: Module) -> list[tuple[Module, T]]:
        """Leave out what only has the same name in another file: what begins with ``_`` is not used there."""
        return [each for each in found if not name.startswith("_") or each[0] is module]

    def _bound(self, function: Function, module: Module, call: ast.Call) -> dict[str, tuple[str, ...]] | None:
        own = [name for name in parameters_of(function) if name not in {"self", "cls"}]
        scope = Scope(module, module.inside.get(call))
        bound = {name: self.texts(node, scope) for name, node in defaults_of(function)}
        bound |= {name: self.texts(node, scope) for name, node in given_to(call, own)}
        for place, argument in enumerate(call.args):
            if isinstance(argument, ast.Starred):
                bound |= dict(zip(own[place:], self._returned(argument.value, module), strict=False))
        return bound if set(bound) & set(own) else None

    def _returned(self, call: ast.expr, near: Module) -> list[tuple[str, ...]]:
        """Return what a function returns as a tuple, part by part."""
        name = called_name(call)
        for module, function in self._near(self.functions.get(name, []), name, near):
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
                    return [self.texts(each, Scope(module, function)) for each in node.value.elts]
        return []

    # ── where codes come from tables ────────────────────────────────────────────────────

    def _tables(self, kind: str, module: Module, around: Sequence[str]) -> None:
        """Take in all tuples that begin with a code, or stand in a table under one."""
        for where, node in self._near_tables(module):
            scope = Scope(where, where.inside.get(node))
            if isinstance(node, ast.Tuple) and 2 <= len(node.elts) <= 3:
                self._row(kind, scope, node.elts[0], node.elts[1:], around)
            elif isinstance(node, ast.Dict):
                for key, value in zip(node.keys, node.values, strict=True):
                    if key is not None and isinstance(value, ast.Tuple):
                        self._row(kind, scope, key, value.elts, around)

    def _near_tables(self, module: Module) -> Iterator[tuple[Module, ast.AST]]:
        """Give what stands in a file, and in those from which it has a table."""
        sources = [
            self.by_name[file]
            for name, file in module.imports.items()
            if isinstance(self.by_name[file].top.get(name), ast.Dict)
        ]
        for each in (module, *sources):
            yield from ((each, node) for node in ast.walk(each.tree))

    def _row(self, kind: str, scope: Scope, code: ast.expr, rest: Sequence[ast.expr], around: Sequence[str]) -> None:
        fixes = [text for text in self.texts(rest[-1], scope) if is_sentence(text)]
        messages = self.texts(rest[0], scope) if len(rest) == 2 else around
        for each in self.texts(code, scope):
            if _DASHED.fullmatch(each) and fixes:
                self._add(kind, each, [fragment(text) for text in messages], fixes)

    def _dicts(self, kind: str, module: Module) -> None:
        """Take in the fields of an error that stand in a dict."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Dict):
                keys = {key.value: value for key, value in zip(node.keys, node.values, strict=True)
                        if isinstance(key, ast.Constant)}  # fmt: skip
                scope = Scope(module, module.inside.get(node))
                codes = self.texts(keys["code"], scope) if "code" in keys and "message" in keys else ()
                for code in codes:
                    if _DASHED.fullmatch(code):
                        self._add(kind, code, self.texts(keys["message"], scope), ())

    def _assigned(self, module: Module) -> None:
        """Take in what is said to be the code of an error that is there already."""
        for node in ast.walk(module.tree):
            body: list[ast.stmt] = found if isinstance(found := getattr(node, "body", None), list) else []
            for statement in body:
                if not isinstance(statement, ast.Assign):
                    continue
                given = dict(assigned_to(statement, body))
                scope = Scope(module, module.inside.get(statement))
                for code in self.texts(given["code"], scope) if "code" in given else ():
                    if _DASHED.fullmatch(code):
                        fixes = self.texts(given["fix"], scope) if "fix" in given else ()
                        self._add("CAError", code, (), fixes)

    def _verdicts(self) -> None:
        """Take in what a check that became an error says where something is bad."""
        for module, call in self.calls.get("Verdict", []):
            parts = dict(given_to(call, ("code", "result", "summary", "evidence", "fix")))
            scope = Scope(module, module.inside.get(call))
            if self.texts(parts["result"], scope) == ("bad",):
                summaries, fixes = self.texts(parts["summary"], scope), self.texts(parts["fix"], scope)
                for code in self.texts(parts["code"], scope):
                    if (code, "") in self.found:
                        self._add("DnsError", code, summaries, fixes)

    def _add(self, kind: str, code: str, messages: Sequence[str], fixes: Sequence[str]) -> None:
        entry = self.found.setdefault((code, NOTICE if kind == NOTICE else ""), Entry(code))
        entry.classes.add(kind)
        entry.messages |= dict.fromkeys(text for text in messages if text.strip(" …."))
        entry.fixes |= dict.fromkeys(text for text in fixes if text.strip(" …."))

    # ── expressions ─────────────────────────────────────────────────────────────────────

    def texts(self, node: ast.expr, scope: Scope, depth: int = 0) -> tuple[str, ...]:
        """Return what an expression can be as a text; ``…`` for what only a run knows."""
        found: Sequence[str] = (UNKNOWN,)
        if depth > _DEEPEST:
            return (UNKNOWN,)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = (_FIELD.sub(UNKNOWN, node.value),)
        elif isinstance(node, ast.JoinedStr):
            found = self._joined(node.values, scope, depth)
        elif isinstance(node, ast.FormattedValue):
            found = self.texts(node.value, scope, depth + 1) if isinstance(node.value, ast.Name) else (UNKNOWN,)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found = self._joined([node.left, node.right], scope, depth)
        elif isinstance(node, ast.IfExp):
            found = (*self.texts(node.body, scope, depth), *self.texts(node.orelse, scope, depth))
        elif isinstance(node, ast.BoolOp):
            found = [text for each in node.values for text in self.texts(each, scope, depth)]
        elif isinstance(node, ast.Name):
            found = self._name(node.id, scope, depth)
        elif isinstance(node, ast.Call) and called_name(node) in {"format", "redact"} and receiver_of(node) is not None:
            inner = node.args[0] if called_name(node) == "redact" else receiver_of(node)
            found = self.texts(inner, scope, depth) if inner is not None else found
        return tuple(dict.fromkeys(tidy(text) for text in found))[:_MOST] or (UNKNOWN,)

    def _joined(self, parts: Sequence[ast.expr], scope: Scope, depth: int) -> list[str]:
        options = [self.texts(part, scope, depth) for part in parts]
        return ["".join(chosen) for chosen in itertools.islice(itertools.product(*options), _MOST)]

    def _name(self, name: str, scope: Scope, depth: int) -> tuple[str, ...]:
        if name in scope.bound:
            return scope.bound[name]
        if scope.function is not None:
            if name in parameters_of(scope.function):
                return (UNKNOWN,)
            values = set_in(scope.function, scope.module, name)
            if values:
                return tuple(text for value in values for text in self.texts(value, scope, depth + 1))
        imported = scope.module.imports.get(name)
        if imported is not None and name in self.by_name[imported].top:
            return self.texts(self.by_name[imported].top[name], Scope(self.by_name[imported], None), depth + 1)
        if name in scope.module.top:
            return self.texts(scope.module.top[name], Scope(scope.module, None), depth + 1)
        return (UNKNOWN,)


@cache
def source() -> Source:
    """Return the package as it stands."""
    return Source(sorted(PACKAGE.rglob("*.py")))
