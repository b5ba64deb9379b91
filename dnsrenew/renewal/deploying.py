"""The deployments of one certificate: which are pending, and their results.

An entry of ``deploy`` is pending until it has succeeded with the current certificate and its current options, including
the values of secrets. A failed entry is tried at every run, even if nothing is due.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from dnsrenew.base import threads
from dnsrenew.base.model import CertificateSpec, Deployment, DeploymentResult, Outcome, rfc3339
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.deploy import engine, texts
from dnsrenew.deploy.entry import Entry, entries, entry_ids
from dnsrenew.deploy.file_set import AS_LEFT, complete_renames
from dnsrenew.deploy.protocol import FOLDERS
from dnsrenew.errors import DeployError, DnsRenewError, LockedError, SecretError, StoreError
from dnsrenew.renewal.due import stopped_by
from dnsrenew.store import State, Store

_FIELDS: Final = ("to", "target", "ok", "changed", "served", "rolled_back", "seconds")
_KINDS: Final[Mapping[str, type[DnsRenewError]]] = {"deploy": DeployError, "secret": SecretError, "store": StoreError}
"""The classes of the errors of deployments, by the beginning of the code."""
_SECRETS: Final = "secrets"
"""The field of a record with the number for the secrets; a record of an older version lacks it."""
_FILES: Final = "files"
"""The field of a record with the marks of the files, by path."""
_ATTRIBUTES: Final = re.compile(r"([0-7]+)\.([0-9]+)\.([0-9]+)\.")
"""The beginning of a mark: the mode, the owner and the group."""
_BYTES: Final = 6
"""The number of bytes of the hash: every JSON parser can read such a number exactly."""
_AT_ONCE: Final = 100
"""The number of certificates whose files are written before one reload.

Each takes a thread and the open file of its lock.
"""
Which = Literal["pending", "missing", "all"]
_LAST_SECONDS: Final = 5.0
"""Seconds that deployments have to end after Ctrl-C."""


def is_pending(spec: CertificateSpec, state: State, store: Store, ids: Sequence[str] = ()) -> bool:
    """Return whether an entry has not succeeded yet with the current certificate, without checking a target.

    :param ids: the ids of the entries, if they are already known.
    """
    if state.version is None:
        return False
    ids = ids or entry_ids(spec.deploy)
    options = (one.options if isinstance(one, Deployment) else {} for one in spec.deploy)
    return any(_is_pending(state, one, each, store) for one, each in zip(ids, options, strict=True))


def _any_moved(ids: Sequence[str], state: State) -> bool:
    """Return whether a file of a successful deployment has changed, by one ``lstat`` for each file.

    Its content may still be the same, as after a restore. :func:`deploy_pending` checks this.
    """
    records = (state.deployments.get(one) for one in ids)
    return any(record is not None and not _is_as_left(record) for record in records)


def looked_at(spec: CertificateSpec, state: State, store: Store, context: Context) -> tuple[DeploymentResult, ...]:
    """Return :func:`recorded` after a check of the files. A changed file counts as not deployed."""
    if not _any_moved(entry_ids(spec.deploy), state) or (certificate := store.certificate(spec.name, state)) is None:
        return recorded(spec, state)
    found = []
    for one in entries(spec.deploy):
        record = state.deployments.get(one.id)
        if record is None:
            continue
        result = result_of(record)
        fault = None
        if result.ok and record.get("serial") == state.serial and not _is_as_left(record):
            files = store.deployment(spec.name, one.id)
            fault = engine.fault(context, _as_left(one, record), certificate, files)
        if fault is not None:
            fields = {"target": result.target, "fault": fault, "certificate": spec.name}
            result = replace(result, ok=False, error=DeployError.of(texts.DISTURBED, **fields))
        found.append(result)
    return tuple(found)


def recorded(spec: CertificateSpec, state: State) -> tuple[DeploymentResult, ...]:
    """Return the results of the last tries of the entries in order, without entries that were never tried."""
    found = (state.deployments.get(one) for one in entry_ids(spec.deploy))
    return tuple(result_of(record) for record in found if record is not None)


def settled(spec: CertificateSpec, state: State, store: Store) -> tuple[DeploymentResult, ...] | None:
    """Return the results of a run that has nothing to deploy; None if an entry is pending or was changed.

    A run calls this for each of ten thousand certificates, so it computes the ids once, and calls ``lstat`` once for
    each file.
    """
    ids = entry_ids(spec.deploy)
    if is_pending(spec, state, store, ids) or _any_moved(ids, state):
        return None
    return tuple(_not_tried(result_of(state.deployments[one])) for one in ids if one in state.deployments)


def deploy_pending(
    spec: CertificateSpec, outcome: Outcome, state: State, store: Store, context: Context, *, which: Which = "pending"
) -> Outcome:
    """Deploy to the pending entries, and return the outcome with the results; the caller holds the lock.

    :param state: the stored state.
    :param which: for a person, ``missing`` also inspects the targets of the other entries, and deploys if the
        certificate is missing there; ``all`` deploys to every entry.
    :raises StoreError: the certificate cannot be read.
    :raises Cancelled: the run was cancelled; the remaining entries are still pending.
    """
    certificate = store.certificate(spec.name, state)
    if certificate is None:
        return outcome
    targets = entries(spec.deploy)
    if which != "pending":  # a person deploys, as after a restore: folders of the configuration are created
        targets = [replace(one, options={**one.options, FOLDERS: one.folders}) for one in targets]
    known = {one.id for one in targets}
    state = replace(state, deployments={one: record for one, record in state.deployments.items() if one in known})
    _take_over(store, spec.name, state, [one.id for one in targets])
    before, results = len(context.notices), {}
    for one in targets:
        succeeded, fault, wanted = not _is_pending(state, one.id, one.options, store), None, one
        can_inspect = one.can_inspect or bool(one.options.get("verify"))  # the target, or a port that it serves
        if succeeded and which != "all" and not (which == "missing" and can_inspect):
            record = state.deployments[one.id]
            if _is_as_left(record):
                continue
            wanted = _as_left(one, record)
            fault = engine.fault(context, wanted, certificate, store.deployment(spec.name, one.id))
            if fault is None:  # the files are correct
                state = _write_record(store, context, spec.name, state, one=one, record=record)
                continue
        saved = partial(store.deployment, spec.name)
        (result,) = engine.deploy(context, [wanted], certificate, saved, force=which == "all", succeeded=succeeded)
        if fault is not None and result.ok:
            fields = {"target": result.target, "fault": fault, "certificate": spec.name}
            context.warn(*texts.DISTURBED_AND_REPAIRED.fill(**fields))
        results[one.id] = result
        state = _record(store, context, spec.name, state, one=one, result=result)
    deployed = tuple(results.get(one.id) or _not_tried(result_of(state.deployments[one.id])) for one in targets)
    return replace(outcome, deployed=deployed, warnings=(*outcome.warnings, *context.notices[before:]))


def deploy_together(
    jobs: Sequence[Callable[[threads.Together], Outcome]], store: Store, context: Context, workers: int, wait: float
) -> list[Outcome]:
    """Deploy the files of several certificates, then run each reload command once; return the outcomes in order.

    They share one turn, because they wait for each other. A job that must run alone comes before or after all of them.

    :param jobs: each deploys one certificate with the given context, and raises nothing.
    :param workers: the number of certificates deployed at once.
    :param wait: seconds to wait for the turn; without it, the outcomes have its error.
    """
    outcomes: list[Outcome] = []
    for first in range(0, len(jobs), _AT_ONCE):
        some = jobs[first : first + _AT_ONCE]
        with contextlib.ExitStack() as held:
            turn = threads.Task(partial(held.enter_context, store.turn(context, alone=False, wait=wait)))
            turn.run()
            together = threads.Together(len(some), workers, turn)
            tasks = threads.start_all([partial(together.member, partial(job, together)) for job in some], len(some))
            with context.ending(tasks, _LAST_SECONDS):  # every deployment ends its programs
                outcomes += [task.wait() for task in tasks]
    return outcomes


def deploy_after_renewal(
    spec: CertificateSpec, done: Outcome, store: Store, context: Context, together: threads.Together, *, wait: float
) -> Outcome:
    """Deploy the pending entries after a renewal, even a failed one; return its outcome with the results.

    :param done: the outcome of the renewal, which has released the lock.
    :param wait: seconds to wait for another run that has taken the lock.
    """
    its = replace(context, together=together)
    try:
        together.turn.result()
        with store.lock(spec.name, context=its, wait=wait):
            return deploy_pending(spec, done, store.read_state(spec.name), store, its)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        status, problem = stopped_by(error, its)
        if status == "locked" and done.status == "renewed":  # another run deploys it now; the next run checks
            return done
        return replace(done, status=status, error=problem)


def _take_over(store: Store, name: str, state: State, ids: Sequence[str]) -> None:
    """Take over from entries that are no longer configured. Most were edited, for example after a failure.

    If one of them has not ended its change, its files may be in place but not activated, so the new entries must not
    trust them.
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


def _record(store: Store, context: Context, name: str, state: State, *, one: Entry, result: DeploymentResult) -> State:
    """Record a result at once, so that a kill or a cancel at the next entry does not repeat this one."""
    record = {**result.to_dict(), "serial": state.serial, "time": rfc3339(context.clock.now())}
    if result.ok and (secrets := _secrets(one.options, store)) is not None:
        record[_SECRETS] = secrets
    return _write_record(store, context, name, state, one=one, record=record)


def _write_record(
    store: Store, context: Context, name: str, state: State, *, one: Entry, record: Mapping[str, Any]
) -> State:
    """Write a record with the marks of the current files."""
    if record["ok"]:
        record = {**record, _FILES: {path: _mark(path) for path in one.files}}
    records = {**state.deployments, one.id: record}
    try:
        return store.update(name, lambda old: replace(old, deployments=records), known=state, sync=False)
    except StoreError as error:  # deployed anyway; the next run checks again
        context.warn_of(error)
        return replace(state, deployments=records)


def complete_renames_of_killed_runs(store: Store, context: Context) -> None:
    """Complete the renames of interrupted runs, so that certificate and key fit again. An error stops nothing."""
    try:
        found = store.unfinished_renames()
    except StoreError:  # the cleanup that follows meets the error too, and reports it
        return
    for unfinished in found:
        # A live run holds the lock, and completes them itself.
        with contextlib.suppress(LockedError, StoreError), store.lock(unfinished.name, context=context):
            try:
                complete_renames(unfinished.renames)
            except DnsRenewError as error:
                context.warn_of(error)
            else:
                unfinished.forget()


def _is_pending(state: State, one: str, options: Mapping[str, Any], store: Store) -> bool:
    record = state.deployments.get(one)
    if record is None or not record["ok"] or record.get("serial") != state.serial:
        return True
    if _SECRETS not in record:
        return False
    present = _secrets(options, store)
    return present is not None and present != record[_SECRETS]


def _is_as_left(record: Mapping[str, Any]) -> bool:
    """Return whether the files of a successful deployment still have their marks."""
    if not record["ok"]:
        return True
    marks = record.get(_FILES)  # a record of an older version lacks it
    return type(marks) is dict and all(_mark(path) == mark for path, mark in marks.items())


def _mark(path: str) -> str:
    """Return a mark that changes with a file's content, mode and owner; "" if it is missing. One system call."""
    try:
        info = os.lstat(path)
    except (OSError, ValueError):
        return ""
    own = f"{stat.S_IMODE(info.st_mode):o}.{info.st_uid}.{info.st_gid}"
    return f"{own}.{info.st_ino:x}.{info.st_size:x}.{info.st_mtime_ns:x}.{info.st_ctime_ns:x}"


def _as_left(one: Entry, record: Mapping[str, Any]) -> Entry:
    """Return an entry whose files must have the mode and owner that they had when it succeeded."""
    marks = record.get(_FILES)
    found = {path: _ATTRIBUTES.match(mark) for path, mark in marks.items()} if type(marks) is dict else {}
    left = {path: (int(its[1], 8), int(its[2]), int(its[3])) for path, its in found.items() if its}
    return replace(one, options={**one.options, AS_LEFT: left})


def _secrets(options: Mapping[str, Any], store: Store) -> int | None:
    """Return a number that changes with the secrets of an entry. It reveals nothing without the store's key.

    None without secrets, or if one cannot be read, which may not matter now.
    """
    secrets = {name: value for name, value in options.items() if isinstance(value, Secret)}
    if not secrets:
        return None
    identities = {name: value.identity() for name, value in sorted(secrets.items())}
    if any(identities[name] == value.reference for name, value in secrets.items()):  # without a value
        return None
    try:
        key = store.fingerprint_key()
    except StoreError:  # an edit is then not noticed
        return None
    mac = hmac.digest(key, repr(identities).encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(mac[:_BYTES])


def result_of(record: Mapping[str, Any]) -> DeploymentResult:
    """Return the recorded result."""
    fields = {name: record[name] for name in _FIELDS if name in record}
    error = record.get("error")
    return DeploymentResult(**fields, error=_error_of(error) if type(error) is dict else None)


def _error_of(record: Mapping[str, Any]) -> DnsRenewError:
    code = str(record.get("code", ""))
    kind = _KINDS.get(code.partition("-")[0], DnsRenewError)
    evidence = record.get("evidence")
    message, fix = (text if isinstance(text := record.get(name), str) else "" for name in ("message", "fix"))
    return kind(code, message, fix=fix, evidence=evidence if type(evidence) is dict else None)


def _not_tried(result: DeploymentResult) -> DeploymentResult:
    return replace(result, changed=False, seconds=0.0)
