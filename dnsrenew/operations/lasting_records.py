"""The TXT records of dns-persist-01 outside a renewal: which ones a CA wants, whether they are there, and to set them.

For ``dnsrenew delegate --to dns-persist-01``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns_persist01.offer import challenge_of_directory
from dnsrenew.challenges.dns_persist01.values import PersistValue, by_record
from dnsrenew.errors import CAError
from dnsrenew.model import Propagation, Route
from dnsrenew.renewal import texts

if TYPE_CHECKING:
    from dnsrenew.ca import Authorization, Challenge
    from dnsrenew.ca.session import AccountIdentity
    from dnsrenew.renewal.job import Services
    from dnsrenew.runtime.context import Context

CHALLENGE: Final = "dns-persist-01"


class LastingRecord(Frozen):
    """One record.

    :ivar name: its owner name, without the final dot.
    :ivar value: its text.
    :ivar is_there: whether DNS has a record that is valid for the names: this one or another.
    :ivar values: what it validates.
    """

    name: str
    value: str
    is_there: bool
    values: tuple[PersistValue, ...]

    @property
    def identifiers(self) -> list[str]:
        """The names that it validates."""
        return [value.identifier for value in self.values]


def find_records(
    services: Services, context: Context, ca: str, identifiers: Sequence[str], route: Route
) -> list[LastingRecord]:
    """Return the records that the CA wants for some names. It spends one order, and writes nothing.

    :param route: with the accounts that may write the records, if any.
    :raises CAError: ``ca-no-challenge``: the CA does not offer the challenge.
    :raises DnsError: a name is in no zone, or DNS does not answer.
    """
    solvers, client = services.solvers, services.ca(ca)
    placements = solvers.preflight(context, dict.fromkeys(identifiers, route), "authoritative")
    for blocker in placements.blockers:
        raise blocker.error
    client.open(context)
    order = client.new_order(context, identifiers)
    wanted = {
        authorization.identifier: _challenge(ca, authorization, client.identity)
        for authorization in client.authorizations(context, order)
    }
    values = [
        value
        for identifier in identifiers
        for value in solvers.make_values(client, placements.placement(identifier), wanted[identifier])
        if isinstance(value, PersistValue)
    ]
    now = context.clock.now()
    found = []
    for group in by_record(values):
        name, text = group[0].key
        there = services.dns.known_values(context, name) or ()
        is_there = group[0].newest(there, now) is not None
        found.append(LastingRecord(names.relative(name), text, is_there, tuple(group)))
    return found


def set_records(
    services: Services, context: Context, records: Sequence[LastingRecord], wanted: Propagation | None = None
) -> None:
    """Write the records that are missing or expire soon, and wait until every name server shows all of them.

    :raises DnsError: ``dns-persist-missing``: no account may write them; the error holds them.
    :raises ProviderError: a host refused or did not respond.
    :raises PropagationError: they were not visible in time.
    """
    values = [value for record in records for value in record.values]
    services.solvers.prepare(context, [value.placement for value in values])
    services.solvers.publish(context, values)
    services.solvers.wait_visible(context, values, wanted or Propagation(), 0.0)


def _challenge(ca: str, authorization: Authorization, account: AccountIdentity) -> Challenge:
    """Return the challenge; for a name that the CA need not validate now, what its directory tells.

    :raises CAError: ``ca-no-challenge``.
    """
    challenge = authorization.challenge(CHALLENGE)
    if challenge is None and authorization.status == "valid":  # it then shows only what was validated
        challenge = challenge_of_directory(account)
    if challenge is None:
        identifier, offered = authorization.identifier, sorted({each.type for each in authorization.challenges})
        text = texts.NOT_OFFERED if offered else texts.NOTHING_OFFERED
        raise CAError.of(text, ca=ca, challenge=CHALLENGE, identifier=identifier, offered=offered)
    return challenge
