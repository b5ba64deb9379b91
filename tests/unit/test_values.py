"""Frozen values do what frozen dataclasses do, and cost next to nothing to define."""

from __future__ import annotations

import ast
import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import pydoc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

import dnsrenew
from dnsrenew import Certificate, Outcome, TxtRecord
from dnsrenew.base.values import Frozen, field, field_types, replace
from docs.syntax import nodes_of

PACKAGE = Path(dnsrenew.__file__).parent
NOT_FROZEN = {
    "drivers/error_mapping.py": "what is found in an exception and its causes, one after the other",
    "errors.py": "a text of an error: errors is the lowest floor, below that of Frozen",
    "extensions/fleet/certificate_job.py": "a job under way: it changes",
    "extensions/fleet/serving/context.py": "an entry of the cache, with a mark that it was asked for",
    "extensions/fleet/serving/loading.py": "an answer that comes later",
    "renewal/planner.py": "an attempt under way: it changes",
    "testing/box/resources.py": "the accounts, orders and authorizations of the box: records that change",
}


class Plain(Frozen):
    """A value whose fields may be given by place."""

    kind: ClassVar[str] = "plain"
    a: int
    """What it is about,
    in two lines.
    """
    b: str | None = None
    c: list[int] = field(default_factory=list)


class Named(Frozen, kw_only=True, hidden=("secret",), uncompared=("note",)):
    """A value whose fields are given by name."""

    a: int = 1
    secret: str
    note: str = ""


class More(Plain):
    """A value with one field more than another."""

    d: int = 4


class Own(Frozen):
    """A value whose constructor takes its field in another form."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        super().__init__(words=words)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The same fields as a dataclass of the standard library."""

    a: int
    b: str | None = None
    c: list[int] = dataclasses.field(default_factory=list)


def test_fields_are_given_by_place_or_by_name() -> None:
    """Fields are given by position or by name. Omitted ones get their default."""
    value = Plain(1, c=[2])
    assert (value.a, value.b, value.c, value.kind) == (1, None, [2], "plain")
    assert Plain(c=[2], a=1) == value
    assert list(vars(Plain(c=[2], a=1))) == list(field_types(Plain)) == ["a", "b", "c"]


def test_a_made_default_belongs_to_one_value() -> None:
    """A default from a factory is created for each value."""
    one, other = Plain(1), Plain(1)
    one.c.append(5)
    assert other.c == []


@pytest.mark.parametrize(
    "call",
    [
        lambda of: of(),
        lambda of: of(b="x"),
        lambda of: of(1, a=2),
        lambda of: of(1, "b", [], 4),
        lambda of: of(1, d=4),
        lambda of: of(1, kind="other"),
    ],
)
@pytest.mark.parametrize("of", [Plain, Standard])
def test_a_wrong_call_is_refused(of: Callable[..., Any], call: Callable[[Any], Any]) -> None:
    """A missing, unknown, duplicate or surplus field raises TypeError."""
    with pytest.raises(TypeError):
        call(of)


def test_fields_that_want_a_name_are_not_taken_by_place() -> None:
    """With ``kw_only`` a field is given by name only, and a required one may follow an optional one."""
    wrong: Callable[..., Named] = Named
    with pytest.raises(TypeError, match="1 positional"):
        wrong(1, secret="s")
    assert Named(secret="s").a == 1


@pytest.mark.parametrize("value", [Plain(1), Standard(1)])
def test_a_value_cannot_be_changed(value: Any) -> None:
    """Existing and new fields cannot be set, and fields cannot be deleted."""
    for name in ("a", "new"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, 2)
    with pytest.raises(AttributeError):
        del value.a
    assert value.a == 1


def test_equality_is_of_one_class_and_its_fields() -> None:
    """Values are equal if their class and compared fields are equal."""
    assert Plain(1, "b") == Plain(1, "b") != Plain(1, "c")
    assert Plain(1) != Standard(1)
    assert Named(secret="s", note="x") == Named(secret="s", note="y")
    assert len({Own("a"), Own("a"), Own("b")}) == 2
    assert hash(Named(secret="s", note="x")) == hash(Named(secret="s"))
    with pytest.raises(TypeError):
        hash(Plain(1))  # it has a list


def test_a_hidden_field_is_not_shown() -> None:
    """The repr does not show a hidden field."""
    assert repr(Named(secret="canary")) == "Named(a=1, note='')"
    assert repr(Plain(1)) == repr(Standard(1)).replace("Standard", "Plain")


def test_another_value_is_made_from_one() -> None:
    """replace() returns a copy with changed fields. The original stays, and an unknown field is refused."""
    before = Plain(1, "b")
    assert replace(before, a=2) == before.__replace__(a=2) == Plain(2, "b")
    assert before == Plain(1, "b")
    with pytest.raises(TypeError):
        replace(before, d=4)


def test_a_class_has_the_fields_of_the_one_it_extends() -> None:
    """A subclass has the fields of its base class before its own."""
    assert More(1, d=5) == More(1, None, [], 5)
    assert More(1) != Plain(1)


@pytest.mark.parametrize("value", [Plain(1, "b", [2]), More(1), Named(secret="s"), Own("a", "b")])
def test_values_travel(value: Any) -> None:
    """Copied and pickled values are equal to the original."""
    assert copy.copy(value) == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_the_standard_functions_take_them() -> None:
    """``dataclasses.fields``, ``asdict``, ``replace``: programs that use them need not know the difference."""
    ours, theirs = dataclasses.fields(Plain), dataclasses.fields(Standard)
    assert [(each.name, each.default) for each in ours] == [(each.name, each.default) for each in theirs]
    assert dataclasses.is_dataclass(Plain(1))
    assert dataclasses.asdict(Plain(1, "b")) == {"a": 1, "b": "b", "c": []}
    assert dataclasses.replace(Plain(1), a=2) == Plain(2)
    assert [each.name for each in dataclasses.fields(More)] == ["a", "b", "c", "d"]


def test_the_signature_tells_the_fields() -> None:
    """The signature equals that of a dataclass with the same fields."""
    ours, theirs = inspect.signature(Plain), inspect.signature(Standard)
    assert [str(each) for each in ours.parameters.values()] == [str(each) for each in theirs.parameters.values()]
    assert str(inspect.signature(Named)) == "(*, a: 'int' = 1, secret: 'str', note: 'str' = '')"
    assert list(inspect.signature(More).parameters) == ["a", "b", "c", "d"]
    assert str(inspect.signature(Own)) == "(*words: 'str') -> 'None'"


def test_every_frozen_class_has_a_signature() -> None:
    """Each frozen class of the package has a signature with its fields."""
    for module in pkgutil.walk_packages(dnsrenew.__path__, "dnsrenew."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = [Frozen]
    for each in found:
        found += each.__subclasses__()
        assert "named" not in inspect.signature(each).parameters, each
    assert {Certificate, Outcome, TxtRecord} < set(found)


def test_a_field_has_its_own_docstring() -> None:
    """``Class.field`` has the docstring below the field, even in a subclass."""
    assert inspect.getdoc(Plain.a) == inspect.getdoc(More.a) == "What it is about,\nin two lines."
    assert inspect.getdoc(Plain.c) is None
    assert repr(Plain.b) == "<field: str | None>"
    assert "What it is about," in pydoc.render_doc(Plain)
    assert pydoc.render_doc(Plain).count("_positional") == 0


def test_a_public_class_is_named_after_the_package() -> None:
    """A public class is named and pickled under the package's name, and its fields keep their docstrings."""
    assert TxtRecord.__module__ == "dnsrenew"
    assert inspect.getdoc(TxtRecord.ttl) == "The TTL in seconds."
    record = TxtRecord("z.", "n.z.", "v", 60)
    assert pickle.loads(pickle.dumps(record)) == record
    assert b"model" not in pickle.dumps(record)


def test_values_are_matched_by_place() -> None:
    """A ``case`` matches fields by position, except for classes with ``kw_only``."""
    match More(1, "b", [2], 5):
        case More(a, b, c, d):
            assert (a, b, c, d) == (1, "b", [2], 5)
    assert Plain.__match_args__ == Standard.__match_args__
    assert Named.__match_args__ == ()


def test_the_slow_modules_are_loaded_when_they_are_needed() -> None:
    """Importing dnsrenew.base.model loads neither dataclasses nor inspect."""
    code = "import sys, dnsrenew.base.model; sys.exit(bool({'inspect', 'dataclasses'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def other_values(source: str) -> list[str]:
    """The classes of a file that are named tuples or dataclasses."""
    others = {"NamedTuple", "namedtuple", "dataclass", "make_dataclass"}
    found = []
    for node in nodes_of(source):
        makers: list[ast.expr] = [*node.bases, *node.decorator_list] if isinstance(node, ast.ClassDef) else []
        makers += [node] if isinstance(node, ast.Call) else []
        named = [each.func if isinstance(each, ast.Call) else each for each in makers]
        names = {getattr(each, "attr", getattr(each, "id", "")) for each in named}
        if names & others:
            found.append(node.name if isinstance(node, ast.ClassDef) else ast.unparse(node))
    return found


def test_values_are_written_in_one_way() -> None:
    """The package has no named tuple or dataclass, except for the listed ones that cannot be frozen."""
    sources = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    del sources["base/values.py"]  # it makes the dataclass behind a value
    assert {path for path, source in sources.items() if other_values(source)} == NOT_FROZEN.keys()


@pytest.mark.parametrize(
    "source",
    [
        "class X(NamedTuple):\n    a: int",
        "class X(typing.NamedTuple):\n    a: int",
        "class X(Base, NamedTuple):\n    a: int",
        "@dataclass\nclass X:\n    a: int",
        "@dataclasses.dataclass(frozen=True)\nclass X:\n    a: int",
        "X = NamedTuple('X', [('a', int)])",
        "X = collections.namedtuple('X', 'a')",
    ],
)
def test_another_way_is_seen(source: str) -> None:
    """A dataclass or a named tuple is found in any form of import."""
    assert other_values(source) != []
