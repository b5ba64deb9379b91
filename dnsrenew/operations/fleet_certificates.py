"""The certificates of a fleet as values: read from their documents, with the accounts and CAs of a configuration."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base.values import Frozen
from dnsrenew.errors import ConfigError
from dnsrenew.operations import texts
from dnsrenew.operations.selection import is_pattern
from dnsrenew.store.database.wanted import WantedCertificate, WantedCertificates

if TYPE_CHECKING:
    from dnsrenew.config import Config
    from dnsrenew.config.documents import CertificateDocuments
    from dnsrenew.model import CertificateSpec
    from dnsrenew.store import Store

_logger = logging.getLogger("dnsrenew.operations.fleet_certificates")

_EXAMINED: Final = 20
"""Overdue certificates that are looked at where nobody has named any."""


class FleetCertificates(Frozen):
    """The certificates of a configuration whose store is a database: those of its tables, and those of the fleet."""

    config: Config
    wanted: WantedCertificates

    @property
    def _documents(self) -> CertificateDocuments:
        if self.config.fleet is None:
            raise TypeError("the store of this configuration is a folder")
        return self.config.fleet.documents

    def spec_of(self, document: Mapping[str, Any]) -> CertificateSpec:
        """Return the certificate that a document describes.

        :raises ConfigError: ``config-invalid``: it has mistakes, or the configuration lacks an account or a CA;
            ``config-untrusted``: others can change a program that it names.
        """
        return self._documents.spec(document)

    def lacks(self, document: Mapping[str, Any]) -> list[str]:
        """Return the tables that a document needs and the configuration lacks: ``dns.NAME``, ``ca.NAME``, ``dns``."""
        return self._documents.lacks(document)

    def find(self, name: str) -> CertificateSpec | None:
        """Return a certificate of the fleet, or None.

        :raises ConfigError: as :meth:`spec_of`.
        """
        found = self.wanted.get(name)
        return None if found is None else self.spec_of(found.document)

    def all(self, tag: str | None = None) -> Iterator[CertificateSpec]:
        """Give the certificates of the fleet in the order of their names, reading as it goes.

        Those whose accounts or CAs the configuration lacks are left out, as a worker does, and those with mistakes are
        too, with a line in the log.
        """
        return (spec for each in self.wanted.all(tag) if (spec := self._readable(each)) is not None)

    def _readable(self, wanted: WantedCertificate) -> CertificateSpec | None:
        if self.lacks(wanted.document):
            return None
        try:
            return self.spec_of(wanted.document)
        except ConfigError as error:
            _logger.warning("the certificate %s of the fleet is left out: %s", wanted.name, error.message)
            return None

    # ── those of the tables too ─────────────────────────────────────────────────────────

    def chosen(self, names: Iterable[str] | None) -> list[CertificateSpec]:
        """Return the certificates with these names, or that match these patterns; None: all.

        Those of the tables come first, in their order. A table that stands in the fleet too (``fleet sync``) is there
        once.

        :raises ConfigError: ``certificate-unknown``; ``fleet-name-taken``: a name is that of a table and was added to
            the fleet; as :meth:`find`.
        """
        self.check_names()
        if names is None:
            return [*self._tables.values(), *self._others()]
        found: dict[str, CertificateSpec] = {}
        for name in [names] if isinstance(names, str) else names:
            found |= self._matching(name) if is_pattern(name) else {name: self.one(name)}
        return [*(spec for spec in self._tables.values() if spec.name in found), *self._not_in_tables(found)]

    def chosen_with(
        self, names: Iterable[str] | None, stored: Iterable[str]
    ) -> tuple[list[CertificateSpec], list[str]]:
        """Return as :meth:`chosen` does, and the names of those that are only stored.

        :param stored: the names of those that are only stored.
        """
        if names is None:
            return self.chosen(None), list(stored)
        wanted = [names] if isinstance(names, str) else list(names)
        left = [each for each in stored if any(_is_meant(each, name) for name in wanted)]
        specs: list[CertificateSpec] = []
        for name in wanted:
            try:
                specs += self.chosen([name])
            except ConfigError:
                if not any(_is_meant(each, name) for each in left):
                    raise
        tables = self._tables
        unique = {spec.name: spec for spec in specs}
        return [*(tables[name] for name in tables if name in unique), *self._not_in_tables(unique)], left

    def one(self, name: str) -> CertificateSpec:
        """Return a certificate of a table or of the fleet.

        :raises ConfigError: ``certificate-unknown``; as :meth:`find`.
        """
        spec = self._tables.get(name) or self.find(name)
        if spec is None:
            raise ConfigError.of(texts.NOT_IN_FLEET, name=name)
        return spec

    def examined(self) -> list[CertificateSpec]:
        """Return those of the tables, and some of the fleet that have waited the longest for a worker."""
        overdue = [self.wanted.get(name) for name in self.wanted.overdue(_EXAMINED)]
        specs = {each.name: self._readable(each) for each in overdue if each is not None}
        return [*self._tables.values(), *(spec for name, spec in specs.items() if spec and name not in self._tables)]

    def check_names(self) -> None:
        """Refuse tables whose names were added to the fleet.

        :raises ConfigError: ``fleet-name-taken``.
        """
        taken = self.wanted.added_by_name(list(self._tables)) if self._tables else []
        if taken:
            raise ConfigError.of(texts.NAME_TAKEN, names=taken, name=taken[0], path=str(self.config.path or ""))

    @property
    def _tables(self) -> dict[str, CertificateSpec]:
        return {spec.name: spec for spec in self.config.certificates}

    def _others(self) -> Iterator[CertificateSpec]:
        tables = self._tables
        return (spec for spec in self.all() if spec.name not in tables)

    def _matching(self, pattern: str) -> dict[str, CertificateSpec]:
        specs = itertools.chain(self._tables.values(), self._others())
        found = {spec.name: spec for spec in specs if fnmatchcase(spec.name, pattern.lower())}
        if not found:
            raise ConfigError.of(texts.NO_MATCH, name=pattern)
        return found

    def _not_in_tables(self, found: Mapping[str, CertificateSpec]) -> list[CertificateSpec]:
        tables = self._tables
        return [spec for name, spec in sorted(found.items()) if name not in tables]


def _is_meant(name: str, wanted: str) -> bool:
    """Tell whether a name is the one that is wanted, or matches that pattern."""
    return name == wanted or (is_pattern(wanted) and fnmatchcase(name, wanted.lower()))


def fleet_certificates(config: Config, store: Store) -> FleetCertificates:
    """Return the certificates of a configuration whose store is a database.

    :param store: the store of the configuration.
    """
    from dnsrenew.store.database.database_store import DatabaseStore

    if not isinstance(store, DatabaseStore):
        raise TypeError("the store of this configuration is a folder")
    return FleetCertificates(config, WantedCertificates(store.database))
