"""The certificates of a fleet as values: read from their documents, with the accounts and CAs of a configuration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from dnsrenew.base.model import CertificateSpec, StoreAddress
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.config.documents import CertificateDocuments
from dnsrenew.config.schema import as_table
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet.database.connection import Database
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.seal import Seals
from dnsrenew.extensions.fleet.database.wanted import WantedCertificate, WantedCertificates
from dnsrenew.operations import texts
from dnsrenew.operations.selection import ChosenCertificates, UnreadableCertificate, Warn, is_pattern
from dnsrenew.store import Store

_EXAMINED: Final = 20
"""Number of certificates examined when none is named."""
_NAMED: Final = 5
"""The number of names in a warning; the rest is counted."""


_Read = CertificateSpec | UnreadableCertificate


class FleetCertificates(Frozen):
    """The certificates of a configuration whose store is a database: its own tables and the fleet."""

    config: Config
    store: DatabaseStore
    wanted: WantedCertificates
    documents: CertificateDocuments

    def chosen(self, names: Iterable[str] | None, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return the certificates with these names or patterns. None means all.

        Certificates in tables come first, in their order. A table that is also in the fleet (``fleet sync``) is listed
        once. Certificates that this configuration cannot renew are left out, unless they were named.

        :param warn: called with the code, message and fix of a warning if some are left out.
        :raises ConfigError: ``certificate-unknown``; ``fleet-name-taken``: a name of a table was added to the fleet; or
            the errors of :meth:`one`.
        """
        named = _listed(names)
        found = self.chosen_with(named, ())
        for each in found.unreadable:
            if each.name in (named or ()):
                raise each.error
        return _readable(found.specs, found.unreadable, warn)

    def chosen_with(self, names: Iterable[str] | None, stored: Iterable[str]) -> ChosenCertificates:
        """Return the certificates of :meth:`chosen`, including those that are only stored or cannot be renewed.

        :param stored: the names of certificates that are only stored.
        """
        tables, wanted, left = self._tables, _listed(names), list(stored)
        taken = self.wanted.added_by_name(list(tables)) if tables else []
        if taken:
            raise ConfigError.of(texts.NAME_TAKEN, names=taken, name=taken[0], path=str(self.config.path or ""))
        chosen: dict[str, _Read] = {}
        if wanted is None:
            chosen = {found.name: found for found in self._everything()}
        else:
            left = [each for each in left if any(_is_meant(each, name) for name in wanted)]
        for name in wanted or ():
            try:
                chosen |= self._matching(name) if is_pattern(name) else {name: self._one(name)}
            except ConfigError:
                if not any(_is_meant(each, name) for each in left):
                    raise
        ordered = [*(chosen[name] for name in tables if name in chosen)]
        ordered += [found for name, found in sorted(chosen.items()) if name not in tables]
        specs, unreadable = _parted(ordered)
        return ChosenCertificates(specs, left, unreadable)

    def only_stored(self, names: Iterable[str] | None) -> dict[str, str]:
        """Return the certificates that are stored but named nowhere, each with its last asker.

        :param names: only certificates with these names or patterns; None for all.
        """
        wanted, tables = _listed(names), self._tables
        found = self.wanted.only_stored(None if wanted is None or any(map(is_pattern, wanted)) else wanted)
        return {
            name: asked_by
            for name, asked_by in found.items()
            if name not in tables and (wanted is None or any(_is_meant(name, each) for each in wanted))
        }

    def one(self, name: str) -> CertificateSpec:
        """Return a certificate of a table or of the fleet.

        :raises ConfigError: ``certificate-unknown``; ``fleet-lacks``: the configuration lacks an account or a CA;
            ``config-invalid``, ``document-refused``: its document has mistakes; ``config-untrusted``: others can change
            its program.
        """
        found = self._one(name)
        if isinstance(found, UnreadableCertificate):
            raise found.error
        return found

    def examined(self, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return the certificates in tables, and twenty of the fleet: failing ones first, then the ones due first.

        :param warn: as for :meth:`chosen`.
        """
        tables = self._tables
        troubled = self.wanted.troubled(_EXAMINED, without=[*tables])
        specs, unreadable = _parted(list(map(self._read, troubled)))
        return _readable([*tables.values(), *specs], unreadable, warn)

    def domains_of(self, name: str) -> tuple[str, ...] | None:
        """Return the domains of a certificate of the fleet, or None if the fleet has no such certificate."""
        found = self.wanted.get(name)
        return None if found is None else found.domains

    def workers(self) -> int:
        """Return the number of live workers."""
        return self.wanted.workers()

    def close(self) -> None:
        """Free all locks and close the connections of the store."""
        self.store.close()

    def count(self) -> int:
        """Return the number of certificates, including tables."""
        return len(self._tables) + self.wanted.count(without=[*self._tables])

    @property
    def _tables(self) -> dict[str, CertificateSpec]:
        return {spec.name: spec for spec in self.config.certificates}

    def _everything(self) -> Iterator[_Read]:
        tables = self._tables
        others = (each for each in self.wanted.all() if each.name not in tables)
        return itertools.chain(tables.values(), map(self._read, others))

    def _matching(self, pattern: str) -> dict[str, _Read]:
        found = {each.name: each for each in self._everything() if fnmatchcase(each.name, pattern.lower())}
        if not found:
            raise ConfigError.of(texts.NO_MATCH, name=pattern)
        return found

    def _one(self, name: str) -> _Read:
        if (spec := self._tables.get(name)) is not None:
            return spec
        wanted = self.wanted.get(name)
        if wanted is None:
            raise ConfigError.of(texts.NOT_IN_FLEET, name=name)
        return self._read(wanted)

    def _read(self, wanted: WantedCertificate) -> _Read:
        """Return the certificate, or the reason why this configuration cannot renew it."""
        try:
            if lacks := self.documents.lacks(wanted.document):
                path = str(self.config.path or "")
                text = texts.FLEET_LACKS if path else texts.FLEET_LACKS_IN_PYTHON
                raise ConfigError.of(text, name=wanted.name, tables=lacks, path=path)
            return self.documents.spec(wanted.document, wanted.name)
        except ConfigError as error:
            ca = {**self.documents.defaults, **(as_table(wanted.document) or {})}.get("ca")
            named = ca if isinstance(ca, str) and ca else self.config.default_ca
            return UnreadableCertificate(wanted.name, wanted.domains, named, error)


def _readable(
    specs: list[CertificateSpec], unreadable: Sequence[UnreadableCertificate], warn: Warn | None
) -> list[CertificateSpec]:
    """Return the renewable certificates, with a warning about the others."""
    if unreadable and warn is not None:
        names = [each.name for each in unreadable]
        shown = names if len(names) <= _NAMED else [*names[:_NAMED], "…"]
        warn(*texts.LEFT_OUT.fill(count=len(names), names=shown))
    return specs


def _parted(found: Sequence[_Read]) -> tuple[list[CertificateSpec], list[UnreadableCertificate]]:
    """Return the renewable certificates, and the certificates that this configuration cannot renew."""
    specs = [each for each in found if isinstance(each, CertificateSpec)]
    return specs, [each for each in found if isinstance(each, UnreadableCertificate)]


def _listed(names: Iterable[str] | None) -> list[str] | None:
    return [names] if isinstance(names, str) else names if names is None else list(names)


def _is_meant(name: str, wanted: str) -> bool:
    """Return whether a name equals the wanted one, or matches its pattern."""
    return name == wanted or (is_pattern(wanted) and fnmatchcase(name, wanted.lower()))


class DatabaseKind:
    """See :class:`dnsrenew.operations.selection.StoreKind`."""

    def open(self, address: StoreAddress, seals: Callable[[], Sequence[bytes]]) -> DatabaseStore:
        """Return the store in a database without reading it yet.

        :raises ConfigError: a seal is invalid.
        :raises SecretError: a seal cannot be read.
        """
        return DatabaseStore(Database(address), Seals(seals()))

    def certificates(self, config: Config, store: Store) -> FleetCertificates:
        """Return the certificates of a configuration whose store is a database.

        :raises StoreError: the database cannot be used: ``store-schema``, ``store-newer``, ``seal-wrong`` …
        """
        if not isinstance(store, DatabaseStore) or config.fleet is None:
            raise TypeError("the store of this configuration is a folder")
        store.check_ground()  # before any statement needs a table that may be missing
        return FleetCertificates(config, store, WantedCertificates(store.database), config.fleet.documents)


DATABASE: Final = DatabaseKind()
