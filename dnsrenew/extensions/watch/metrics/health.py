"""One line for ``/healthz``: whether certificates are served well, and if not, which are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.watch.metrics import texts

if TYPE_CHECKING:
    from dnsrenew.errors import Phrase
    from dnsrenew.extensions.watch.metrics.collect import CertificateNumbers

_SHOWN: Final = 10
"""Names of a line; the others are counted."""
_PROBLEMS: Final[tuple[tuple[str, Phrase], ...]] = (("expired", texts.EXPIRED), ("missing", texts.MISSING))


class Health(Frozen):
    """The answer of ``/healthz``.

    :ivar ok: False for status 503.
    :ivar line: "ok", or what is wrong.
    """

    ok: bool
    line: str


def health(certificates: Sequence[CertificateNumbers], *, round_failed: bool) -> Health:
    """Return the answer: bad if a certificate is expired or missing, or if the last round failed as a whole."""
    parts = [texts.ROUND_FAILED.format()] if round_failed else []
    for state, phrase in _PROBLEMS:
        names = [one.status.name for one in certificates if one.status.state == state]
        if names:
            parts.append(phrase.format(names=_listed(names)))
    return Health(False, "; ".join(parts)) if parts else Health(True, texts.HEALTHY)


def _listed(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    return texts.MORE.format(names=shown, count=more) if more > 0 else shown
