"""The numbers about the certificates, read from the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import CertificateSpec, CertificateStatus, Outcome
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen, field
from dnsrenew.config import Config
from dnsrenew.deploy.entry import entries
from dnsrenew.errors import StoreError
from dnsrenew.operations.status import status_of, unconfigured, unconfigured_status
from dnsrenew.renewal.batch import exit_status
from dnsrenew.store import Store

_GOOD: Final = (0, 3)
"""Exit statuses: nothing needs attention; another run holds a lock, and nothing failed."""


class CertificateNumbers(Frozen, kw_only=True):
    """What the metrics tell about one certificate.

    :ivar status: its status.
    :ivar failures: the failed runs in a row.
    :ivar deployed: whether each target has the certificate in force, by kind of target and target.
    """

    status: CertificateStatus
    failures: int = 0
    deployed: Mapping[tuple[str, str], bool] = field(default_factory=dict)


class LastRun(Frozen):
    """The last run.

    :ivar time: its end, in UTC.
    :ivar success: whether it was not interrupted and no certificate needs attention.
    """

    time: datetime
    success: bool


def last_run(outcomes: Sequence[Outcome] | None, now: datetime) -> LastRun:
    """Return the run that ends now.

    :param outcomes: None if it failed as a whole.
    """
    return LastRun(now, outcomes is not None and exit_status(outcomes, now) in _GOOD)


def collect(config: Config, store: Store, clock: Clock) -> list[CertificateNumbers]:
    """Return the numbers of all certificates: those of the configuration, then those that it no longer names.

    :raises StoreError: ``store-not-private``: others can change the store.
    """
    store.check_ground()
    context = Context(clock=clock)  # without listeners: only a run reports damage
    orphans = unconfigured(config, store)
    return [
        *(_numbers(spec, store, context) for spec in config.certificates),
        *(CertificateNumbers(status=unconfigured_status(name, orphans[name], store)) for name in orphans),
    ]


def _numbers(spec: CertificateSpec, store: Store, context: Context) -> CertificateNumbers:
    status = status_of(spec, store, context)
    deployed = _deployed(spec, status, store) if spec.deploy else {}
    failures = 0 if status.last_failure is None else _failures(status, store)
    return CertificateNumbers(status=status, failures=failures, deployed=deployed)


def _failures(status: CertificateStatus, store: Store) -> int:
    """Return the failed runs in a row; a state that cannot be read counts as one."""
    try:
        return max(store.read_state(status.name, quarantine=False).failures, 1)
    except StoreError:
        return 1


def _deployed(spec: CertificateSpec, status: CertificateStatus, store: Store) -> dict[tuple[str, str], bool]:
    """Return whether each target has the certificate in force.

    Several entries may have the same target; Prometheus refuses two values of one series, so all of them must have it.
    """
    found: dict[tuple[str, str], bool] = {}
    for to, target, ok in _entries(spec, status, store):
        found[to, target] = found.get((to, target), True) and ok
    return found


def _entries(spec: CertificateSpec, status: CertificateStatus, store: Store) -> list[tuple[str, str, bool]]:
    if not status.deployment_pending:
        return [(result.to, result.target, result.ok) for result in status.deployed]
    try:
        state = store.read_state(spec.name, quarantine=False)
    except StoreError:  # its status says that it cannot be read
        return []
    found = []
    changed = {(result.to, result.target) for result in status.deployed if not result.ok}
    for one in entries(spec.deploy):
        record = state.deployments.get(one.id)
        ok = record is not None and bool(record["ok"]) and record.get("serial") == state.serial
        ok = ok and (one.to, str((record or {}).get("target"))) not in changed
        target = one.target if record is None else str(record.get("target", one.target))
        found.append((one.to, target, ok))
    return found
