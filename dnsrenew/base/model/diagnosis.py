"""What the doctor found: checks, and a diagnosis for each certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from dnsrenew.base.model.result import rfc3339
from dnsrenew.base.values import Frozen, field

if TYPE_CHECKING:
    from datetime import datetime

    from dnsrenew.base.model.result import RouteTaken
    from dnsrenew.errors import Text

CheckResult = Literal["ok", "bad", "unknown"]
"""The result of a check: ``bad`` only if it is certain, ``unknown`` if it could not be determined."""


class Check(Frozen, public=True):
    """The result of one check."""

    code: str
    """The stable, kebab-case name of the check, such as ``port-80-free``."""
    result: CheckResult
    """The result; see :data:`CheckResult`."""
    summary: str
    """What was seen, as a whole sentence."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The facts behind the result; JSON values, never a secret.

    A check about one CA or one account has ``ca`` or ``dns``, and stops only routes through it; one about some
    identifiers of the certificate has ``names``, and stops only these.
    """
    fix: str = ""
    """What to do, as one sentence; empty if there is nothing to do."""
    blocks: tuple[str, ...] = ()
    """The challenges that a ``bad`` result stops, and an ``unknown`` one may stop; ``all`` for every challenge. Empty:
    it stops nothing.
    """

    @classmethod
    def of(
        cls,
        text: Text,
        result: CheckResult,
        evidence: Mapping[str, Any],  # JSON values
        *,
        blocks: tuple[str, ...] = (),
        **fields: Any,  # as above
    ) -> Self:
        """Return the check with this text; evidence and ``fields`` fill its fields, the evidence is kept."""
        code, summary, fix = text.fill(**{**evidence, **fields})
        return cls(code, result, summary, evidence, fix, () if result == "ok" else blocks)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "code": self.code,
            "result": self.result,
            "blocks": list(self.blocks),
            "summary": self.summary,
            "evidence": dict(self.evidence),
            "fix": self.fix,
        }


class Change(Frozen, kw_only=True, public=True):
    """What is different since the last recorded diagnosis."""

    code: str
    """The code of the check."""
    was: str
    """What the record says."""
    now: str
    """What was seen now; ``is`` in JSON."""
    since: datetime
    """The time of the last record that says ``was``, in UTC."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"code": self.code, "was": self.was, "is": self.now, "since": rfc3339(self.since)}


class Diagnosis(Frozen, kw_only=True, public=True):
    """Whether a certificate can be renewed now, by which route, and if not, why."""

    name: str | None
    """The certificate's name in the configuration; None: the host alone was looked at."""
    renewable: bool | None
    """None if it could not be determined."""
    route: RouteTaken | None
    """The route that would be taken now; None unless it is renewable."""
    next_action: str | None
    """The one thing to do next; None if there is nothing to do."""
    checks: tuple[Check, ...]
    """Every check that has to do with its routes, also those that found nothing wrong."""
    changes: tuple[Change, ...] = ()
    """What is different since the last ``dnsrenew doctor --record``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as ``dnsrenew doctor --json`` prints it."""
        return {
            "name": self.name,
            "renewable": self.renewable,
            "route": None if self.route is None else self.route.to_dict(),
            "next_action": self.next_action,
            "checks": [check.to_dict() for check in self.checks],
            "changes": [change.to_dict() for change in self.changes],
        }
