"""What the user configures, as frozen values."""

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

    :ivar hmac: a text that is given for it becomes a :class:`Secret`, which shows itself to nobody.
    """

    kid: str
    hmac: Secret

    def __init__(self, kid: str, hmac: Secret | str) -> None:
        from dnsrenew.secrets import Secret  # few CAs want a binding

        super().__init__(kid=kid, hmac=hmac if isinstance(hmac, Secret) else Secret(hmac))


def mac_key_fault(text: str) -> str | None:
    """Return what the MAC key of a binding is instead of base64url (RFC 4648 section 5), never a part of it."""
    text = text.strip()
    if not text:
        return "an empty text"
    if "+" in text or "/" in text:
        return "a text with the + or / of ordinary base64"
    if not _BASE64URL.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        return "a text that is not base64url"
    return None


class CA(Frozen):
    """A certificate authority that speaks ACME (RFC 8555).

    :ivar directory: the URL of its directory.
    :ivar trust: a PEM file with the only roots for its own HTTPS endpoint; default: the operating system's.
    :ivar eab: the external account binding, where it wants one; a mapping with its ``kid`` and ``hmac`` becomes an
        :class:`Eab`.
    :ivar staging: the name of the CA that a rehearsal uses instead.
    :ivar timeout: seconds it may take to decide on an authorization, and to issue.
    :ivar name: what it is called in outcomes; default: the directory's host.
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
            eab = Eab(**eab)  # whose repr does not show the key
        super().__init__(directory=directory, trust=trust, eab=eab, staging=staging, timeout=timeout, name=name)


class DnsAccount:
    """An account at a DNS host.

    :param provider: a file in ``providers/`` or the name of a driver entry point.
    :param name: what it is called in routes and outcomes; default: the provider's name.
    :param zones: the zone or zones it may write; otherwise they are found by SOA.
    :param ttl: seconds that its TXT records may be cached; None: as the provider's file says.
    :param options: what the provider asks for; each a ``str`` or a :class:`Secret`.
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
        **options: Any,  # str, Secret, and TOML scalars that the catalogue checks
    ) -> None:
        self.provider = provider
        self.name = name or provider
        self.zones = (zones,) if isinstance(zones, str) else tuple(zones)
        self.ttl = ttl
        self.options: dict[str, Any] = dict(options)

    def __repr__(self) -> str:
        """Show no option: any may be a secret."""
        return f"DnsAccount({self.provider!r}, name={self.name!r}, zones={self.zones!r})"

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        if not isinstance(other, DnsAccount):
            return NotImplemented
        return all(getattr(self, slot) == getattr(other, slot) for slot in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.provider, self.name, self.zones))


class Route(Frozen):
    """One way to a certificate.

    :ivar challenge: ``"http-01"`` or ``"dns-01"`` (RFC 8555 section 8).
    :ivar dns: names of the accounts that write the TXT values (all of them); empty: those that fit.
    :ivar ca: name of the CA; None: the certificate's.
    :ivar listen: address of the http-01 listener, such as ``":80"``.
    :ivar webroot: folder that a web server serves, for http-01.
    :ivar alias: the name that ``_acme-challenge`` points to by CNAME, stated instead of looked up.
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
    """How DNS is waited for; None: as the provider's file says.

    :ivar timeout: seconds until it is an error.
    :ivar settle: seconds more after all agree.
    :ivar check: who is asked.
    """

    timeout: float | None = None
    settle: float | None = None
    check: PropagationCheck = "authoritative"


class Resolver(Frozen, kw_only=True):
    """How DNS is looked at from here.

    :ivar nameservers: recursive servers, ``HOST[:PORT]``; empty: the system's.
    :ivar authoritative_port: the port of authoritative servers.
    :ivar doh: URLs of DNS-over-HTTPS servers (RFC 8484), where port 53 is closed.
    """

    nameservers: tuple[str, ...] = ()
    authoritative_port: int = 53
    doh: tuple[str, ...] = ()


class RenewBefore(Frozen):
    """When to renew: a fraction of the lifetime before its end, or a number of seconds before it."""

    fraction: float | None = None
    seconds: float | None = None


class Profile(Frozen):
    """A certificate profile of the CA; preferred or required."""

    name: str
    required: bool = True


class CertificateSpec(Frozen, kw_only=True):
    """One ``[[certificate]]``: what is wanted.

    :ivar domains: as written, in lower case.
    :ivar identifiers: the same as A-labels, in the same order.
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
