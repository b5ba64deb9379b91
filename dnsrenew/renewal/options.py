"""The options of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.model import CertificateSpec


def _unknown_fingerprint(_spec: CertificateSpec) -> int | None:
    return None


class RunOptions(Frozen, kw_only=True):
    """The options of a run.

    :ivar force: renew also what is not due, whatever failed before.
    :ivar now: renew what is due, whatever failed before and whatever the ledger says.
    :ivar dry_run: issue at the staging CA and keep nothing.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar fingerprint: returns a checksum of what a certificate depends on; a failure with another one is retried at
        once.
    """

    force: bool = False
    now: bool = False
    dry_run: bool = False
    wait: float = 0
    fingerprint: Callable[[CertificateSpec], int | None] = _unknown_fingerprint
