"""About 90 DNS hosts through dns-lexicon, with workarounds for its problems.

- It looks up no zone and loads no public suffix list: dnsrenew passes the zone and replaces the function that splits
  names.
- Its modules that the calling program may use stay unchanged: each provider module is loaded again, only for dnsrenew,
  with a ``requests`` that always has time-outs (:mod:`~dnsrenew.drivers.lexicon.loading`).
- Its providers are not thread-safe and modify their configuration: each call creates a new one.
- ``False`` is a failure. After an exception that may mean "exists already" or "does not exist", the list of records
  decides.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from lexicon.config import ConfigResolver

from dnsrenew.base import names
from dnsrenew.drivers.error_mapping import classify
from dnsrenew.drivers.lexicon import loading, shims, texts
from dnsrenew.errors import ProviderError
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.errors import Text
    from dnsrenew.model import TxtRecord

_LOGGERS: Final = ("lexicon", "tldextract", "filelock")
_MAYBE_DONE: Final = frozenset({"provider-refused", "provider-bug", "provider-zone-unknown"})
"""Errors that may mean "exists already" or "does not exist"; after any other the records are not listed."""


class LexiconDriver:
    """Writes through one of lexicon's providers.

    Driver options: ``provider`` (its name in lexicon); ``look_first`` (list the records before a write: it would write
    a value twice) and ``look_after`` (list them after a removal: it hides failures). All others are passed to lexicon.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        options = dict(context.driver_options)
        self._name = str(options.pop("provider", ""))
        self._lists_before_add = bool(options.pop("look_first", False))
        self._lists_after_remove = bool(options.pop("look_after", False))
        self._driver_options = options
        self._provider_class = loading.provider_class(self._name)
        for name in _LOGGERS:
            # Libraries should do this themselves: without a handler, Python prints warnings to standard error.
            logging.getLogger(name).addHandler(_NULL_HANDLER)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values one by one, with one session for each zone."""
        self._for_each(records, self._add)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values one by one, with one session for each zone."""
        self._for_each(records, self._remove)

    def _for_each(self, records: Sequence[TxtRecord], work: Callable[[Any, TxtRecord], None]) -> None:
        with shims.limited(self._seconds_left):
            for (zone, ttl), group in groupby(sorted(records, key=_zone_and_ttl), key=_zone_and_ttl):
                with self._session(zone, ttl) as session:
                    for record in group:
                        self._context.check()
                        work(session, record)

    @contextlib.contextmanager
    def _session(self, zone: str, ttl: int) -> Iterator[Any]:
        """Yield an authenticated provider of lexicon."""
        domain = names.relative(zone)
        resolver: Any = ConfigResolver  # lexicon has no annotations
        config = resolver().with_dict(
            {
                "provider_name": self._name,
                "domain": domain,
                "delegated": domain,
                "ttl": ttl,
                self._name: {**self._driver_options, **self._revealed()},
            }
        )
        provider = self._provider_class(config)
        provider.authenticate()
        try:
            yield provider
        finally:
            provider.cleanup()

    def _revealed(self) -> dict[str, str]:
        options = self._context.options
        return {key: (value.reveal() if isinstance(value, Secret) else value).strip() for key, value in options.items()}

    def _seconds_left(self) -> float:
        return 0.0 if self._context.cancel.is_set() else self._context.seconds_left()

    def _add(self, session: Any, record: TxtRecord) -> None:
        if self._lists_before_add and _identifiers(session, record):
            return
        if not self._change(
            session, record, lambda name: session.create_record("TXT", name, record.value), exists=True
        ):
            raise self._refusal(texts.NOT_WRITTEN, record)

    def _remove(self, session: Any, record: TxtRecord) -> None:
        is_done = self._change(
            session,
            record,
            lambda name: session.delete_record(rtype="TXT", name=name, content=record.value),
            exists=False,
        )
        if is_done and self._lists_after_remove and (left := _identifiers(session, record)):
            # The provider compared another form of the value (quoted, for example); the identifier is unambiguous.
            for identifier in filter(None, left):
                session.delete_record(identifier=identifier)
            is_done = not _identifiers(session, record)
        if not is_done:
            raise self._refusal(texts.NOT_REMOVED, record)

    def _change(self, session: Any, record: TxtRecord, call: Callable[[str], Any], *, exists: bool) -> bool:
        """Make the call; return whether the value then exists, or not, as wanted, also after a failure.

        :param exists: whether the value is to exist.
        """
        try:
            if call(names.relative(record.name)) is not False:
                return True
        except Exception as error:
            if classify(error) not in _MAYBE_DONE:
                raise
            with contextlib.suppress(Exception):  # the first error is the one to report
                if bool(_identifiers(session, record)) is exists:
                    return True
            raise
        return bool(_identifiers(session, record)) is exists

    def _refusal(self, text: Text, record: TxtRecord) -> ProviderError:
        zone, name = names.relative(record.zone), names.relative(record.name)
        return ProviderError.of(text, account=self._context.account, zone=zone, name=name)


_NULL_HANDLER: Final = logging.NullHandler()


def _zone_and_ttl(record: TxtRecord) -> tuple[str, int]:
    return record.zone, record.ttl


def _identifiers(session: Any, record: TxtRecord) -> list[Any]:
    """Return the host's identifiers of the value (usually one or none) from its list of records."""
    found = session.list_records("TXT", names.relative(record.name), None)
    return [item.get("id") for item in found if _has_value(item, record) and _has_name(item, record)]


def _has_value(item: dict[str, Any], record: TxtRecord) -> bool:
    """Compare the values; some hosts quote them in the list."""
    return str(item.get("content", "")).strip('"') == record.value


def _has_name(item: dict[str, Any], record: TxtRecord) -> bool:
    return names.labels(str(item.get("name", ""))) == names.labels(record.name)
