"""What a driver is: two methods, and what it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from dnsrenew.base.values import Frozen
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    import logging

    from dnsrenew.model import TxtRecord
    from dnsrenew.secrets import Secret

ENTRY_POINT_GROUP = "dnsrenew.drivers"
"""The entry point group in which a distribution registers its driver classes."""

BUILT_IN: Final = {
    "rfc2136": ("dnsrenew.drivers.rfc2136", "Rfc2136Driver"),
    "lexicon": ("dnsrenew.drivers.lexicon", "LexiconDriver"),
    "duckdns": ("dnsrenew.drivers.duckdns", "DuckDnsDriver"),
}
COMING: Final = frozenset({"acme-dns", "hook", "manual"})


class DriverContext(Frozen):
    """What a driver's constructor is given.

    :ivar account: what the account is called in the configuration; for messages.
    :ivar options: what the user wrote; a ``str`` each, or a :class:`~dnsrenew.Secret` where the provider's file
        marks it secret (``.reveal()`` where it is used, and nowhere else).
    :ivar driver_options: the table ``[driver_options]`` of the provider's file.
    :ivar seconds_left: how many seconds of the current call's deadline are left; 0.0 when it has passed.
    :ivar cancel: set when nobody waits for the call any more: stop as soon as you can, and write nothing more.
    :ivar logger: a logger of the driver's own.
    """

    account: str
    options: Mapping[str, str | Secret]
    driver_options: Mapping[str, Any]
    seconds_left: Callable[[], float]
    cancel: threading.Event
    logger: logging.Logger

    def check(self) -> None:
        """Go on only while somebody waits: to be called before each thing that is written.

        :raises ProviderError: ``provider-timeout``, the call was left behind.
        """
        if self.cancel.is_set() or self.seconds_left() <= 0:
            raise ProviderError(
                "provider-timeout",
                f"The call for the account {self.account} was over before everything was done.",
                fix="Try again later.",
                evidence={"account": self.account, "left_behind": True},
            )


@runtime_checkable
class Driver(Protocol):
    """Writes TXT records at a DNS host. Its class takes one argument, a :class:`DriverContext`.

    :func:`dnsrenew.testing.check_driver` tests all of this:

    - Records come finished: absolute names, the zone found by us. A driver looks for no zone and follows no CNAME.
    - ``add`` MUST keep every other value, at the same name and elsewhere; MUST succeed for a value that stands
      already, which then stands once.
    - ``remove`` MUST remove only these values, found by zone, name and value (it may run in a later process); MUST
      succeed for a value that is gone.
    - Values MUST be written exactly as given: they are case-sensitive, and may begin with a hyphen.
    - Several records in one call, at one name and at several, in one zone and in several, MUST all be done.
    - Neither waits until the change is visible.
    - After an exception any part may have been written; ``remove`` is then called for all records of the call.
    - An instance is used by one thread at a time, and for one call: make connections in the call, not before it.
    - An exception SHOULD be a :class:`~dnsrenew.errors.ProviderError`; any other is put into words by us.
    """

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values beside what stands."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values away, and nothing else."""


class OneAtATime:
    """A driver that a program has made itself, and that serves every call: one thread has it at a time.

    Also where a call was left behind because it took too long: what is to be removed is removed after it.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            self._driver.add(records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Take the values away."""
        with self._lock:
            self._driver.remove(records)
