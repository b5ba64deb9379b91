"""The challenge responses that a server or a webroot serves; several certificates may need the same one."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Contents(Generic[T]):
    """Responses by key (a token, a server name); each stays until every :meth:`add` of it is undone.

    A CA may give one pending authorization, and so one token, to two certificates that share a name. Writers hold a
    lock. The server's thread reads without one, because every entry is replaced as a whole.
    """

    def __init__(self) -> None:
        self._by_key: dict[str, tuple[T, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def get(self, key: str) -> T | None:
        """Return the newest response for a key, or None."""
        held = self._by_key.get(key)
        return held[-1] if held else None

    def all(self) -> list[T]:
        """Return the responses for all keys."""
        return [content for held in list(self._by_key.values()) for content in held]

    def add(self, key: str, content: T) -> None:
        """Add a response."""
        self._by_key[key] = (*self._by_key.get(key, ()), content)

    def remove(self, key: str, content: T) -> None:
        """Undo one :meth:`add`."""
        held = list(self._by_key.get(key, ()))
        if content in held:
            held.remove(content)
        if held:
            self._by_key[key] = tuple(held)
        else:
            self._by_key.pop(key, None)
