"""Immutable values, like ``dataclass(frozen=True)`` but without its cost at import.

``dataclass`` generates and compiles the methods of each class at every start. That takes 0.5 ms a class, a quarter of
a run with nothing due. Here all values share the methods of one base class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Never, Self, TypeVar, dataclass_transform

if TYPE_CHECKING:
    import inspect

F = TypeVar("F", bound="Frozen")
T = TypeVar("T")
K = TypeVar("K")


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return the items by a key. Keys and items keep their order."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


class _Factory:
    """The default of a field with a ``default_factory``, while its class is created."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def field(*, default_factory: Callable[[], Any]) -> Any:
    """Declare a field whose default is created for each value."""
    return _Factory(default_factory)


class _FieldInfo:
    """The attribute ``Class.field``, whose docstring ``help`` and editors show.

    On a value, the same name is the content.
    """

    def __init__(self, module: str, owner: str, name: str, kind: str) -> None:
        self._place = module, owner, name
        self._kind = kind

    def __repr__(self) -> str:
        return f"<field: {self._kind}>"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # the docstring of the field, not of this class
        from dnsrenew.base.type_hints import attribute_doc  # late, because it reads the source

        return attribute_doc(*self._place)


class _OfClass:
    """An attribute of a class that is computed when it is read."""

    def __init__(self, compute: Callable[[type[Frozen]], Any]) -> None:
        self._compute = compute

    def __get__(self, _value: object, cls: type[Frozen]) -> Any:
        return self._compute(cls)


def _as_dataclass(cls: type[Frozen]) -> Any:
    """Return a dataclass with the same fields."""
    if "_dataclass" not in vars(cls):
        cls._dataclass = _make_dataclass(cls)
    return cls._dataclass


def _make_dataclass(cls: type[Frozen]) -> type:
    import dataclasses  # slow to import: it imports inspect

    made = []
    for name, default in cls._defaults.items():
        if name in cls._factories:
            how = dataclasses.field(default_factory=cls._factories[name])
        else:
            how = dataclasses.field() if name in cls._required else dataclasses.field(default=default)
        made.append((name, cls._kinds[name], how))
    return dataclasses.make_dataclass(cls.__name__, made, frozen=True, kw_only=not cls._positional)


def _signature(cls: type[Frozen]) -> inspect.Signature | None:
    if cls.__init__ is not Frozen.__init__:
        return None  # inspect reads the signature of our own __init__
    import inspect  # slow to import

    return inspect.signature(_as_dataclass(cls)).replace(return_annotation=inspect.Signature.empty)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen:
    """An immutable value with named fields, equal to another of its class with equal fields.

    A subclass declares its fields with types and defaults, as a dataclass does, each followed by its docstring. A
    subclass with other arguments defines ``__init__`` and passes all fields by name to this one.

    :param kw_only: whether all fields are keyword-only.
    :param public: whether the class is public in the package, so that its ``__module__`` is ``dnsrenew``.
    :param hidden: fields that ``repr`` omits, in addition to those of the base class.
    :param uncompared: fields that ``==`` and ``hash`` ignore.
    """

    # For `dataclasses.fields`, `asdict` and `replace`, for pprint, and for `help`.
    __dataclass_fields__: ClassVar[dict[str, Any]] = _OfClass(  # type: ignore[assignment]
        lambda cls: _as_dataclass(cls).__dataclass_fields__
    )
    __dataclass_params__: ClassVar[Any] = _OfClass(lambda cls: _as_dataclass(cls).__dataclass_params__)
    __signature__: ClassVar[Any] = _OfClass(_signature)
    __match_args__: ClassVar[tuple[str, ...]]

    _dataclass: ClassVar[type]
    _defaults: ClassVar[dict[str, Any]] = {}
    """All fields in order, each with its default; None for a required one."""
    _kinds: ClassVar[dict[str, str]] = {}
    """The type of each field, as it is written."""
    _required: ClassVar[frozenset[str]] = frozenset()
    _factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    _positional: ClassVar[tuple[str, ...]] = ()
    _to_compare: ClassVar[Any] = type
    """Returns the fields to compare."""
    _hidden: ClassVar[tuple[str, ...]] = ()
    _home: ClassVar[str]
    """The module that a public class is in."""

    def __init_subclass__(
        cls,
        *,
        kw_only: bool = False,
        public: bool = False,
        hidden: tuple[str, ...] = (),
        uncompared: tuple[str, ...] = (),
    ) -> None:
        own = {name: kind for name, kind in cls.__annotations__.items() if not kind.startswith("ClassVar")}
        given = {name: vars(cls)[name] for name in own if name in vars(cls)}
        cls._defaults = {**cls._defaults, **dict.fromkeys(own), **given}
        cls._kinds = {**cls._kinds, **own}
        cls._required = cls._required.union(own.keys() - given.keys())
        cls._factories = {name: each.make for name, each in cls._defaults.items() if isinstance(each, _Factory)}
        cls._positional = () if kw_only else tuple(cls._defaults)
        cls.__match_args__ = cls._positional  # type: ignore[misc]  # mypy derives the same from the fields
        compared = [name for name in cls._defaults if name not in uncompared]
        cls._to_compare = attrgetter(*compared) if compared else type  # in C, because large runs compare thousands
        cls._hidden = (*cls._hidden, *hidden)
        for name, kind in own.items():
            setattr(cls, name, _FieldInfo(cls.__module__, cls.__name__, name, kind))
        cls._home = cls.__module__
        if public:
            cls.__module__ = "dnsrenew"

    def __init__(self, *values: Any, **named: Any) -> None:
        given = {**dict(zip(self._positional, values, strict=False)), **named} if values else named
        content = self._defaults | given
        if (
            len(given) < len(values) + len(named)
            or len(content) > len(self._defaults)
            or not given.keys() >= self._required
        ):
            self._refuse(len(values), named)
        for name, make in self._factories.items():
            if name not in given:
                content[name] = make()
        own = self.__dict__
        for name, value in content.items():  # one at a time: all values of a class share their keys (PEP 412)
            own[name] = value

    def _refuse(self, count: int, named: dict[str, Any]) -> Never:
        raise TypeError(
            f"{type(self).__name__} has the fields {list(self._defaults)} and requires {sorted(self._required)}, "
            f"but got {count} positional arguments and the keywords {sorted(named)}"
        )

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name}")

    def __replace__(self, **changes: Any) -> Self:
        """For :func:`copy.replace` of Python 3.13."""
        return replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        return self._to_compare(self) == other._to_compare(other) if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._to_compare(self))

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__dict__.items() if name not in self._hidden]
        return f"{type(self).__qualname__}({', '.join(shown)})"


def field_types(cls: type[Frozen]) -> dict[str, str]:
    """Return the fields of a class in order, each with its type as written."""
    return cls._kinds


def replace(value: F, **changes: Any) -> F:
    """Return a copy of the value with some fields changed."""
    return type(value)(**{**value.__dict__, **changes})
