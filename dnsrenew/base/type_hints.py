"""Lets ``typing.get_type_hints`` resolve the annotations of public names, as pydantic, cattrs and beartype do.

The modules import most types for type checkers only, so that the command starts soon. When a program uses a public name
for the first time, the names in its annotations are put into the namespace in which Python evaluates them.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from types import FunctionType
from typing import Any, Final

_NAME: Final = re.compile(r"(?<![\w.'\"])[A-Za-z_]\w*")
_HOMES: Final = {
    "AppResponses": "dnsrenew.challenges.http01_server",
    "Context": "dnsrenew.base.runtime",
    "Iterator": "collections.abc",
    "Path": "pathlib",
    "TracebackType": "types",
}
"""The modules of names that are neither public in the package nor in the module of the annotation."""
_MODULES: Final = frozenset({"logging", "os", "ssl", "threading"})


def complete(thing: Any, package: dict[str, Any], public: Callable[[str], Any]) -> None:
    """Put the types of a public class or function into the namespace of its annotations.

    :param package: the namespace of the package, in which Python evaluates the attributes of its classes.
    :param public: returns the public name; raises ``AttributeError``.
    """
    for namespace, annotation, home in _annotations(thing, package):
        for name in _NAME.findall(annotation):
            if name in namespace or hasattr(builtins, name):
                continue
            if name in _MODULES:
                namespace[name] = import_module(name)
            elif name in _HOMES:
                namespace[name] = getattr(import_module(_HOMES[name]), name)
            else:
                try:
                    namespace[name] = public(name)
                except AttributeError:  # of a private attribute
                    if name in home:
                        namespace[name] = home[name]


def _annotations(thing: Any, package: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Yield each annotation with the namespace in which it is evaluated, and the namespace of its module."""
    if isinstance(thing, FunctionType):
        own = thing.__globals__
        yield from ((own, each, own) for each in thing.__annotations__.values() if isinstance(each, str))
    elif isinstance(thing, type):
        for base in thing.__mro__:
            if base.__module__ == package["__name__"]:
                found = [getattr(each, "__func__", getattr(each, "fget", each)) for each in list(vars(base).values())]
                functions = [each for each in found if isinstance(each, FunctionType)]
                module = functions[0].__module__ if functions else getattr(base, "_home", package["__name__"])
                home = vars(sys.modules[module])
                yield from ((package, each, home) for each in base.__annotations__.values() if isinstance(each, str))
                for function in functions:
                    yield from _annotations(function, package)


# ── attribute docs ─────────────────────────────────────────────────────────────────────

# The docstrings of attributes. Editors read them in the source; Python discards them, so ``help`` does the same.


def attribute_doc(module: str, owner: str, name: str) -> str | None:
    """Return the docstring of a class attribute; None without one, or if the source is not installed."""
    return _attribute_docs(module).get((owner, name))


@cache
def _attribute_docs(module: str) -> dict[tuple[str, str], str]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, KeyError):
        return {}
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return {(node.name, name): text for node in classes for name, text in docstrings(node)}


def docstrings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the annotated attributes that have a docstring, in order."""
    for statement, following in pairwise(node.body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
