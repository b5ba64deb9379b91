"""The stored state of a certificate, and its next renewal."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from dnsrenew.base import model
from dnsrenew.base.model import CertificateSpec, CertificateStatus, Notice, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.errors import DnsRenewError, SecretError, StoreError
from dnsrenew.operations import texts
from dnsrenew.operations.selection import SharedCertificates, UnreadableCertificate, shared_certificates
from dnsrenew.renewal import due, history
from dnsrenew.renewal import texts as renewal_texts
from dnsrenew.renewal.due import RunOptions, in_current, why
from dnsrenew.renewal.due_index import DueIndex
from dnsrenew.store import State, Store
from dnsrenew.store.os_errors import translate
from dnsrenew.store.records import Debt

_STATES: Final[Mapping[str | None, model.CertificateState]] = {
    None: "valid",
    "missing": "missing",
    "expired": "expired",
    "revoked": "revoked",
}
"""The state for each reason to renew. Any other reason means that it is due."""
_UNCONFIGURED: Final[Mapping[str, str | None]] = {
    **dict.fromkeys(("next_renewal", "reason", "last_failure", "next_attempt")),
    "state": "unconfigured",
}
_BOTH: Final = ("name", "domains", "issuer", "serial", "not_before", "not_after", "next_renewal", "reason", "path")
"""Fields of an outcome that a status has too."""
_USUAL: Final = RunOptions()
_NOTHING_STORED: Final[Mapping[str, None]] = dict.fromkeys(
    ("issuer", "serial", "not_before", "not_after", "next_renewal", "route", "path")
)


def status_of(
    spec: CertificateSpec, store: Store, context: Context, owed: Iterable[Debt] = (), *, with_versions: bool = False
) -> CertificateStatus:
    """Return the status of a certificate from the store, without a request to a CA or DNS.

    :param owed: the programs that interrupted runs still owe for it.
    :param with_versions: also list the stored versions.
    """
    now, known, read = context.clock.now(), True, None
    its = context.for_certificate(spec.name)
    try:
        read = state = store.read_state(spec.name, quarantine=False)
        reason = why(spec, state, store, context, _USUAL)
        if reason == "missing":
            store.report_damage(spec.name, state, its)
    except StoreError as error:  # must not hide the status of the other certificates
        known = False
        # Files that this user may not read count as existing, as the state says.
        state = replace(read or in_current(spec.name, store) or State(), last_failure=_failure(error, now))
        reason = due.why_due(spec, state, now, whole=True)
    for notice in due.state_warnings(spec, state, store):
        its.warn_of(notice)
    debts = [Notice(*renewal_texts.DEBT.fill(**debt.fields)) for debt in owed]
    for notice in debts:
        context.warn_of(notice)  # once for all certificates
    at = due.next_renewal(spec, state)
    deployed, pending = _deployments(spec, state, store, context) if spec.deploy else ((), False)
    fields: dict[str, Any] = {
        "domains": spec.domains,
        "ca": state.ca or spec.ca,
        "state": _STATES.get(reason, "due"),
        "next_renewal": at if at is None or reason is None else min(at, now.replace(microsecond=0)),
        "reason": reason or due.next_reason(state, at),
        "last_failure": _shown(state.last_failure),
        "next_attempt": None if reason is None else history.deferred_until(state, now),  # None while it is not due
        "deployed": deployed,
        "deployment_pending": pending,
        "forced_failure": None if state.last_failure else _shown(state.forced_failure),
        "failed_accounts": _failed_accounts(state),
        "csr_since": _awaited_since(spec.name, store, state.not_before),
        "known": known,
        "after_owed": bool(debts),
        "warnings": (*its.notices, *debts),
    }
    fields |= _NOTHING_STORED if reason == "missing" else {}
    return unconfigured_status(spec.name, state, store, with_versions=with_versions, **fields)


def settled(spec: CertificateSpec, store: Store, index: DueIndex) -> CertificateStatus | None:
    """Return the status of a certificate for which a run found nothing to do, or None if its state must be read."""
    found = index.outcome(spec)
    if found is None or (issued := index.issued(spec.name)) is None:
        return None
    ca, route = issued[0], _route_as_json(issued[1])
    its = {name: getattr(found, name) for name in _BOTH} | {"route": route and {**route}}
    since = _awaited_since(spec.name, store, found.not_before)
    return CertificateStatus(**its, ca=ca, state="valid", last_failure=None, next_attempt=None, csr_since=since)


def obstacles(config: Config, store: Store, context: Context) -> list[Notice]:
    """Return and warn of obstacles to a later renewal, such as a read-only store or a missing secret.

    No program is run and no secret is read, because it may be a pipe. Without permission to check, nothing is reported.
    """
    found: list[DnsRenewError] = []
    if store.path is not None and os.path.isdir(store.path):
        if not os.access(store.path, os.R_OK | os.X_OK):
            return []
        if not os.access(store.path, os.W_OK):
            is_mount = hasattr(os, "statvfs") and os.statvfs(store.path).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_mount else errno.EACCES
            found.append(translate(OSError(number, os.strerror(number)), str(store.path), "write", str(store.path)))
    if store.debts is not None:
        with contextlib.suppress(StoreError):
            found += [StoreError.of(renewal_texts.DEBT_UNREADABLE, path=path) for path in store.debts.unreadable()]
    for use in config.secrets:
        scheme, _, path = use.secret.reference.partition(":")
        if scheme == "file" and not os.access(path, os.R_OK):
            try:
                use.secret.reveal()  # its error says what is wrong
            except SecretError as error:
                found.append(error)
    notices = [Notice(error.code, error.message, error.fix) for error in found]
    for notice in notices:
        context.warn_of(notice)
    return notices


def port_debts(config: Config, store: Store) -> Callable[[str], list[Debt]]:
    """Return a function that returns the debts of a certificate on this machine: ``after`` programs that did not run.

    The debts of a certificate that the configuration or the fleet no longer names count for every certificate.
    """
    owed = [] if store.debts is None else store.debts.owed()
    names = {spec.name for spec in config.certificates} if owed else set()
    if owed and (shared := shared_certificates(config, store)) is not None:
        names |= {debt.certificate for debt in owed if shared.domains_of(debt.certificate) is not None}
    return lambda name: [debt for debt in owed if debt.certificate == name or debt.certificate not in names]


def _versions(name: str, state: State, store: Store) -> tuple[model.StoredVersion, ...]:
    """Return the stored versions; leave out unreadable ones."""
    try:
        kept = store.versions(name)
    except StoreError:
        return ()
    return tuple(
        model.StoredVersion(
            version=number,
            serial=meta.serial,
            not_after=meta.not_after,
            current=number == state.version,
            revoked=meta.revoked or (number == state.version and state.revoked),
        )
        for number, meta in kept.items()
    )


def _shown(failure: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a failure without the fields that only later runs need."""
    hidden = ("without_order", "class")
    return None if failure is None else {key: value for key, value in failure.items() if key not in hidden}


def _awaited_since(name: str, store: Store, begin: datetime | None) -> datetime | None:
    """Return when the CSR was made; None if a newer certificate has replaced the requested one."""
    made = store.signing_requests.made(name)
    return None if made and begin and begin > made else made


def _deployments(
    spec: CertificateSpec, state: State, store: Store, context: Context
) -> tuple[tuple[model.DeploymentResult, ...], bool]:
    from dnsrenew.renewal import deploying  # few certificates are deployed

    try:
        found = deploying.looked_at(spec, state, store, context)
    except StoreError:
        found = deploying.recorded(spec, state)
    return found, deploying.is_pending(spec, state, store) or not all(result.ok for result in found)


# ── certificates that the configuration no longer names ─────────────────────────────────


def asker(config: Config) -> str:
    """Return the recorded path of the configuration that asked for a certificate; "" if a program asked."""
    return "" if config.path is None else str(config.path)


def unconfigured(config: Config, store: Store, names: Iterable[str] | None = None) -> dict[str, State]:
    """Return the certificates that this configuration asked for but no longer names, with their states.

    Certificates of a configuration that no longer exists are included, but not those of other programs and
    configurations.

    :param names: names and patterns. In a fleet, only these certificates are returned, regardless of the configuration
        that asked.
    """
    if (shared := shared_certificates(config, store)) is not None:
        return _only_stored(asker(config), shared, store, names)
    if config.path is None:
        return {}
    named = {spec.name for spec in config.certificates}
    states = _states([name for name in store.names() if name not in named], store)
    return {name: state for name, state in states.items() if _asks_no_more(state.asked_by, str(config.path))}


def _only_stored(path: str, shared: SharedCertificates, store: Store, names: Iterable[str] | None) -> dict[str, State]:
    """Return the certificates in the database of a fleet that are named nowhere, with their states."""
    found = shared.only_stored(names)
    if names is None:
        over = {asked_by for asked_by in set(found.values()) if path and _asks_no_more(asked_by, path)}
        found = {name: asked_by for name, asked_by in found.items() if asked_by in over}
    return _states(found, store)


def _states(names: Iterable[str], store: Store) -> dict[str, State]:
    """Return the states of certificates, without unreadable ones, whose owner is unknown."""
    found: dict[str, State] = {}
    for name in names:
        with contextlib.suppress(StoreError):
            state = store.read_state(name, quarantine=False)
            if state.version is not None:
                found[name] = state
    return found


def _asks_no_more(asked_by: str, path: str) -> bool:
    return asked_by == path or (asked_by != "" and not os.path.exists(asked_by))


def unreadable_status(found: UnreadableCertificate, store: Store, context: Context) -> CertificateStatus:
    """Return the status of a fleet's certificate that the configuration cannot renew, from the store."""
    now, known, cause = context.clock.now(), True, found.error
    failure = _failure(cause, now)
    if cause.code == texts.FLEET_LACKS.code:  # many certificates may lack the same: a text without the name
        failure = _failure(Notice(*texts.CONFIG_LACKS.fill(**cause.evidence)), now)
    try:
        state = store.read_state(found.name, quarantine=False)
    except StoreError as error:
        state, known, failure = State(), False, _failure(error, now)
    return unconfigured_status(
        found.name,
        state,
        store,
        domains=found.domains,
        ca=state.ca or found.ca,
        state=_stored_state(state, now),
        route=None,
        last_failure=failure,
        known=known,
    )


def _failure(cause: DnsRenewError | Notice, now: datetime) -> dict[str, Any]:
    return {"time": rfc3339(now), "code": cause.code, "message": cause.message, "fix": cause.fix}


def _stored_state(state: State, now: datetime) -> model.CertificateState:
    """Return the state of a certificate that is known only from the store."""
    if state.version is None or state.not_after is None:
        return "missing"
    if state.not_after <= now:
        return "expired"
    return "revoked" if state.revoked else "valid"


def unconfigured_status(
    name: str, state: State, store: Store, /, *, with_versions: bool = False, **known: Any
) -> CertificateStatus:
    """Return the status of a certificate that is only in the store.

    :param known: further known fields.
    """
    route = _route_as_json(state.worked)
    fields = {
        **{each: getattr(state, each) for each in ("domains", "ca", "issuer", "serial", "not_before", "not_after")},
        **_UNCONFIGURED,
        "name": name,
        "route": route and {**route},
        "path": store.current(name),
        "versions": _versions(name, state, store) if with_versions else (),
        **known,
    }
    return CertificateStatus(**fields)


@lru_cache(256)
def _route_as_json(keys: tuple[str, ...]) -> dict[str, Any] | None:
    route = route_from_keys(keys)
    return None if route is None else route.to_dict()


@lru_cache(256)  # `status` reads ten thousand certificates, most of which took one of a few routes
def route_from_keys(keys: tuple[str, ...]) -> model.RouteTaken | None:
    """Return the routes for some keys (:func:`dnsrenew.renewal.planner.route_key`), or None if unreadable.

    The keys do not say which name used which route, so the result has no ``names``.
    """
    routes = [key.split("/") for key in keys if "/" in key]
    if not routes:
        return None
    challenges = {_read(challenge) for _, challenge, *_ in routes}
    writers = [part.removeprefix("dns=") for _, _, *rest in routes for part in rest[:1] if part.startswith("dns=")]
    accounts = dict.fromkeys(_read(account) for several in writers for account in several.split("+"))
    challenge = challenges.pop() if len(challenges) == 1 else "mixed"
    return model.RouteTaken(ca=_read(routes[0][0]), challenge=challenge, dns=tuple(accounts))


def _failed_accounts(state: State) -> tuple[str, ...]:
    """Return the accounts that failed before the successful one, without accounts whose value a CA did not see."""
    keys = tuple(key for key, entry in state.routes.items() if not entry["code"].startswith("ca-"))
    failed, used = route_from_keys(keys), route_from_keys(state.worked)
    if failed is None or used is None or state.last_failure or state.forced_failure:
        return ()
    return tuple(name for name in failed.dns if name not in used.dns)


def _read(text: str) -> str:
    return unquote(text) if "%" in text else text  # never fails, even on an edited file
