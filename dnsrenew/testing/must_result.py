"""What the check of one MUST found."""

from __future__ import annotations

from typing import Any, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError, ProviderError
from dnsrenew.testing import texts

Verdict = Literal["ok", "broken", "not-tested"]


class MustResult(Frozen):
    """The result for one MUST.

    :ivar key: the key of its sentence.
    :ivar reason: why it is broken or not tested; empty if it holds.
    :ivar cause: what the driver raised.
    """

    key: str
    result: Verdict
    seconds: float = 0.0
    reason: str = ""
    cause: BaseException | None = None

    @property
    def sentence(self) -> str:
        """The MUST, without a final dot."""
        return texts.MUSTS[self.key]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "must": self.key,
            "sentence": f"{self.sentence}.",
            "result": self.result,
            "seconds": self.seconds,
            "error": self._error() if self.result == "broken" else None,
            "reason": self.reason or None,
        }

    def _error(self) -> dict[str, Any]:
        """Return what the driver raised, or what was found instead."""
        if isinstance(self.cause, DnsRenewError):
            return self.cause.to_dict()
        return ProviderError.of(texts.MUST_BROKEN, reason=self.reason).to_dict()
