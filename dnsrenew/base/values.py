"""Frozen values: what ``dataclass(frozen=True)`` makes of a class, without its price.

``dataclass`` writes the methods of each class as source and compiles them, at every start: half a millisecond a class,
a quarter of a run in which nothing is due. All values share the methods of one base class instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Never, TypeVar, dataclass_transform

if TYPE_CHECKING:
    import dataclasses
    import inspect

F = TypeVar("F", bound="Frozen")


class _Factory:
    """Stands for the default of a field while its class is made."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __repr__(self) -> str:
        return "<factory>"


def field(*, default_factory: Callable[[], Any]) -> Any:
    """Give a field a default that is made anew for each value."""
    return _Factory(default_factory)


class _StandardFields:
    """``__dataclass_fields__``, made when it is asked for: so the functions of :mod:`dataclasses` take our values."""

    def __get__(self, _value: object, cls: type[Frozen]) -> dict[str, dataclasses.Field[Any]]:
        if "_standard" not in vars(cls):
            cls._standard = cls.standard_fields()
        return cls._standard


class _Signature:
    """``__signature__``, made when it is asked for: so ``help`` and editors show the fields of a class."""

    def __get__(self, value: object, cls: type[Frozen]) -> inspect.Signature | None:
        if value is not None:
            raise AttributeError("__signature__")  # it is how the class is called, not its values
        return cls.signature() if cls.__init__ is Frozen.__init__ else None  # None: its own __init__ tells it


class _StandardParams:
    """What :mod:`pprint` and :mod:`dataclasses` ask of a dataclass besides its fields."""

    init = repr = eq = frozen = True
    order = unsafe_hash = False


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Frozen:
    """A value with named fields: made at once, never changed, equal to another of its class with equal fields.

    A subclass names its fields with types and defaults, as a dataclass does. One that takes its arguments in another
    way has an ``__init__`` of its own, which hands all of them by name to this one.

    :param kw_only: whether all fields are given by name.
    :param hidden: fields that ``repr`` does not show, besides those hidden in the class that it extends.
    :param uncompared: fields that equal values may differ in.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    __dataclass_params__: ClassVar[_StandardParams]
    __match_args__: ClassVar[tuple[str, ...]]
    __signature__: ClassVar[inspect.Signature | None]

    _standard: ClassVar[dict[str, dataclasses.Field[Any]]]
    _fields: ClassVar[dict[str, Any]] = {}
    """All in order, each with its default, which is None for one that must be given."""
    _must: ClassVar[frozenset[str]] = frozenset()
    _factories: ClassVar[dict[str, Callable[[], Any]]] = {}
    _by_place: ClassVar[tuple[str, ...]] = ()
    _compared: ClassVar[tuple[str, ...]] = ()
    _hidden: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls, *, kw_only: bool = False, hidden: tuple[str, ...] = (), uncompared: tuple[str, ...] = ()
    ) -> None:
        own = [name for name, kind in cls.__annotations__.items() if not kind.startswith("ClassVar")]
        cls._fields = {**cls._fields, **{name: vars(cls).get(name) for name in own}}
        cls._must = cls._must.union(name for name in own if name not in vars(cls))
        cls._factories = {name: each.make for name, each in cls._fields.items() if isinstance(each, _Factory)}
        cls._by_place = () if kw_only else tuple(cls._fields)
        cls.__match_args__ = cls._by_place  # type: ignore[misc]  # mypy makes the same of the fields
        cls._compared = tuple(name for name in cls._fields if name not in uncompared)
        cls._hidden = (*cls._hidden, *hidden)

    def __init__(self, *values: Any, **named: Any) -> None:
        given = {**dict(zip(self._by_place, values, strict=False)), **named} if values else named
        content = self._fields | given
        if len(given) < len(values) + len(named) or len(content) > len(self._fields) or not given.keys() >= self._must:
            self._refuse(len(values), named)
        for name, make in self._factories.items():
            if name not in given:
                content[name] = make()
        fields = self.__dict__
        for name in content:  # one by one: so all values of a class share the names of their fields
            fields[name] = content[name]

    def _refuse(self, count: int, named: dict[str, Any]) -> Never:
        what = f"{count} by place and {sorted(named)} by name"
        raise TypeError(
            f"{type(self).__name__} has the fields {list(self._fields)}, needs {sorted(self._must)}, and got {what}"
        )

    @classmethod
    def fields(cls) -> list[str]:
        """Return the names of the fields, in order."""
        return list(cls._fields)

    @classmethod
    def standard_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        """Return the fields as the dataclass that this is not has them."""
        import dataclasses  # slow to load: it brings inspect

        made = {name: dataclasses.field(default_factory=make) for name, make in cls._factories.items()}
        given = {name: dataclasses.field(default=value) for name, value in cls._fields.items() if name not in cls._must}
        fields = [(name, Any, made.get(name) or given.get(name) or dataclasses.field()) for name in cls._fields]
        like = dataclasses.make_dataclass(cls.__name__, fields, kw_only=True)
        return {field.name: field for field in dataclasses.fields(like)}

    @classmethod
    def signature(cls) -> inspect.Signature:
        """Return how the class is called: its fields with their types and defaults, by place or by name."""
        import inspect  # slow to load

        types = {name: kind for each in reversed(cls.__mro__) for name, kind in inspect.get_annotations(each).items()}
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if cls._by_place else inspect.Parameter.KEYWORD_ONLY
        empty = inspect.Parameter.empty
        return inspect.Signature(
            [
                inspect.Parameter(name, kind, default=empty if name in cls._must else value, annotation=types[name])
                for name, value in cls._fields.items()
            ]
        )

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

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
Frozen.__signature__ = _Signature()  # type: ignore[assignment]  # as the next
Frozen.__dataclass_fields__ = _StandardFields()  # type: ignore[assignment]  # it is what its __get__ returns


def replace(value: F, **changes: Any) -> F:
    """Return the value with other contents in some fields."""
    return type(value)(**{**value.__dict__, **changes})
