"""Has the one TXT record of dns-persist-01 set, by an account that can hold it. It is never removed.

The CA says in an order which record it accepts. So that costs one order, of which nothing becomes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import names
from dnsrenew.base.model import Route
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError
from dnsrenew.fallback.candidates import Selection
from dnsrenew.operations import texts
from dnsrenew.renewal import lost_account
from dnsrenew.renewal import texts as renewal_texts
from dnsrenew.renewal.job import Job
from dnsrenew.renewal.options import RunOptions

if TYPE_CHECKING:
    from dnsrenew.acme import Authorization, CAClient, Challenge
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.dns_persist01.values import PersistValue
    from dnsrenew.challenges.placements import Placements
    from dnsrenew.extensions.setup.delegate.account import DelegatedDomains
    from dnsrenew.renewal.job import Services

_ROUTE: Final = Route("dns-persist-01")


class PersistText(Frozen):
    """The TXT record for a domain.

    :ivar name: its owner name, without the final dot.
    """

    domain: str
    name: str
    value: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"name": self.name, "type": "TXT", "value": self.value}


def persist(context: Context, services: Services, chosen: DelegatedDomains) -> list[PersistText]:
    """Look for the record of each domain, let an account write what is missing, and wait until it is visible.

    :raises CAError: ``ca-no-challenge``: the CA does not offer it, and nothing is written; or the order was refused.
    :raises DnsError: ``dns-persist-missing``: no account can write a record; the error holds it.
    :raises AttemptError: the account cannot write it, or it is not seen in time.
    """
    spec = chosen.specs[0]
    identifiers = [each for each in spec.identifiers if names.base_domain(each) in chosen.domains]
    selection = Selection(spec.ca, dict.fromkeys(identifiers, _ROUTE))
    state = services.store.read_state(spec.name)
    lost_account.check_pinned(Job(spec, services, state, "missing", context, RunOptions()), selection)
    placements = services.solvers.preflight(context, selection.routes, spec.propagation.check)
    if placements.blockers:
        raise placements.blockers[0].error
    services.solvers.prepare(context, placements.needed())
    ca = services.ca(spec.ca)
    challenges = _offered(context, services, ca, spec, identifiers)
    values = _values(services, ca, placements, challenges)
    with services.solvers.exclusive(context, placements.needed()):
        services.solvers.publish(context, values)
        services.solvers.wait_visible(context, values, spec.propagation, 0.0)
    return [_shown(context, services, value) for value in {value.placement.name: value for value in values}.values()]


def _shown(context: Context, services: Services, value: PersistValue) -> PersistText:
    """Return the record that validates a domain: that which was there, or the new one."""
    name = value.placement.name
    newest = value.newest(services.dns.known_values(context, name) or (), context.clock.now())
    text = str(value.wanted) if newest is None else newest[0]
    return PersistText(names.base_domain(value.identifier), names.relative(name), text)


def _offered(
    context: Context, services: Services, ca: CAClient, spec: CertificateSpec, identifiers: Sequence[str]
) -> Mapping[str, Challenge]:
    """Order once, and return the challenge of each identifier; give up the order."""
    blocked = services.ledger(spec.ca).may_order(identifiers, attended=True)
    if blocked is not None:
        raise blocked
    ca.open(context)
    order = ca.new_order(context, identifiers)
    authorizations = ca.authorizations(context, order)
    challenges = {each.identifier: _challenge(each, spec.ca) for each in authorizations}
    ca.deactivate_authorizations(context, order)  # a CA limits how many are pending
    return challenges


def _challenge(authorization: Authorization, ca: str) -> Challenge:
    challenge = authorization.challenge(_ROUTE.challenge)
    if challenge is not None:
        return challenge
    identifier, offered = authorization.identifier, sorted({each.type for each in authorization.challenges})
    if authorization.status == "valid":
        raise CAError.of(texts.DELEGATE_VALIDATED, ca=ca, identifier=identifier, offered=offered)
    text = renewal_texts.NOT_OFFERED if offered else renewal_texts.NOTHING_OFFERED
    raise CAError.of(text, ca=ca, challenge=_ROUTE.challenge, identifier=identifier, offered=offered)


def _values(
    services: Services, ca: CAClient, placements: Placements, challenges: Mapping[str, Challenge]
) -> list[PersistValue]:
    from dnsrenew.challenges.dns_persist01.values import PersistValue

    made = [
        value
        for identifier, challenge in challenges.items()
        for value in services.solvers.make_values(ca, placements.placement(identifier), challenge)
    ]
    return [value for value in made if isinstance(value, PersistValue)]
