"""From the result of a test value to the checks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.model import Check
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.accounts import texts
from dnsrenew.extensions.doctor.facts import DNS

if TYPE_CHECKING:
    from dnsrenew.base.model import CheckResult, Notice, PropagationCheck
    from dnsrenew.drivers.provider import Provider
    from dnsrenew.errors import DnsRenewError, LockedError, PropagationError

_UNCERTAIN: Final = frozenset({"provider-timeout", "provider-malformed-answer", "provider-bug"})
"""Errors after which nobody knows what the host would do for a renewal."""


class ProbedZone(Frozen):
    """A zone that a test value was written to.

    :ivar name: of the TXT record.
    :ivar identifiers: those of the certificate whose TXT records are in this zone.
    :ivar is_in_use: nothing was written, because the host keeps one value and may have one.
    :ivar error: why the value was not written.
    """

    zone: str
    name: str
    identifiers: tuple[str, ...]
    is_in_use: bool = False
    error: DnsRenewError | None = None
    write_seconds: float | None = None


class ProbeResult(Frozen):
    """The result of one test.

    :ivar locked: another run uses a zone; nothing was written.
    :ivar checked: where the values were looked for.
    :ivar unseen: why they are not seen everywhere.
    :ivar cut_short: whether the wait was shorter than the time-out.
    :ivar kept: the warning about values that stay.
    :ivar removes: whether the hosts need values to be removed.
    """

    zones: tuple[ProbedZone, ...]
    locked: LockedError | None = None
    checked: PropagationCheck = "authoritative"
    unseen: PropagationError | None = None
    cut_short: bool = False
    visible_seconds: float | None = None
    kept: Notice | None = None
    removes: bool = True
    remove_seconds: float | None = None

    def error_of(self, account: str, *codes: str) -> DnsRenewError | None:
        """Return the first error of an account, with one of these codes if there are any."""
        errors = (zone.error for zone in self.zones if zone.error is not None)
        its = (error for error in errors if error.evidence.get("account", account) == account)
        return next((error for error in its if not codes or error.code in codes), None)


def judge_credentials(result: ProbeResult, account: str, provider: Provider) -> Check:
    """Return whether the DNS host accepts the credentials of the account."""
    evidence: dict[str, Any] = {"dns": account, "zones": [zone.zone for zone in result.zones]}
    error = result.error_of(account, "provider-unauthorized")
    if error is not None:
        evidence |= {"error": error.code, "status": error.evidence.get("status")}
        if evidence["status"] is None or "options" not in error.evidence or not provider.website:
            # The driver explains its own host.
            return Check("dns-credentials", "bad", error.message, evidence, error.fix, DNS)
        fields = {"title": provider.title, "website": provider.website, "options": error.evidence["options"]}
        return Check.of(texts.CREDENTIALS_REFUSED, "bad", evidence, blocks=DNS, **fields)
    if any(zone.write_seconds is not None and zone.error is None for zone in result.zones):
        return Check.of(texts.CREDENTIALS_OK, "ok", evidence)
    return Check.of(texts.CREDENTIALS_UNKNOWN, "unknown", evidence)


def judge_probe(result: ProbeResult, account: str) -> Check:
    """Return whether the account can write a value that is seen everywhere, and remove it."""
    evidence: dict[str, Any] = {
        "dns": account,
        "records": [zone.name for zone in result.zones],
        "zones": [zone.zone for zone in result.zones],
        "write_seconds": [zone.write_seconds for zone in result.zones],
        "visible_seconds": result.visible_seconds,
        "remove_seconds": result.remove_seconds,
        "may_add": None,
        "may_remove": None,
    }
    if result.locked is not None:
        return Check.of(texts.PROBE_LOCKED, "unknown", evidence)
    failed = [zone for zone in result.zones if zone.error is not None]
    if failed:
        return _not_written(failed, account, evidence)
    if all(zone.is_in_use for zone in result.zones):
        return Check.of(texts.PROBE_IN_USE, "unknown", evidence)
    evidence |= {"may_add": True, "may_remove": result.kept is None if result.removes else None}
    if result.unseen is not None:
        return _unseen(result, evidence)
    if result.kept is not None:
        return Check.of(texts.PROBE_KEPT, "bad", evidence)
    if result.checked == "none":
        return Check.of(texts.PROBE_NOT_LOOKED_UP, "ok", evidence)
    text = texts.PROBE_OK if result.removes else texts.PROBE_OK_STAYS
    return Check.of(text, "ok", evidence, seconds=result.visible_seconds)


def _not_written(failed: list[ProbedZone], account: str, evidence: dict[str, Any]) -> Check:
    error = failed[0].error
    assert error is not None  # noqa: S101  # failed has only those with an error
    is_certain = error.code not in _UNCERTAIN and error.evidence.get("account", account) == account
    evidence |= {
        "names": [identifier for zone in failed for identifier in zone.identifiers],
        "may_add": False if is_certain else None,
        "error": error.code,
    }
    return Check("txt-probe", "bad" if is_certain else "unknown", error.message, evidence, error.fix, DNS)


def _unseen(result: ProbeResult, evidence: dict[str, Any]) -> Check:
    error = result.unseen
    assert error is not None  # noqa: S101  # the caller checks it
    certain: CheckResult = "bad" if error.code == "propagation-timeout" and not result.cut_short else "unknown"
    # The account wrote it; the time that was too short is that of the host, or of the servers of the zone.
    return Check("txt-probe", certain, error.message, {**evidence, "error": error.code}, error.fix, DNS)
