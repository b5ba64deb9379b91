"""Whether a CA takes dns-persist-01: only an order shows what it offers, so what the last one showed is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Check, rfc3339
from dnsrenew.extensions.doctor.facts import PERSIST
from dnsrenew.extensions.doctor.keeping import texts
from dnsrenew.fallback.history import DAY, route_key

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.extensions.doctor.facts import Facts

_NOT_OFFERED: Final = "ca-no-challenge"


def last_run(facts: Facts, spec: CertificateSpec, ca: str) -> Check | None:
    """Check what the last runs recorded about the route by dns-persist-01 at a CA."""
    routes = [route for route in spec.routes if route.challenge in PERSIST and (route.ca or spec.ca) == ca]
    if not routes:
        return None
    state = facts.state(spec.name)
    key = route_key(routes[0], spec.ca)
    failed = state.routes.get(key)
    evidence: dict[str, Any] = {"name": spec.name, "ca": ca}
    if failed is None:
        if key in state.worked:
            return Check.of(texts.PERSIST_WORKED, "ok", evidence)
        return Check.of(texts.PERSIST_UNKNOWN, "unknown", evidence, blocks=PERSIST)
    evidence |= {"time": rfc3339(failed["failed"]), "code": failed["code"]}
    if failed["code"] == _NOT_OFFERED:
        is_fresh = abs(facts.context.clock.now() - failed["failed"]) < DAY  # later the CA may have changed
        return Check.of(texts.PERSIST_NOT_OFFERED, "bad" if is_fresh else "unknown", evidence, blocks=PERSIST)
    return Check.of(texts.PERSIST_FAILED, "unknown", evidence, blocks=PERSIST)
