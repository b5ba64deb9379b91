"""The certificates of a fleet as values: read from their documents, with the accounts and CAs of a configuration."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.config.documents import CertificateDocuments
from dnsrenew.config.schema import as_table
from dnsrenew.errors import ConfigError
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.wanted import WantedCertificate, WantedCertificates
from dnsrenew.operations import texts
from dnsrenew.operations.selection import ChosenCertificates, UnreadableCertificate, Warn, is_pattern
from dnsrenew.store import Store

_EXAMINED: Final = 20
"""Number of certificates examined when none is named."""
_NAMED: Final = 5
"""Names in a warning; the rest is counted."""


_Read = CertificateSpec | UnreadableCertificate


class FleetCertificates(Frozen):
    """The certificates of a configuration whose store is a database: those of its tables, and those of the fleet."""

    config: Config
    store: DatabaseStore
    wanted: WantedCertificates

    @property
    def _documents(self) -> CertificateDocuments:
        if self.config.fleet is None:
            raise TypeError("the store of this configuration is a folder")
        return self.config.fleet.documents

    def find(self, name: str) -> CertificateSpec | None:
        """Return a certificate of the fleet, or None.

        :raises ConfigError: ``fleet-lacks``: the configuration lacks an account or a CA; ``config-invalid``,
            ``document-refused``: its document has mistakes; ``config-untrusted``: others can change a program of it.
        """
        wanted = self.wanted.get(name)
        return None if wanted is None else _must_be_readable(self._read(wanted))

    def all(self, tag: str | None = None) -> Iterator[CertificateSpec]:
        """Yield the certificates of the fleet in the order of their names, reading as it goes.

        Those that this configuration cannot renew are left out, as a worker does.
        """
        return (found for each in self.wanted.all(tag) if isinstance(found := self._read(each), CertificateSpec))

    def _read(self, wanted: WantedCertificate) -> _Read:
        """Return the certificate, or why this configuration cannot renew it."""
        try:
            if lacks := self._documents.lacks(wanted.document):
                path = str(self.config.path or "")
                text = texts.FLEET_LACKS if path else texts.FLEET_LACKS_IN_PYTHON
                raise ConfigError.of(text, name=wanted.name, tables=lacks, path=path)
            return self._documents.spec(wanted.document, wanted.name)
        except ConfigError as error:
            document = {**self._documents.defaults, **(as_table(wanted.document) or {})}
            ca = document.get("ca")
            named = ca if isinstance(ca, str) and ca else self.config.default_ca
            return UnreadableCertificate(wanted.name, wanted.domains, named, error)

    # ── those of the tables too ─────────────────────────────────────────────────────────

    def chosen(self, names: Iterable[str] | None, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return the certificates with these names, or that match these patterns; None: all.

        Those of the tables come first, in their order. A table that stands in the fleet too (``fleet sync``) is there
        once. Those that this configuration cannot renew are left out, unless they were named.

        :param warn: called with code, message and fix of a warning, if some are left out.
        :raises ConfigError: ``certificate-unknown``; ``fleet-name-taken``: a name is that of a table and was added to
            the fleet; as :meth:`find`.
        """
        named = names if names is None or isinstance(names, str) else list(names)
        found = self.chosen_with(named, ())
        wanted = {named} if isinstance(named, str) else set(named or ())
        for each in found.unreadable:
            if each.name in wanted:
                raise each.error
        self._warn(found.unreadable, warn)
        return found.specs

    def chosen_with(self, names: Iterable[str] | None, stored: Iterable[str]) -> ChosenCertificates:
        """Return as :meth:`chosen` does, and those that are only stored, and those that cannot be renewed.

        :param stored: the names of those that are only stored.
        """
        self.check_names()
        if names is None:
            return self._sorted({found.name: found for found in self._everything()}, stored)
        wanted = [names] if isinstance(names, str) else list(names)
        left = [each for each in stored if any(_is_meant(each, name) for name in wanted)]
        chosen: dict[str, _Read] = {}
        for name in wanted:
            try:
                chosen |= self._matching(name) if is_pattern(name) else {name: self._one(name)}
            except ConfigError:
                if not any(_is_meant(each, name) for each in left):
                    raise
        return self._sorted(chosen, left)

    def only_stored(self, names: Iterable[str] | None) -> dict[str, str]:
        """Return the certificates that nothing names, with what asked for each last.

        :param names: only those with these names, or that match these patterns; None: all.
        """
        wanted = [names] if isinstance(names, str) else names if names is None else list(names)
        if wanted is None or any(map(is_pattern, wanted)):
            found = self.wanted.only_stored()
        else:
            found = self.wanted.only_stored(wanted)
        tables = self._tables
        return {
            name: asked_by
            for name, asked_by in found.items()
            if name not in tables and (wanted is None or any(_is_meant(name, each) for each in wanted))
        }

    def one(self, name: str) -> CertificateSpec:
        """Return a certificate of a table or of the fleet.

        :raises ConfigError: ``certificate-unknown``; as :meth:`find`.
        """
        return _must_be_readable(self._one(name))

    def examined(self, warn: Warn | None = None) -> list[CertificateSpec]:
        """Return those of the tables, and twenty of the fleet: those that fail first, then those that are due first.

        :param warn: as for :meth:`chosen`.
        """
        tables = self._tables
        found = [self._read(each) for each in self.wanted.troubled(_EXAMINED, without=[*tables])]
        self._warn([each for each in found if isinstance(each, UnreadableCertificate)], warn)
        return [*tables.values(), *(spec for spec in found if isinstance(spec, CertificateSpec))]

    def domains_of(self, name: str) -> tuple[str, ...] | None:
        """Return the domains of a certificate of the fleet; None: no certificate there has this name."""
        found = self.wanted.get(name)
        return None if found is None else found.domains

    def workers(self) -> int:
        """Return how many workers are alive."""
        return self.wanted.workers()

    def close(self) -> None:
        """Free all locks and close the connections of the store."""
        self.store.close()

    def count(self) -> int:
        """Return how many there are, with those of the tables."""
        return len(self._tables) + self.wanted.count(without=[*self._tables])

    def _warn(self, unreadable: Sequence[UnreadableCertificate], warn: Warn | None) -> None:
        if not unreadable or warn is None:
            return
        names = [each.name for each in unreadable]
        shown = names if len(names) <= _NAMED else [*names[:_NAMED], "…"]
        warn(*texts.LEFT_OUT.fill(count=len(names), names=shown))

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

    def _sorted(self, chosen: Mapping[str, _Read], stored: Iterable[str]) -> ChosenCertificates:
        """Put those of the tables first, in their order."""
        tables = self._tables
        ordered = [*(chosen[name] for name in tables if name in chosen)]
        ordered += [found for name, found in sorted(chosen.items()) if name not in tables]
        return ChosenCertificates(
            [found for found in ordered if isinstance(found, CertificateSpec)],
            list(stored),
            [found for found in ordered if isinstance(found, UnreadableCertificate)],
        )


def _must_be_readable(found: _Read) -> CertificateSpec:
    if isinstance(found, UnreadableCertificate):
        raise found.error
    return found


def _is_meant(name: str, wanted: str) -> bool:
    """Return whether a name is the one that is wanted, or matches that pattern."""
    return name == wanted or (is_pattern(wanted) and fnmatchcase(name, wanted.lower()))


def fleet_certificates(config: Config, store: Store) -> FleetCertificates:
    """Return the certificates of a configuration whose store is a database.

    :param store: the store of the configuration.
    :raises StoreError: the database cannot be used: ``store-schema``, ``store-newer``, ``seal-wrong`` …
    """
    if not isinstance(store, DatabaseStore):
        raise TypeError("the store of this configuration is a folder")
    store.check_ground()  # before any statement asks for a table that may not be there
    return FleetCertificates(config, store, WantedCertificates(store.database))
