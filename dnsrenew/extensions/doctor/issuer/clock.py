"""Whether the clock of this host is right, by the ``Date`` that CAs send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dnsrenew.acme.clock_skew import clock_fault
from dnsrenew.base.clock import rejects_dates
from dnsrenew.base.model import Check, rfc3339
from dnsrenew.base.values import Frozen
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.extensions.doctor.facts import ALL
from dnsrenew.extensions.doctor.issuer import directory, texts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from dnsrenew.base.model import CA
    from dnsrenew.extensions.doctor.facts import Facts
    from dnsrenew.extensions.doctor.issuer.directory import DirectoryAnswer

_WITHOUT_CONFIG: Final = "letsencrypt"


class ClockReading(Frozen):
    """By how much the clock of this host is ahead of that of a server."""

    source: str
    ahead: timedelta


def clock(facts: Facts) -> Check:
    """Compare the clock with that of each CA; without a configuration, with that of Let's Encrypt."""
    answers = {ca.name or ca.directory: directory.ask(facts, ca) for ca in _cas(facts)}
    readings = [ClockReading(name, answer.ahead) for name, answer in answers.items() if answer.ahead is not None]
    doubted = next((name for name, answer in answers.items() if _is_doubted(answer)), None)
    return judge(readings, facts.context.clock.now(), doubted)


def _cas(facts: Facts) -> list[CA]:
    if facts.config is None:
        return [BUILT_IN[_WITHOUT_CONFIG]]
    used = dict.fromkeys(name for spec in facts.its.certificates for name in facts.cas(spec))
    return [facts.its.cas[name] for name in used or [facts.its.default_ca]]


def _is_doubted(answer: DirectoryAnswer) -> bool:
    """Tell whether the certificate of the CA is not valid by the clock of this host."""
    error = answer.error
    return error is not None and error.code == "ca-untrusted" and rejects_dates(error.evidence.get("reason", ""))


def judge(readings: Sequence[ClockReading], now: datetime, doubted: str | None = None) -> Check:
    """Return the verdict; one server that agrees with this host is enough, because its own clock is not ours.

    :param now: the time by the clock of this host.
    :param doubted: a CA whose certificate is not valid by that clock.
    """
    evidence: dict[str, Any] = {"now": rfc3339(now)}
    if not readings and doubted is not None:
        return Check.of(texts.CLOCK_DOUBTED, "unknown", {**evidence, "source": doubted}, blocks=ALL)
    if not readings:
        return Check.of(texts.CLOCK_UNKNOWN, "unknown", evidence)
    nearest = min(readings, key=lambda reading: abs(reading.ahead))
    seconds = round(nearest.ahead.total_seconds())
    evidence |= {"date": rfc3339(now - nearest.ahead), "ahead": seconds, "source": nearest.source}
    fault = clock_fault(nearest.ahead)
    if fault == "wrong":
        return Check.of(texts.CLOCK_WRONG, "bad", evidence, blocks=ALL)
    if fault == "ahead":
        return Check.of(texts.CLOCK_AHEAD, "bad", evidence)
    return Check.of(texts.CLOCK_OK, "ok", evidence)
