"""What stands in the store for a certificate, and what is going to happen to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import StoreError
from dnsrenew.fallback import history
from dnsrenew.model import rfc3339
from dnsrenew.renewal import due
from dnsrenew.renewal.options import RunOptions
from dnsrenew.renewal.outcomes import in_current
from dnsrenew.renewal.check_due import why
from dnsrenew.store import State

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.model import CertificateSpec
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import Store


class CertificateStatus(Frozen, kw_only=True):
    """What ``dnsrenew status`` says of one certificate; fields as in its JSON.

    :ivar route: the way that led to the certificate in force, as in an outcome; None where that is not known.
    :ivar known: False where the store cannot be read (``last_failure`` says why): then this is only what the
        certificate in ``current`` says of itself, and ``missing`` means that not even that is known.
    """

    name: str
    domains: tuple[str, ...]
    ca: str
    issuer: str | None
    serial: str | None
    not_before: datetime | None
    not_after: datetime | None
    state: str
    next_renewal: datetime | None
    reason: str
    route: dict[str, Any] | None
    last_failure: dict[str, Any] | None
    next_attempt: datetime | None
    path: Path | None
    known: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form = dict(vars(self))
        for name in ("not_before", "not_after", "next_renewal", "next_attempt"):
            form[name] = rfc3339(form[name])
        form["domains"] = list(self.domains)
        form["path"] = None if self.path is None else str(self.path)
        return form


def status_of(spec: CertificateSpec, store: Store, context: Context) -> CertificateStatus:
    """Return what stands in the store for a certificate; asks nobody."""
    now = context.clock.now()
    known = True
    try:
        state = store.read_state(spec.name, quarantine=False)
        reason = why(spec, state, store, context, RunOptions())
    except StoreError as error:  # of this one: the others can be told of
        known = False
        failure = {"time": rfc3339(now), "code": error.code, "message": error.message, "fix": error.fix}
        state = replace(in_current(spec.name, store) or State(), last_failure=failure)
        reason = due.why_due(spec, state, now, whole=True)
    for notice in state.notices:
        context.for_certificate(spec.name).emit("warning", **notice.to_dict())
    stands = reason != "missing"
    attempt = history.route_from_keys(state.worked)
    words = {None: "valid", "missing": "missing", "expired": "expired", "revoked": "revoked"}
    at = due.next_renewal(spec, state)
    return CertificateStatus(
        name=spec.name,
        domains=spec.domains,
        ca=state.ca or spec.ca,
        issuer=state.issuer if stands else None,
        serial=state.serial if stands else None,
        not_before=state.not_before if stands else None,
        not_after=state.not_after if stands else None,
        state=words.get(reason, "due"),
        next_renewal=at if stands else None,
        reason=reason or due.next_reason(state, at),
        route=None if not stands or attempt is None else attempt.to_dict(),
        last_failure=None if state.last_failure is None else dict(state.last_failure),
        next_attempt=None
        if reason is None
        else history.deferred_until(state, now),  # what is not due is not tried then
        path=store.current(spec.name) if stands else None,
        known=known,
    )
