"""Names of certificates in a call or on a command line: whole names, or patterns such as ``web-*``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final, Protocol

from dnsrenew.base import extensions
from dnsrenew.base.model import CertificateSpec, StoreAddress
from dnsrenew.base.names import InvalidName, to_a_labels
from dnsrenew.base.validation import nearest
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.errors import ConfigError
from dnsrenew.operations import texts
from dnsrenew.store import FolderStore, Store
from dnsrenew.store.folder_store import open_store
from dnsrenew.store.records import Debts

_PATTERN: Final = frozenset("*?[")
"""Characters that occur in no name."""


def selected(wanted: Iterable[str] | None, known: Sequence[str]) -> Collection[str]:
    """Return the selected ones of the known names. None selects all.

    :raises ConfigError: ``certificate-unknown``: a name is not known, or no known name matches a pattern.
    """
    if wanted is None:
        return set(known)
    found: set[str] = set()
    names = set(known)
    for name in [wanted] if isinstance(wanted, str) else wanted:
        matches = _matches(name, known) if is_pattern(name) else {name, _in_ascii(name)} & names
        if not matches:
            raise unknown_certificate(name, known)
        found |= matches
    return found


def _in_ascii(name: str) -> str:
    """Return the ASCII name of a certificate that is named after its domain, for a name in other letters."""
    try:
        return name if name.isascii() else to_a_labels(name)
    except InvalidName:
        return name


def unknown_certificate(name: object, known: Sequence[str], *, patterns: bool = True) -> ConfigError:
    """Return the error for a name or pattern that matches no certificate.

    :param patterns: whether patterns are allowed. If not, the pattern counts as an unknown name.
    """
    name = str(name)
    similar = None if is_pattern(name) else nearest(name, list(known))
    if not known:
        text = texts.CERTIFICATE_UNKNOWN_NONE
    elif patterns and is_pattern(name):
        text = texts.NO_MATCH
    elif similar:
        text = texts.CERTIFICATE_UNKNOWN_NEAREST
    else:
        text = texts.CERTIFICATE_UNKNOWN if len(known) <= 8 else texts.CERTIFICATE_UNKNOWN_MANY
    return ConfigError.of(text, name=name, nearest=similar, known=list(known), count=len(known))


def is_pattern(name: object) -> bool:
    """Return whether a name is a pattern."""
    return isinstance(name, str) and not _PATTERN.isdisjoint(name)


def _matches(pattern: str, known: Iterable[str]) -> set[str]:
    pattern = pattern.lower()
    return {name for name in known if fnmatchcase(name, pattern)}


# ── certificates that several machines share ────────────────────────────────────────────

Warn = Callable[[str, str, str], object]
"""Called with the code, message and fix of a warning."""


class UnreadableCertificate(Frozen):
    """A certificate of the fleet that this configuration cannot renew.

    :ivar error: the reason: the configuration lacks an account or a CA, or the document has mistakes.
    """

    name: str
    domains: tuple[str, ...]
    ca: str
    error: ConfigError


class ChosenCertificates(Frozen):
    """The selected certificates of a call.

    :ivar stored: the names of certificates that are only stored.
    :ivar unreadable: certificates of the fleet that this configuration cannot renew.
    """

    specs: list[CertificateSpec]
    stored: list[str]
    unreadable: list[UnreadableCertificate]


class StoreKind(Protocol):
    """A kind of store that is not a folder."""

    def open(self, address: StoreAddress, seals: Callable[[], Sequence[bytes]]) -> Store:
        """Return the store without reading it yet.

        :raises ConfigError: a seal is invalid.
        :raises SecretError: a seal cannot be read.
        """

    def certificates(self, config: Config, store: Store) -> SharedCertificates:
        """Return the certificates of a configuration whose store is of this kind.

        :raises StoreError: the store cannot be used.
        """


class SharedCertificates(Protocol):
    """The certificates of a configuration whose store several machines share: its own tables and the shared ones.

    Every method raises StoreError if the store cannot be read.
    """

    def chosen(self, names: Iterable[str] | None, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return the certificates with these names or patterns. None means all.

        :param warn: called with the code, message and fix of a warning if some are left out.
        :raises ConfigError: ``certificate-unknown``, ``fleet-name-taken``, ``fleet-lacks``.
        """

    def chosen_with(self, names: Iterable[str] | None, stored: Iterable[str]) -> ChosenCertificates:
        """Return the certificates of :meth:`chosen`, including those that are only stored or cannot be renewed."""

    def one(self, name: str) -> CertificateSpec:
        """Return a certificate.

        :raises ConfigError: ``certificate-unknown``, ``fleet-lacks``.
        """

    def examined(self, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return the certificates that a diagnosis examines if the caller names none."""

    def only_stored(self, names: Iterable[str] | None) -> Mapping[str, str]:
        """Return the certificates that are stored but named nowhere, each with the program or file that asked last."""

    def domains_of(self, name: str) -> tuple[str, ...] | None:
        """Return the domains of a shared certificate; None if no shared certificate has this name."""

    def count(self) -> int:
        """Return the number of certificates."""

    def workers(self) -> int:
        """Return the number of workers that renew them."""

    def close(self) -> None:
        """Free all locks and close the connections of the store."""


def store_of(config: Config) -> Store:
    """Return the store of a configuration without reading it yet. Errors are the same as for :func:`open_store`."""
    store = open_store(config.store, insist=config.insist, seals=config.seals)
    if config.fleet is not None:
        store.debts = debts_of(config)
    return store


def debts_of(config: Config) -> Debts | None:
    """Return the debts of a fleet's runs on this machine; None if it has no folder for them."""
    local = "" if config.fleet is None else config.fleet.local
    return FolderStore(local, insist=config.insist).debts if local else None


def shared_certificates(config: Config, store: Store) -> SharedCertificates | None:
    """Return the certificates of a configuration whose store several machines share, or None for a folder.

    :param store: the store of the configuration.
    :raises StoreError: the store cannot be used.
    """
    if config.fleet is None:
        return None
    kind: StoreKind = next(extensions.plugged(lambda each: each.store))
    return kind.certificates(config, store)
