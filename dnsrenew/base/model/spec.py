"""The configuration, as immutable values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from dnsrenew.base import texts
from dnsrenew.base.files import memory_file
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen, field
from dnsrenew.errors import DnsRenewError, StoreError

if TYPE_CHECKING:
    import ssl

KeyKind = Literal["ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096"]
"""The type of the private key: the curve, or the bits of an RSA key."""
PropagationCheck = Literal["authoritative", "doh", "none"]
"""Which servers are queried: ``authoritative``, all name servers of the zone; ``doh``, DNS-over-HTTPS servers, for
networks that block port 53; ``none``, no servers, with a wait of only ``settle`` seconds.
"""
EAB_BY_EMAIL: Final = {"acme.zerossl.com": "https://api.zerossl.com/acme/eab-credentials-email"}
"""The services that create an external account binding for an email address, by the host of the directory URL."""


def rfc3339(time: datetime | None) -> str | None:
    """Return a UTC time as RFC 3339, with ``Z`` and in whole seconds."""
    return None if time is None else f"{time.isoformat()[:19]}Z"


def _json(value: Any) -> Any:
    match value:
        case datetime():
            return rfc3339(value)
        case float():
            return round(value, 3)
        case tuple():
            return [_json(each) for each in value]
        case Path():
            return str(value)
    return value.to_dict() if hasattr(value, "to_dict") else value


class Result(Frozen):
    """A result whose JSON form has the same fields."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the fields by name, times as RFC 3339, seconds to three places."""
        return {name: _json(each) for name, each in vars(self).items()}


_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+={0,2}")


class Eab(Frozen, public=True):
    """An external account binding (RFC 8555 section 7.3.4): the CA's key identifier and MAC key."""

    kid: str
    """The key identifier that the CA gave you."""
    hmac: Secret
    """The MAC key; a plain text becomes a :class:`Secret`, which is never shown."""

    def __init__(self, kid: str, hmac: Secret | str) -> None:
        super().__init__(kid=kid, hmac=hmac if isinstance(hmac, Secret) else Secret(hmac))


def mac_key_fault(text: str) -> str | None:
    """Return why a text is not a MAC key in base64url (RFC 4648 section 5), without any part of it, or None."""
    text = text.strip()
    if not text:
        return texts.EMPTY_TEXT
    if "+" in text or "/" in text:
        return texts.ORDINARY_BASE64
    if not _BASE64URL.fullmatch(text) or len(text.rstrip("=")) % 4 == 1:
        return texts.NOT_BASE64URL
    return None


class CA(Frozen, public=True):
    """A certificate authority with an ACME server (RFC 8555)."""

    directory: str
    """The directory URL of its ACME server (RFC 8555 section 7.1.1)."""
    trust: Path | str | None
    """A PEM file with the only trusted roots for its HTTPS endpoint; default: the roots of the operating system."""
    eab: Eab | Literal["email"] | None
    """The external account binding, if the CA requires one. A mapping becomes an :class:`Eab`.

    ``email`` means that the binding is fetched for the contact (ZeroSSL).
    """
    staging: str | None
    """The name of the CA for a dry run."""
    timeout: float
    """Seconds that an authorization may stay pending, and that issuance may take."""
    name: str
    """Its name in outcomes; default: the host of the directory."""

    def __init__(
        self,
        directory: str,
        *,
        trust: Path | str | None = None,
        eab: Eab | Mapping[str, Any] | Literal["email"] | None = None,
        staging: str | None = None,
        timeout: float = 180.0,
        name: str = "",
    ) -> None:
        if isinstance(eab, Mapping):
            eab = Eab(**eab)  # its repr does not show the key
        super().__init__(directory=directory, trust=trust, eab=eab, staging=staging, timeout=timeout, name=name)


class DnsAccount:
    """An account at a DNS host.

    :param provider: the name of a file in ``providers/`` or of a driver entry point.
    :param name: its name in routes and outcomes; default: the name of the provider.
    :param zones: the zone or zones that the account may edit; default: found by SOA queries.
    :param ttl: TTL of its TXT records in seconds; None for the TTL of the provider file.
    :param options: the options of the provider; each a ``str`` or a :class:`Secret`, or a table of these.
    """

    __module__ = "dnsrenew"
    __slots__ = {
        "name": "Its name in routes and outcomes.",
        "options": "The options of the provider.",
        "provider": "The name of the provider file, or of the driver.",
        "ttl": "The TTL of its TXT records in seconds; None: that of the provider file.",
        "zones": "The zones that the account may edit; empty: found by SOA queries.",
    }
    name: str
    options: dict[str, Any]
    provider: str
    ttl: int | None
    zones: tuple[str, ...]

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
        self.options = dict(options)

    def __repr__(self) -> str:
        """Omit the options, because any may be a secret."""
        return f"DnsAccount({self.provider!r}, name={self.name!r}, zones={self.zones!r})"

    def __copy__(self) -> DnsAccount:
        return self._maker(self.options)()

    def __deepcopy__(self, memo: dict[int, Any]) -> DnsAccount:
        return self._maker(deepcopy(self.options, memo))()

    def __reduce__(self) -> tuple[Any, ...]:
        """Omit texts from a pickle, because any may be a secret.

        They become secrets, which an unpickled account lacks.
        """
        return self._maker(_hidden(self.options)), ()

    def _maker(self, options: Mapping[str, Any]) -> partial[DnsAccount]:
        return partial(DnsAccount, self.provider, name=self.name, zones=self.zones, ttl=self.ttl, **options)

    def __eq__(self, other: object) -> bool:
        """Compare all fields."""
        if not isinstance(other, DnsAccount):
            return NotImplemented
        return all(getattr(self, slot) == getattr(other, slot) for slot in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.provider, self.name, self.zones))


def option_values(account: DnsAccount) -> Iterator[tuple[str, Any]]:
    """Yield each option of an account with its key. Options in a table have the key ``TABLE.KEY``."""
    for key, value in account.options.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", each) for name, each in value.items())
        else:
            yield key, value


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _hidden(each) for key, each in value.items()}
    return Secret(value) if isinstance(value, str) else value


class Route(Frozen, public=True):
    """One way to a certificate: a challenge, its solver, and a CA."""

    challenge: Literal["dns-01", "http-01", "tls-alpn-01", "dns-persist-01", "dns-account-01"]
    """``"dns-01"``, ``"http-01"`` (RFC 8555 section 8), ``"tls-alpn-01"`` (RFC 8737), ``"dns-persist-01"``
    (draft-ietf-acme-dns-persist) or ``"dns-account-01"`` (draft-ietf-acme-dns-account-label).
    """
    dns: tuple[str, ...]
    """Names of the accounts that all write the TXT values; if empty, the accounts with a matching zone."""
    ca: str | None
    """Name of the CA; None for the CA of the certificate."""
    listen: str | None
    """Address of the listener for http-01 (``":80"``) or tls-alpn-01 (``":443"``)."""
    webroot: Path | str | None
    """Folder served by a web server, for http-01."""
    app: bool
    """Whether the program's own app answers http-01, see :meth:`Served.http01_app`."""
    alias: str | None
    """The target of the CNAME at ``_acme-challenge``; None if DNS is queried for it."""
    follow_cname: bool
    """Whether a CNAME at ``_acme-challenge`` is followed."""

    def __init__(
        self,
        challenge: Literal["dns-01", "http-01", "tls-alpn-01", "dns-persist-01", "dns-account-01"],
        *,
        dns: str | Sequence[str] = (),
        ca: str | None = None,
        listen: str | None = None,
        webroot: Path | str | None = None,
        app: bool = False,
        alias: str | None = None,
        follow_cname: bool = True,
    ) -> None:
        names = (dns,) if isinstance(dns, str) else tuple(dns)
        more = {"listen": listen, "webroot": webroot, "app": app, "alias": alias, "follow_cname": follow_cname}
        super().__init__(challenge=challenge, dns=names, ca=ca, **more)


class Propagation(Frozen, kw_only=True, public=True):
    """How to wait until DNS serves the TXT values; None means the default of the DNS host."""

    timeout: float | None = None
    """Seconds until the wait fails."""
    settle: float | None = None
    """Seconds to wait after all name servers show the values."""
    check: PropagationCheck = "authoritative"
    """Which servers are queried; see :data:`PropagationCheck`."""


class Resolver(Frozen, kw_only=True, public=True):
    """How this machine queries DNS."""

    nameservers: tuple[str, ...] = ()
    """Recursive servers, ``HOST[:PORT]``; if empty, the servers of the system."""
    authoritative_port: int = 53
    """The port of authoritative servers."""
    doh: tuple[str, ...] = ()
    """URLs of DNS-over-HTTPS servers (RFC 8484), for networks that block port 53."""


class RenewBefore(Frozen, public=True):
    """When to renew: a fraction of the lifetime, or a number of seconds, before the expiry."""

    fraction: float | None = None
    """The remaining part of the lifetime, such as ``1/3``; None if ``seconds`` is given."""
    seconds: float | None = None
    """The remaining seconds; None if ``fraction`` is given."""


class Profile(Frozen, public=True):
    """A certificate profile of the CA, required or preferred."""

    name: str
    """The name that the CA gave it, such as ``shortlived``."""
    required: bool = True
    """Whether it is an error if the CA does not offer it. If not, the certificate gets the CA's default profile."""


class GivenRequest(Frozen, public=True):
    """Your own certificate request (PKCS#10, RFC 2986), whose private key dnsrenew never sees."""

    der: bytes
    """The request, DER."""
    path: str | None = None
    """Its file; None if it is part of the configuration."""


class CertificateSpec(Frozen, kw_only=True, public=True):
    """One ``[[certificate]]`` of the configuration."""

    name: str
    """Its name in the store and on the command line."""
    domains: tuple[str, ...]
    """The domains as written, in lower case, and IP addresses in their canonical form (RFC 8738)."""
    identifiers: tuple[str, ...]
    """The domains as A-labels, and IP addresses, in the same order."""
    ca: str
    """The name of its CA."""
    key: KeyKind = "ecdsa-p256"
    """The type of the private key."""
    reuse_key: bool = False
    """Whether a renewal keeps the private key."""
    profile: Profile | None = None
    """The certificate profile of the CA; None for the default of the CA."""
    csr: GivenRequest | None = None
    """The given request for all orders; None if each order has its own request."""
    lifetime: float | None = None
    """The seconds from the order to the wanted end of validity; None if the CA chooses."""
    preferred_chain: str | None = None
    """The common name of the wanted root, if the CA offers several chains; None for the first chain."""
    renew_before: RenewBefore | None = None
    """When to renew. None means a third of the lifetime before the expiry, or half of it for a short lifetime."""
    routes: tuple[Route, ...] = ()
    """The routes to try, in order."""
    propagation: Propagation = Propagation()
    """How to wait for DNS."""
    before: tuple[str, ...] = ()
    """The program that frees the port of a ``listen`` route, and its arguments."""
    after: tuple[str, ...] = ()
    """The program that runs afterwards, even after a failure."""
    deploy: tuple[Deployment | Callable[[Certificate], object], ...] = ()
    """The entries of ``deploy``: where a new certificate is deployed."""
    notify: bool = True
    """Whether the addresses of ``[notify]`` get messages about it."""


# ── store address ──────────────────────────────────────────────────────────────────────

# Where the store of a fleet is: the address of a database, and its password.

SCHEMES: Final = ("postgresql://", "postgres://")
"""The beginnings of the address of a database."""


class StoreAddress(Frozen, public=True, hidden=("password",)):
    """The address of a database that the machines of a fleet share. ``str()`` is its URL, which has no password."""

    url: str
    """Its URL, as libpq reads it: ``postgresql://USER@HOST[:PORT]/DATABASE``."""
    password: Secret | None
    """The password of the role; a plain text becomes a :class:`Secret`.

    None if the server requires no password, or libpq finds it, as in ``~/.pgpass``.
    """

    def __init__(self, url: str, password: Secret | str | None = None) -> None:
        if isinstance(password, str):
            password = Secret(password)
        super().__init__(url=url, password=password)

    def __str__(self) -> str:
        return self.url

    def read_password(self) -> str | None:
        """Return the password, or None without one.

        :raises SecretError: ``secret-missing``.
        """
        return None if self.password is None else self.password.reveal()


def has_password(url: str) -> bool:
    """Return whether the URL of a database contains a password, which logs and process lists would show."""
    try:
        parts = urlsplit(url)
    except ValueError:  # the rules of RFC 3986 do not apply; a colon before an @ is enough
        return ":" in url.partition("://")[2].rpartition("@")[0]
    user, at, _ = parts.netloc.rpartition("@")
    return (bool(at) and ":" in user) or any("password" in key.lower() for key, _ in parse_qsl(parts.query, True))


# ── deployment ─────────────────────────────────────────────────────────────────────────

# The configured deployments of a new certificate, and their results.


class Deployment:
    """One entry of ``deploy``: a server that gets every new certificate.

    :param to: the kind of target: ``files``, ``pkcs12``, ``hfs`` … or the name of an entry point.
    :param options: the options of the target, unchanged; a secret is a ``str`` or a :class:`Secret`.
    """

    __module__ = "dnsrenew"
    __slots__ = {
        "folder": "The folder of the configuration, below which missing folders are made: set when one is read.",
        "options": "The options of the target.",
        "programs": "Where the programs are that the target runs by itself, by name: set when a configuration is read.",
        "to": "The kind of target.",
    }
    folder: str
    options: dict[str, Any]
    programs: dict[str, str]
    to: str

    def __init__(self, to: str, /, **options: Any) -> None:
        self.to = to
        self.options = dict(options)
        self.programs = {}
        self.folder = ""

    def __repr__(self) -> str:
        """Omit the options, because any may be a secret."""
        return f"Deployment({self.to!r})"

    def __eq__(self, other: object) -> bool:
        """Compare the kind of target and the options."""
        if not isinstance(other, Deployment):
            return NotImplemented
        return (self.to, self.options) == (other.to, other.options)

    def __hash__(self) -> int:
        return hash(self.to)


class DeploymentResult(Result, kw_only=True, public=True):
    """The result of one entry of ``deploy``."""

    to: str
    """The kind of target, such as ``files``."""
    target: str
    """The target itself, such as a path or a URL."""
    ok: bool
    """Whether the target has the certificate, and serves it if this was verified."""
    changed: bool = False
    """Whether anything was written or activated; False for a run that did not try it."""
    served: bool | None = None
    """Whether every port of ``verify`` serves it; None if no port was verified."""
    rolled_back: bool = False
    """Whether the old certificate was put back."""
    seconds: float = 0.0
    """The duration in seconds; 0 for a run that did not try it."""
    error: DnsRenewError | None = None
    """Why the target does not have it, usually a :class:`~dnsrenew.DeployError`; None after a success."""


# ── certificate ────────────────────────────────────────────────────────────────────────

# A certificate in the store, as an immutable value.

_PATHS: Final = ("path", "certificate_path", "chain_path", "fullchain_path", "private_key_path")


class Certificate(Frozen, kw_only=True, public=True):
    """A certificate in the store. All its paths point into one version, so the certificate matches the key.

    A renewal does not change this value, because it creates a new version in another folder. The store keeps the last
    three versions. After three renewals (some months), these paths no longer exist, and reading them raises
    ``FileNotFoundError``. If your program runs longer, call :func:`obtain` or :meth:`Renewer.certificate` again. Let
    other programs use the files in ``path``.

    If the store is a database, all paths are None, and the value has its PEM texts in memory.
    """

    name: str
    """Its name in the configuration and in the store."""
    domains: tuple[str, ...]
    """Its domains, as written in the configuration."""
    issuer: str
    """The issuer: the subject name of the CA's certificate."""
    serial: str
    """The serial number, hexadecimal in lower case."""
    not_before: datetime
    """The start of the validity, in UTC."""
    not_after: datetime
    """The end of the validity, in UTC."""
    path: Path | None
    """The ``current`` folder for other programs, which always has the newest version; None if the store is a database.
    """
    certificate_path: Path | None
    """The certificate alone, PEM; None if the store is a database."""
    chain_path: Path | None
    """The rest of the chain, PEM, which may be empty; None if the store is a database."""
    fullchain_path: Path | None
    """The certificate and its chain, PEM: the file for most servers. It exists until three renewals later.

    None if the store is a database.
    """
    private_key_path: Path | None
    """The private key, PEM (PKCS#8, not encrypted). It exists until three renewals later.

    None if the store is a database, or the key is elsewhere (``csr``).
    """

    @property
    def fullchain_pem(self) -> str:
        """The certificate and its chain, leaf first. Files are read on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        """
        return _read(self.fullchain_path)

    @property
    def private_key_pem(self) -> str:
        """The private key, unencrypted PKCS#8. Files are read on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        :raises StoreError: ``no-private-key``: it was ordered with your own request (``csr``).
        """
        if not self.has_private_key:
            raise StoreError.of(texts.NO_PRIVATE_KEY, name=self.name)
        return _read(self.private_key_path)

    @property
    def has_private_key(self) -> bool:
        """Whether its private key is in the store. It is not if it was ordered with your own request (``csr``)."""
        return self.private_key_path is not None

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new server-side context with this certificate; a later renewal does not change it.

        :raises OSError: a file cannot be read, or its version was deleted.
        :raises ssl.SSLError: a file was modified, so that the certificate and the key do not match.
        :raises StoreError: ``no-private-key``.
        """
        import ssl  # slow to import, and few programs need it

        if not self.has_private_key:
            raise StoreError.of(texts.NO_PRIVATE_KEY, name=self.name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if self.fullchain_path is not None:
            context.load_cert_chain(self.fullchain_path, self.private_key_path)
        else:
            with memory_file((self.private_key_pem + self.fullchain_pem).encode("ascii")) as path:
                context.load_cert_chain(path)
        return context


class DatabaseCertificate(Certificate, kw_only=True, hidden=("pems",)):
    """A certificate from a database.

    :ivar pems: the certificate with its chain, and the private key.
    """

    pems: tuple[str, str]

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{**dict.fromkeys(_PATHS), **fields})

    @property
    def has_private_key(self) -> bool:
        """See :attr:`Certificate.has_private_key`."""
        return bool(self.pems[1])

    @property
    def fullchain_pem(self) -> str:
        """See :attr:`Certificate.fullchain_pem`."""
        return self.pems[0]

    @property
    def private_key_pem(self) -> str:
        """See :attr:`Certificate.private_key_pem`."""
        if not self.has_private_key:
            raise StoreError.of(texts.NO_PRIVATE_KEY, name=self.name)
        return self.pems[1]


def _read(path: Path | None) -> str:
    return "" if path is None else path.read_text("ascii")


# ── account ────────────────────────────────────────────────────────────────────────────

# An account at a CA, created by ``acme`` and kept by ``store``.

THUMBPRINTS: Final = "thumbprints"
"""The key in the account's data for the thumbprints (RFC 7638) of all keys that the account has had."""


class AccountData(Frozen, hidden=("key_pem", "next_key_pem")):
    """An ACME account.

    :ivar key_pem: the private key of the account; never in a repr.
    :ivar url: the account URL; None if unknown, because the CA finds the account by its key (RFC 8555 section 7.3.1).
    :ivar contact: the contact URLs that the CA has.
    :ivar data: other data of the ACME client, as JSON values.
    :ivar next_key_pem: the new key of an unfinished key change (RFC 8555 section 7.3.5), which the CA may or may not
        have accepted, or None.
    """

    key_pem: bytes
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_key_pem: bytes | None = None


# ── PEM ─────────────────────────────────────────────────────────────────────────────────

_END: Final = "-----END CERTIFICATE-----"
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


def split_chain(fullchain_pem: str) -> tuple[str, str]:
    """Return the leaf and the rest of a chain, each as PEM; the rest may be empty.

    :raises ValueError: the text contains no certificate.
    """
    leaf, *rest = blocks(fullchain_pem)
    return leaf, "".join(rest)


def blocks(pem: str) -> list[str]:
    """Return the PEM of each certificate, without text between them."""
    blocks = [_BEGIN + part.split(_BEGIN, 1)[1] + _END + "\n" for part in pem.split(_END) if _BEGIN in part]
    if not blocks:
        raise ValueError(texts.NO_CERTIFICATE)
    return blocks
