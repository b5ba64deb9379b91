"""The shared data of one examination's checks: the configuration, the services of a run, and facts found once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, TypeVar

from dnsrenew.base import names
from dnsrenew.base.model import CertificateSpec, Resolver
from dnsrenew.base.runtime import Context
from dnsrenew.base.runtime.calls import SingleFlight
from dnsrenew.challenges import CHALLENGES
from dnsrenew.config import Config
from dnsrenew.dns import DnsView
from dnsrenew.errors import StoreError
from dnsrenew.renewal.batch import LazyServices
from dnsrenew.renewal.services import make_services
from dnsrenew.store import State, Store

T = TypeVar("T")

MaybeSpec = CertificateSpec | None
"""The certificate of a check. None means that only this machine is checked, without a configuration."""

HTTP: Final = tuple(name for name, its in CHALLENGES.items() if its.port == 80)
TLS: Final = tuple(name for name, its in CHALLENGES.items() if its.port == 443)
INBOUND: Final = tuple(name for name, its in CHALLENGES.items() if its.port is not None)
DNS: Final = ("dns-01",)
"""In checks, this stands for all types whose TXT values accounts write."""
PERSIST: Final = ("dns-persist-01",)
"""The check is about a property of only this type: a permanent record."""
ALL: Final = ("all",)


def kind_of(challenge: str) -> str:
    """Return the type that represents a challenge type in checks."""
    return DNS[0] if CHALLENGES[challenge].writes_dns else challenge


class Facts:
    """Passed to every check. Thread-safe: checks run at once.

    :ivar context: the context of the examination, whose deadline ends every check.
    :ivar config: None without a configuration; then only the machine is checked.
    :ivar probe: whether test values may be written to DNS.
    :ivar test_values: the absolute name and the value of each test value.
    :ivar store_error: why the store cannot be read, if this is already known.
    :param services: the services of the failed run; default: separate ones.
    """

    def __init__(
        self,
        context: Context,
        config: Config | None,
        store: Store | None,
        *,
        probe: bool = False,
        services: LazyServices | None = None,
        store_error: StoreError | None = None,
    ) -> None:
        self.context, self.config, self.probe, self.store_error = context, config, probe, store_error
        self._store, self._is_private = store, False
        self._services = services or LazyServices(lambda: make_services(self.its, self.unchecked_store, context))
        self._lock = threading.Lock()
        self._found: dict[Hashable, SingleFlight[Any]] = {}
        self._unfinished: list[threading.Event] = []
        self.test_values: set[tuple[str, str]] = set()

    def once(self, key: Hashable, find: Callable[[Context], T]) -> T:
        """Return a fact that several checks need. It is found once, in a separate thread.

        :raises Cancelled: the time is over.
        """
        with self._lock:
            flight = self._found.setdefault(key, SingleFlight(find))
        return flight.get(self.context)  # type: ignore[no-any-return]  # facts of any type share the table

    @contextlib.contextmanager
    def unfinished(self) -> Iterator[None]:
        """Let :meth:`close` wait for the end of this block, which withdraws what it has written."""
        done = threading.Event()
        self._unfinished.append(done)
        try:
            yield
        finally:
            done.set()

    def close(self) -> None:
        """Close all connections, at most some seconds after a cancel."""
        clock = self.context.clock
        end = clock.monotonic() + 4.5  # Ctrl-C must end everything within five seconds
        for done in self._unfinished:
            done.wait(max(end - clock.monotonic(), 0.0))
        self._services.close()

    # ── the configuration ───────────────────────────────────────────────────────────────

    @property
    def its(self) -> Config:
        """The configuration, for checks that need one."""
        if self.config is None:
            raise LookupError("config")
        return self.config

    @property
    def store(self) -> Store:
        """The store, for checks that need a configuration.

        :raises StoreError: ``store-not-private``, because data of others must not be read; :attr:`store_error`.
        """
        if self.store_error is not None:
            raise self.store_error
        store = self.unchecked_store
        if not self._is_private:
            store.check_ground()
            self._is_private = True
        return store

    @property
    def unchecked_store(self) -> Store:
        """The store, even if others can change it."""
        if self._store is None:
            raise LookupError("store")
        return self._store

    def may_write(self, account: str, identifier: str) -> bool:
        """Return whether the ``zones`` of an account allow it to write for a name, according to the configuration."""
        zones = self.its.accounts[account].zones
        if names.is_ip(identifier):
            return False
        owner = names.absolute(names.base_domain(identifier))
        return not zones or any(names.is_at_or_below(owner, names.absolute(zone)) for zone in zones)

    def challenges(self, spec: CertificateSpec) -> set[str]:
        """Return the challenges of the routes of a certificate, as checks name them."""
        return {kind_of(route.challenge) for route in spec.routes}

    def cas(self, spec: CertificateSpec) -> list[str]:
        """Return the names of the CAs of a certificate, in the order of its routes."""
        return list(dict.fromkeys(route.ca or spec.ca for route in spec.routes))

    def accounts(self, spec: CertificateSpec) -> list[str]:
        """Return the names of the DNS accounts that a certificate may use, in the order of its routes.

        A route without accounts uses the accounts whose zones have its names. If a name is in none of these zones, a
        CNAME may point into a zone of any account.
        """
        routes = [route for route in spec.routes if CHALLENGES[route.challenge].writes_dns]
        return list(dict.fromkeys(name for route in routes for name in route.dns or self._fitting(spec)))

    def _fitting(self, spec: CertificateSpec) -> list[str]:
        accounts, domains = list(self.its.accounts), [each for each in spec.identifiers if not names.is_ip(each)]
        fitting = [{name for name in accounts if self.may_write(name, each)} for each in domains]
        return [name for name in accounts if any(name in each for each in fitting)] if all(fitting) else accounts

    # ── the services of a run ───────────────────────────────────────────────────────────

    @property
    def dns(self) -> DnsView:
        """The view of DNS; without a configuration, through the resolver of the system."""
        if self.config is not None:
            return self._services.get().dns
        return self.once("dns view", lambda _: DnsView(Resolver()))

    def state(self, name: str) -> State:
        """Return the state of a certificate, without moving or repairing a file.

        :raises StoreError: the state cannot be read.
        """
        return self.store.read_state(name, quarantine=False)
