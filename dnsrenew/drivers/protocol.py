"""The interface of a driver: two methods, and the context for its constructor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from dnsrenew.base.values import Frozen, field
from dnsrenew.drivers import texts
from dnsrenew.errors import ProviderError

if TYPE_CHECKING:
    import logging

    from dnsrenew.base.model import TxtRecord
    from dnsrenew.base.secrets import Secret

ENTRY_POINT_GROUP = "dnsrenew.drivers"
"""The entry point group of driver classes."""

BUILT_IN: Final = {
    "rfc2136": ("dnsrenew.drivers.rfc2136", "Rfc2136Driver"),
    "hook": ("dnsrenew.drivers.hook", "HookDriver"),
    "manual": ("dnsrenew.drivers.hook", "ManualDriver"),
    "acme-dns": ("dnsrenew.drivers.acme_dns", "AcmeDnsDriver"),
}
"""The module and class of each driver of the core. The drivers of DNS hosts are an extension."""


def is_ours(entry_point: str) -> bool:
    """Return whether the value of an entry point in this group is a driver of dnsrenew."""
    return entry_point.startswith("dnsrenew.")


class DriverContext(Frozen, public=True):
    """The argument of a driver's constructor."""

    account: str
    """The name of the account in the configuration, for messages."""
    options: Mapping[str, Any]
    """The options of the account; each a ``str``, a :class:`~dnsrenew.Secret` if the provider file declares it secret,
    a sequence of ``str`` if it declares a list, or a table of ``str`` and :class:`~dnsrenew.Secret` if it declares
    variables. Reveal a secret only where it is used: :meth:`text`.
    """
    driver_options: Mapping[str, Any]
    """The table ``[driver_options]`` of the provider file."""
    seconds_left: Callable[[], float]
    """Returns the number of seconds until the deadline of the call; 0.0 after it."""
    cancel: threading.Event
    """Set after the caller stopped waiting: stop as soon as possible, and write nothing more."""
    logger: logging.Logger
    """The logger of the driver."""
    remembered: dict[Any, Any] = field(default_factory=dict)
    """Values that the drivers of this account keep until the end of the run, such as the identifiers of zones.

    Calls in other threads use it too, so store whole values, and be prepared for a missing one. At the end of the run,
    values that have a method ``close`` are closed.
    """

    def text(self, option: str, default: str = "") -> str:
        """Return an option as text without blanks around it; a secret is revealed.

        :raises SecretError: ``secret-missing``.
        """
        value: str | Secret = self.options.get(option, default)
        return (value if isinstance(value, str) else value.reveal()).strip()

    def check(self) -> None:
        """Return while the caller still waits. Call it before each write.

        :raises ProviderError: ``provider-timeout``, the call was cancelled or is too late.
        """
        if self.cancel.is_set() or self.seconds_left() <= 0:
            raise ProviderError.of(texts.CALL_OVER, account=self.account, left_behind=True)


@runtime_checkable
class Driver(Protocol):
    """Writes TXT records at a DNS host. Its class takes one argument, a :class:`DriverContext`.

    :func:`dnsrenew.testing.check_driver` tests all of this:

    - Records have absolute names and their zone. A driver looks up no zone and follows no CNAME.
    - ``add`` MUST keep every other value, at the same name and elsewhere. It MUST succeed for a value that already
      exists, and then the value exists once.
    - ``remove`` MUST remove only these values, found by zone, name and value (it may run in a later process). It MUST
      succeed for a value that does not exist.
    - Values MUST be written exactly as given: they are case-sensitive and may start with a hyphen.
    - A call with several records MUST process all of them: at one name or several, in one zone or several.
    - Neither method waits until the change is visible.
    - After an exception, ``remove`` is called for all records of the call: any of them may have been written.
    - An instance is used by one thread at a time and for one call: open connections in the call, not before.
    - An exception SHOULD be a :class:`ProviderError`; dnsrenew translates any other.
    """

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values in addition to the existing ones.

        :raises ProviderError: the host refuses, or does not answer; any of the values may have been written.
        """

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values and no others.

        :raises ProviderError: as ``add``.
        """


Driver.__module__ = "dnsrenew"  # not in the class, where it would be a member of the protocol


class OneAtATime:
    """Serializes the calls of a driver object that a program passed in and that is used for every call.

    A call that timed out may still be running; a later ``remove`` waits for it.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = threading.Lock()

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Write the values."""
        with self._lock:
            self._driver.add(records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Remove the values."""
        with self._lock:
            self._driver.remove(records)
