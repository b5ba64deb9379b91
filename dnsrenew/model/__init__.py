"""The immutable values that the folders exchange."""

from __future__ import annotations

from dnsrenew.model.result import (
    Attempt,
    Certificate,
    Notice,
    Outcome,
    Reason,
    RenewalFailed,
    RouteTaken,
    Status,
    TxtRecord,
    rfc3339,
)
from dnsrenew.model.spec import (
    CA,
    CertificateSpec,
    DnsAccount,
    Eab,
    KeyKind,
    Profile,
    Propagation,
    PropagationCheck,
    RenewBefore,
    Resolver,
    Route,
    mac_key_fault,
)

__all__ = [
    "CA",
    "Attempt",
    "Certificate",
    "CertificateSpec",
    "DnsAccount",
    "Eab",
    "KeyKind",
    "Notice",
    "Outcome",
    "Profile",
    "Propagation",
    "PropagationCheck",
    "Reason",
    "RenewBefore",
    "RenewalFailed",
    "Resolver",
    "Route",
    "RouteTaken",
    "Status",
    "TxtRecord",
    "mac_key_fault",
    "rfc3339",
]
