"""Which certificates need attention: for ``status --check``, and for the words and commands of ``status``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dnsrenew.operations.status import CertificateStatus

BAD: Final = frozenset({"missing", "expired", "revoked", "unconfigured"})
"""The states of a certificate that no server can use."""
_GRACE: Final = timedelta(days=1)
"""A renewal is overdue this long after its time, so that a daily run has had its chance."""


def needs_attention(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether ``status --check`` reports the certificate."""
    failed = certificate.last_failure is not None or is_undeployed(certificate)
    return certificate.state in BAD or failed or is_overdue(certificate, now)


def is_overdue(certificate: CertificateStatus, now: datetime) -> bool:
    """Return whether the renewal should have happened by now."""
    time = certificate.next_renewal
    return time is not None and now - time > _GRACE


def is_undeployed(certificate: CertificateStatus) -> bool:
    """Return whether a server that gets the certificate does not have it."""
    return certificate.deployment_pending or any(not result.ok for result in certificate.deployed)


def is_unreadable(certificate: CertificateStatus) -> bool:
    """Return whether only the store tells something: it cannot be read whole, or the configuration lacks a table."""
    return not certificate.known or (certificate.reason is None and certificate.state != "unconfigured")
