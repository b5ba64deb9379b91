"""The immutable values that the folders exchange: the results of renewals here, the requests in ``spec``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

# With `as`, a name is exported too.
from dnsrenew.base.model.spec import CA as CA
from dnsrenew.base.model.spec import EAB_BY_EMAIL as EAB_BY_EMAIL
from dnsrenew.base.model.spec import Certificate as Certificate
from dnsrenew.base.model.spec import CertificateSpec as CertificateSpec
from dnsrenew.base.model.spec import Deployment as Deployment
from dnsrenew.base.model.spec import DeploymentResult as DeploymentResult
from dnsrenew.base.model.spec import DnsAccount as DnsAccount
from dnsrenew.base.model.spec import Eab as Eab
from dnsrenew.base.model.spec import GivenRequest as GivenRequest
from dnsrenew.base.model.spec import KeyKind as KeyKind
from dnsrenew.base.model.spec import Profile as Profile
from dnsrenew.base.model.spec import Propagation as Propagation
from dnsrenew.base.model.spec import PropagationCheck as PropagationCheck
from dnsrenew.base.model.spec import RenewBefore as RenewBefore
from dnsrenew.base.model.spec import Resolver as Resolver
from dnsrenew.base.model.spec import Result as Result
from dnsrenew.base.model.spec import Route as Route
from dnsrenew.base.model.spec import StoreAddress as StoreAddress
from dnsrenew.base.model.spec import mac_key_fault as mac_key_fault
from dnsrenew.base.model.spec import rfc3339 as rfc3339
from dnsrenew.base.values import Frozen, field
from dnsrenew.errors import DnsRenewError, Text

OutcomeStatus = Literal["renewed", "not-due", "deferred", "failed", "locked", "interrupted", "rehearsed", "rolled-back"]
"""What happened to a certificate in a run.

``renewed``: a new certificate was obtained. ``not-due``: there was nothing to do. ``deferred``: it is due, but is not
tried before ``next_attempt``. ``failed``: it was tried without success. ``locked``: another run works on it.
``interrupted``: the run was cancelled. ``rehearsed``: a dry run succeeded. ``rolled-back``: an older version is current
again.
"""
RenewalReason = Literal["missing", "expired", "ari", "renew-before", "revoked", "changed", "forced"]
"""Why a certificate is renewed.

``missing``: there is no certificate. ``expired``: it is no longer valid. ``ari``: the CA suggests this time (RFC 9773).
``renew-before``: the configured or default time before the expiry has come. ``revoked``: it was revoked.
``changed``: its domains, key type or CA were edited. ``forced``: by ``force``.
"""


class TxtRecord(Frozen, public=True):
    """One TXT value that a driver writes or removes (RFC 8555 section 8.4)."""

    zone: str
    """The zone of the record; absolute, with the final dot."""
    name: str
    """The owner name of the record; absolute, with the final dot."""
    value: str
    """The text, at most 255 octets."""
    ttl: int
    """The TTL in seconds."""


class Notice(Result, public=True):
    """A warning that does not stop a run."""

    code: str
    """Stable, kebab-case name of the kind of warning."""
    message: str
    """What was seen."""
    fix: str
    """One sentence: what to do."""


class RouteTaken(Frozen, kw_only=True, public=True):
    """The route that was used: CA, challenge and DNS accounts."""

    ca: str
    """The name of the CA in the configuration."""
    challenge: str
    """``dns-01``, ``http-01``, ``tls-alpn-01``, ``dns-persist-01`` or ``dns-account-01``; ``mixed`` if the domains used
    several."""
    dns: tuple[str, ...] = ()
    """The names of the DNS accounts that wrote records; empty for challenges other than dns-01."""
    names: Mapping[str, Mapping[str, Any]] | None = None
    """For ``mixed``, the challenge and the accounts of each domain."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = {"ca": self.ca, "challenge": self.challenge, "dns": list(self.dns)}
        if self.names is not None:
            form["names"] = {domain: dict(route) for domain, route in self.names.items()}
        return form


class Attempt(Result, kw_only=True, public=True):
    """A route that was tried or skipped."""

    route: RouteTaken
    """The CA, the challenge and the DNS accounts."""
    orders: int
    """The number of new orders at the CA; 0 if the route was skipped, or resumed an order."""
    seconds: float
    """The duration in seconds."""
    error: DnsRenewError | None = None
    """Why it failed; None for success."""


class Outcome(Result, kw_only=True, public=True):
    """The result of a run for one certificate.

    The fields from ``issuer`` to ``next_renewal``, and ``path``, describe the current certificate after the run, even
    after a failure. They are None without a certificate. Times are in UTC. The JSON form is the output of ``dnsrenew
    renew --json``.
    """

    name: str
    """The certificate's name in the configuration."""
    status: OutcomeStatus
    """What happened; see :data:`OutcomeStatus`."""
    reason: RenewalReason | None
    """Why it was or will be renewed, see :data:`RenewalReason`; None if the store cannot be read."""
    domains: tuple[str, ...]
    """Its domains, as written in the configuration."""
    issuer: str | None = None
    """The issuer: the subject name of the CA's certificate."""
    serial: str | None = None
    """The serial number, hexadecimal in lower case."""
    not_before: datetime | None = None
    """The start of the validity, in UTC."""
    not_after: datetime | None = None
    """The end of the validity, in UTC."""
    next_renewal: datetime | None = None
    """When it becomes due, in UTC."""
    next_attempt: datetime | None = None
    """The earliest time of the next try after a failure or deferral. None means at the next run, or never needed."""
    path: Path | None = None
    """The ``current`` folder, for other programs; None if the store is a database."""
    route: RouteTaken | None = None
    """The route of the new certificate; None without a new certificate."""
    attempts: tuple[Attempt, ...] = ()
    """Every route that was tried or skipped, in order."""
    error: DnsRenewError | None = None
    """Why there is no new certificate; None after a success, or if no renewal was due."""
    deployed: tuple[DeploymentResult, ...] = ()
    """The result of the last try of each entry of ``deploy``."""
    warnings: tuple[Notice, ...] = ()
    """The warnings of this certificate; they did not stop the run."""


class RenewalFailed(DnsRenewError, public=True):
    """There is no valid certificate: every route failed, or no route was tried (a lock, a wait).

    ``__cause__`` is the error that stopped the run, usually the error of the last attempt. ``attempts`` has every
    attempt.
    """

    attempts: tuple[Attempt, ...]
    """Every route that was tried or skipped, in order."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        fix: str,
        evidence: Mapping[str, Any] | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(code, message, fix=fix, evidence=evidence)
        self.attempts = tuple(attempts)


# ── diagnosis ──────────────────────────────────────────────────────────────────────────

# The findings of the doctor: checks, and a diagnosis for each certificate.

CheckResult = Literal["ok", "bad", "unknown"]
"""The result of a check. It is ``bad`` only if that is certain, and ``unknown`` if it could not be determined."""


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

    A check about one CA or account has ``ca`` or ``dns``, and stops only routes through it. A check about some
    identifiers of the certificate has ``names``, and stops only these identifiers.
    """
    fix: str = ""
    """What to do, as one sentence; empty if there is nothing to do."""
    blocks: tuple[str, ...] = ()
    """The challenges that a ``bad`` result stops, and that an ``unknown`` result may stop; ``all`` for every challenge.

    Empty if it stops no challenge.
    """

    @classmethod
    def of(
        cls, text: Text, result: CheckResult, facts: Mapping[str, Any], *, blocks: tuple[str, ...] = (), **fields: Any
    ) -> Self:
        """Return the check with this text; ``facts`` and ``fields`` fill its fields, the facts are the evidence."""
        code, summary, fix = text.fill(**{**facts, **fields})
        return cls(code, result, summary, facts, fix, () if result == "ok" else blocks)

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
    """A difference from the last recorded diagnosis."""

    code: str
    """The code of the check."""
    was: str
    """The recorded value."""
    now: str
    """The current value; ``is`` in JSON."""
    since: datetime
    """The time of the last record with the value ``was``, in UTC."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"code": self.code, "was": self.was, "is": self.now, "since": rfc3339(self.since)}


class Diagnosis(Result, kw_only=True, public=True):
    """Whether a certificate can be renewed now, by which route, and if not, why; as in ``dnsrenew doctor --json``."""

    name: str | None
    """The certificate's name in the configuration; None if only the machine was checked."""
    renewable: bool | None
    """Whether it can be renewed; None if this could not be determined."""
    route: RouteTaken | None
    """The route that would be taken now; None unless it is renewable."""
    next_action: str | None
    """The next thing to do; None if there is nothing to do."""
    checks: tuple[Check, ...]
    """Every check that concerns its routes, even if it found no fault."""
    changes: tuple[Change, ...] = ()
    """The differences from the last ``dnsrenew doctor --record``."""


CertificateState = Literal["valid", "due", "missing", "expired", "revoked", "unconfigured"]
"""The state of a certificate; ``due``: it is valid, and its renewal is due; ``unconfigured``: it is in the store, but
the configuration that asked for it no longer names it, so it is not renewed.
"""


class StoredVersion(Result, kw_only=True, public=True):
    """A version of a certificate that the store keeps."""

    version: int
    """Its number; newer versions have higher numbers."""
    serial: str
    """The serial number, hexadecimal in lower case."""
    not_after: datetime
    """The end of its validity, in UTC."""
    current: bool
    """Whether it is the current version."""
    revoked: bool
    """Whether :meth:`Renewer.revoke` has revoked it, or it must be replaced as revoked."""


class CertificateStatus(Result, kw_only=True, public=True):
    """The status of one certificate, with the fields of ``dnsrenew status --json``."""

    name: str
    """Its name in the configuration and in the store."""
    domains: tuple[str, ...]
    """Its domains, as written in the configuration."""
    ca: str
    """The name of the CA that issued it, or will issue it."""
    issuer: str | None
    """The issuer: the subject name of the CA's certificate. This and the next fields are None without a certificate."""
    serial: str | None
    """The serial number, hexadecimal in lower case."""
    not_before: datetime | None
    """The start of the validity, in UTC."""
    not_after: datetime | None
    """The end of the validity, in UTC."""
    state: CertificateState
    """The state of the certificate."""
    next_renewal: datetime | None
    """When it becomes due, in UTC. If it is due, this is not in the future."""
    reason: str | None
    """Why it is or will be due: a :data:`RenewalReason`.

    None if it is unconfigured, or in the fleet with an account or a CA that the configuration lacks (``last_failure``
    says which).
    """
    route: dict[str, Any] | None
    """The route that led to the current certificate, as in an outcome; None if unknown."""
    last_failure: dict[str, Any] | None
    """The last failure: ``time``, ``code``, ``message`` and ``fix``; None if the last try succeeded."""
    next_attempt: datetime | None
    """The earliest time of the next try after a failure, in UTC; None if it is not deferred."""
    path: Path | None
    """The ``current`` folder, for other programs; None without a certificate."""
    deployed: tuple[DeploymentResult, ...] = ()
    """The result of the last try of each entry of ``deploy``; entries that were never tried are missing."""
    deployment_pending: bool = False
    """Whether an entry of ``deploy`` has not succeeded yet with the current certificate."""
    after_owed: bool = False
    """Whether a run was interrupted while the port of this certificate was in use.

    Its ``after`` has not been run yet, so a server may be stopped; ``warnings`` names the program.
    """
    forced_failure: dict[str, Any] | None = None
    """The failure of the last try, like ``last_failure``, if it was forced before the certificate was due."""
    failed_accounts: tuple[str, ...] = ()
    """The DNS accounts that failed before another account or route led to the current certificate."""
    csr_since: datetime | None = None
    """When the CSR for another issuer was created, if its certificate is still awaited, in UTC; None without a CSR."""
    known: bool = True
    """False if the state, or the files of the certificate, cannot be read (``last_failure`` has the error).

    Without the state, the other fields come from the certificate in ``current``; ``missing`` if it cannot be read
    either.
    """
    versions: tuple[StoredVersion, ...] = ()
    """The versions in the store that :meth:`Renewer.rollback` can choose from, oldest first."""
    warnings: tuple[Notice, ...] = ()
    """Faults of its files. The next run renews a damaged certificate, and rebuilds other files."""


# ── wording ────────────────────────────────────────────────────────────────────────────

# Routes and attempts in words, for messages and the terminal.


def describe_route(route: Mapping[str, Any]) -> str:
    """Return a route in words, such as ``dns-01 with home at lab``; for ``mixed``, all its challenges.

    :param route: the JSON form of a :class:`dnsrenew.base.model.RouteTaken`.
    """
    names = route.get("names")
    kinds = dict.fromkeys(each["challenge"] for each in names.values()) if names else [route.get("challenge")]
    accounts = " and ".join(route.get("dns") or ())
    where = f" at {route['ca']}" if route.get("ca") else ""
    return f"{' and '.join(map(str, kinds))}{f' with {accounts}' if accounts else ''}{where}"


def first_sentence(text: str) -> str:
    """Return the first sentence of a message of dnsrenew, in any of its languages."""
    ends = [end for mark in (". ", "。") if (end := text.find(mark)) >= 0]
    return text[: min(ends) + 1] if ends else text


def is_skip(attempt: Attempt) -> bool:
    """Return whether the route was skipped because it was ruled out before an order."""
    return attempt.orders == 0 and attempt.seconds == 0 and attempt.error is not None
