"""The sections of the Python reference: every public name, from its signature and its docstrings."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import dnsrenew
from dnsrenew import testing
from dnsrenew.base.model import Result
from dnsrenew.base.type_hints import docstrings
from docs import codes, python_examples

NOT_FOR_USERS: Final[Mapping[str, frozenset[str]]] = {
    "Config": frozenset(
        {"account_files", "fingerprint_of", "fleet", "metrics", "notify", "providers", "seals", "secrets"}
    ),
    "DnsRenewError": frozenset({"of"}),
    "Check": frozenset({"of"}),
    "DeployerContext": frozenset({"run"}),
    "SavedFiles": frozenset({"begin", "clear_renames", "end", "is_begun", "note_renames"}),
    "Secret": frozenset({"as_reference", "forget", "identity"}),
}
"""Attributes of public classes that only dnsrenew itself uses."""

_GROUP: Final = re.compile(r"^([A-Z][^\n]*):\n((?:    [\w, ]+\n)+)", re.MULTILINE)
_ROLE: Final = re.compile(r":(?:class|func|meth|data|mod):`~?([\w.]+)`")
_FIELD: Final = re.compile(r"^:(param|raises|returns)(?: ([\w.]+))?: ", re.MULTILINE)
_NARROW: Final = 90
"""Characters of a signature on one line."""
_RESULTS: Final = "Results"
"""The group of classes that a user does not create: their constructors are of no interest."""


def section() -> str:
    """Return the reference of all public names, group by group."""
    parts = ["| names | |", "|---|---|"]
    for title, names in {**groups(), "`dnsrenew.testing`": [f"testing.{name}" for name in testing.__all__]}.items():
        parts.append(f"| {', '.join(f'[`{name}`](#{_anchor(name)})' for name in names)} | {title} |")
    parts.append("")
    for title, names in groups().items():
        parts += [f"## {title}", ""]
        for name in names:
            entry = _entry(name, getattr(dnsrenew, name), is_created=title != _RESULTS)
            parts += [f"### `{name}`", "", *entry, ""]
    parts += ["## `dnsrenew.testing`", "", _prose(testing.__doc__), ""]
    for name in testing.__all__:
        parts += [f"### `testing.{name}`", "", *_entry(name, getattr(testing, name), is_created=True), ""]
    return re.sub(r"\n{3,}(?=[#`|A-Z-])", "\n\n", "\n".join(parts))


def groups() -> dict[str, list[str]]:
    """Return the public names by their purpose, as the docstring of the package lists them."""
    return {title: re.findall(r"\w+", names) for title, names in _GROUP.findall(dnsrenew.__doc__ or "")}


def _entry(name: str, thing: Any, *, is_created: bool) -> Iterator[str]:
    if inspect.isfunction(thing):
        yield from _function(name, thing)
        yield from _example(name)
    elif inspect.isclass(thing):
        yield from _class(name, thing, is_created=is_created)
    else:
        values = ", ".join(f'"{value}"' for value in get_args(thing))
        yield from _code(f"{name} = Literal[{values}]")
        yield _prose(_literal_doc(name))
        yield from _example(name)


def _example(name: str) -> list[str]:
    """Return the example of a name: the body of its function."""
    source = inspect.getsource(getattr(python_examples, name.lower()))
    body = textwrap.dedent(source.partition(":\n")[2]).strip()
    return ["", "```python", re.sub(r"(?<=\n)( .*\n)\n(?=\S)", r"\1\n\n", body), "```", ""]  # as ruff formats it


def _function(name: str, function: Any) -> Iterator[str]:
    yield from _code(f"{name}{_shown(inspect.signature(function))}")
    yield from _described(function)


def _class(name: str, cls: type, *, is_created: bool) -> Iterator[str]:
    hidden = NOT_FOR_USERS.get(name, frozenset())
    base = cls.__base__
    if issubclass(cls, dnsrenew.DnsRenewError) and base is not Exception and base is not None:
        yield from (f"Derived from {_link(base.__name__)}.", "")
    elif is_created and not getattr(cls, "_is_protocol", False) and not hidden & set(inspect.signature(cls).parameters):
        yield from _code(f"{name}{_shown(inspect.signature(cls))}")
    yield from _described(cls)
    if issubclass(cls, dnsrenew.DnsRenewError):
        yield from (_codes(name), "")
    elif name in groups()["Arguments"] and ":raises" not in (cls.__doc__ or ""):
        yield from (f"- Raises nothing: a wrong value is a {_link('ConfigError')} of the call that takes it.", "")
    yield from _example(name)
    fields = [(field, kind, text) for field, kind, text in _fields(cls) if field not in hidden]
    if fields:
        yield "| attribute | type | |"
        yield "|---|---|---|"
        for field, kind, text in fields:
            yield f"| `{field}` | {_cell(kind)} | {_inline(text)} |"
        yield ""
    inherited = vars(Result) if issubclass(cls, Result) else {}
    for method, found in (vars(cls) | inherited).items():
        function = getattr(found, "__func__", found)
        if not method.startswith("_") and method not in hidden and inspect.isfunction(function):
            bound = f"{name}.{method}" if function is not found else method
            yield from (f"#### `{name}.{method}`", "")
            yield from _code(f"{bound}{_shown(_without_first(inspect.signature(function)))}")
            yield from _described(function)


def _codes(name: str) -> str:
    """Return the codes of an error class, each with its place on the page of errors."""
    found = sorted(entry.code for entry in codes.errors().values() if name in entry.classes)
    return f"Codes: {', '.join(f'[`{code}`](errors.md#{code})' for code in found)}." if found else ""


def _fields(cls: type) -> Iterator[tuple[str, str, str]]:
    """Give name, type and description of each attribute: declared, in a slot, or a property."""
    kinds: Mapping[str, str] = inspect.get_annotations(cls)
    docs = dict(docstrings(_syntax(cls)))
    slots = vars(cls).get("__slots__", {})
    yield from ((name, kind, docs[name]) for name, kind in kinds.items() if name in docs)
    if isinstance(slots, dict):
        yield from ((name, kinds.get(name, ""), text) for name, text in slots.items() if text)
    for name, found in vars(cls).items():
        if isinstance(found, property) and not name.startswith("_"):
            kind = str(inspect.get_annotations(found.fget)["return"]) if found.fget else ""
            yield name, kind, re.sub(r"\s*:raises ([\w.]+): ", r" Raises ``\1``: ", inspect.getdoc(found) or "")


def _syntax(cls: type) -> ast.ClassDef:
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("dnsrenew.") and vars(module).get(cls.__name__) is cls:
            for node in ast.walk(ast.parse(inspect.getsource(module))):
                if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
                    return node
    raise LookupError(cls)


def _literal_doc(name: str) -> str:
    """Return the text below the definition of a type that is no class."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("dnsrenew.") and name in vars(module):
            source = inspect.getsource(module)
            found = re.search(rf'^{name} = .*\n"""((?s:.)*?)"""', source, re.MULTILINE)
            if found:
                return found[1]
    raise LookupError(name)


# ── signatures ──────────────────────────────────────────────────────────────────────────


def _code(signature: str) -> list[str]:
    return ["```py", signature, "```", ""]  # not "python": a signature alone is no program


def _without_first(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _shown(signature: inspect.Signature) -> str:
    """Return a signature without quotes around its types; on several lines if it is long."""
    pieces: list[str] = []
    is_keyword_only = False
    parameters = list(signature.parameters.values())
    for index, each in enumerate(parameters):
        if each.kind is each.KEYWORD_ONLY and not is_keyword_only:
            is_keyword_only = True
            pieces.append("*")
        pieces.append(_parameter(each))
        following = parameters[index + 1].kind if index + 1 < len(parameters) else None
        if each.kind is each.POSITIONAL_ONLY and following is not each.POSITIONAL_ONLY:
            pieces.append("/")
    end = "" if signature.return_annotation in {signature.empty, "None"} else f" -> {signature.return_annotation}"
    line = f"({', '.join(pieces)}){end}"
    if len(line) <= _NARROW:
        return line
    return "(\n" + "".join(f"    {piece},\n" for piece in pieces) + f"){end}"


def _parameter(each: inspect.Parameter) -> str:
    stars = "**" if each.kind is each.VAR_KEYWORD else "*" if each.kind is each.VAR_POSITIONAL else ""
    kind = "" if each.annotation is each.empty else f": {each.annotation}"
    if each.default is each.empty:
        return f"{stars}{each.name}{kind}"
    shown = "…" if repr(each.default).startswith("<") else repr(each.default).replace("'", '"')
    return f"{stars}{each.name}{kind} = {shown}"


# ── docstrings ──────────────────────────────────────────────────────────────────────────


def _described(thing: Any) -> Iterator[str]:
    """Yield the docstring in Markdown: its text, then parameters, results and errors as lists."""
    head, *rest = _FIELD.split(inspect.cleandoc(thing.__doc__ or ""))
    yield _prose(head)
    yield ""
    fields = list(zip(rest[::3], rest[1::3], rest[2::3], strict=True))
    yield from (f"- `{name}`: {_inline(text)}" for field, name, text in fields if field == "param")
    yield from (f"- Returns {_inline(text)}" for field, _, text in fields if field == "returns")
    raised = [f"- Raises {_link(name)}: {_inline(text)}" for field, name, text in fields if field == "raises"]
    yield from raised or (["- Raises nothing."] if inspect.isfunction(thing) else [])
    yield ""


def _prose(text: str | None) -> str:
    text = inspect.cleandoc(text or "").strip()
    return re.sub(r"``(.+?)``", r"`\1`", _ROLE.sub(lambda found: _link(found[1]), text), flags=re.DOTALL)


def _inline(text: str) -> str:
    return " ".join(_prose(text).split()).replace("|", "\\|")


def _cell(kind: str) -> str:
    return f"`{kind}`".replace("|", "\\|") if kind else ""


def _link(name: str) -> str:
    name = name.removeprefix("dnsrenew.")
    return f"[`{name}`](#{_anchor(name)})" if name.partition(".")[0] in dnsrenew.__all__ else f"`{name}`"


def _anchor(name: str) -> str:
    return name.lower().replace(".", "")
