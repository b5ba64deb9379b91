"""The Python API of a fleet."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Self

from dnsrenew.base.events import Emitter, Event
from dnsrenew.base.model import Certificate
from dnsrenew.base.runtime import Context
from dnsrenew.base.validation import check_listener
from dnsrenew.base.values import Frozen
from dnsrenew.config import Config
from dnsrenew.config.documents import TAGS
from dnsrenew.errors import Cancelled, ConfigError, DnsRenewError, StoreError
from dnsrenew.extensions.fleet import texts
from dnsrenew.extensions.fleet.adding import FleetAdder
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.wanted import WantedCertificates
from dnsrenew.extensions.fleet.serving.context import FleetContext
from dnsrenew.extensions.fleet.serving.server import ssl_context
from dnsrenew.extensions.fleet.status import FleetStatus, fleet_status
from dnsrenew.operations import selection
from dnsrenew.operations.event_log import EventLog
from dnsrenew.operations.selection import is_pattern
from dnsrenew.operations.texts import CERTIFICATE_MISSING

if TYPE_CHECKING:
    import ssl

_CACHE: Final = 10_000


class Fleet:
    """Certificates in a database that any number of machines share: adds and removes them, and serves them.

    Thread-safe. Workers (``dnsrenew worker``) obtain and renew its certificates. Its methods block; in asyncio, call
    them with :func:`asyncio.to_thread`. ``with Fleet(config) as fleet:`` closes it at the end.

    :param config: its ``store`` is a database. Certificates are added with its accounts and CAs, and with
        ``[fleet.defaults]``.
    :param on_event: called with every :class:`Event`, one at a time.
    :raises ConfigError: ``no-fleet``: the store is a folder; ``config-invalid``: a seal is not 32 bytes, ``on_event``
        cannot be called.
    :raises SecretError: ``secret-missing``: a seal cannot be read.
    """

    __module__ = "dnsrenew"

    def __init__(self, config: Config, *, on_event: Callable[[Event], object] | None = None) -> None:
        check_listener(on_event)
        self._config = config
        self._store = store_of(config)
        self._on_event = on_event
        self._contexts: weakref.WeakSet[FleetContext] = weakref.WeakSet()
        self._wanted = WantedCertificates(self._store.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(
        self,
        domains: str | Sequence[str],
        *,
        name: str | None = None,
        tags: str | Iterable[str] = (),
        **settings: Any,  # of a certificate, as in the configuration
    ) -> str:
        """Add a certificate, or change the one with this name. A worker obtains it within seconds.

        :param domains: the domains, and IP addresses.
        :param name: its name; default: the first domain, with ``_`` for ``*``.
        :param tags: the owners. An existing certificate is changed only with one of its tags. If it has no tags, any
            tags are allowed, and it gets them. Its domains can be in another certificate only if both share a tag, or
            if both have no tags. A wildcard counts as the names that it covers.
        :param settings: the keys of ``[[certificate]]``: ``routes``, ``key``, ``deploy`` … A secret must be a
            reference, such as ``Secret.env("NAME")``, because the database contains no secrets.
        :returns: the name.
        :raises ConfigError: ``config-invalid``, with all mistakes.
        :raises LockedError: another program adds certificates for longer than a minute.
        :raises StoreError: the database cannot be written.
        """
        given = {"name": name, "domains": domains, **settings}
        document = {key: value for key, value in given.items() if value is not None}
        document[TAGS] = tags if isinstance(tags, str) else list(tags)
        return adder(self._config, self._store, self._context()).add_one(document)

    def remove(self, name: str) -> None:
        """Remove a certificate from the fleet, with its versions and keys. Ten seconds later, no server has it.

        It stays valid at the CA. To end this, revoke it first (:meth:`Renewer.revoke`).

        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: the database cannot be written.
        """
        self._store.check_ground()
        if self._wanted.get(name) is None:
            raise not_wanted(self._wanted, name)
        self._wanted.remove([name])

    def certificate(self, name: str) -> Certificate:
        """Return the current certificate. Its PEM texts are in memory, and it has no files.

        :raises ConfigError: ``certificate-unknown``.
        :raises StoreError: ``certificate-missing``: it has not been obtained yet; or the database cannot be read.
        """
        self._store.check_ground()
        found = self._stored(name)
        if found is not None:
            return found
        if self._wanted.get(name) is None:
            raise ConfigError.of(texts.NAME_UNKNOWN, name=name)
        raise StoreError.of(CERTIFICATE_MISSING, name=name)

    def certificates(self, tag: str | None = None) -> Iterator[Certificate]:
        """Yield the current certificates in the order of their names, reading them on the way.

        Certificates that are not obtained yet are left out. Certificates that are only stored, which no worker renews,
        are included.

        :param tag: only certificates with this tag.
        :raises StoreError: the database cannot be read.
        """
        self._store.check_ground()
        names = self._wanted.stored() if tag is None else (each.name for each in self._wanted.all(tag))
        return (found for found in map(self._stored, names) if found is not None)

    def status(self, tag: str | None = None) -> FleetStatus:
        """Return the numbers of certificates, the live workers, and the remaining limits of the CAs.

        :param tag: count only certificates with this tag.
        :raises StoreError: the database cannot be read.
        """
        self._store.check_ground()
        documents = None if self._config.fleet is None else self._config.fleet.documents
        return fleet_status(self._store.database, self._config.cas, tag, documents, self._store.debts)

    def ssl_context(self, *, cache: int = _CACHE, on_unknown: Callable[[str], bool] | None = None) -> ssl.SSLContext:
        """Return a context for a server that has the newest certificate for every name of the fleet.

        It follows the database, so a certificate is served within two seconds of its issue. A handshake never waits for
        the database. Unknown names and clients without SNI get the alert ``unrecognized_name``. The first client of a
        name whose certificate is not in memory gets it too, and the certificate is then loaded. A server with a thread
        for each connection waits 50 ms for it.

        :param cache: the number of certificates in memory; each takes 30 kB.
        :param on_unknown: called in a separate thread with a name that the fleet does not have. If it returns True, the
            name is added. That handshake fails, and later ones succeed. Names are added at half the rate that the CA
            allows for the account.
        :raises StoreError: the database cannot be read.
        """
        context = ssl_context(
            self._config, self._store, self.add, cache=cache, on_unknown=on_unknown, on_event=self._on_event
        )
        self._contexts.add(context)
        return context

    def close(self) -> None:
        """Stop following the database for its contexts, and close the connections.

        A later call connects again. The contexts continue to serve the certificates in memory.
        """
        for context in list(self._contexts):
            context.close()
        self._store.close()

    def _stored(self, name: str) -> Certificate | None:
        return self._store.certificate(name, self._store.read_state(name))

    def _context(self) -> Context:
        clock = self._store.database.clock
        emitter = Emitter(clock, EventLog(), *([self._on_event] if self._on_event else []))
        return Context(clock=clock, cancel=threading.Event(), emitter=emitter)


def store_of(config: Config) -> DatabaseStore:
    """Return the store of a configuration of a fleet.

    :raises ConfigError: ``no-fleet``; ``config-invalid``: a seal is not 32 bytes.
    :raises SecretError: ``secret-missing``.
    """
    store = selection.store_of(config)
    if not isinstance(store, DatabaseStore):
        raise ConfigError.of(texts.NO_FLEET)
    return store


def adder(config: Config, store: DatabaseStore, context: Context) -> FleetAdder:
    """Return the object that adds certificates to the fleet of a configuration.

    :raises ConfigError: ``no-fleet``.
    """
    if config.fleet is None:
        raise ConfigError.of(texts.NO_FLEET)
    return FleetAdder(config, store, config.fleet.documents, context)


# ── removing ───────────────────────────────────────────────────────────────────────────

# Certificates that are removed from a fleet, and revoked first if wanted.


class RemovedCertificates(Frozen):
    """The result of a removal.

    :ivar failed: the certificates that could not be revoked, with the error; they are still in the fleet.
    :ivar revoked: the certificates that were revoked first.
    """

    removed: tuple[str, ...]
    failed: tuple[tuple[str, DnsRenewError], ...] = ()
    revoked: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        failed = [{"name": name, "error": error.to_dict()} for name, error in self.failed]
        return {"removed": list(self.removed), "failed": failed, "revoked": list(self.revoked)}


def chosen(wanted: WantedCertificates, names: Sequence[str], tag: str | None) -> list[str]:
    """Return the names of the certificates to remove.

    :param names: names, or patterns; empty: all with the tag.
    :raises ConfigError: ``certificate-unknown``.
    """
    if tag is not None:
        found = [each.name for each in wanted.all(tag)]
        if not found:
            raise ConfigError.of(texts.TAG_UNKNOWN, tag=tag)
        return found
    return list(dict.fromkeys(each for name in names for each in _named(wanted, name)))


def _named(wanted: WantedCertificates, name: str) -> list[str]:
    if not is_pattern(name):
        if wanted.get(name) is None:
            raise not_wanted(wanted, name)
        return [name]
    pattern = name.lower()
    found = [each.name for each in wanted.all() if fnmatchcase(each.name, pattern)]
    if not found:
        raise ConfigError.of(texts.NAME_NO_MATCH, name=name)
    return found


def not_wanted(wanted: WantedCertificates, name: str) -> ConfigError:
    """Return the error for a certificate that the fleet does not want, even if it is stored."""
    is_stored = wanted.only_stored([name])
    return ConfigError.of(texts.NAME_ONLY_STORED if is_stored else texts.NAME_UNKNOWN, name=name)


def remove(wanted: WantedCertificates, names: list[str], revoke: Callable[[str], object] | None) -> RemovedCertificates:
    """Remove certificates in one transaction.

    :param revoke: revokes a certificate first. One that cannot be revoked (or was never obtained) stays in the fleet.
    :raises StoreError: the database cannot be written; nothing was removed.
    :raises Cancelled: cancelled; nothing was removed, but some may be revoked.
    """
    revoked: list[str] = []
    failed: list[tuple[str, DnsRenewError]] = []
    for name in names:
        try:
            if revoke is not None:
                revoke(name)
                revoked.append(name)
        except Cancelled:
            raise
        except DnsRenewError as error:
            if error.code != CERTIFICATE_MISSING.code:
                failed.append((name, error))
    kept = {name for name, _ in failed}
    removed = [name for name in names if name not in kept]
    wanted.remove(removed)
    return RemovedCertificates(tuple(removed), tuple(failed), tuple(revoked))
