"""One check of a certificate from what was found about each of its names or zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dnsrenew.base.model import Check
from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.base.model import CheckResult
    from dnsrenew.errors import Text


class NameFinding(Frozen):
    """What was found about some identifiers.

    :ivar names: the identifiers of the certificate that it is about.
    :ivar fields: for the text.
    """

    result: CheckResult
    text: Text
    names: Sequence[str]
    fields: Mapping[str, Any]
    blocks: tuple[str, ...] = ()


def combined(findings: Sequence[NameFinding], evidence: Mapping[str, Any]) -> Check:
    """Return the worst as the check: what is certain before what is not, what stops a challenge before what does not.

    The evidence is that of all; its ``names`` are those of all findings that are as bad.
    """
    worst = min(findings, key=_rank)
    alike = [each for each in findings if _rank(each) == _rank(worst)]
    listed = list(dict.fromkeys(name for each in alike for name in each.names))
    about = {} if worst.result == "ok" else {"names": listed}
    return Check.of(worst.text, worst.result, {**about, **evidence}, blocks=worst.blocks, **worst.fields)


def _rank(finding: NameFinding) -> tuple[int, bool]:
    return ("bad", "unknown", "ok").index(finding.result), not finding.blocks
