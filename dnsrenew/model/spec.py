"""The configuration, as immutable values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.secrets import Secret

KeyKind = Literal["ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096"]
PropagationCheck = Literal["authoritative", "doh", "none"]
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")


class Eab(Frozen):
    """An external account binding (RFC 8555 section 7.3.4): the CA's key identifier and MAC key.

    :ivar hmac: the MAC key; a plain text becomes a :class:`Secret`, which is never shown.
    """

    kid: str
    hmac: Secret

    def __init__(self, kid: str, hmac: Secret | str) -> None:
        from dnsrenew.secrets import Secret  # late: few CAs need a binding

        super().__init__(kid=kid, hmac=hmac if isinstance(hmac, Secret) else Secret(hmac))


def mac_key_fault(text: str) -> str | None:
    """Return why a text is no MAC key in base64url (RFC 4648 section 5), or None; never a part of the text."""
    text = text.strip()
    if not text:
        return "an empty text"
    if "+" in text or "/" in text:
        return "a text with the + or / of ordinary base64"
    if not _BASE64URL.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        return "a text that is not base64url"
    return None


class CA(Frozen):
    """A certificate authority with an ACME server (RFC 8555).

    :ivar directory: the directory URL.
    :ivar trust: a PEM file with the only trusted roots for its HTTPS endpoint; default: those of the operating system.
    :ivar eab: the external account binding, if the CA requires one; a mapping with ``kid`` and ``hmac`` becomes an
        :class:`Eab`.
    :ivar staging: the name of the CA for a dry run.
    :ivar timeout: seconds that an authorization may stay pending, and that issuance may take.
    :ivar name: its name in outcomes; default: the host of the directory.
    """

    directory: str
    trust: Path | str | None
    eab: Eab | None
    staging: str | None
    timeout: float
    name: str

    def __init__(
        self,
        directory: str,
        *,
        trust: Path | str | None = None,
        eab: Eab | Mapping[str, Any] | None = None,
        staging: str | None = None,
        timeout: float = 180.0,
        name: str = "",
    ) -> None:
        if eab is not None and not isinstance(eab, Eab):
            eab = Eab(**eab)  # its repr does not show the key
        super().__init__(directory=directory, trust=trust, eab=eab, staging=staging, timeout=timeout, name=name)


class DnsAccount:
    """An account at a DNS host.

    :param provider: the name of a file in ``providers/`` or of a driver entry point.
    :param name: its name in routes and outcomes; default: the name of the provider.
    :param zones: the zone or zones that the account may edit; default: found by SOA queries.
    :param ttl: TTL of its TXT records in seconds; None: that of the provider file.
    :param options: the options of the provider; each a ``str`` or a :class:`Secret`.
    """

    __slots__ = ("name", "options", "provider", "ttl", "zones")

    def __init__(
        self,
        provider: str,
        /,
        *,
        name: str | None = None,
        zones: str | tuple[str, ...] | list[str] = (),
        ttl: int | None = None,
        **options: Any,  # str, Secret, and TOML scalars; the catalogue checks them
    ) -> None:
        self.provider = provider
        self.name = name or provider
        self.zones = (zones,) if isinstance(zones, str) else tuple(zones)
        self.ttl = ttl
        self.options: dict[str, Any] = dict(options)

    def __repr__(self) -> str:
        """Omit the options: any may be a secret."""
        return f"DnsAccount({self.provider!r}, name={self.name!r}, zones={self.zones!r})"

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        if not isinstance(other, DnsAccount):
            return NotImplemented
        return all(getattr(self, slot) == getattr(other, slot) for slot in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.provider, self.name, self.zones))


class Route(Frozen):
    """A CA, a challenge and how to solve it.

    :ivar challenge: ``"dns-01"``, ``"http-01"`` (RFC 8555 section 8) or ``"tls-alpn-01"`` (RFC 8737).
    :ivar dns: names of the accounts that all write the TXT values; empty: the accounts with a matching zone.
    :ivar ca: name of the CA; None: that of the certificate.
    :ivar listen: address of the listener for http-01 (``":80"``) or tls-alpn-01 (``":443"``).
    :ivar webroot: folder served by a web server, for http-01.
    :ivar alias: the target of the CNAME at ``_acme-challenge``; None: looked up in DNS.
    :ivar follow_cname: whether a CNAME at ``_acme-challenge`` is followed.
    """

    challenge: str
    dns: tuple[str, ...]
    ca: str | None
    listen: str | None
    webroot: Path | str | None
    alias: str | None
    follow_cname: bool

    def __init__(
        self,
        challenge: str,
        *,
        dns: str | Sequence[str] = (),
        ca: str | None = None,
        listen: str | None = None,
        webroot: Path | str | None = None,
        alias: str | None = None,
        follow_cname: bool = True,
    ) -> None:
        names = (dns,) if isinstance(dns, str) else tuple(dns)
        more = {"ca": ca, "listen": listen, "webroot": webroot, "alias": alias, "follow_cname": follow_cname}
        super().__init__(challenge=challenge, dns=names, **more)


class Propagation(Frozen, kw_only=True):
    """How to wait for DNS; None: the value of the provider file.

    :ivar timeout: seconds until the wait fails.
    :ivar settle: seconds to wait after all name servers show the values.
    :ivar check: which servers are queried.
    """

    timeout: float | None = None
    settle: float | None = None
    check: PropagationCheck = "authoritative"


class Resolver(Frozen, kw_only=True):
    """How to query DNS.

    :ivar nameservers: recursive servers, ``HOST[:PORT]``; empty: those of the system.
    :ivar authoritative_port: the port of authoritative servers.
    :ivar doh: URLs of DNS-over-HTTPS servers (RFC 8484), for networks that block port 53.
    """

    nameservers: tuple[str, ...] = ()
    authoritative_port: int = 53
    doh: tuple[str, ...] = ()


class RenewBefore(Frozen):
    """When to renew: a fraction of the lifetime, or a number of seconds, before the expiry."""

    fraction: float | None = None
    seconds: float | None = None


class Profile(Frozen):
    """A certificate profile of the CA, required or preferred."""

    name: str
    required: bool = True


class CertificateSpec(Frozen, kw_only=True):
    """One ``[[certificate]]`` of the configuration.

    :ivar domains: as written, in lower case.
    :ivar identifiers: the domains as A-labels, in the same order.
    :ivar ca: name of its CA.
    """

    name: str
    domains: tuple[str, ...]
    identifiers: tuple[str, ...]
    ca: str
    key: KeyKind = "ecdsa-p256"
    reuse_key: bool = False
    profile: Profile | None = None
    preferred_chain: str | None = None
    renew_before: RenewBefore | None = None
    routes: tuple[Route, ...] = ()
    propagation: Propagation = Propagation()
    deploy: tuple[Mapping[str, Any], ...] = ()
