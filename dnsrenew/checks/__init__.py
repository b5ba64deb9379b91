"""From facts to a verdict: pure functions, used before a renewal to skip what cannot work, and to explain it after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dnsrenew.base.values import Frozen, field

Result = Literal["ok", "bad", "unknown"]


class Verdict(Frozen):
    """What one check came to.

    :ivar code: which check; kebab-case.
    :ivar result: ``"bad"`` only when it is certain; what could not be found out is ``"unknown"``.
    :ivar summary: what was seen, as a whole sentence.
    :ivar evidence: what it was concluded from; JSON values.
    :ivar fix: one sentence that says what to do; empty when there is nothing.
    """

    code: str
    result: Result
    summary: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
