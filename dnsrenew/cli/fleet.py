"""``dnsrenew fleet``: its commands, each in a module of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.config import Config
    from dnsrenew.operations.fleet_certificates import FleetCertificates

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
    return _read(invocation, config, lambda fleet: fleet.count())


def workers(invocation: Invocation, config: Config) -> int:
    """Return how many workers of the fleet are alive.

    :raises StoreError: the database cannot be read.
    """
    return _read(invocation, config, lambda fleet: fleet.wanted.workers())


def _read(invocation: Invocation, config: Config, read: Callable[[FleetCertificates], int]) -> int:
    from dnsrenew.fleet.fleet import store_of
    from dnsrenew.operations.fleet_certificates import fleet_certificates

    store = store_of(config)
    try:
        return invocation.signals.run(partial(read, fleet_certificates(config, store)))
    finally:
        store.close()
