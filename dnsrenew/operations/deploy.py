"""Deploys what is in the store, without renewing anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from dnsrenew.base import threads
from dnsrenew.errors import Cancelled, DnsRenewError, LockedError, StoreError
from dnsrenew.operations import texts
from dnsrenew.renewal import deploying
from dnsrenew.renewal.outcomes import outcome, unexpected

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec, Outcome
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.store import Store

_LAST_SECONDS: Final = 5.0
"""Seconds that a deployment may take to end after Ctrl-C."""


def deploy(
    context: Context, store: Store, specs: Sequence[CertificateSpec], *, force: bool, wait: float, workers: int
) -> list[Outcome]:
    """Deploy the certificates in force; return the outcomes in order. An error of one is in its outcome.

    Every target is looked at that can be, also where the entry has succeeded before.

    :param force: deploy also to targets that have the certificate.
    :param wait: seconds to wait for another run that holds a lock.
    :param workers: certificates worked on at once.
    """
    deploying.complete_renames_of_killed_runs(store, context)
    calls = [
        partial(_deploy, context.for_certificate(spec.name), store, spec, force=force, wait=wait) for spec in specs
    ]
    tasks = threads.start_all(calls, workers)
    try:
        for task in tasks:
            while not task.done.wait(threads.SLICE):
                pass
    except BaseException:  # Ctrl-C in the caller's own thread: let every deployment end its programs
        context.cancel.set()
        for task in tasks:
            task.done.wait(_LAST_SECONDS)
        raise
    return [task.result() for task in tasks]


def _deploy(context: Context, store: Store, spec: CertificateSpec, *, force: bool, wait: float) -> Outcome:
    state = None
    try:
        with store.lock(spec.name, context=context, wait=wait):
            state = store.read_state(spec.name)
            if spec.deploy and not store.is_whole(spec.name, state):
                text = texts.CERTIFICATE_MISSING if state.version is None else texts.CERTIFICATE_DAMAGED
                raise StoreError.of(text, name=spec.name)
            known = outcome(spec, store, state, "not-due", context)
            return deploying.deploy_pending(spec, known, state, store, context, force=force, check_targets=True)
    except LockedError as error:
        return outcome(spec, store, state, "locked", context, error=error)
    except Cancelled as error:
        return outcome(spec, store, state, "interrupted", context, error=error)
    except DnsRenewError as error:
        return outcome(spec, store, state, "failed", context, error=error)
    except Exception as error:  # noqa: BLE001  # the border: one certificate never stops the others
        return outcome(spec, store, state, "failed", context, error=unexpected(error, context))
