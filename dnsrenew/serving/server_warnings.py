"""The warnings of a server that runs for months."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_REMEMBERED: Final = 10_000


class ServerWarnings:
    """The warnings of a server: events, which are logged too. A repeated one is emitted once: the looks are many.

    :param emit: emits an event: kind, name of the certificate, data.
    """

    def __init__(self, emit: Callable[..., None]) -> None:
        self._emit = emit
        self._said: set[tuple[str | None, str, str]] = set()

    def warn(self, name: str | None, code: str, message: str, fix: str) -> None:
        """Emit a warning about a certificate; None: about all."""
        if (name, code, message) not in self._said:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            self._said.add((name, code, message))
            self._emit("warning", name, code=code, message=message, fix=fix)

    def forget(self, name: str | None) -> None:
        """Emit a warning about a certificate again if it comes back; None: those about all."""
        self._said = {said for said in self._said if said[0] != name}
