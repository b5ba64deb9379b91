"""The docstrings of attributes. Editors read them in the source; Python discards them, so ``help`` does the same."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise


def attribute_doc(module: str, owner: str, name: str) -> str | None:
    """Return the docstring of an attribute of a class; None if it has none, or if the source is not installed."""
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
