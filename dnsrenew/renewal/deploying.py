"""The deployments of one certificate: which are pending, and what became of them.

An entry of ``deploy`` is pending until it has succeeded with the certificate in force and its present options. A failed
one is tried at every run, also where nothing is due.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import replace
from dnsrenew.deploy import engine
from dnsrenew.deploy.entry import entry, entry_id
from dnsrenew.deploy.file_set import complete_renames
from dnsrenew.errors import DnsRenewError, LockedError, StoreError
from dnsrenew.model import DeploymentResult, rfc3339

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec, Outcome
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store

_FIELDS = ("to", "target", "ok", "changed", "served", "rolled_back", "seconds", "error")


def is_pending(spec: CertificateSpec, state: State) -> bool:
    """Tell whether an entry has not succeeded yet with the certificate in force; no port or file is looked at."""
    return state.version is not None and any(_is_pending(state, entry_id(one)) for one in spec.deploy)


def recorded(spec: CertificateSpec, state: State) -> tuple[DeploymentResult, ...]:
    """Return the last results of the entries, in order, without those that were never tried."""
    found = (state.deployments.get(entry_id(one)) for one in spec.deploy)
    return tuple(_from_record(record) for record in found if record is not None)


def deploy_pending(
    spec: CertificateSpec, outcome: Outcome, store: Store, context: Context, *, force: bool = False
) -> Outcome:
    """Deploy to the pending entries, and return the outcome with the results; the caller holds the lock.

    :param force: deploy to every entry.
    :raises StoreError: the state cannot be read.
    :raises Cancelled: the run was cancelled; what is left is still pending.
    """
    state = store.read_state(spec.name)
    certificate = store.certificate(spec.name, state)
    if certificate is None:
        return outcome
    entries = [entry(one) for one in spec.deploy]
    known = {one.id for one in entries}
    state = replace(state, deployments={one: record for one, record in state.deployments.items() if one in known})
    _take_over(store, spec.name, state, [one.id for one in entries])
    before, results = len(context.notices), {}
    for one in entries:
        if not force and not _is_pending(state, one.id):
            continue
        saved = partial(store.deployment, spec.name)
        (result,) = engine.deploy(context, [one], certificate, saved, force=force)
        results[one.id] = result
        state = _record(store, context, spec.name, state, {one.id: result})
    deployed = tuple(results.get(one.id) or _from_record(state.deployments[one.id]) for one in entries)
    return replace(outcome, deployed=deployed, warnings=(*outcome.warnings, *context.notices[before:]))


def _take_over(store: Store, name: str, state: State, ids: Sequence[str]) -> None:
    """Take over from entries that are not configured any more: most were edited, as after a failure.

    If one of them has not ended its change, the files may be there without being activated; so the new entries must
    not trust what they find.
    """
    if not ids or all(one in state.deployments for one in ids):
        return
    files = {one: store.deployment(name, one) for one in ids}
    anyone = files[ids[0]]
    with contextlib.suppress(StoreError):  # a store that cannot be written stops each entry by itself
        if anyone.have_others_begun(ids):
            for one, saved in files.items():
                if one not in state.deployments:
                    saved.begin()
        anyone.forget_others(ids)


def _record(store: Store, context: Context, name: str, state: State, results: Mapping[str, DeploymentResult]) -> State:
    """Record results at once: a kill or a cancel at the next entry does not repeat this one."""
    more = {"serial": state.serial, "time": rfc3339(context.clock.now())}
    records = {**state.deployments, **{one: {**result.to_dict(), **more} for one, result in results.items()}}
    try:
        return store.update(name, lambda old: replace(old, deployments=records), known=state, sync=False)
    except StoreError as error:  # it is deployed all the same; the next run looks again
        context.warn(error.code, error.message, error.fix)
        return replace(state, deployments=records)


def complete_renames_of_killed_runs(store: Store, context: Context) -> None:
    """Complete the renames that killed runs left, so that certificate and key fit again; an error stops nothing."""
    try:
        found = store.unfinished_renames()
    except StoreError:  # the cleanup that follows meets it too, and reports it
        return
    for unfinished in found:
        # A live run holds the lock, and completes them itself.
        with contextlib.suppress(LockedError, StoreError), store.lock(unfinished.name, context=context):
            try:
                complete_renames(unfinished.renames)
            except DnsRenewError as error:
                context.warn(error.code, error.message, error.fix)
            else:
                unfinished.forget()


def _is_pending(state: State, one: str) -> bool:
    record = state.deployments.get(one)
    return record is None or not record["ok"] or record.get("serial") != state.serial


def _from_record(record: Mapping[str, Any]) -> DeploymentResult:
    """Return a stored result as one of a run that changed nothing."""
    fields = {name: record[name] for name in _FIELDS if name in record}
    return DeploymentResult(**{**fields, "changed": False, "seconds": 0.0})
