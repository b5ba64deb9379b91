"""The clock of a CA and that of this machine: what is not done where they are far apart.

A certificate has the dates of the CA's clock. By one that is behind, a new one is not valid yet; by one that is ahead
it is over, or due too early. The CA tells its time in the ``Date`` of its directory.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from dnsrenew import x509
from dnsrenew.ca.problem_table import duration
from dnsrenew.model import rfc3339

if TYPE_CHECKING:
    from dnsrenew.ca.directory import Directory
    from dnsrenew.ca.problems import Problems
    from dnsrenew.runtime.context import Context

_MOST_AHEAD: Final = timedelta(days=398)
"""No certificate that browsers take lives longer."""
_FAR: Final = timedelta(days=1)
"""More than a time zone can make of a clock that is right."""


def check_before_order(context: Context, problems: Problems, directory: Directory) -> None:
    """Order nothing that could not be used: by a clock like this one, no new certificate is valid.

    By one that is ahead by less than a certificate lives, it is: that is only a warning.

    :raises CAError: ``clock-wrong``.
    """
    now, ahead = context.clock.now(), directory.ahead
    if not -x509.SKEW <= ahead <= _MOST_AHEAD:
        raise problems.error(
            "clock-wrong",
            f"{_apart(now, ahead)}: no certificate of today is valid here.",
            "Set the clock of this machine (with NTP), and run dnsrenew again.",
            **_evidence(now, ahead),
        )
    if ahead > _FAR:
        context.warn(
            "clock-ahead",
            f"The CA {problems.name} {_apart(now, ahead)}.",
            "Set the clock of this machine (with NTP): by this one certificates are due too early.",
        )


def check_issued(context: Context, problems: Problems, directory: Directory, fullchain_pem: str) -> None:
    """See that it is not the fault of our clock if what the CA has issued is not valid here.

    :raises CAError: ``clock-wrong``: the certificate is right, and can be fetched once the clock is.
    """
    now, ahead = context.clock.now(), directory.ahead
    if x509.is_valid_at(fullchain_pem, now) or not x509.is_valid_at(fullchain_pem, now - ahead):
        return
    raise problems.error(
        "clock-wrong",
        f"{_apart(now, ahead)}: the certificate that it has issued is not valid here.",
        "Set the clock of this machine (with NTP), and run dnsrenew again: it fetches the same certificate.",
        **_evidence(now, ahead),
    )


def _apart(now: datetime, ahead: timedelta) -> str:
    side = "ahead" if ahead > timedelta() else "behind"
    return (
        f"says that it is {now - ahead:%Y-%m-%d %H:%M} UTC, and the clock of this machine is "
        f"{duration(abs(ahead).total_seconds())} {side}"
    )


def _evidence(now: datetime, ahead: timedelta) -> dict[str, object]:
    return {"date": rfc3339(now - ahead), "ahead": round(ahead.total_seconds())}
