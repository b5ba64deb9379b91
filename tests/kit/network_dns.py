"""DNS servers that misbehave: each fault at each kind of query of a renewal.

The CA queries sound servers: only our own queries have faults.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from tests.kit.network import Place, Prepare, Run
from tests.kit.network_dns_answers import FAULTS, Fault
from tests.lab import PRIMARY, DnsForwarder, Lab, Query, ports
from tests.lab.dnsforwarder import Answer

ZONE: Final = "looked.test"
SERVERS: Final = ("127.0.0.3", "127.0.0.4")

Kinds = dict[str, tuple[str, ...]]
RECURSIVE: Final[Kinds] = {"SOA": ("SOA",), "NS": ("NS",), "A, AAAA": ("A", "AAAA"), "CAA": ("CAA",)}
AUTHORITATIVE: Final[Kinds] = {"CNAME": ("CNAME",), "CAA": ("CAA",), "TXT": ("TXT",)}
RECURSIVE_SIDES: Final = ("The recursive DNS server", "One of two recursive DNS servers")
AUTHORITATIVE_SIDES: Final = ("All name servers of the zone", "One of two name servers of the zone")
SIDES: Final[dict[str, Kinds]] = {
    **dict.fromkeys(RECURSIVE_SIDES, RECURSIVE),
    **dict.fromkeys(AUTHORITATIVE_SIDES, AUTHORITATIVE),
}


class Broken(NamedTuple):
    """A fault for some types of query at some servers."""

    fault: Fault
    kinds: tuple[str, ...]
    servers: tuple[str, ...]


@dataclass
class NameServers:
    """The zone's two name servers, which misbehave for the names of some runs only."""

    lab: Lab
    broken: dict[str, Broken] = field(default_factory=dict)
    """By a run's label."""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve the zone during the block."""
        self.lab.add_zone(ZONE, ns=SERVERS)
        self.lab.resolver.set_stubs({ZONE: (PRIMARY,)})  # they forward to the primary, which the CA queries too
        with contextlib.ExitStack() as stack:
            for address in SERVERS:
                stack.enter_context(self.lab.forwarder(address, partial(self._answer, address)))
            yield

    def _answer(self, address: str, query: Query) -> Answer:
        label = re.search(r"(?:^|\.)(n\d+)\.", query.name.lower())
        broken = self.broken.get(label[1] if label else "")
        if broken is None or query.rdtype not in broken.kinds or address not in broken.servers:
            return query.forward()
        return broken.fault(query)


def cells(servers: NameServers) -> dict[Place, Prepare]:
    """All cells."""
    found: dict[Place, Prepare] = {}
    for side in SIDES:
        for fault in FAULTS:
            for where, kinds in SIDES[side].items():
                one = side.startswith("One")
                if SIDES[side] is RECURSIVE:
                    found[Place(side, fault, where)] = partial(_recursive, FAULTS[fault], kinds, one)
                else:
                    broken = Broken(FAULTS[fault], kinds, SERVERS[:1] if one else SERVERS)
                    found[Place(side, fault, where)] = partial(_authoritative, servers, broken)
    return found


def _recursive(fault: Fault, kinds: tuple[str, ...], one: bool, run: Run, stack: contextlib.ExitStack) -> None:
    port = stack.enter_context(ports.reserve(PRIMARY)).number

    def answer(query: Query) -> Answer:
        return fault(query) if query.rdtype in kinds else query.forward()

    stack.enter_context(DnsForwarder((PRIMARY, port), (PRIMARY, run.lab.resolver_port), answer))
    run.zone = ZONE
    run.changes["resolver.nameservers"] = [f"{PRIMARY}:{port}", *([run.lab.nameserver] if one else [])]


def _authoritative(servers: NameServers, broken: Broken, run: Run, stack: contextlib.ExitStack) -> None:
    run.zone = ZONE
    label = run.domain.partition(".")[0]
    servers.broken[label] = broken
    stack.callback(servers.broken.pop, label)
