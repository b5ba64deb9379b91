"""The stored state of a certificate, and its next renewal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen, replace
from dnsrenew.errors import StoreError
from dnsrenew.fallback import history
from dnsrenew.model import rfc3339
from dnsrenew.renewal import due
from dnsrenew.renewal.check_due import why
from dnsrenew.renewal.options import RunOptions
from dnsrenew.renewal.outcomes import in_current
from dnsrenew.store import State

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.model import CertificateSpec
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import Store


CertificateState = Literal["valid", "due", "missing", "expired", "revoked"]
"""The state of a certificate; ``due``: it is valid, and its renewal is due."""
_STATES: Final[Mapping[str | None, CertificateState]] = {
    None: "valid",
    "missing": "missing",
    "expired": "expired",
    "revoked": "revoked",
}
"""The states by the reason of a renewal; for any other reason it is due."""


class CertificateStatus(Frozen, kw_only=True, public=True):
    """The status of one certificate; the fields are those of ``dnsrenew status --json``."""

    name: str
    """Its name in the configuration and in the store."""
    domains: tuple[str, ...]
    """Its domains, as written in the configuration."""
    ca: str
    """The name of the CA that issued it, or will."""
    issuer: str | None
    """The issuer: the subject name of the CA's certificate; None without a certificate, as for the next fields."""
    serial: str | None
    """The serial number, hexadecimal in lower case."""
    not_before: datetime | None
    """The start of the validity, in UTC."""
    not_after: datetime | None
    """The end of the validity, in UTC."""
    state: CertificateState
    """The state of the certificate."""
    next_renewal: datetime | None
    """When it becomes due, in UTC."""
    reason: str
    """Why it is due, or will be: a :data:`RenewalReason`."""
    route: dict[str, Any] | None
    """The route that led to the current certificate, as in an outcome; None if unknown."""
    last_failure: dict[str, Any] | None
    """The last failure: ``time``, ``code``, ``message`` and ``fix``; None if the last try succeeded."""
    next_attempt: datetime | None
    """The earliest time of the next try after a failure, in UTC; None while nothing defers it."""
    path: Path | None
    """The ``current`` folder, for other programs; None without a certificate."""
    known: bool = True
    """False if the state cannot be read (``last_failure`` has the error). The other fields are then read from the
    certificate in ``current``; ``missing`` means that it cannot be read either.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form = dict(vars(self))
        for name in ("not_before", "not_after", "next_renewal", "next_attempt"):
            form[name] = rfc3339(form[name])
        form["domains"] = list(self.domains)
        form["path"] = None if self.path is None else str(self.path)
        return form


def status_of(spec: CertificateSpec, store: Store, context: Context) -> CertificateStatus:
    """Return the status of a certificate from the store; contacts no CA and no DNS."""
    now = context.clock.now()
    known = True
    try:
        state = store.read_state(spec.name, quarantine=False)
        reason = why(spec, state, store, context, RunOptions())
    except StoreError as error:  # must not hide the status of the other certificates
        known = False
        failure = {"time": rfc3339(now), "code": error.code, "message": error.message, "fix": error.fix}
        state = replace(in_current(spec.name, store) or State(), last_failure=failure)
        reason = due.why_due(spec, state, now, whole=True)
    for notice in state.notices:
        context.for_certificate(spec.name).emit("warning", **notice.to_dict())
    exists = reason != "missing"
    route = history.route_from_keys(state.worked)
    at = due.next_renewal(spec, state)
    return CertificateStatus(
        name=spec.name,
        domains=spec.domains,
        ca=state.ca or spec.ca,
        issuer=state.issuer if exists else None,
        serial=state.serial if exists else None,
        not_before=state.not_before if exists else None,
        not_after=state.not_after if exists else None,
        state=_STATES.get(reason, "due"),
        next_renewal=at if exists else None,
        reason=reason or due.next_reason(state, at),
        route=None if not exists or route is None else route.to_dict(),
        last_failure=None if state.last_failure is None else dict(state.last_failure),
        next_attempt=None if reason is None else history.deferred_until(state, now),  # None while it is not due
        path=store.current(spec.name) if exists else None,
        known=known,
    )
