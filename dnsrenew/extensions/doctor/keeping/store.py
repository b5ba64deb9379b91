"""Whether the store can be used, and whether its disk has space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from dnsrenew.base.files import mount_of
from dnsrenew.base.model import Certificate, CertificateSpec, Check, Deployment, rfc3339
from dnsrenew.base.users import this_user
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.deploy import verify
from dnsrenew.deploy.entry import entries
from dnsrenew.errors import DeployError, StoreError
from dnsrenew.extensions.doctor.facts import ALL, PERSIST, Facts
from dnsrenew.extensions.doctor.keeping import texts
from dnsrenew.operations.selection import shared_certificates
from dnsrenew.operations.status import port_debts
from dnsrenew.renewal import deploying, due
from dnsrenew.renewal.history import DAY
from dnsrenew.renewal.planner import route_key
from dnsrenew.schedule.detect import detect, has_scheduler
from dnsrenew.store import State
from dnsrenew.store.texts import READ_ONLY

_NEEDED: Final = 1_000_000
"""In bytes. A renewal writes less than a tenth of this."""
_LOW: Final = 50_000_000


def store(facts: Facts) -> Check | None:
    """Check that the store is private and writable, by writing to it and undoing that."""
    if facts.config is None:
        return None
    path = facts.unchecked_store.place
    existing = path if facts.unchecked_store.path is None else _nearest(path)
    try:
        if facts.store_error is not None:
            raise facts.store_error
        facts.unchecked_store.check_ground()
        if existing != path:
            return _absent(path, existing)
        facts.unchecked_store.prove_writable()
    except StoreError as error:
        return Check("store", "bad", error.message, {**error.evidence, "error": error.code}, error.fix, ALL)
    return _unreadable(facts) or Check.of(texts.STORE_OK, "ok", {"path": path})


def _unreadable(facts: Facts) -> Check | None:
    """Return the check of the first certificate whose files this user cannot read, or None."""
    its = facts.unchecked_store
    for spec in facts.its.certificates if its.path is not None else ():
        blocks: tuple[str, ...] = ()  # a renewal makes a new key; but nothing can deploy or serve this one
        try:
            state = its.read_state(spec.name, quarantine=False)
            fault = its.unreadable_key(spec.name, state) if its.is_whole(spec.name, state) else None
        except StoreError as error:
            fault, blocks = error, ALL
        if fault is not None:
            evidence = {**fault.evidence, "error": fault.code, "names": list(spec.identifiers)}
            return Check("store", "bad", fault.message, evidence, fault.fix, blocks)
    return None


def _absent(path: str, existing: str) -> Check:
    evidence = {"path": path, "existing": existing, "user": this_user()}
    if os.access(existing, os.W_OK | os.X_OK):
        return Check.of(texts.STORE_ABSENT, "ok", evidence)
    if hasattr(os, "statvfs") and os.statvfs(existing).f_flag & os.ST_RDONLY:
        text = READ_ONLY._replace(code="store")
        return Check.of(text, "bad", {**evidence, "mount": mount_of(existing)}, blocks=ALL)
    return Check.of(texts.STORE_NO_PARENT, "bad", evidence, blocks=ALL)


def store_space(facts: Facts) -> Check | None:
    """Check the free space and the free inodes of the store's disk. For a database, this is not possible."""
    if facts.config is None or facts.unchecked_store.path is None:
        return None
    path = str(facts.unchecked_store.path)
    existing, files = _nearest(path), None
    if hasattr(os, "statvfs"):  # not on Windows
        found = os.statvfs(existing)
        files = found.f_favail if found.f_files else None  # some file systems create inodes as they need them
    return space(path, shutil.disk_usage(existing).free, files)


def space(path: str, free: int, files: int | None) -> Check:
    """Return the check for an amount of space.

    :param free: free bytes.
    :param files: how many files can still be created; None if unknown or unlimited.
    """
    evidence = {"path": path, "free_bytes": free, "free_files": files}
    if files == 0:
        return Check.of(texts.SPACE_NO_FILES, "bad", evidence, blocks=ALL)
    shown = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free / 1e6:.1f} MB"
    if free < _NEEDED:
        return Check.of(texts.SPACE_FULL, "bad", evidence, blocks=ALL, free=shown)
    if free < _LOW:
        return Check.of(texts.SPACE_LOW, "bad", evidence, free=shown)
    return Check.of(texts.SPACE_OK, "ok", evidence, free=shown)


def _nearest(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


# ── schedule ───────────────────────────────────────────────────────────────────────────

# Whether renewal is automatic, how the last run ended, and how long the certificate is valid.

_GRACE: Final = timedelta(days=2)
"""A schedule runs several times a day, so a certificate that has been due for longer was not tried."""


def schedule(facts: Facts) -> Check | None:
    """Check whether renewal is automatic, on this machine or by the workers of a fleet."""
    if facts.config is not None and facts.config.fleet is not None:
        return _workers(facts, facts.config)
    if facts.config is None or facts.config.path is None:  # a program renews by itself, or does not
        return None
    active = detect(facts.config.path, names=[spec.name for spec in facts.config.certificates])
    evidence = active.to_dict()
    if (halt := active.halt) is not None:
        fields: dict[str, Any] = {"kind": active.kind, "reason": halt.reason, "advice": halt.fix}
        return Check.of(texts.SCHEDULE_HALTED, "bad", evidence, **fields)
    runs = facts.unchecked_store.scheduled
    run = None if runs is None or not active.remembered else runs.read(facts.config.path)
    if run is not None and run.is_missing(facts.context.clock.now()):
        known = [rfc3339(time) for time in (run.last, run.since) if time is not None]
        return Check.of(texts.SCHEDULE_MISSED, "bad", {**evidence, "since": known[0]})
    if active.installed:
        return Check.of(texts.SCHEDULE_OK, "ok", evidence)
    if active.installed is None:
        return Check.of(texts.SCHEDULE_UNKNOWN, "unknown", evidence)
    return Check.of(texts.SCHEDULE_NONE if has_scheduler() else texts.SCHEDULE_NO_SCHEDULER, "bad", evidence)


def _workers(facts: Facts, config: Config) -> Check:
    try:
        workers = None if (shared := shared_certificates(config, facts.store)) is None else shared.workers()
    except StoreError as error:
        return Check.of(texts.WORKERS_UNKNOWN, "unknown", {"workers": None, "error": error.code})
    evidence = {"workers": workers or 0}
    return Check.of(texts.WORKERS_OK, "ok", evidence) if workers else Check.of(texts.WORKERS_NONE, "bad", evidence)


def last_run(facts: Facts, spec: CertificateSpec) -> Check:
    """Check the records of the last run, and whether a run has tried the due certificates."""
    state, now = facts.state(spec.name), facts.context.clock.now()
    for debt in port_debts(facts.its, facts.store)(spec.name):
        owed = {"name": debt.certificate, "since": debt.since, "program": list(debt.program)}
        return Check.of(texts.LAST_RUN_OWES, "bad", owed, command=debt.fields["command"])
    failure = state.last_failure or state.forced_failure
    if failure is not None:
        kept = {key: failure.get(key) for key in ("time", "code", "message", "route")}
        evidence = {"name": spec.name, **kept, "failures": state.failures}
        present = None if state.tried_with is None else due.fingerprint(facts.its, facts.store, spec, state)
        if present not in {None, state.tried_with}:
            return Check.of(
                texts.LAST_RUN_MENDED if state.last_failure else texts.LAST_RUN_FORCE_MENDED, "bad", evidence
            )
        text = texts.LAST_RUN_FAILED if state.last_failure else texts.LAST_RUN_FORCED
        return Check.of(text, "bad", evidence, advice=failure.get("fix") or "")
    if (at := due.next_renewal(spec, state)) is None:
        return Check.of(texts.LAST_RUN_NONE, "ok", {"name": spec.name})
    evidence = {"name": spec.name, "due": rfc3339(at)}
    if now - at > _GRACE:
        return Check.of(texts.LAST_RUN_OVERDUE, "bad", evidence)
    return Check.of(texts.LAST_RUN_OK, "ok", evidence)


def expiry(facts: Facts, spec: CertificateSpec) -> Check:
    """Check how long the current certificate is valid."""
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


# ── served ─────────────────────────────────────────────────────────────────────────────

# Whether the servers serve the stored certificate.


def served(facts: Facts, spec: CertificateSpec) -> Check | None:
    """Ask each ``verify`` port of the deployments for its certificate, and compare fingerprints."""
    if not spec.deploy:
        return None
    evidence: dict[str, Any]
    state = facts.state(spec.name)
    certificate = facts.store.certificate(spec.name, state)
    ports = [(entry.options, port) for entry in spec.deploy if isinstance(entry, Deployment) for port in _ports(entry)]
    listed = [port for _, port in ports]
    if certificate is None:
        evidence = {"name": spec.name, "ports": [{"port": port, "result": "unknown"} for port in listed]}
        return Check.of(texts.SERVED_NONE_YET, "unknown", evidence, ports=listed) if listed else None
    tasks = facts.context.call_all([partial(_inspect, facts, certificate, *each) for each in ports], 8)
    found = [task.result() for task in tasks]
    evidence = {"name": spec.name, "ports": found}
    if wrong := [each for each in found if each["result"] != "ok"]:
        return _with_cause(_not_served(evidence, wrong), spec, state)
    if deploying.is_pending(spec, state, facts.store):
        targets = [result.target for result in deploying.recorded(spec, state) if not result.ok]
        evidence["targets"] = targets or [each.target for each in entries(spec.deploy)]
        return _with_cause(Check.of(texts.SERVED_PENDING, "bad", evidence), spec, state)
    changed = [each for each in deploying.looked_at(spec, state, facts.store, facts.context) if not each.ok]
    if changed:
        faults = [each.error.evidence["fault"] for each in changed if each.error]
        evidence |= {"targets": [each.target for each in changed], "faults": faults}
        return Check.of(texts.SERVED_CHANGED, "bad", evidence)
    return Check.of(texts.SERVED_OK, "ok", evidence, ports=listed) if listed else None


def _with_cause(check: Check, spec: CertificateSpec, state: State) -> Check:
    """Return a check with the reason why the last deployment failed, because another one would fail too."""
    cause = next((each.error.message for each in deploying.recorded(spec, state) if each.error), None)
    if cause is None:
        return check
    summary = texts.SERVED_FAILED.format(summary=check.summary, cause=cause)
    return replace(check, summary=summary, fix=texts.SERVED_FIRST.format(name=spec.name))


def _inspect(facts: Facts, certificate: Certificate, options: Mapping[str, Any], port: str) -> dict[str, Any]:
    """Return the state of an entry's port."""
    try:
        verify.wait_served(facts.context, verify.wanted(certificate, options, [port]), 0)
    except DeployError as error:
        return {"port": port, "result": "bad", "error": error.code, **error.evidence}
    return {"port": port, "result": "ok"}


def _not_served(evidence: dict[str, Any], wrong: Sequence[Mapping[str, Any]]) -> Check:
    """Return the check with the first of the wrong ports, and the number of other wrong ones."""
    first, more, forms = wrong[0], len(wrong) - 1, (texts.SERVED_OTHER, texts.SERVED_OTHER_AND_MORE)
    if first["error"] == "deploy-unreachable":
        forms = (texts.SERVED_NOTHING, texts.SERVED_NOTHING_AND_MORE)
    return Check.of(forms[more > 0], "bad", {**evidence, "port": first["port"]}, port=first["port"], more=more)


def _ports(entry: Deployment) -> list[str]:
    ports = entry.options.get("verify") or ()
    return [ports] if isinstance(ports, str) else list(ports)


# ── persist route ──────────────────────────────────────────────────────────────────────

# Whether a CA supports dns-persist-01. Only an order shows this, so the result of the last order is kept.


def persist_last_run(facts: Facts, spec: CertificateSpec, ca: str) -> Check | None:
    """Check what the last runs recorded about the route by dns-persist-01 at a CA."""
    routes = [route for route in spec.routes if route.challenge in PERSIST and (route.ca or spec.ca) == ca]
    if not routes:
        return None
    state = facts.state(spec.name)
    key = route_key(routes[0], spec.ca)
    failed = state.routes.get(key)
    evidence: dict[str, Any] = {"name": spec.name, "ca": ca}
    if failed is None and key in state.worked:
        return Check.of(texts.PERSIST_WORKED, "ok", evidence)
    if failed is None:
        return Check.of(texts.PERSIST_UNKNOWN, "unknown", evidence, blocks=PERSIST)
    evidence |= {"time": rfc3339(failed["failed"]), "code": failed["code"]}
    if failed["code"] == "ca-no-challenge":
        is_fresh = abs(facts.context.clock.now() - failed["failed"]) < DAY  # after a day, the CA may offer it
        return Check.of(texts.PERSIST_NOT_OFFERED, "bad" if is_fresh else "unknown", evidence, blocks=PERSIST)
    return Check.of(texts.PERSIST_FAILED, "unknown", evidence, blocks=PERSIST)
