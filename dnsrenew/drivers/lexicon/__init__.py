"""Ninety DNS hosts through dns-lexicon, with its traps closed.

- It looks for no zone and loads no public suffix list: the zone is ours, and what splits names in its modules is ours.
- No module of it that a host program uses is touched: each of its provider modules is loaded once more, for us alone,
  with a ``requests`` that always has time-outs (:mod:`~dnsrenew.drivers.lexicon.loading`).
- Its providers belong to one thread and change their configuration: each call makes its own.
- ``False`` is a failure; an exception about a value that stands (or is gone) already is none: then the list decides.
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
from dnsrenew.drivers.lexicon import loading, shims
from dnsrenew.errors import ProviderError
from dnsrenew.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnsrenew.drivers.protocol import DriverContext
    from dnsrenew.model import TxtRecord

_TALKING: Final = ("lexicon", "tldextract", "filelock")
_ABOUT_THE_VALUE: Final = frozenset({"provider-refused", "provider-bug", "provider-zone-unknown"})
"""Failures that may only mean "it is so already"; after any other the host is not asked again."""


class LexiconDriver:
    """Writes through one of lexicon's providers.

    Driver options: ``provider`` (lexicon's name for it); ``look_first`` (it would write a value twice) and
    ``look_after`` (it keeps failed removals to itself); any other is passed on to lexicon as it stands.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        fixed = dict(context.driver_options)
        self._name = str(fixed.pop("provider", ""))
        self._look_first = bool(fixed.pop("look_first", False))
        self._look_after = bool(fixed.pop("look_after", False))
        self._fixed = fixed
        self._provider_class = loading.provider_class(self._name)
        for name in _TALKING:
            # What a library should do by itself: without any handler, Python prints its warnings to standard error.
            logging.getLogger(name).addHandler(_SILENT)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values, one after the other, with one session for each zone."""
        self._each(records, self._add)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values away, one after the other, with one session for each zone."""
        self._each(records, self._remove)

    def _each(self, records: Sequence[TxtRecord], work: Callable[[Any, TxtRecord], None]) -> None:
        with shims.limited(self._seconds_left):
            for (zone, ttl), group in groupby(sorted(records, key=_place), key=_place):
                with self._session(zone, ttl) as session:
                    for record in group:
                        self._context.check()
                        work(session, record)

    @contextlib.contextmanager
    def _session(self, zone: str, ttl: int) -> Iterator[Any]:
        """Return one of lexicon's providers, authenticated."""
        domain = names.relative(zone)
        resolver: Any = ConfigResolver  # it has no annotations
        config = resolver().with_dict(
            {
                "provider_name": self._name,
                "domain": domain,
                "delegated": domain,
                "ttl": ttl,
                self._name: {**self._fixed, **self._revealed()},
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
        if self._look_first and _standing(session, record):
            return
        if self._did(session, record, lambda name: session.create_record("TXT", name, record.value), standing=True):
            return
        raise self._refusal(record, "write")

    def _remove(self, session: Any, record: TxtRecord) -> None:
        done = self._did(
            session,
            record,
            lambda name: session.delete_record(rtype="TXT", name=name, content=record.value),
            standing=False,
        )
        if done and self._look_after and (left := _standing(session, record)):
            # It was looked for in another spelling (quoted, say): what the host calls it is certain.
            for identifier in filter(None, left):
                session.delete_record(identifier=identifier)
            done = not _standing(session, record)
        if not done:
            raise self._refusal(record, "remove")

    def _did(self, session: Any, record: TxtRecord, act: Callable[[str], Any], *, standing: bool) -> bool:
        """Do it; where it failed, tell whether all is as it should be nevertheless."""
        try:
            if act(names.relative(record.name)) is not False:
                return True
        except Exception as error:
            if classify(error) not in _ABOUT_THE_VALUE:
                raise
            with contextlib.suppress(Exception):  # the first error is the one to tell
                if bool(_standing(session, record)) is standing:
                    return True
            raise
        return bool(_standing(session, record)) is standing

    def _refusal(self, record: TxtRecord, verb: str) -> ProviderError:
        return ProviderError(
            "provider-refused",
            f"The DNS host of the account {self._context.account} did not {verb} the TXT value at "
            f"{names.relative(record.name)}, and did not say why.",
            fix="See in the host's own control panel whether the zone can be changed, then run it again.",
            evidence={"zone": names.relative(record.zone), "name": names.relative(record.name)},
        )


_SILENT: Final = logging.NullHandler()


def _place(record: TxtRecord) -> tuple[str, int]:
    return record.zone, record.ttl


def _standing(session: Any, record: TxtRecord) -> list[Any]:
    """Return what the host calls the value in its own list (mostly once, or not at all); some hosts quote it there."""
    found = session.list_records("TXT", names.relative(record.name), None)
    return [item.get("id") for item in found if _is_value(item, record) and _at(item, record)]


def _is_value(item: dict[str, Any], record: TxtRecord) -> bool:
    return str(item.get("content", "")).strip('"') == record.value


def _at(item: dict[str, Any], record: TxtRecord) -> bool:
    return names.labels(str(item.get("name", ""))) == names.labels(record.name)
