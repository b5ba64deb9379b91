"""A test value behind the CNAME records: written by the account, seen at every name server, and removed.

It goes the way of a renewal: locks, the journal, the calls of the DNS host, the wait.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names
from dnsrenew.challenges.dns01.solver import make_solver
from dnsrenew.challenges.solver import SolverResources
from dnsrenew.operations import texts
from dnsrenew.store.zone_locks import ZoneLocks

if TYPE_CHECKING:
    from dnsrenew.base.model import Propagation
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns01.records import TxtPlacement, TxtValue
    from dnsrenew.challenges.dns01.solver import Dns01
    from dnsrenew.config import Config
    from dnsrenew.renewal.job import Services

_RANDOM_BYTES: Final = 32
"""Those of a value that answers a challenge: SHA-256 (RFC 8555 section 8.4)."""


def probe(
    context: Context, config: Config, services: Services, placements: Sequence[TxtPlacement], how: Propagation
) -> bool:
    """Write a test value at each place, wait until it is visible, and remove it in any case; return whether all were.

    A value that a host without room for another one serves is not replaced: a warning says so.

    :raises AttemptError: the account cannot write there, or the value is not seen in time.
    :raises SecretError: a secret of the account cannot be resolved.
    :raises ConfigError: an option of the account is wrong.
    :raises LockedError: another run uses the place.
    :raises StoreError: the journal cannot be written; nothing was written to DNS.
    """
    store = services.store
    resources = SolverResources(
        services.dns, config.accounts, config.providers, ZoneLocks(store), store.journal, attended=True
    )
    solver = make_solver(resources)
    once = list({placement.name: placement for placement in placements}.values())
    solver.prepare(context, once)
    with solver.exclusive(context, once):
        free = [each for each in once if not _is_in_use(context, services, each)]
        values = [value for each in free for value in solver.values(each, _random_value(context))]
        for batch in solver.batches(values):
            _probe(context, solver, batch, how)
    return len(free) == len(once)


def _probe(context: Context, solver: Dns01, batch: list[TxtValue], how: Propagation) -> None:
    with solver.journaled(context, batch):
        try:
            solver.publish(context, batch)
            solver.wait_visible(context, batch, how)
        finally:
            solver.withdraw(context, batch)


def _is_in_use(context: Context, services: Services, placement: TxtPlacement) -> bool:
    """Tell whether a value is served that the test value would replace, and that has to be removed once."""
    for writer, _zone in placement.writers:
        behaviour = writer.provider.behaviour
        if behaviour.most_values == 1 and behaviour.removes and services.dns.values(context, placement.name):
            name = names.relative(placement.name)
            context.warn(*texts.DELEGATE_IN_USE.fill(account=writer.account.name, name=name))
            return True
    return False


def _random_value(context: Context) -> str:
    """Return a value that looks like one that answers a challenge, because hosts may check the form."""
    octets = context.random.randbytes(_RANDOM_BYTES)
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
