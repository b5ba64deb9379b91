"""The frozen values that travel between the parts."""

from __future__ import annotations

from dnsrenew.model.configured import (
    CA,
    CertificateSpec,
    Check,
    DnsAccount,
    Eab,
    KeyKind,
    Profile,
    Propagation,
    RenewBefore,
    Resolver,
    Route,
    mac_key_fault,
)
from dnsrenew.model.produced import (
    Attempt,
    Certificate,
    Notice,
    Outcome,
    Reason,
    RouteTaken,
    Status,
    TxtRecord,
    rfc3339,
)

__all__ = [
    "CA",
    "Attempt",
    "Certificate",
    "CertificateSpec",
    "Check",
    "DnsAccount",
    "Eab",
    "KeyKind",
    "Notice",
    "Outcome",
    "Profile",
    "Propagation",
    "Reason",
    "RenewBefore",
    "Resolver",
    "Route",
    "RouteTaken",
    "Status",
    "TxtRecord",
    "mac_key_fault",
    "rfc3339",
]
