"""The results of a renewal, as immutable values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.errors import DnsRenewError

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from pathlib import Path

Status = Literal["renewed", "not-due", "deferred", "failed", "locked", "interrupted", "rehearsed"]
Reason = Literal["missing", "expired", "ari", "renew-before", "revoked", "changed", "forced"]


def rfc3339(time: datetime | None) -> str | None:
    """Return a UTC time as RFC 3339, with ``Z`` and in whole seconds."""
    return None if time is None else f"{time.isoformat()[:19]}Z"


class TxtRecord(Frozen):
    """One TXT value to write or remove.

    :ivar zone: its zone; absolute (with the final dot).
    :ivar name: its owner name; absolute.
    :ivar value: the text, at most 255 octets.
    :ivar ttl: seconds.
    """

    zone: str
    name: str
    value: str
    ttl: int


class Notice(Frozen):
    """A warning that does not stop a run.

    :ivar code: stable, kebab-case name of the kind of warning.
    :ivar message: what was seen.
    :ivar fix: one sentence: what to do.
    """

    code: str
    message: str
    fix: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "message": self.message, "fix": self.fix}


class Certificate(Frozen, kw_only=True):
    """A certificate in the store. All its paths point into one version, so the certificate matches the key.

    The store keeps the last three versions. After three renewals these paths no longer exist, and reading them raises
    ``FileNotFoundError``: get the certificate again, or give other programs the files in ``path``.

    :ivar name: its name in the configuration and in the store.
    :ivar domains: its domains, as written in the configuration.
    :ivar issuer: the issuer: the subject name of the CA's certificate.
    :ivar serial: hexadecimal, lower case.
    :ivar not_before: start of the validity, in UTC.
    :ivar not_after: end of the validity, in UTC.
    :ivar path: the ``current`` folder, for other programs: it always has the newest version.
    :ivar certificate_path: the certificate alone, PEM.
    :ivar chain_path: the rest of the chain, PEM; it may be empty.
    :ivar fullchain_path: the certificate and its chain, PEM: the file for most servers.
    :ivar private_key_path: the private key, PEM (PKCS#8, not encrypted).
    """

    name: str
    domains: tuple[str, ...]
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    path: Path
    certificate_path: Path
    chain_path: Path
    fullchain_path: Path
    private_key_path: Path

    @property
    def fullchain_pem(self) -> str:
        """The certificate and its chain, leaf first, read from the file on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        """
        return self.fullchain_path.read_text("ascii")

    @property
    def private_key_pem(self) -> str:
        """The private key, unencrypted PKCS#8, read from the file on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        """
        return self.private_key_path.read_text("ascii")

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new server-side context with this certificate; a later renewal does not change it.

        :raises OSError: a file cannot be read, or its version was deleted.
        :raises ssl.SSLError: a file was modified: the certificate and the key do not match.
        """
        import ssl  # slow to import, and few programs need it

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.fullchain_path, self.private_key_path)
        return context


class RouteTaken(Frozen, kw_only=True):
    """The route that was used: CA, challenge and DNS accounts.

    :ivar ca: the name of the CA in the configuration.
    :ivar challenge: ``dns-01`` or ``http-01``; ``mixed`` if the domains used several.
    :ivar dns: names of the DNS accounts that wrote records; empty for http-01.
    :ivar names: for ``mixed``, the challenge and the accounts of each domain.
    """

    ca: str
    challenge: str
    dns: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, Any]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = {"ca": self.ca, "challenge": self.challenge, "dns": list(self.dns)}
        if self.names is not None:
            form["names"] = {domain: dict(route) for domain, route in self.names.items()}
        return form


class Attempt(Frozen, kw_only=True):
    """A route that was tried or skipped.

    :ivar route: the route.
    :ivar orders: the number of new orders at the CA; 0 if the route was skipped, or resumed an order.
    :ivar seconds: the duration.
    :ivar error: why it failed; None for success.
    """

    route: RouteTaken
    orders: int
    seconds: float
    error: DnsRenewError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "route": self.route.to_dict(),
            "orders": self.orders,
            "seconds": round(self.seconds, 3),
            "error": None if self.error is None else self.error.to_dict(),
        }


class Outcome(Frozen, kw_only=True):
    """The result of a run for one certificate.

    The fields from ``issuer`` to ``next_renewal``, and ``path``, describe the current certificate after the run, also
    after a failure; they are None without one. Times are in UTC.

    :ivar name: the certificate's name in the configuration.
    :ivar status: ``renewed``, ``not-due``, ``deferred`` (nothing was tried: see ``next_attempt``), ``failed`` (tried,
        no new certificate), ``locked`` (another run renews it), ``interrupted``, or ``rehearsed`` (a dry run).
    :ivar reason: why it was or will be renewed; None if the store cannot be read.
    :ivar domains: as written in the configuration.
    :ivar issuer: the issuer: the subject name of the CA's certificate.
    :ivar serial: hexadecimal, lower case.
    :ivar not_before: start of the validity.
    :ivar not_after: end of the validity.
    :ivar next_renewal: when it becomes due.
    :ivar next_attempt: the earliest time of the next try after a failure or deferral; None: at the next run, or never
        needed.
    :ivar path: the ``current`` folder, for other programs.
    :ivar route: the route of the new certificate; None without a new one.
    :ivar attempts: every route that was tried or skipped, in order.
    :ivar error: why the run failed; None for success.
    :ivar deployed: the result of each deployment: ``to``, ``target``, ``ok`` and ``error``; empty until deployment is
        implemented.
    :ivar warnings: the warnings of this certificate; none stopped the run.
    """

    name: str
    status: Status
    reason: Reason | None
    domains: tuple[str, ...]
    issuer: str | None = None
    serial: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    next_renewal: datetime | None = None
    next_attempt: datetime | None = None
    path: Path | None = None
    route: RouteTaken | None = None
    attempts: tuple[Attempt, ...] = ()
    error: DnsRenewError | None = None
    deployed: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Notice, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as ``dnsrenew renew --json`` prints it."""
        return {
            "name": self.name,
            "status": self.status,
            "reason": self.reason,
            "domains": list(self.domains),
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": rfc3339(self.not_before),
            "not_after": rfc3339(self.not_after),
            "next_renewal": rfc3339(self.next_renewal),
            "next_attempt": rfc3339(self.next_attempt),
            "path": None if self.path is None else str(self.path),
            "route": None if self.route is None else self.route.to_dict(),
            "attempts": [attempt.to_dict() for attempt in self.attempts],
            "error": None if self.error is None else self.error.to_dict(),
            "deployed": [dict(target) for target in self.deployed],
            "warnings": [notice.to_dict() for notice in self.warnings],
        }


class RenewalFailed(DnsRenewError):
    """There is no valid certificate: every route failed, or none was tried (a lock, a wait).

    :ivar attempts: every attempt, in order.
    """

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
