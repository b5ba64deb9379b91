"""The shared parts of drivers, for hosts with record identifiers, with values for each name, or with whole zones."""

from __future__ import annotations

import hashlib
import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.base.values import Frozen, grouped
from dnsrenew.drivers import host_api as api
from dnsrenew.drivers.host_api import HostDriver, HostError
from dnsrenew.errors import Text

T = TypeVar("T")


class TxtEntry(Frozen):
    """A TXT record of a host: its identifier, its absolute name, and its value without quotes."""

    identifier: Any
    name: str
    value: str


class _ZoneDriver(HostDriver):
    """A driver that remembers the identifiers of zones for the run."""

    def find_zone(self, zone: str) -> Any:
        """Return the identifier of a zone, given by its name without the final dot; default: that name.

        :raises HostError: ``provider-zone-unknown``, see :func:`~dnsrenew.drivers.host_api.unknown_zone`.
        """
        return zone

    def _zone(self, zone: str) -> Any:
        return self.remembered(("zone", zone), lambda: self.find_zone(zone))


class RecordDriver(_ZoneDriver, ABC):
    """Writes and removes values one by one. A driver defines the abstract methods, and ``create`` or ``create_all``.

    Identifiers of zones and of written records are remembered for the run. So N values of a zone need N requests to
    write and N to remove, and two more for the zone and its records.
    """

    unclear: ClassVar[Collection[int]] = ()
    """Statuses besides 404 that may answer the deletion of a missing record. Then the list of all records decides."""

    @abstractmethod
    def entries(self, zone: Any, owners: Collection[str]) -> Iterable[TxtEntry]:
        """Yield the TXT records at some absolute names, and records at other names if the API has no filter."""

    def create(self, zone: Any, record: TxtRecord) -> Any:
        """Create a record; return its identifier, or None if the host does not return it.

        A driver for a host that creates several at once defines :meth:`create_all` instead.
        """
        raise NotImplementedError

    def create_all(self, zone: Any, records: Sequence[TxtRecord]) -> Iterable[tuple[TxtRecord, Any]]:
        """Create records one by one, and yield each with its identifier as soon as it exists."""
        for record in records:
            yield record, self.create(zone, record)

    def delete(self, zone: Any, identifier: Any) -> None:
        """Delete a record.

        Default: below the path of the zone's records, which ``find_zone`` returns (or returns first).

        A driver for a host that deletes several at once defines :meth:`erase` instead.

        :raises HostError: status 404: the record does not exist.
        """
        self.json("DELETE", f"{_path_of(zone)}/{api.segment(identifier)}")

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""
        identifier = self._zone(zone)
        existing = self.existing(identifier, records)
        for record in records:
            if found := existing.get(key_of(record)):
                self.context.remembered[memory_of(record)] = found[0].identifier
        missing = [record for record in dict.fromkeys(records) if key_of(record) not in existing]
        for record, written in self.create_all(identifier, missing) if missing else ():
            if written is not None:
                self.context.remembered[memory_of(record)] = written

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the existing values."""
        identifier = self._zone(zone)
        unknown = self.delete_remembered(identifier, records)
        existing = self.existing(identifier, unknown) if unknown else {}
        keys = dict.fromkeys(map(key_of, unknown))
        if entries := [entry for key in keys for entry in existing.get(key, ())]:
            self.erase(identifier, entries)

    def erase(self, zone: Any, entries: Sequence[TxtEntry]) -> None:
        """Delete records, one by one."""
        for entry in entries:
            self._delete(zone, entry.identifier)

    def existing(self, zone: Any, records: Sequence[TxtRecord]) -> dict[Any, list[TxtEntry]]:
        """Return the records at the names of ``records``, by name and value."""
        return grouped(self.entries(zone, sorted({record.name for record in records})), key_of)

    def delete_remembered(self, zone: Any, records: Sequence[TxtRecord]) -> Sequence[TxtRecord]:
        """Delete the records that this run has written; return the missing ones."""
        remembered, left = self.context.remembered, []
        for record in records:
            identifier = remembered.pop(memory_of(record), None)
            if identifier is None or not self._delete(zone, identifier):
                left.append(record)
        return left

    def _delete(self, zone: Any, identifier: Any) -> bool:
        try:
            self.delete(zone, identifier)
        except HostError as error:
            if error.status_code != 404 and (
                error.status_code not in self.unclear
                or any(entry.identifier == identifier for entry in self.entries(zone, ()))
            ):
                raise
            return False
        return True


def txt_entries(
    items: Iterable[Any],
    zone: str = "",
    *,
    key: str = "id",
    name: str = "name",
    value: str = "content",
    kind: str = "type",
) -> Iterator[TxtEntry]:
    """Yield the TXT records among those of a host.

    :param zone: the zone to which the names are relative; "" if they are absolute.
    :param key: the field of a record with its identifier; "" if the deletion needs the record itself.
    :param kind: the field with its type; "" if all are TXT records.
    """
    for item in items:
        if not kind or api.pick(item, kind, kind=str).upper() == "TXT":
            shown, content = api.pick(item, name, kind=str), api.unquoted(api.pick(item, value, kind=str))
            identifier = identifier_of(item, key) if key else item
            yield TxtEntry(identifier, api.owner(shown, zone) if zone else shown, content)


def zone_among(items: Iterable[Any], zone: str, *, name: str = "name", key: str = "id") -> Any:
    """Return the identifier of a zone from the zones of the account.

    :param key: the field with the identifier; "" to return the zone itself.
    :raises HostError: ``provider-zone-unknown``.
    """
    for item in items:
        if api.is_named(api.pick(item, name, kind=str), zone):
            return identifier_of(item, key) if key else item
    raise api.unknown_zone(zone)


def identifier_of(item: Any, key: str = "id") -> int | str:
    """Return the identifier of a record or a zone: a number or a text."""
    found = item.get(key) if isinstance(item, dict) else None
    if not isinstance(found, int | str):
        raise api.malformed_field(key)
    return found


class RecordSet(Frozen):
    """The TXT values of a name, as the host has them.

    :ivar name: absolute, with or without the final dot.
    :ivar contents: the values in the form of the host.
    :ivar shown: the record set as the host shows it; None if it does not exist yet.
    """

    name: str
    contents: Sequence[str]
    ttl: int
    shown: Any = None


class RecordSetDriver(_ZoneDriver):
    """Changes all values of a name together.

    A driver defines ``record_set`` or ``record_sets``, and ``body``, ``save`` and ``drop``, or ``change``. The existing
    values are read right before a change, and other values are written back unchanged. Two writers could lose each
    other's values, so the provider file says ``exclusive``.
    """

    def record_set(self, zone: Any, owner: str) -> RecordSet:
        """Return the TXT record set at an absolute name.

        :raises HostError: status 404: the record set does not exist.
        """
        raise NotImplementedError

    def record_sets(self, zone: Any, owners: Collection[str]) -> Iterable[RecordSet]:
        """Yield the TXT record sets at some absolute names, one by one.

        A driver for a host that lists them defines this instead of :meth:`record_set`. It may yield other sets too.
        """
        for name in owners:
            with suppress_missing():
                yield self.record_set(zone, name)

    update: ClassVar[str] = "PUT"
    """The method that replaces a record set. ``POST`` creates one."""

    def path(self, zone: Any, record_set: RecordSet) -> str:
        """Return the path of a record set, or the path at which a new one is created.

        Default: its identifier below the path of the zone's sets, which ``find_zone`` returns (or returns first).
        """
        place = _path_of(zone)
        return f"{place}/{api.segment(api.pick(record_set.shown, 'id', kind=str))}" if record_set.shown else place

    def body(self, record_set: RecordSet, contents: Sequence[str]) -> dict[str, Any]:
        """Return a record set for the API with other contents, keeping all its other fields."""
        raise NotImplementedError

    def save(self, zone: Any, record_set: RecordSet, contents: Sequence[str]) -> None:
        """Replace the values of a record set, in the form of the host."""
        method = self.update if record_set.shown else "POST"
        self.json(method, self.path(zone, record_set), content=self.body(record_set, contents))

    def drop(self, zone: Any, record_set: RecordSet) -> None:
        """Delete a record set.

        :raises HostError: status 404: the record set does not exist.
        """
        self.json("DELETE", self.path(zone, record_set))

    def change(self, zone: Any, changes: Sequence[tuple[RecordSet, Sequence[str]]]) -> None:
        """Write the new contents of record sets one by one. A set without contents is deleted.

        A driver for a host that changes several at once defines this instead of :meth:`save` and :meth:`drop`.
        """
        for record_set, contents in changes:
            if contents:
                self.save(zone, record_set, contents)
            else:
                with suppress_missing():
                    self.drop(zone, record_set)

    quotes: ClassVar[bool] = True
    """Whether the host expects values in quotes."""

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Add the values that do not exist yet to the record sets of their names."""

        def more(record_set: RecordSet, values: Collection[str]) -> Sequence[str]:
            present = {api.unquoted(content) for content in record_set.contents}
            new = (api.quoted(value) if self.quotes else value for value in values if value not in present)
            return [*record_set.contents, *new]

        self._change(zone, records, more)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the values from the record sets of their names. An empty set is deleted."""

        def fewer(record_set: RecordSet, values: Collection[str]) -> Sequence[str]:
            return [content for content in record_set.contents if api.unquoted(content) not in values]

        self._change(zone, records, fewer)

    def _change(
        self, zone: str, records: Sequence[TxtRecord], wanted: Callable[[RecordSet, Collection[str]], Sequence[str]]
    ) -> None:
        """Change the record sets whose contents differ from the wanted ones."""
        identifier, by_name = self._zone(zone), grouped(records, lambda record: _owner(record.name))
        owners = sorted(same[0].name for same in by_name.values())
        found = {_owner(each.name): each for each in self.record_sets(identifier, owners)}
        changes = []
        for labels, same in by_name.items():
            record_set = found.get(labels) or RecordSet(same[0].name, (), max(record.ttl for record in same))
            contents = wanted(record_set, dict.fromkeys(record.value for record in same))
            if len(contents) != len(record_set.contents):
                changes.append((record_set, contents))
        self.change(identifier, changes)


@contextmanager
def suppress_missing() -> Iterator[None]:
    """Leave the block if the host answers that the record does not exist (status 404)."""
    try:
        yield
    except HostError as error:
        if error.status_code != 404:
            raise


def _path_of(zone: Any) -> str:
    return str(zone if isinstance(zone, str) else zone[0])


def _owner(name: str) -> tuple[str, ...]:
    return tuple(names.labels(name))


def key_of(record: TxtRecord | TxtEntry) -> tuple[tuple[str, ...], str]:
    """Return the name, as labels, and the value of a record."""
    return _owner(record.name), record.value


def memory_of(record: TxtRecord) -> tuple[str, str, str, str]:
    """Return the key under which the identifier of a written record is remembered."""
    return "record", record.zone, record.name, record.value


# ── batch driver ───────────────────────────────────────────────────────────────────────

# Hosts whose API creates several records of a zone in one request, and deletes several in one.


class BatchDriver(RecordDriver):
    """Writes any number of values of a zone in one request, and removes them in another.

    The ``identifier`` is the data that a removal needs. Existing records are read before each change, because a change
    with an existing or missing record may fail as a whole.
    """

    @abstractmethod
    def write(self, zone: Any, records: Sequence[TxtRecord]) -> None:
        """Create records that do not exist yet."""

    @abstractmethod
    def erase(self, zone: Any, entries: Sequence[TxtEntry]) -> None:
        """Delete records."""

    def create_all(self, zone: Any, records: Sequence[TxtRecord]) -> Sequence[tuple[TxtRecord, Any]]:
        """Create records at once."""
        self.write(zone, records)
        return ()

    def delete_remembered(self, zone: Any, records: Sequence[TxtRecord]) -> Sequence[TxtRecord]:
        """Look for all records, because an identifier may have changed."""
        return records


# ── rewrite driver ─────────────────────────────────────────────────────────────────────

# Hosts whose API only replaces a zone as a whole.


_Change = Callable[[list[Any], Mapping[tuple[str, str], TxtRecord]], list[Any]]


class RewriteDriver(HostDriver, ABC):
    """Reads a zone right before each change, and writes it back with every other record unchanged.

    :cvar empty: the text for a zone without records, because a zone in use is never empty.
    :cvar unsafe: the text for a zone that would lose something.
    """

    empty: ClassVar[Text]
    unsafe: ClassVar[Text]

    @abstractmethod
    def read(self, zone: str) -> tuple[Any, list[Any]]:
        """Return the settings and the records of a zone."""

    @abstractmethod
    def write(self, zone: str, settings: Any, items: list[Any]) -> None:
        """Replace the records of a zone."""

    @abstractmethod
    def txt(self, item: Any) -> tuple[str, str] | None:
        """Return the name, relative to the zone, and the value of a TXT record; None for another type."""

    @abstractmethod
    def new(self, record: TxtRecord) -> Any:
        """Return a record for the API."""

    @abstractmethod
    def lost(self, settings: Any, items: Sequence[Any]) -> list[str]:
        """Return what a zone would lose if it were written back, for people."""

    def add_to(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Write the values that do not exist yet."""

        def more(items: list[Any], wanted: Mapping[tuple[str, str], TxtRecord]) -> list[Any]:
            known = {self.txt(item) for item in items}
            return [*items, *(self.new(record) for key, record in wanted.items() if key not in known)]

        self._change(zone, records, more)

    def remove_from(self, zone: str, records: Sequence[TxtRecord]) -> None:
        """Remove the existing values."""
        self._change(zone, records, lambda items, unwanted: [item for item in items if self.txt(item) not in unwanted])

    def _change(self, zone: str, records: Sequence[TxtRecord], change: _Change) -> None:
        settings, existing = self.read(zone)
        wanted = change(existing, {(api.label(record), record.value): record for record in records})
        if len(wanted) == len(existing):
            return
        if not existing:
            raise self.error(self.empty, zone=zone)
        if lost := self.lost(settings, existing):
            raise self.error(self.unsafe, zone=zone, lost=lost)
        self.write(zone, settings, wanted)


# ── signatures ─────────────────────────────────────────────────────────────────────────


def digest(data: str | bytes) -> str:
    """Return the SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def keyed(key: str | bytes, data: str | bytes) -> bytes:
    """Return the HMAC-SHA256 of a text."""
    secret, text = (each.encode() if isinstance(each, str) else each for each in (key, data))
    return hmac.digest(secret, text, hashlib.sha256)


def portions(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield items in portions of limited size."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
