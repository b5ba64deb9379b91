"""Where the TXT records of a certificate go, and which DNS accounts write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from dnsrenew.base.names import is_ip
from dnsrenew.base.values import Frozen
from dnsrenew.challenges.dns01.accounts import AccountChoice
from dnsrenew.challenges.dns01.records import RecordWriter, TxtPlacement, no_account
from dnsrenew.errors import AttemptError
from dnsrenew.extensions.doctor.facts import DNS

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.doctor.facts import Facts


class AccountPlacements(Frozen):
    """Where the TXT records of one certificate go.

    :ivar placements: by identifier, one for each dns-01 route that can write there.
    :ivar refused: by identifier without any, why.
    """

    placements: Mapping[str, Sequence[TxtPlacement]]
    refused: Mapping[str, AttemptError]

    def of_account(self, account: str) -> list[TxtPlacement]:
        """Return the first placement of each identifier that an account writes, alone or with others."""
        found = [
            next((each for each in several if account in accounts_of(each)), None)
            for several in self.placements.values()
        ]
        return [placement for placement in found if placement is not None]


def accounts_of(placement: TxtPlacement) -> list[str]:
    """Return the names of the accounts that write a TXT record."""
    return [writer.account.name for writer, _zone in placement.writers]


def placements(facts: Facts, spec: CertificateSpec) -> AccountPlacements:
    """Return the placements of a certificate, as its renewal finds them."""
    return facts.once(("placements", spec.name), partial(_find, facts, spec))


def _find(facts: Facts, spec: CertificateSpec, context: Context) -> AccountPlacements:
    known = writers(facts)
    choice = AccountChoice(facts.dns, known)
    identifiers = [each for each in spec.identifiers if not is_ip(each)]
    by_identifier: dict[str, list[TxtPlacement]] = {each: [] for each in identifiers}
    errors: dict[str, AttemptError] = {}
    for route in spec.routes:
        if route.challenge not in DNS:
            continue
        targets, refused = choice.targets(context, identifiers, route, spec.propagation.check)
        errors = {**refused, **errors}
        for identifier, target in targets.items():
            several = choice.routes(target.name, route)
            if not several:
                errors.setdefault(identifier, no_account(identifier, target.name, known.values()))
            for one in several:
                try:
                    by_identifier[identifier].append(choice.place(identifier, target, one))
                except AttemptError as error:
                    errors.setdefault(identifier, error)
    usable = {identifier: found for identifier, found in by_identifier.items() if found}
    return AccountPlacements(
        usable, {identifier: errors[identifier] for identifier in identifiers if identifier not in usable}
    )


def writers(facts: Facts) -> dict[str, RecordWriter]:
    """Return every DNS account with the provider file of its host."""
    its = facts.its
    return {name: RecordWriter(account, its.providers[account.provider]) for name, account in its.accounts.items()}
