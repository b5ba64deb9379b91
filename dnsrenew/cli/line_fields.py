"""What a line on standard error is about; the journal of systemd keeps it as fields of the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.model import Outcome

ERROR: Final = 3
WARNING: Final = 4
INFO: Final = 6
"""Priorities, as in syslog(3)."""


class LineFields(Frozen):
    """The fields of one line.

    :ivar priority: a priority of syslog(3).
    :ivar certificate: the name of the certificate, or None.
    :ivar code: the code of the error or warning, or None.
    """

    priority: int = WARNING
    certificate: str | None = None
    code: str | None = None


WARNING_LINE: Final = LineFields(WARNING)
INFO_LINE: Final = LineFields(INFO)


def outcome_fields(outcome: Outcome) -> LineFields:
    """Return the fields of the line about an outcome with an error, or with a deployment that failed."""
    if outcome.error is not None:
        return LineFields(ERROR, outcome.name, outcome.error.code)
    errors = (result.error for result in outcome.deployed if not result.ok and result.error is not None)
    return LineFields(ERROR, outcome.name, next((error.code for error in errors), None))
