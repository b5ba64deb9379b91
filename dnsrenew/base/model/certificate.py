"""A certificate in the store, as an immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.files import memory_file
from dnsrenew.base.model import texts
from dnsrenew.base.values import Frozen, field
from dnsrenew.errors import StoreError

if TYPE_CHECKING:
    import ssl
    from datetime import datetime
    from pathlib import Path

_PATHS: Final = ("path", "certificate_path", "chain_path", "fullchain_path", "private_key_path")


class Certificate(Frozen, kw_only=True, public=True):
    """A certificate in the store. All its paths point into one version, so the certificate matches the key.

    A renewal does not change this value: it makes a new version in another folder. The store keeps the last three
    versions. After three renewals (some months) these paths no longer exist, and reading them raises
    ``FileNotFoundError``. A program that runs for longer calls :func:`obtain` or :meth:`Renewer.certificate` again;
    other programs get the files in ``path``.

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
    """The ``current`` folder, for other programs: it always has the newest version. None: the store is a database."""
    certificate_path: Path | None
    """The certificate alone, PEM; or None."""
    chain_path: Path | None
    """The rest of the chain, PEM; it may be empty. Or None."""
    fullchain_path: Path | None
    """The certificate and its chain, PEM: the file for most servers. It exists until three renewals later. Or None."""
    private_key_path: Path | None
    """The private key, PEM (PKCS#8, not encrypted). It exists until three renewals later. None: the store is a
    database, or the key is elsewhere (``csr``).
    """

    @property
    def fullchain_pem(self) -> str:
        """The certificate and its chain, leaf first; where there are files, read on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        """
        return _read(self.fullchain_path)

    @property
    def private_key_pem(self) -> str:
        """The private key, unencrypted PKCS#8; where there are files, read on every access.

        :raises OSError: the file cannot be read, or its version was deleted.
        :raises StoreError: ``no-private-key``: it was ordered with a request of yours (``csr``).
        """
        if not self.has_private_key:
            raise StoreError.of(texts.NO_PRIVATE_KEY, name=self.name)
        return _read(self.private_key_path)

    @property
    def has_private_key(self) -> bool:
        """Whether its private key is in the store; it is not if it was ordered with a request of yours (``csr``)."""
        return self.private_key_path is not None

    def ssl_context(self) -> ssl.SSLContext:
        """Return a new server-side context with this certificate; a later renewal does not change it.

        :raises OSError: a file cannot be read, or its version was deleted.
        :raises ssl.SSLError: a file was modified: the certificate and the key do not match.
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

# An account at a CA: created by ``ca``, kept by ``store``.

THUMBPRINTS: Final = "thumbprints"
"""A key of the account's data: the thumbprints (RFC 7638) of all keys that the account has had."""


class AccountData(Frozen, hidden=("key_pem", "next_key_pem")):
    """An ACME account.

    :ivar key_pem: the private key of the account; never in a repr.
    :ivar url: the account URL; None if it is unknown: the CA finds the account by its key (RFC 8555 section 7.3.1).
    :ivar contact: the contact URLs that the CA has.
    :ivar data: other data of ``ca``, as JSON values.
    :ivar next_key_pem: the new key of an unfinished key change (RFC 8555 section 7.3.5), which the CA may or may not
        have accepted; else None.
    """

    key_pem: bytes
    url: str | None = None
    contact: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    next_key_pem: bytes | None = None
