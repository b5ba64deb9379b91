"""One renewal: the certificate, the options of the run, the services it uses, and what was issued."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dnsrenew.base.runtime.single_flight import FairLock
from dnsrenew.base.values import Frozen, field
from dnsrenew.challenges.dns01.instead import DnsInstead
from dnsrenew.renewal.outcomes import outcome
from dnsrenew.renewal.port_programs import PortPrograms

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.acme import CAClient
    from dnsrenew.base import x509
    from dnsrenew.base.model import CertificateSpec, Outcome, OutcomeStatus, RenewalReason
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.challenges.solver import Solvers
    from dnsrenew.dns import DnsView
    from dnsrenew.renewal.due import RunOptions
    from dnsrenew.store import State, Store
    from dnsrenew.store.interfaces import LostAccount
    from dnsrenew.store.ledger import Ledger


class Services(Frozen):
    """What renewals use; made once a run and shared by all certificates.

    :ivar ca: returns the client for a CA, by name.
    :ivar ledger: returns the ledger of our account there.
    :ivar lost_account: returns our account there if its key is damaged or gone, else None.
    :ivar effective_ca: for the name of a CA, the one that is really asked: itself, or in a dry run its staging CA.
    :ivar close: closes all connections.
    :ivar unresponsive: the CAs whose renewal information (ARI) timed out in this run.
    :ivar locks: held by certificates for the same names.
    :ivar ports: the programs ``before`` and ``after``.
    :ivar instead: the DNS accounts, for a certificate with no route for them.
    """

    store: Store
    dns: DnsView
    solvers: Solvers
    ca: Callable[[str], CAClient]
    ledger: Callable[[str], Ledger]
    lost_account: Callable[[str], LostAccount | None]
    effective_ca: Mapping[str, str]
    close: Callable[[], None]
    unresponsive: set[str] = field(default_factory=set)
    locks: FairLock = field(default_factory=FairLock)
    ports: PortPrograms = field(default_factory=PortPrograms)
    instead: DnsInstead = field(default_factory=DnsInstead)


class Job(Frozen):
    """One certificate to be renewed now.

    :ivar state: what is stored, read under the lock.
    :ivar reason: why it is due.
    """

    spec: CertificateSpec
    services: Services
    state: State
    reason: RenewalReason
    context: Context
    options: RunOptions

    @property
    def is_only_forced(self) -> bool:
        """Whether the certificate is not due: a failure then says nothing about its next renewal."""
        return self.reason == "forced"

    def may_replace(self, ca: str) -> bool:
        """Return whether the stored certificate is valid and this CA's: no limit applies to its replacement."""
        ends, ours = self.state.not_after, self.state.ca == ca
        return ours and not self.options.dry_run and ends is not None and self.context.clock.now() < ends

    def outcome(self, status: OutcomeStatus, *, state: State | None = None, **more: Any) -> Outcome:
        """Return the outcome of this renewal."""
        stored = state or self.state
        more |= {"reason": self.reason, "before": self.state}
        return outcome(self.spec, self.services.store, stored, status, self.context, **more)


class Issued(Frozen, hidden=("key_pem",)):
    """A certificate that the CA issued, checked.

    :ivar profile: the profile of its order, if the CA took it.
    :ivar wanted_end: the end of its validity that the order asked for, or None.
    """

    fullchain_pem: str
    key_pem: bytes
    facts: x509.CertificateFacts
    profile: str | None
    wanted_end: datetime | None = None
