"""The lab: a small Internet on loopback, with a CA in it.

    with Lab.start(lag=1.0) as lab:
        path.write_text(lab.config_toml())

A primary on 127.0.0.1 and a secondary on 127.0.0.2 (same port, as a zone's servers have), a recursive resolver on
127.0.0.1 (another port), Pebble. All ports are free ones, all files are in one temporary folder, and all of it is gone
when the block ends, or when the process does.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from . import ports
from .acmeproxy import AcmeProxy
from .bind import BindPrimary, BindSecondary, Resolver
from .certs import LabCA
from .delay import DnsDelayProxy, SilentServer, TcpDelayProxy
from .dnsclient import serial
from .dnsforwarder import DnsForwarder
from .lagrelay import LagRelay
from .pebble import Pebble, PebbleOptions
from .powerdns import PowerDns
from .process import ServerFailedError
from .records import PRIMARY, SECONDARY, Records
from .settings import Settings, changed, to_toml
from .zones import TsigKey, Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .acmemessages import Request, Response
    from .dnsforwarder import Answer, Query

FAR_PRIMARY, FAR_SECONDARY = "127.0.0.11", "127.0.0.12"
"""Where the two are found when the lab is started with a round trip."""
_ALL = (PRIMARY, SECONDARY, *(f"127.0.0.{last}" for last in range(3, 13)))
_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class LabOptions:
    """The options of `Lab.start`."""

    lag: float = 0.0
    """Seconds by which the secondary is behind; `lab.lag` changes it later."""
    second: bool = True
    """Whether there is a secondary at all."""
    round_trip: float = 0.0
    """Seconds to the name servers, the resolver and the CA, as the program under test sees them."""
    resolver_cache: bool = True
    """False: it keeps no answer, and an absence for the rest of the second (for a benchmark that repeats itself)."""
    pebble: PebbleOptions = field(default_factory=PebbleOptions)


class Lab(Records):
    """All servers, and their use in tests. Create it with `Lab.start`."""

    def __init__(self, options: LabOptions) -> None:
        """Prepare everything; nothing runs yet."""
        super().__init__()
        self.options = options
        self._stack = ExitStack()
        self._closed = False
        self._caught_up: dict[str, object] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="dnsrenew-lab-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.key = TsigKey("dnsrenew")
        """May change example.test and zones that `add_zone` makes."""
        self.other_key = TsigKey("other")
        """May change other.test only: a second account."""
        addresses = (*_ALL, "::1") if ports.has_ipv6() else _ALL
        self.port = self.reserve(*addresses)
        self.resolver_port = self.reserve(PRIMARY)
        notify_port = self.reserve(PRIMARY)
        self.ca = LabCA(self.folder / "tls")
        self.primary = BindPrimary(self.folder / "primary", PRIMARY, self.port, self.reserve(PRIMARY), notify_port)
        self.secondary = (
            BindSecondary(
                self.folder / "secondary", PRIMARY, self.reserve(PRIMARY), self.reserve(PRIMARY), self.primary
            )
            if options.second
            else None
        )
        self.resolver = Resolver(
            self.folder / "resolver",
            PRIMARY,
            self.resolver_port,
            self.reserve(PRIMARY),
            self.port,
            cache=options.resolver_cache,
        )
        second = (self.secondary.address, self.secondary.port) if self.secondary else None
        self._relay = LagRelay(notify_port, second, options.lag)
        self.pebble = Pebble(self.folder / "pebble", self.ca, f"{PRIMARY}:{self.resolver_port}", options.pebble)
        self._running = False
        far = options.round_trip > 0
        self.ns: tuple[str, ...] = (FAR_PRIMARY if far else PRIMARY,)
        """The addresses in the NS records of ordinary zones: the primary's, then the secondary's."""
        if options.second:
            self.ns += (FAR_SECONDARY if far else SECONDARY,)
        self.nameserver = f"{PRIMARY}:{self.resolver_port}"
        """The recursive resolver, for `resolver.nameservers`."""
        self.directory_url = ""
        """The CA's directory."""
        self.add_zone("example.test")
        self.add_zone("other.test", key=self.other_key)

    @classmethod
    def start(cls, **options: Any) -> Self:
        """Start everything and wait for it (well under three seconds). `options`: the fields of `LabOptions`."""
        chosen = LabOptions(**options)
        for attempt in range(1, _TRIES + 1):
            lab = cls(chosen)
            atexit.register(lab.stop)
            try:
                lab._start()
            except (ServerFailedError, OSError):  # someone else took a port between our look and our start
                lab.stop()
                if attempt == _TRIES:
                    raise
            except BaseException:
                lab.stop()
                raise
            else:
                return lab
        raise AssertionError

    def stop(self) -> None:
        """Stop everything and remove the folder. May be called twice."""
        if not self._closed:
            self._closed = True
            atexit.unregister(self.stop)
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What it is made of.

    @property
    def lag(self) -> float:
        """Seconds by which the secondary is behind, from the next change on."""
        return self._relay.lag

    @lag.setter
    def lag(self, seconds: float) -> None:
        self._relay.lag = seconds

    def catch_up(self) -> None:
        """End the lag, and wait until the secondary has all changes of the zones that most tests use."""
        self._relay.lag = 0.0
        self._relay.hurry()
        for zone in ("example.test", "other.test") if self.secondary else ():
            written = self.primary.written(zone)
            if self._caught_up.get(zone) == written:
                continue
            while serial(zone, PRIMARY, self.port) != serial(zone, SECONDARY, self.port):
                time.sleep(0.005)
            self._caught_up[zone] = written

    @property
    def dns_server(self) -> str:
        """Where updates go: HOST:PORT."""
        return f"{self.ns[0]}:{self.port}"

    def reserve(self, *addresses: str) -> int:
        """Reserve a free port on these addresses until the lab ends. Without a server it refuses connections."""
        return self._stack.enter_context(ports.reserve(*addresses or (PRIMARY,))).number

    def add_zone(
        self,
        name: str,
        records: str = "",
        *,
        key: TsigKey | None = None,
        refuse: bool = False,
        ns: Iterable[str] | None = None,
    ) -> Zone:
        """Add a zone, before or after the start.

        `records`: lines of a zone file, names relative to the zone; SOA and NS are made. `key`: its key for
        updates, by default `lab.key`; `refuse`: no key may. `ns`: the addresses of its NS records, by default the
        primary and the secondary; ::1 is the primary too, 127.0.0.3 to 127.0.0.10 are for a `forwarder` or a
        `silent` server (all on `lab.port`). The resolver queries only the two. The same zone again is that zone;
        another of its name is an error.
        """
        held = tuple(address for address in (PRIMARY, SECONDARY) if address == PRIMARY or self.secondary)
        zone = Zone(name, records, tuple(ns) if ns else self.ns, held, None if refuse else key or self.key)
        if self.zones.setdefault(name, zone) != zone:
            raise ValueError(f"the lab has another zone {name} already")
        if name in self.resolver.stubs:
            return zone
        if self.secondary:
            self.secondary.zones[name] = zone
        if self._running:
            self.primary.reload()
            if self.secondary:
                self.secondary.reload()
        self.resolver.set_stubs({name: zone.served_by})
        return zone

    def flush(self) -> None:
        """Empty the resolver's cache."""
        self.resolver.flush()

    # More servers, for one test. All are context managers, started on entering.

    def another_pebble(self, options: PebbleOptions | None = None, **changes: Any) -> Pebble:
        """Return a second CA: `with lab.another_pebble(strict=True) as ca`."""
        folder = Path(tempfile.mkdtemp(prefix="pebble-", dir=self.folder))
        return Pebble(folder, self.ca, f"{PRIMARY}:{self.resolver_port}", options or PebbleOptions(**changes))

    def acme_proxy(
        self,
        on_request: Callable[[Request], Response | None] | None = None,
        on_response: Callable[[Request, Response], Response] | None = None,
        *,
        pebble: Pebble | None = None,
        ca: LabCA | None = None,
    ) -> AcmeProxy:
        """Return a recording, misbehaving proxy in front of the CA; `ca`: another issuer of its HTTPS certificate."""
        return AcmeProxy(pebble or self.pebble, self.ca, on_request, on_response, endpoint=ca)

    def another_ca(self) -> LabCA:
        """Return an issuer of HTTPS certificates that no client trusts."""
        return LabCA(Path(tempfile.mkdtemp(prefix="tls-", dir=self.folder)))

    def powerdns(self, address: str = "127.0.0.4") -> PowerDns:
        """Return a PowerDNS on `lab.port` at this address. Announce its zones with `lab.resolver.set_stubs`."""
        return PowerDns(Path(tempfile.mkdtemp(prefix="powerdns-", dir=self.folder)), address, self.port)

    def forwarder(
        self,
        address: str = "127.0.0.3",
        hook: Callable[[Query], Answer] | None = None,
        *,
        upstream: str = PRIMARY,
    ) -> DnsForwarder:
        """A misbehaving authoritative server on `lab.port` at this address, in front of the primary."""
        return DnsForwarder((address, self.port), (upstream, self.port), hook)

    def resolver_forwarder(self, hook: Callable[[Query], Answer] | None = None) -> DnsForwarder:
        """A misbehaving recursive resolver; its address is `.listen`."""
        return DnsForwarder((PRIMARY, self.reserve(PRIMARY)), (PRIMARY, self.resolver_port), hook)

    def silent(self, address: str = "127.0.0.5", port: int | None = None) -> SilentServer:
        """A server that accepts and never answers, on `lab.port` unless another port is given."""
        return SilentServer(address, self.port if port is None else port)

    # The configuration of a program under test.

    def config(self, changes: Mapping[str, Any] | None = None) -> Settings:
        """The contract's dnsrenew.toml for this lab as a dictionary; see `settings.changed` for `changes`."""
        return changed(
            {
                "store": "state",
                "contact": ["me@example.test"],
                "agree_terms": True,
                "default_ca": "lab",
                "ca": {"lab": {"directory": self.directory_url, "trust": str(self.ca.trust_pem)}},
                "dns": {"home": self.account(self.key, "example.test")},
                "resolver": {"nameservers": [self.nameserver], "authoritative_port": self.port},
                "certificate": [{"name": "home", "domains": ["example.test", "*.example.test"]}],
            },
            changes or {},
        )

    def config_toml(self, changes: Mapping[str, Any] | None = None) -> str:
        """Return the configuration as TOML text."""
        return to_toml(self.config(changes))

    def account(self, key: TsigKey, *zones: str) -> Settings:
        """A `[dns.…]` block for the primary; the secret is a literal one."""
        return {
            "provider": "rfc2136",
            "zones": list(zones),
            "server": self.dns_server,
            "tsig_name": key.name,
            "tsig_algorithm": key.algorithm,
            "tsig_secret": f"literal:{key.secret}",
        }

    def _start(self) -> None:
        # Every start is in this very thread: the servers end with the thread that started them.
        for part in (self.primary, self.secondary, self.resolver, self.pebble, self._relay):
            if part is not None:
                self._stack.callback(part.stop)
        self.pebble.start()  # the slowest: it makes its keys
        self._relay.start()
        self.primary.start()
        self.resolver.start()
        self.primary.wait_ready()
        if self.secondary:  # after the primary: a first transfer that fails would be tried again much later
            self.secondary.start()
            self.secondary.wait_ready()
            self._lead(SECONDARY, self.port, (self.secondary.address, self.secondary.port), 0.0)
        self.resolver.wait_ready()
        self.pebble.wait_ready()
        self.directory_url = self.pebble.directory_url
        if self.options.round_trip:
            self._put_far_away(self.options.round_trip)
        self._running = True

    def _lead(self, address: str, port: int, target: tuple[str, int], round_trip: float) -> None:
        self._stack.enter_context(DnsDelayProxy((address, port), target, round_trip))

    def _put_far_away(self, round_trip: float) -> None:
        self._lead(FAR_PRIMARY, self.port, (PRIMARY, self.port), round_trip)
        if self.secondary:
            self._lead(FAR_SECONDARY, self.port, (self.secondary.address, self.secondary.port), round_trip)
        port = self.reserve(PRIMARY)
        self._lead(PRIMARY, port, (PRIMARY, self.resolver_port), round_trip)
        self.nameserver = f"{PRIMARY}:{port}"
        port = self.reserve(PRIMARY)
        self._stack.enter_context(TcpDelayProxy((PRIMARY, port), (PRIMARY, self.pebble.port), round_trip))
        self.directory_url = f"https://{PRIMARY}:{port}/dir"
