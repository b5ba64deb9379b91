"""What the stand-ins share: a zone with TXT records, credentials, and faults at any request."""

from __future__ import annotations

import contextlib
import copy
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from dnsrenew.base.clock import Clock
from dnsrenew.base.model import DnsAccount, TxtRecord
from dnsrenew.base.secrets import Secret
from tests.kit.api_server import Answer, Api, Asked

ZONE = "example.com"
FOREIGN = ("_acme-challenge.example.com", "somebody-else-s-value")
"""A value of somebody else at a name that the tests use."""

Fault = Callable[[Asked], Answer]


class HostStandIn(Api):
    """A host with the zone `example.com`, which has an SPF record and a foreign value.

    A host defines the class variables and `answer`, which checks the credentials first, as the host does.

    :ivar values: its TXT records, by identifier: (name without a final dot, value).
    :ivar faults: for a request, by its number from 0: another answer than that of the host, which then does nothing.
    :ivar zones: the zones of the account.
    :ivar on_answer: called after each request that it has processed.
    """

    provider: ClassVar[str]
    """The name of the provider file."""
    credentials: ClassVar[Mapping[str, str]]
    """The options of an account; all of them are wrong if one is changed."""
    secret: ClassVar[str]
    """The option that is a secret."""
    batch: ClassVar[int | None] = None
    """Requests to write (and as many to remove) any number of values of one zone; None: `each`, and `besides`."""
    each: ClassVar[int] = 1
    """Requests to write a value, and as many to remove it, where there is no batch."""
    besides: ClassVar[int] = 2
    """Requests to write and remove any number of values, besides those for each."""
    unknown_zone: ClassVar[str] = "provider-zone-unknown"
    """The code of the error for a zone that is not in the account; some hosts answer as to wrong credentials."""
    bodies_are_defined: ClassVar[bool] = True
    """Whether the documentation says what the body of a success is, so that HTML in its place is an error."""
    largest_page: ClassVar[int] = 1000
    """How many records our driver asks for at once, at most."""
    last_ends_session: ClassVar[bool] = False
    """Whether the last request of a call only ends its session, so that the call succeeds without it."""

    def __init__(self) -> None:
        super().__init__(self._hook)
        self.zones = [ZONE]
        self.values: dict[str, tuple[str, str]] = {"1": (ZONE, "v=spf1 -all"), "2": FOREIGN}
        self.faults: dict[int, Fault] = {}
        self.on_answer: Callable[[], object] = lambda: None
        self._listed: dict[str, tuple[str, str]] | None = None
        self._identifiers = map(str, itertools.count(3))

    @abstractmethod
    def answer(self, asked: Asked) -> Answer:
        """Answer a request as the host does."""

    def look(self, name: str) -> set[str]:
        """Return the TXT values that are served at a name."""
        return {value for owner, value in self.values.values() if owner == name.removesuffix(".").lower()}

    @contextlib.contextmanager
    def stale(self) -> Iterator[None]:
        """List what the zone has now, whatever is written from now on."""
        self._listed = dict(self.values)
        yield
        self._listed = None

    def put(self, name: str, value: str) -> str:
        """Create a record; return its identifier."""
        identifier = next(self._identifiers)
        self.values[identifier] = (name.removesuffix(".").lower(), value)
        return identifier

    def presented(self, identifier: str) -> str:
        """Return a value as a host shows it whose documentation does not tell whether it is in quotes: some are."""
        value = self.values[identifier][1]
        return value if int(identifier) % 2 else f'"{value}"'

    def by_name(self) -> dict[str, list[str]]:
        """Return the values at each name."""
        found: dict[str, list[str]] = {}
        for name, value in self.values.values():
            found.setdefault(name, []).append(value)
        return found

    def replace(self, name: str, values: Sequence[str]) -> None:
        """Put values in the place of those at a name."""
        name = name.removesuffix(".").lower()
        self.values = {key: entry for key, entry in self.values.items() if entry[0] != name}
        for value in values:
            self.put(name, value)

    @staticmethod
    def relative(name: str, apex: str = "@") -> str:
        """Return a name of the zone relative to it."""
        return name.removesuffix(".").lower().removesuffix(ZONE).removesuffix(".") or apex

    @staticmethod
    def absolute(inside: str, apex: str = "@") -> str:
        """Return the absolute name, without the final dot, of one that is relative to the zone."""
        return ZONE if inside in {"", apex} else f"{inside}.{ZONE}".lower()

    def fill(self, count: int) -> None:
        """Create foreign records."""
        for number in range(count):
            self.put(f"host{number}.{ZONE}", f"text {number}")

    def account(self, **changes: str) -> DnsAccount:
        """An account with the right credentials, at this stand-in."""
        options: dict[str, Any] = {**self.credentials, "api": self.url, **changes}
        options[self.secret] = Secret(options[self.secret])
        return DnsAccount(self.provider, name="mine", **options)

    def _hook(self, asked: Asked) -> Answer:
        fault = self.faults.get(len(self.asked) - 1)
        if fault is not None:
            return fault(asked)
        before = self if self._listed is None else self._copy()
        answer = self.answer(asked)
        if self._listed is not None and before._state() == self._state():  # it only reads
            before.values = self._listed
            answer = before.answer(asked)
        self.on_answer()
        return answer

    def _copy(self) -> Self:
        made = copy.copy(self)
        state = {key: copy.copy(value) for key, value in vars(self).items() if isinstance(value, dict | set)}
        vars(made).update(state)
        return made

    def _state(self) -> dict[str, Any]:
        """Return what requests change; a nonce is used up by every one."""
        return {key: value for key, value in vars(self).items() if isinstance(value, dict | set) and key != "nonces"}

    def late(self, clock: Clock, seconds: float) -> Callable[[str], set[str]]:
        """Return how to look at name servers that show what the zone had some seconds ago."""
        past = [(-seconds, self._copy())]
        self.on_answer = lambda: past.append((clock.monotonic(), self._copy()))
        return lambda name: next(zone for time, zone in reversed(past) if time <= clock.monotonic() - seconds).look(
            name
        )


def record(value: str, name: str = f"_acme-challenge.{ZONE}.", zone: str = f"{ZONE}.", ttl: int = 60) -> TxtRecord:
    """A record of the zone."""
    return TxtRecord(zone, name, value, ttl)


def records(count: int) -> list[TxtRecord]:
    """Return records at this number of names of the zone."""
    return [record(f"value-{number}", f"_acme-challenge.n{number}.{ZONE}.") for number in range(count)]
