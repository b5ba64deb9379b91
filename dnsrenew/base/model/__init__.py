"""The immutable values that the folders exchange."""

from __future__ import annotations

from dnsrenew.base.model.certificate import Certificate
from dnsrenew.base.model.deployment import Deployment, DeploymentResult
from dnsrenew.base.model.diagnosis import Change, Check, CheckResult, Diagnosis
from dnsrenew.base.model.result import (
    Attempt,
    Notice,
    Outcome,
    OutcomeStatus,
    RenewalFailed,
    RenewalReason,
    RouteTaken,
    TxtRecord,
    rfc3339,
)
from dnsrenew.base.model.spec import (
    CA,
    EAB_BY_EMAIL,
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
from dnsrenew.base.model.store_address import StoreAddress

__all__ = [
    "CA",
    "EAB_BY_EMAIL",
    "Attempt",
    "Certificate",
    "CertificateSpec",
    "Change",
    "Check",
    "CheckResult",
    "Deployment",
    "DeploymentResult",
    "Diagnosis",
    "DnsAccount",
    "Eab",
    "KeyKind",
    "Notice",
    "Outcome",
    "OutcomeStatus",
    "Profile",
    "Propagation",
    "PropagationCheck",
    "RenewBefore",
    "RenewalFailed",
    "RenewalReason",
    "Resolver",
    "Route",
    "RouteTaken",
    "StoreAddress",
    "TxtRecord",
    "mac_key_fault",
    "rfc3339",
]
