"""What a renewal hands around and what comes out of it, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from dnsrenew.frozen import Frozen

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from pathlib import Path

    from dnsrenew.errors import DnsRenewError

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
    """A warning: something a person should look at."""

    code: str
    message: str
    fix: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "message": self.message, "fix": self.fix}


class Certificate(Frozen, kw_only=True):
    """A certificate in the store. Its paths point into ONE version: a pair read from them fits.

    :ivar domains: the domains it was obtained for, as written.
    :ivar serial: hexadecimal, lower case.
    :ivar path: the ``current`` folder, for other programs.
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
        """The certificate and its chain, leaf first."""
        return self.fullchain_path.read_text("ascii")

    @property
    def private_key_pem(self) -> str:
        """The private key, unencrypted PKCS#8."""
        return self.private_key_path.read_text("ascii")

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new server-side context with this certificate."""
        import ssl  # slow to import, and not everyone serves

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.fullchain_path, self.private_key_path)
        return context


class RouteTaken(Frozen, kw_only=True):
    """The route as it was gone: CA, challenge and the accounts that wrote.

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

    :ivar reason: why it was, or will be, renewed.
    :ivar error: what stopped it; None when nothing did.
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
