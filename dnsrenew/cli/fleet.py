"""``dnsrenew fleet``: its commands, each in a module of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation

_MODULES: Final = {"sync": "fleet_add", "load": "fleet_move", "dump": "fleet_move"}
"""Where a command is that has no module of its name."""


def fleet(invocation: Invocation) -> int:
    """Run the command; return the exit status."""
    name = f"fleet_{invocation.options.action}"
    module = importlib.import_module(f"dnsrenew.cli.{_MODULES.get(invocation.options.action, name)}")
    command: Callable[[Invocation], int] = getattr(module, name)
    return command(invocation)
