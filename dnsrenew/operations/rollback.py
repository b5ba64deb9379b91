"""Puts an older version of a certificate back into force, deploys it, and keeps renewals from replacing it at once."""

from __future__ import annotations

from datetime import datetime

from dnsrenew.base import x509
from dnsrenew.base.model import CertificateSpec, Outcome, OutcomeStatus, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.errors import CAError, StoreError
from dnsrenew.operations import texts
from dnsrenew.renewal import deploying, due
from dnsrenew.renewal.due import outcome, stopped_by
from dnsrenew.store import State, Store
from dnsrenew.store.state import Meta, lacks_key


def rollback(
    spec: CertificateSpec, to: int | None, store: Store, context: Context, *, deploy: bool, wait: float
) -> Outcome:
    """See :meth:`dnsrenew.Renewer.rollback`."""
    state = None
    try:
        if deploy:
            deploying.complete_renames_of_killed_runs(store, context)
        with store.lock(spec.name, context=context, wait=wait):
            state = store.read_state(spec.name)
            number, meta = _choose(spec.name, to, state, store.versions(spec.name), context.clock.now())
            _check(spec.name, number, state.renewed(number, meta), store, context)
            status: OutcomeStatus = "rolled-back" if number != state.version else "not-due"
            state = _put_back(spec, (number, meta), state, store, context)
            done = outcome(spec, store, state, status, context)
            if deploy and spec.deploy:
                done = deploying.deploy_pending(spec, done, state, store, context)
    except Exception as error:  # noqa: BLE001  # the border: as of a run, the outcome holds every error
        ended, cause = stopped_by(error, context)
        done = outcome(spec, store, state, ended, context, error=cause)
    context.emit("certificate-finished", **done.to_dict())
    return done


def _choose(name: str, to: int | None, state: State, versions: dict[int, Meta], now: datetime) -> tuple[int, Meta]:
    """Return the version that is asked for, or the newest other one that can be used.

    :raises StoreError: ``rollback-refused``.
    """
    if to is not None and to not in versions:
        raise StoreError.of(texts.VERSION_GONE, name=name, version=to)
    chosen = [to] if to is not None else [number for number in reversed(versions) if number != state.version]
    refused = [_refusal(name, number, versions[number], state, now) for number in chosen]
    for number, error in zip(chosen, refused, strict=True):
        if error is None:
            return number, versions[number]
    raise next((error for error in refused if error), StoreError.of(texts.NO_OTHER_VERSION, name=name))


def _refusal(name: str, number: int, meta: Meta, state: State, now: datetime) -> StoreError | None:
    """Return why a version is not used, as far as its record says; None if it may be."""
    if meta.revoked or (number == state.version and state.revoked):
        return StoreError.of(texts.VERSION_REVOKED, name=name, version=number)
    if not meta.not_before <= now < meta.not_after:
        dates = {"not_before": rfc3339(meta.not_before), "not_after": rfc3339(meta.not_after)}
        return StoreError.of(texts.VERSION_EXPIRED, name=name, version=number, **dates)
    return None


def _check(name: str, number: int, candidate: State, store: Store, context: Context) -> None:
    """Check the certificate and the key of a version as those from a CA.

    :param candidate: the state with the version in force.
    :raises StoreError: ``rollback-refused``.
    """
    chain, key_pem = store.read_chain(name, candidate) or "", store.read_private_key(name, candidate) or b""
    try:
        key = None if lacks_key(candidate.sizes) else x509.key_from_pem(key_pem)
        facts = x509.check_chain(chain, key, candidate.identifiers, context.clock.now())
    except (CAError, ValueError) as error:
        reason = error.message if isinstance(error, CAError) else texts.KEY_UNREADABLE
        raise StoreError.of(texts.VERSION_UNFIT, name=name, version=number, reason=reason) from None
    if facts.serial != candidate.serial:
        raise StoreError.of(texts.VERSION_GONE, name=name, version=number)
    if x509.key_hash_of_certificate(chain) in candidate.compromised_keys:
        raise StoreError.of(texts.VERSION_REVOKED, name=name, version=number)


def _put_back(spec: CertificateSpec, chosen: tuple[int, Meta], state: State, store: Store, context: Context) -> State:
    """Put a version into force, and note that it stays there; one that is in force already stays from now on."""
    now, wanted, (number, meta) = context.clock.now(), due.wanted(spec), chosen
    if number == state.version:
        return store.update(spec.name, lambda old: old.put_back(now, wanted), known=state)
    store.orders.clear(spec.name)  # of the certificate that was to follow the one in force
    return store.activate(spec.name, number, meta, state, remember=lambda new: new.put_back(now, wanted))
