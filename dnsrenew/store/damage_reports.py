"""The warnings about damage that a store has found, until the states that they are about are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnsrenew.base.model import Notice


class DamageReports:
    """Warnings by certificate."""

    def __init__(self) -> None:
        self._warnings: dict[str, tuple[Notice, ...]] = {}

    def report(self, name: str, warning: Notice) -> None:
        """Keep a warning once: a run reads a state more than once and reports the warnings at its end."""
        reported = self._warnings.get(name, ())
        if warning not in reported:
            self._warnings[name] = (*reported, warning)

    def warnings(self, name: str) -> tuple[Notice, ...]:
        """Return the damage warnings of a certificate."""
        return self._warnings.get(name, ())
