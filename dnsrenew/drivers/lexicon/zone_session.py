"""A call in lexicon's own process: records are written and removed with one of its providers.

``False`` of a provider is a failure. After an exception that may mean "exists already" or "does not exist", the list of
records decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from dnsrenew.base import names
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers.lexicon import patches

_MAYBE_DONE: Final = frozenset({"provider-refused", "provider-bug", "provider-zone-unknown"})
"""Errors that may mean "exists already" or "does not exist"; after any other the records are not listed."""


class NotDone(Exception):
    """The host did not do it and gave no reason.

    :ivar record: the record.
    """

    def __init__(self, record: TxtRecord) -> None:
        super().__init__(record)
        self.record = record


def perform(make: Callable[[Any], Any], request: Mapping[str, Any]) -> None:
    """Do what a request of the parent asks for, with one session of lexicon for each zone.

    :param make: the class of a provider of lexicon.
    :raises NotDone: the host gave no reason.
    """
    records = [TxtRecord(*each) for each in request["records"]]
    for (zone, ttl), group in groupby(sorted(records, key=_zone_and_ttl), key=_zone_and_ttl):
        with _session(make, request, names.relative(zone), ttl) as session:
            for record in group:
                patches.check()
                if request["action"] == "add":
                    _add(session, record, look_first=request["look_first"])
                else:
                    _remove(session, record, look_after=request["look_after"])


def _zone_and_ttl(record: TxtRecord) -> tuple[str, int]:
    return record.zone, record.ttl


@contextlib.contextmanager
def _session(make: Callable[[Any], Any], request: Mapping[str, Any], domain: str, ttl: int) -> Iterator[Any]:
    """Yield an authenticated provider of lexicon. It is a new one: they change their configuration as they go."""
    from lexicon.config import ConfigResolver

    resolver: Any = ConfigResolver  # lexicon has no annotations
    name = request["provider"]
    options = {"provider_name": name, "domain": domain, "delegated": domain, "ttl": ttl, name: request["options"]}
    provider = make(resolver().with_dict(options))
    provider.authenticate()
    try:
        yield provider
    finally:
        provider.cleanup()


def _add(session: Any, record: TxtRecord, *, look_first: bool) -> None:
    if look_first and _identifiers(session, record):
        return
    if not _change(session, record, lambda name: session.create_record("TXT", name, record.value), exists=True):
        raise NotDone(record)


def _remove(session: Any, record: TxtRecord, *, look_after: bool) -> None:
    def delete(name: str) -> Any:
        return session.delete_record(rtype="TXT", name=name, content=record.value)

    is_done = _change(session, record, delete, exists=False)
    if is_done and look_after and (left := _identifiers(session, record)):
        # The provider compared another form of the value (quoted, for example); the identifier is unambiguous.
        for identifier in filter(None, left):
            session.delete_record(identifier=identifier)
        is_done = not _identifiers(session, record)
    if not is_done:
        raise NotDone(record)


def _change(session: Any, record: TxtRecord, call: Callable[[str], Any], *, exists: bool) -> bool:
    """Make the call; return whether the value then exists, or not, as wanted, also after a failure.

    :param exists: whether the value is to exist.
    """
    try:
        if call(names.relative(record.name)) is not False:
            return True
    except Exception as error:
        from dnsrenew.drivers.error_mapping import classify  # late: most calls succeed

        if classify(error) not in _MAYBE_DONE:
            raise
        with contextlib.suppress(Exception):  # the first error is the one to report
            if bool(_identifiers(session, record)) is exists:
                return True
        raise
    return bool(_identifiers(session, record)) is exists


def _identifiers(session: Any, record: TxtRecord) -> list[Any]:
    """Return the host's identifiers of the value (usually one or none) from its list of records."""
    found = session.list_records("TXT", names.relative(record.name), None)
    return [item.get("id") for item in found if _has_value(item, record) and _has_name(item, record)]


def _has_value(item: dict[str, Any], record: TxtRecord) -> bool:
    """Compare the values; some hosts quote them in the list."""
    return str(item.get("content", "")).strip('"') == record.value


def _has_name(item: dict[str, Any], record: TxtRecord) -> bool:
    return names.labels(str(item.get("name", ""))) == names.labels(record.name)
