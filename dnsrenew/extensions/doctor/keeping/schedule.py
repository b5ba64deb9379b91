"""Whether something renews by itself, what became of the last run, and how long the certificate is valid."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Check, rfc3339
from dnsrenew.errors import StoreError
from dnsrenew.extensions.doctor.keeping import texts
from dnsrenew.operations.selection import shared_certificates
from dnsrenew.renewal import due

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.config import Config
    from dnsrenew.extensions.doctor.facts import Facts

_GRACE: Final = timedelta(days=2)
"""A schedule runs several times a day; a certificate that is due for longer was not tried."""


def schedule(facts: Facts) -> Check | None:
    """Check whether anything renews by itself: on this host, or the workers of a fleet."""
    if facts.config is not None and facts.config.fleet is not None:
        return _workers(facts, facts.config)
    if facts.config is None or facts.config.path is None:  # a program renews by itself, or does not
        return None
    from dnsrenew.schedule.detect import detect, has_scheduler

    active = detect(facts.config.path, names=[spec.name for spec in facts.config.certificates])
    evidence = active.to_dict()
    if active.installed:
        return Check.of(texts.SCHEDULE_OK, "ok", evidence)
    if active.installed is None:
        return Check.of(texts.SCHEDULE_UNKNOWN, "unknown", evidence)
    return Check.of(texts.SCHEDULE_NONE if has_scheduler() else texts.SCHEDULE_NO_SCHEDULER, "bad", evidence)


def _workers(facts: Facts, config: Config) -> Check:
    try:
        shared = shared_certificates(config, facts.store)
        workers = 0 if shared is None else shared.workers()
    except StoreError as error:
        return Check.of(texts.WORKERS_UNKNOWN, "unknown", {"workers": None, "error": error.code})
    evidence = {"workers": workers}
    return Check.of(texts.WORKERS_OK, "ok", evidence) if workers else Check.of(texts.WORKERS_NONE, "bad", evidence)


def last_run(facts: Facts, spec: CertificateSpec) -> Check:
    """Check what the last run has recorded, and whether any has tried what is due."""
    state, now = facts.state(spec.name), facts.context.clock.now()
    failure = state.last_failure
    if failure is not None:
        kept = {key: failure.get(key) for key in ("time", "code", "message", "route")}
        evidence = {"name": spec.name, **kept, "failures": state.failures}
        return Check.of(texts.LAST_RUN_FAILED, "bad", evidence, advice=failure.get("fix") or "")
    at = due.next_renewal(spec, state)
    if at is None:
        return Check.of(texts.LAST_RUN_NONE, "ok", {"name": spec.name})
    evidence = {"name": spec.name, "due": rfc3339(at)}
    if now - at > _GRACE:
        return Check.of(texts.LAST_RUN_OVERDUE, "bad", evidence)
    return Check.of(texts.LAST_RUN_OK, "ok", evidence)


def expiry(facts: Facts, spec: CertificateSpec) -> Check:
    """Check how long the certificate in force is valid."""
    try:
        state = facts.state(spec.name)
    except StoreError as error:
        seen = {"name": spec.name, "error": error.code, "message": error.message}
        return Check.of(texts.EXPIRY_UNREADABLE, "unknown", seen, advice=error.fix)
    now = facts.context.clock.now()
    at = due.next_renewal(spec, state)
    evidence: dict[str, Any] = {"name": spec.name, "not_after": rfc3339(state.not_after), "due": rfc3339(at)}
    if state.not_after is None or at is None:
        return Check.of(texts.EXPIRY_MISSING, "unknown", evidence)
    if state.revoked:
        return Check.of(texts.EXPIRY_REVOKED, "bad", evidence)
    if now >= state.not_after:
        return Check.of(texts.EXPIRY_OVER, "bad", evidence)
    if now - at > min(_GRACE, (state.not_after - at) / 2):
        return Check.of(texts.EXPIRY_SOON, "bad", evidence)
    return Check.of(texts.EXPIRY_OK, "ok", evidence)
