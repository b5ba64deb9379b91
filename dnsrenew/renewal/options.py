"""The options of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.model import CertificateSpec
    from dnsrenew.store import State


def _unknown_fingerprint(_spec: CertificateSpec, _failed: State) -> int | None:
    return None


class RunOptions(Frozen, kw_only=True):
    """The options of a run.

    :ivar force: renew also what is not due, whatever failed before.
    :ivar now: renew what is due, whatever failed before and whatever the ledger says.
    :ivar attended: renew what is due, whatever failed before, because a person waits for the result; not while a CA has
        asked to wait, nor after too many orders within an hour.
    :ivar dry_run: issue at the staging CA and keep nothing.
    :ivar deploy: also try the pending deployments.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar asked_by: what asks for the certificates: the path of the configuration; "" for a program.
    :ivar fingerprint: returns a number for what a failed certificate depends on; after an edit it is another one, and
        the certificate is tried at once.
    """

    force: bool = False
    now: bool = False
    attended: bool = False
    dry_run: bool = False
    deploy: bool = True
    wait: float = 0
    asked_by: str = ""
    fingerprint: Callable[[CertificateSpec, State], int | None] = _unknown_fingerprint
