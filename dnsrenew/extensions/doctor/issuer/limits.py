"""Whether a CA would refuse an order now, as far as the ledger knows: its limits, its Retry-After, its pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import Check
from dnsrenew.base.values import replace
from dnsrenew.errors import StoreError
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.issuer import directory, texts

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.errors import CAError
    from dnsrenew.extensions.doctor.facts import Facts


def ca_limits(facts: Facts, spec: CertificateSpec, ca: str) -> Check:
    """Check that nothing is known because of which the CA would refuse an order for these names now."""
    ledger = replace(facts.store.ledger(facts.its.cas[ca].directory, ca, facts.context), read_only=True)
    expires, is_ours = _stored(facts, spec, ca)
    blocked = None
    if not is_ours:
        blocked = ledger.may_begin(expires=expires)
    if blocked is None:
        replaces = is_ours and _offers_renewal_info(facts, ca)
        blocked = ledger.may_order(spec.identifiers, replaces=replaces, expires=expires, attended=True)
    return judge(ca, spec.name, blocked)


def judge(ca: str, certificate: str, blocked: CAError | None) -> Check:
    """Return the verdict. Failed orders hold back only a person who tries again and again, not the schedule."""
    if blocked is None:
        return Check.of(texts.LIMITS_OK, "ok", {"ca": ca, "certificate": certificate})
    known = ("until", "limit", "identifier", "url", "count", "window")
    evidence: dict[str, Any] = {"ca": ca, **{key: blocked.evidence[key] for key in known if key in blocked.evidence}}
    if evidence["limit"] == "failed-orders":
        return Check.of(texts.LIMITS_BY_HAND, "bad", {**evidence, "certificate": certificate})
    return Check("ca-limits", "bad", blocked.message, evidence, blocked.fix, ALL)


def _stored(facts: Facts, spec: CertificateSpec, ca: str) -> tuple[datetime | None, bool]:
    """Return when the certificate in the store ends, and whether it is valid and this CA's."""
    try:
        state = facts.state(spec.name)
    except StoreError:  # `store` tells
        return None, False
    ends = state.not_after
    return ends, state.ca == ca and ends is not None and facts.context.clock.now() < ends


def _offers_renewal_info(facts: Facts, ca: str) -> bool:
    """Tell whether an order can name the certificate that it replaces (RFC 9773): limits do not count then."""
    found = directory.ask(facts, facts.its.cas[ca]).directory
    return found is None or found.resource("renewalInfo") is not None
