"""Checks of the local clock against the clock of the CA.

The dates of a certificate come from the CA's clock. If the local clock is behind it, a new certificate is not valid
yet; if the local clock is ahead, the certificate has expired or is due too early. The CA's time is the ``Date`` header
of its directory.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from dnsrenew.acme import texts
from dnsrenew.base import x509
from dnsrenew.base.model import rfc3339

if TYPE_CHECKING:
    from dnsrenew.acme.directory import Directory
    from dnsrenew.acme.problems import Problems
    from dnsrenew.base.runtime.context import Context

ClockFault = Literal["wrong", "ahead"]

_MAX_AHEAD: Final = timedelta(days=398)
"""The longest lifetime of a certificate that browsers accept."""
_WARN_AHEAD: Final = timedelta(days=1)
"""More than a wrong time zone can explain."""


def check_before_order(context: Context, problems: Problems, directory: Directory) -> None:
    """Refuse to order if a new certificate would not be valid by the local clock.

    If the local clock is ahead by less than the lifetime of a certificate, warn only.

    :raises CAError: ``clock-wrong``.
    """
    now, ahead = context.clock.now(), directory.ahead
    fault = clock_fault(ahead)
    if fault == "wrong":
        raise problems.error(texts.CLOCK_WRONG, **_evidence(now, ahead))
    if fault == "ahead":
        context.warn(*texts.CLOCK_AHEAD.fill(ca=problems.name, **_evidence(now, ahead)))


def clock_fault(ahead: timedelta) -> ClockFault | None:
    """Return what a local clock that is ahead of the CA's by so much does; None: it is right enough.

    ``wrong``: a new certificate would not be valid here; ``ahead``: certificates are renewed too early.
    """
    if not -x509.SKEW <= ahead <= _MAX_AHEAD:
        return "wrong"
    return "ahead" if ahead > _WARN_AHEAD else None


def check_issued(context: Context, problems: Problems, directory: Directory, fullchain_pem: str) -> None:
    """Check that the local clock is not the reason why an issued certificate is not valid here.

    :raises CAError: ``clock-wrong``: the certificate is valid by the CA's clock, and can be downloaded again after
        the local clock is corrected.
    """
    now, ahead = context.clock.now(), directory.ahead
    if x509.is_valid_at(fullchain_pem, now) or not x509.is_valid_at(fullchain_pem, now - ahead):
        return
    raise problems.error(texts.CLOCK_WRONG_ISSUED, **_evidence(now, ahead))


def _evidence(now: datetime, ahead: timedelta) -> dict[str, object]:
    return {"date": rfc3339(now - ahead), "now": rfc3339(now), "ahead": round(ahead.total_seconds())}
