"""From facts to a verdict: pure functions that rule out a renewal that cannot work, and explain one that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from dnsrenew.base.values import Frozen, field

if TYPE_CHECKING:
    from dnsrenew.errors import Text

Result = Literal["ok", "bad", "unknown"]


class Verdict(Frozen):
    """The result of one check.

    :ivar code: the kebab-case name of the check.
    :ivar result: ``"bad"`` only if it is certain, ``"unknown"`` if it could not be determined.
    :ivar summary: what was seen, as a whole sentence.
    :ivar evidence: the facts behind the result; JSON values.
    :ivar fix: what to do, as one sentence; empty if there is nothing to do.
    """

    code: str
    result: Result
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""

    @classmethod
    def of(cls, text: Text, result: Result, evidence: Mapping[str, Any], **fields: Any) -> Self:  # JSON values
        """Return the verdict with this text; evidence and ``fields`` fill its fields, the evidence is kept."""
        code, summary, fix = text.fill(**{**evidence, **fields})
        return cls(code, result, summary, evidence, fix)
