"""Immutable values, like ``dataclass(frozen=True)`` but without its cost at import.

``dataclass`` generates and compiles the methods of each class at every start. That takes 0.5 ms a class, a quarter of
a run with nothing due. Here all values share the methods of one base class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Never, TypeVar, dataclass_transform

if TYPE_CHECKING:
    import dataclasses
    import inspect

F = TypeVar("F", bound="Frozen")


class _Factory:
    """The default of a field with a ``default_factory``, while its class is created."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<factory>"


def field(*, default_factory: Callable[[], Any]) -> Any:
    """Declare a field whose default is created for each value."""
    return _Factory(default_factory)


class _StandardFields:
    """``__dataclass_fields__``, created on first access, so that the functions of :mod:`dataclasses` accept values."""

    def __get__(self, _value: object, cls: type[Frozen]) -> dict[str, dataclasses.Field[Any]]:
        if "_standard" not in vars(cls):
            cls._standard = cls.standard_fields()
        return cls._standard


class _Signature:
    """``__signature__``, created on first access, so that ``help`` and editors show the fields of a class."""

    def __get__(self, value: object, cls: type[Frozen]) -> inspect.Signature | None:
        if value is not None:
            raise AttributeError("__signature__")  # a property of the class, not of its values
        return cls.signature() if cls.__init__ is Frozen.__init__ else None  # None: inspect reads its own __init__


class _StandardParams:
    """``__dataclass_params__``, as :mod:`pprint` and :mod:`dataclasses` read it."""

    init = repr = eq = frozen = True
    order = unsafe_hash = False


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen:
    """An immutable value with named fields, equal to another of its class with equal fields.

    A subclass declares its fields with types and defaults, as a dataclass does. A subclass with other arguments defines
    ``__init__`` and passes all fields by name to this one.

    :param kw_only: whether all fields are keyword-only.
    :param hidden: fields that ``repr`` omits, in addition to those of the base class.
    :param uncompared: fields that ``==`` and ``hash`` ignore.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    __dataclass_params__: ClassVar[_StandardParams]
    __match_args__: ClassVar[tuple[str, ...]]
    __signature__: ClassVar[inspect.Signature | None]

    _standard: ClassVar[dict[str, dataclasses.Field[Any]]]
    _fields: ClassVar[dict[str, Any]] = {}
    """All fields in order, each with its default; None for a required one."""
    _required: ClassVar[frozenset[str]] = frozenset()
    _factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    _positional: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _hidden: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls, *, kw_only: bool = False, hidden: tuple[str, ...] = (), uncompared: tuple[str, ...] = ()
    ) -> None:
        own = [name for name, kind in cls.__annotations__.items() if not kind.startswith("ClassVar")]
        cls._fields = {**cls._fields, **{name: vars(cls).get(name) for name in own}}
        cls._required = cls._required.union(name for name in own if name not in vars(cls))
        cls._factories = {name: each.make for name, each in cls._fields.items() if isinstance(each, _Factory)}
        cls._positional = () if kw_only else tuple(cls._fields)
        cls.__match_args__ = cls._positional  # type: ignore[misc]  # mypy derives the same from the fields
        cls._compared = tuple(name for name in cls._fields if name not in uncompared)
        cls._hidden = (*cls._hidden, *hidden)

    def __init__(self, *values: Any, **named: Any) -> None:
        given = {**dict(zip(self._positional, values, strict=False)), **named} if values else named
        content = self._fields | given
        if (
            len(given) < len(values) + len(named)
            or len(content) > len(self._fields)
            or not given.keys() >= self._required
        ):
            self._refuse(len(values), named)
        for name, make in self._factories.items():
            if name not in given:
                content[name] = make()
        fields = self.__dict__
        for name in content:  # one at a time, so that all values of a class share their keys (PEP 412)
            fields[name] = content[name]

    def _refuse(self, count: int, named: dict[str, Any]) -> Never:
        raise TypeError(
            f"{type(self).__name__} has the fields {list(self._fields)} and requires {sorted(self._required)}, "
            f"but got {count} positional arguments and the keywords {sorted(named)}"
        )

    @classmethod
    def fields(cls) -> list[str]:
        """Return the names of the fields, in order."""
        return list(cls._fields)

    @classmethod
    def standard_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        """Return the fields as :mod:`dataclasses` describes them."""
        import dataclasses  # slow to import: it imports inspect

        made = {name: dataclasses.field(default_factory=make) for name, make in cls._factories.items()}
        given = {
            name: dataclasses.field(default=value) for name, value in cls._fields.items() if name not in cls._required
        }
        fields = [(name, Any, made.get(name) or given.get(name) or dataclasses.field()) for name in cls._fields]
        like = dataclasses.make_dataclass(cls.__name__, fields, kw_only=True)
        return {field.name: field for field in dataclasses.fields(like)}

    @classmethod
    def signature(cls) -> inspect.Signature:
        """Return the signature of the class: its fields with their types and defaults."""
        import inspect  # slow to import

        types = {name: kind for each in reversed(cls.__mro__) for name, kind in inspect.get_annotations(each).items()}
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if cls._positional else inspect.Parameter.KEYWORD_ONLY
        empty = inspect.Parameter.empty
        return inspect.Signature(
            [
                inspect.Parameter(name, kind, default=empty if name in cls._required else value, annotation=types[name])
                for name, value in cls._fields.items()
            ]
        )

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} is immutable: {name}")

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, type(self)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return tuple(self.__dict__[name] for name in self._compared)

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__dict__.items() if name not in self._hidden]
        return f"{type(self).__qualname__}({', '.join(shown)})"


Frozen.__dataclass_params__ = _StandardParams()
Frozen.__signature__ = _Signature()  # type: ignore[assignment]  # as below
Frozen.__dataclass_fields__ = _StandardFields()  # type: ignore[assignment]  # its __get__ returns the declared type


def replace(value: F, **changes: Any) -> F:
    """Return a copy of the value with some fields changed."""
    return type(value)(**{**value.__dict__, **changes})
