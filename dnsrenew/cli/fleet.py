"""``dnsrenew fleet``: its commands, each in a module of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config

_MODULES: Final = {"sync": "fleet_add", "load": "fleet_move", "dump": "fleet_move"}
"""Where a command is that has no module of its name."""


def fleet(invocation: Invocation) -> int:
    """Run the command; return the exit status."""
    name = f"fleet_{invocation.options.action}"
    module = importlib.import_module(f"dnsrenew.cli.{_MODULES.get(invocation.options.action, name)}")
    command: Callable[[Invocation], int] = getattr(module, name)
    return command(invocation)


def count(invocation: Invocation, config: Config) -> int:
    """Return how many certificates the fleet of a configuration has, with those of the tables.

    :raises StoreError: the database cannot be read.
    """
    from dnsrenew.fleet.fleet import store_of
    from dnsrenew.operations.fleet_certificates import fleet_certificates

    store = store_of(config)
    try:
        return invocation.signals.run(fleet_certificates(config, store).count)
    finally:
        store.close()
