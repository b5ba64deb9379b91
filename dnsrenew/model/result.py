"""What a renewal hands around and what comes out of it, as frozen values."""

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
    """Return a UTC time as RFC 3339 with ``Z`` and whole seconds."""
    return None if time is None else f"{time.isoformat()[:19]}Z"


class TxtRecord(Frozen):
    """One TXT value to be written or removed.

    :ivar zone: the zone it belongs to; absolute (with the final dot).
    :ivar name: its owner name; absolute.
    :ivar value: the text, at most 255 octets.
    :ivar ttl: seconds.
    """

    zone: str
    name: str
    value: str
    ttl: int


class Notice(Frozen):
    """A warning: something a person should look at.

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
    """A certificate in the store. Its paths point into ONE version: a pair read from them fits.

    The store keeps the last three versions. After three renewals these paths lead nowhere, and what reads them raises
    ``FileNotFoundError``: ask for the certificate again, or give other programs the files in ``path``.

    :ivar name: what it is called in the configuration and in the store.
    :ivar domains: the domains it was obtained for, as written.
    :ivar issuer: who issued it: the name of the CA's own certificate.
    :ivar serial: hexadecimal, lower case.
    :ivar not_before: when it begins to be valid, in UTC.
    :ivar not_after: when it ends to be valid, in UTC.
    :ivar path: the ``current`` folder, for other programs: it always has the newest version.
    :ivar certificate_path: the certificate alone, PEM.
    :ivar chain_path: what follows it in the chain, PEM; it may be empty.
    :ivar fullchain_path: the certificate and then its chain, PEM: what most servers want.
    :ivar private_key_path: its key, PEM (PKCS#8, not encrypted).
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
        """The certificate and its chain, leaf first, read anew each time.

        :raises OSError: the file cannot be read, or its version is not kept any more.
        """
        return self.fullchain_path.read_text("ascii")

    @property
    def private_key_pem(self) -> str:
        """The private key, unencrypted PKCS#8, read anew each time.

        :raises OSError: the file cannot be read, or its version is not kept any more.
        """
        return self.private_key_path.read_text("ascii")

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new server-side context with this certificate; later ones are not loaded into it.

        :raises OSError: a file cannot be read, or its version is not kept any more.
        :raises ssl.SSLError: the files were changed by somebody, and are no certificate with its key.
        """
        import ssl  # slow to import, and not everyone serves

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.fullchain_path, self.private_key_path)
        return context


class RouteTaken(Frozen, kw_only=True):
    """The route as it was gone: CA, challenge and the accounts that wrote.

    :ivar ca: the CA's name in the configuration.
    :ivar challenge: ``dns-01`` or ``http-01``; ``mixed`` where the names took several.
    :ivar dns: names of the DNS accounts that wrote; empty for http-01.
    :ivar names: for a mix, each domain with its own challenge and accounts.
    """

    ca: str
    challenge: str
    dns: tuple[str, ...] = ()
    names: Mapping[str, Mapping[str, Any]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = {"ca": self.ca, "challenge": self.challenge, "dns": list(self.dns)}
        if self.names is not None:
            form["names"] = {domain: dict(way) for domain, way in self.names.items()}
        return form


class Attempt(Frozen, kw_only=True):
    """One route that was tried, or skipped (then ``orders`` is 0).

    :ivar route: which one.
    :ivar orders: how many orders were made at the CA; 0 also where one of an earlier run was taken up.
    :ivar seconds: how long it took.
    :ivar error: what stopped it; None for the one that worked.
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
    """What a run came to for one certificate.

    The fields from ``issuer`` to ``next_renewal``, and ``path``, are of the certificate that is in force after the run,
    whatever came of it, and None where there is none. Times are in UTC.

    :ivar name: the certificate's name in the configuration.
    :ivar status: ``renewed``, ``not-due``, ``deferred`` (nothing was tried: see ``next_attempt``), ``failed`` (tried,
        and no new certificate), ``locked`` (another run works on it), ``interrupted``, or ``rehearsed`` (a dry run).
    :ivar reason: why it was, or will be, renewed; None where the store cannot be read, and that is not known.
    :ivar domains: as written in the configuration.
    :ivar issuer: who issued it: the name of the CA's own certificate.
    :ivar serial: hexadecimal, lower case.
    :ivar not_before: when it begins to be valid.
    :ivar not_after: when it ends to be valid.
    :ivar next_renewal: when it becomes due.
    :ivar next_attempt: what failed or is deferred is tried again after this time; None: at the next run, or there is
        nothing to try.
    :ivar path: the ``current`` folder, for other programs.
    :ivar route: the way that led to the new certificate; None where there is no new one.
    :ivar attempts: every way that was tried or skipped, in order.
    :ivar error: what stopped it; None when nothing did.
    :ivar deployed: what became of each deployment: ``to``, ``target``, ``ok`` and ``error``; empty while deployment is
        not carried out yet.
    :ivar warnings: what a person should look at, though nothing was stopped by it.
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


class RenewalFailed(DnsRenewError):  # the contract's name
    """There is no valid certificate: no route led to one, or none was tried (a lock, a wait).

    :ivar attempts: every attempt that was made, in order.
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
