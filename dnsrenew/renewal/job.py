"""One certificate that is to be renewed now: what is worked with, how the run was asked for, what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dnsrenew.base.values import Frozen, field
from dnsrenew.renewal.outcomes import outcome
from dnsrenew.runtime.fair_lock import FairLock

if TYPE_CHECKING:
    from dnsrenew import x509
    from dnsrenew.ca import CAClient
    from dnsrenew.challenges.solver import Solver
    from dnsrenew.dns import DnsView
    from dnsrenew.model import CertificateSpec, Outcome, Reason, Status
    from dnsrenew.runtime.context import Context
    from dnsrenew.store import State, Store
    from dnsrenew.store.ledger import Ledger


class Services(Frozen):
    """What renewals work with; made once a run and shared by all certificates.

    :ivar ca: gives the client for a CA, by name.
    :ivar ledger: gives the ledger of our account there.
    :ivar effective_ca: for the name of a CA the one that is really asked: itself, or in a rehearsal its staging twin.
    :ivar close: ends all connections.
    :ivar unresponsive: the CAs that did not tell in time when they would like a new certificate renewed.
    :ivar turns: taken by certificates for the same names.
    """

    store: Store
    dns: DnsView
    challenges: Solver
    ca: Callable[[str], CAClient]
    ledger: Callable[[str], Ledger]
    effective_ca: Mapping[str, str]
    close: Callable[[], None]
    unresponsive: set[str] = field(default_factory=set)
    turns: FairLock = field(default_factory=FairLock)


def _unknown_fingerprint(_spec: CertificateSpec) -> int | None:
    return None


class RunOptions(Frozen, kw_only=True):
    """How a run was asked for.

    :ivar force: renew also what is not due, and although an earlier failure says later.
    :ivar now: renew what is due although an earlier failure or the ledger says later.
    :ivar dry_run: go all the way at the staging twin of the CA, and keep nothing.
    :ivar wait: seconds to wait for another run that holds a lock.
    :ivar fingerprint: gives that of what a certificate depends on: what failed with another one is tried again at once.
    """

    force: bool = False
    now: bool = False
    dry_run: bool = False
    wait: float = 0
    fingerprint: Callable[[CertificateSpec], int | None] = _unknown_fingerprint


class Job(Frozen):
    """One certificate that is to be renewed now.

    :ivar state: what is stored.
    :ivar reason: why.
    """

    spec: CertificateSpec
    services: Services
    state: State
    reason: Reason
    context: Context
    options: RunOptions

    def may_replace(self, ca: str) -> bool:
        """Tell whether the certificate that stands is valid and this CA's: no limit holds back what replaces it."""
        ends, ours = self.state.not_after, self.state.ca == ca
        return ours and not self.options.dry_run and ends is not None and self.context.clock.now() < ends

    def outcome(self, status: Status, *, state: State | None = None, **more: Any) -> Outcome:
        """Return the outcome of this job."""
        stored = state or self.state
        more |= {"reason": self.reason, "before": self.state}
        return outcome(self.spec, self.services.store, stored, status, self.context, **more)


class Issued(Frozen, hidden=("key_pem",)):
    """What a way that led there brings.

    :ivar profile: the profile that it was ordered with, where the CA took it.
    """

    fullchain_pem: str
    key_pem: bytes
    facts: x509.Facts
    profile: str | None
