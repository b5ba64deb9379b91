"""The public names: the list is kept, each explains itself and has only public types, and the import costs nothing."""

from __future__ import annotations

import ast
import builtins
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

import dnsrenew
from dnsrenew import testing
from dnsrenew.base.model import Outcome as OutcomeAtHome
from dnsrenew.base.values import Frozen
from docs import python_reference
from docs.python_reference import NOT_FOR_USERS

# Removing or renaming one breaks programs: it goes into the changelog.
PUBLIC = [
    *("AccountStatus", "Attempt", "AttemptError", "CA", "CAError", "Cancelled", "Certificate", "CertificateSpec"),
    *(
        "CertificateState",
        "CertificateStatus",
        "ChallengeError",
        "Change",
        "Check",
        "CheckResult",
        "CleanupResult",
        "Clock",
        "Config",
    ),
    *(
        "ConfigError",
        "DeployError",
        "Deployer",
        "DeployerContext",
        "Deployment",
        "DeploymentResult",
        "Diagnosis",
        "DnsAccount",
        "DnsError",
        "DnsRenewError",
    ),
    *(
        "Driver",
        "DriverContext",
        "Eab",
        "Event",
        "Fleet",
        "GivenRequest",
        "KeyKind",
        "LockedError",
        "Notice",
        "Outcome",
        "OutcomeStatus",
    ),
    *("CaLimits", "FleetStatus", "WorkerStatus"),
    *("Profile", "Propagation", "PropagationCheck", "PropagationError", "ProviderError", "RenewBefore"),
    *("RenewalFailed", "RenewalReason", "Renewer", "Resolver", "Revocation", "Route", "RouteTaken", "SavedFiles"),
    *("Secret", "SecretError", "Served", "StoreAddress", "StoreError", "StoredVersion", "TxtRecord"),
    *("__version__", "obtain", "serve"),
    *("aobtain", "follow", "ssl_context_factory"),
]
CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(dnsrenew, name))]
FUNCTIONS = [
    thing
    for space in (dnsrenew, testing)
    for name in space.__all__
    if inspect.isfunction(thing := getattr(space, name))
]
VALUES = [name for name in CLASSES if issubclass(getattr(dnsrenew, name), Frozen)]
STANDARD = {
    *("Any", "Callable", "Collection", "Iterable", "Iterator", "Literal", "Mapping", "Path", "Self", "Sequence"),
    *("datetime", "timedelta"),
}
"""Names in signatures that a reader knows from the standard library, beside modules."""
MODULES = {"logging", "os", "ssl", "threading"}


def test_the_list_is_kept() -> None:
    """`__all__` is exactly the published list. `dir()` shows all its names."""
    assert sorted(dnsrenew.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(dnsrenew))


def test_each_name_resolves() -> None:
    """A class or a function has its own docstring and the package's name. Any other name is a Literal."""
    for name in PUBLIC:
        thing = getattr(dnsrenew, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert (thing.__module__, thing.__qualname__) == ("dnsrenew", name)
            text = (thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__) or ""
            assert text, f"{name} has no docstring"
            assert not text.startswith(f"{name}("), f"{name} has no docstring"
        else:
            assert name == "__version__" or get_args(thing), name


def test_each_name_for_tests_resolves() -> None:
    """A name of `dnsrenew.testing` has the name of that package, wherever it is written."""
    things = {name: getattr(testing, name) for name in testing.__all__}
    names = {name: (thing.__module__, thing.__qualname__) for name, thing in things.items()}
    assert names == {name: ("dnsrenew.testing", name) for name in testing.__all__}


def test_a_class_has_one_name_wherever_it_is_imported_from() -> None:
    """A class has its public name even if it was imported from its own module."""
    assert OutcomeAtHome is dnsrenew.Outcome
    code = "from dnsrenew.base.model import TxtRecord as T; from dnsrenew.errors import DnsError as E; print(T, E)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "<class 'dnsrenew.TxtRecord'> <class 'dnsrenew.DnsError'>\n"


def attributes(cls: type) -> Iterator[str]:
    """The public attributes of a class, without those of every exception."""
    for name in dir(cls):
        if not name.startswith("_") and not hasattr(Exception, name):
            yield name


def is_documented(attribute: object) -> bool:
    """Return whether an attribute has a docstring in sentences that is not that of its type."""
    text = inspect.getdoc(attribute) or ""
    return text != inspect.getdoc(type(attribute)) and (text.endswith((".", ":")) or "\n" in text)


def test_what_completion_offers_is_documented() -> None:
    """Every public attribute has a docstring that is not that of its type."""
    offered = [
        (name, attribute)
        for name in CLASSES
        for attribute in attributes(getattr(dnsrenew, name))
        if attribute not in NOT_FOR_USERS.get(name, set())
    ]
    found = {(name, attribute): getattr(getattr(dnsrenew, name), attribute) for name, attribute in offered}
    assert [place for place, attribute in found.items() if not is_documented(attribute)] == []


def test_a_value_offers_nothing_of_how_it_is_made() -> None:
    """The attributes are the fields and the class's methods. ``help`` shows no private one."""
    assert not set(attributes(Frozen))
    private = ("_compared", "_defaults", "_factories", "_positional", "_refuse", "Built-in immutable sequence")
    shown = {name: pydoc.plain(pydoc.render_doc(getattr(dnsrenew, name))) for name in VALUES}
    assert [(name, word) for name, text in shown.items() for word in private if word in text] == []


def test_attributes_of_errors_and_slots_are_declared() -> None:
    """Each attribute of an error is declared, so that editors and pages show it."""
    for name in CLASSES:
        cls = getattr(dnsrenew, name)
        if issubclass(cls, dnsrenew.DnsRenewError):
            declared = {key for each in cls.__mro__ for key in inspect.get_annotations(each)}
            assert set(vars(cls("code", "message", fix="fix"))) - declared == set(), name


def hinted(name: str, thing: Any) -> Iterator[Any]:
    """Yield what has annotations: a function; a class and its public methods and properties."""
    yield thing
    if inspect.isclass(thing):
        for attribute, found in vars(thing).items():
            function = getattr(found, "__func__", getattr(found, "fget", found))
            is_public = attribute in {"__init__", "__enter__", "__aenter__"} or not attribute.startswith("_")
            if is_public and inspect.isfunction(function) and attribute not in NOT_FOR_USERS.get(name, set()):
                yield function


def test_type_hints_are_resolved() -> None:
    """Every annotation of a public name means something at run time, for pydantic, cattrs, beartype and the like."""
    spaces = ((dnsrenew, dnsrenew.__all__), (testing, testing.__all__))
    things = [(name, getattr(space, name)) for space, names in spaces for name in names if name != "__version__"]
    for name, thing in things:
        for each in hinted(name, thing):
            if inspect.isclass(each) or inspect.isfunction(each):
                get_type_hints(each)


@pytest.mark.parametrize("name", ["CA", "Config", "Fleet", "Outcome", "Served", "aobtain"])
def test_type_hints_are_resolved_first_of_all(name: str) -> None:
    """A program that uses one name only gets its hints too."""
    code = f"import dnsrenew, typing; print(len(typing.get_type_hints(dnsrenew.{name})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().isdecimal()


def written_types(cls: type) -> Iterator[tuple[str, str]]:
    """The types in the fields and public methods of a class, as they are written."""
    for attribute, kind in inspect.get_annotations(cls).items():
        if not attribute.startswith("_") and not kind.startswith("ClassVar"):
            yield attribute, kind
    for attribute, found in vars(cls).items():
        function: Any = getattr(found, "__func__", getattr(found, "fget", found))
        if inspect.isfunction(function) and (attribute == "__init__" or not attribute.startswith("_")):
            yield from ((attribute, kind) for kind in inspect.get_annotations(function).values())


def unknown_types(kind: str) -> set[str]:
    """The names in a type that a user could not write down with an import of dnsrenew and the standard library."""
    tree = ast.parse(kind, mode="eval")
    literals = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal"
        for each in ast.walk(node.slice)
    }
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in literals}
    return names - set(dnsrenew.__all__) - set(testing.__all__) - STANDARD - MODULES - set(dir(builtins))


def test_every_type_in_a_class_has_a_public_name() -> None:
    """Every type in fields and methods can be written in an annotation."""
    results = python_reference.groups()["Results"]  # a user creates none
    assert {
        (name, attribute): unknown
        for name in CLASSES
        for attribute, kind in written_types(getattr(dnsrenew, name))
        if (attribute != "__init__" or name not in results)
        and attribute not in NOT_FOR_USERS.get(name, set())
        and (unknown := unknown_types(kind))
    } == {}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_type_of_a_function_has_a_public_name(function: Callable[..., object]) -> None:
    """Every type in a public function's annotations has a public name."""
    kinds = inspect.get_annotations(function).values()
    assert [unknown for kind in kinds if (unknown := unknown_types(kind))] == []


def test_a_type_without_a_public_name_is_found() -> None:
    """An annotation without a public name is found."""
    assert unknown_types("Mapping[str, Provider] | None") == {"Provider"}
    assert unknown_types("Literal['a', 'b'] | os.PathLike[str]") == set()


def test_help_lists_the_public_names_first() -> None:
    """``help(dnsrenew)`` lists the public names before modules that are not public."""
    shown = pydoc.plain(pydoc.render_doc(dnsrenew))
    first = shown[: shown.index("PACKAGE CONTENTS")].replace(",", " ").split()
    assert set(PUBLIC) - set(first) == {"__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """An unknown name raises AttributeError with the name."""
    with pytest.raises(AttributeError, match="obtian"):
        getattr(dnsrenew, "obtian")  # noqa: B009 - mypy knows that it is not there


def test_an_import_loads_no_library() -> None:
    """`import dnsrenew` with its version loads neither a library nor another module of the package."""
    program = """if True:
        import sys
        before = set(sys.modules)
        import dnsrenew
        dnsrenew.__version__, dnsrenew.__all__
        loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
        heavy = {"acme", "boto3", "cryptography", "dns", "josepy", "lexicon", "requests", "tenacity", "urllib3"}
        own = {name for name in sys.modules if name.startswith("dnsrenew.")}
        print(sorted(loaded & heavy | own))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


PACKAGE = Path(dnsrenew.__file__).parent
NAMED = re.compile(r"``([A-Za-z_][\w.]*)/?``|:\w+:`~?([\w.]+)`")
"""A name in a docstring; what is typed has blanks or begins with a hyphen."""


def is_there(name: str, package: Path) -> bool:
    """Return whether a name is a module or a file of a package, or one of its modules defines it."""
    if name.startswith("dnsrenew."):
        return (PACKAGE.parent / name).exists() or pydoc.locate(name) is not None
    if any((place / file).exists() for place in (package, PACKAGE) for file in (name, f"{name.lstrip('.')}.py")):
        return True
    defined = re.compile(rf"^\s*(?:class |(?:async )?def )?{re.escape(name.rpartition('.')[2])}\b", re.MULTILINE)
    sources = (path.read_text("utf-8") for path in package.rglob("*.py"))
    return any(
        defined.search(text.replace(ast.get_docstring(ast.parse(text), clean=False) or " ", "")) for text in sources
    )


def test_a_package_names_what_is_there() -> None:
    """The docstring of each package names only modules, files and names that exist."""
    named = [
        (path.parent, first or second)
        for path in sorted(PACKAGE.rglob("__init__.py"))
        for first, second in NAMED.findall(ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    ]
    outside = {"dnsrenew", "dnsrenew.toml", "SSLContext", "LANGUAGE.po"}
    missing = [
        f"{package.name}: {name}" for package, name in named if name not in outside and not is_there(name, package)
    ]
    assert len(named) > 40
    assert missing == []
