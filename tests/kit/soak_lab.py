"""The servers of the soak: Pebble behind a proxy, BIND behind a forwarder, and their faults."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import dns.flags
import dns.message
import dns.opcode
import dns.rcode

from tests.lab import Lab
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.dnsforwarder import Query, strip_aa
from tests.lab.workspace import Workspace

ZONE: Final = "soak.test"
ADDRESS: Final = "127.0.0.6"
FOREIGN: Final = "somebody-else-wrote-this"
NAMES: Final = {
    "home": ((ZONE,), (ZONE, f"*.{ZONE}"), (ZONE, f"www.{ZONE}")),
    "shop": ((f"shop.{ZONE}",), (f"*.shop.{ZONE}",)),
}
KEYS: Final = ("ecdsa-p256", "ecdsa-p384")

KINDS: Final = ("directory", "newNonce", "newOrder", "authorization", "challenge", "finalize", "order", "certificate")
CA_FAULTS: Final = ("garbage", "html", "truncated", "busy", "broken", "limited", "reset", "lost")
DNS_FAULTS: Final = ("silent", "lame", "servfail", "refused", "lost", "bad-key")
SILENT: Final = 5
"""The number of queries without an answer; a host that never answers is tested in test_network.py."""
LONGEST: Final = 30.0
"""The most seconds of the CA for an answer."""
COMPLETES: Final = 0.1
"""Seconds in which Pebble has long completed an order. One that is looked at while it does it, once in some thousand
times, locks Pebble 2.6 up for good: it takes its read lock twice, and the writer comes between."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a server, at a kind of request.

    :ivar what: a word of :data:`CA_FAULTS` or :data:`DNS_FAULTS`, or ``kill``.
    :ivar kind: of request, at the CA.
    :ivar number: the number of the request of that kind.
    :ivar lasts: whether all later requests of that kind fail too.
    """

    what: str
    kind: str = ""
    number: int = 1
    lasts: bool = False

    @classmethod
    def drawn(cls, chance: Random, *whats: str) -> Fault:
        """Draw a fault."""
        return cls(chance.choice(whats), chance.choice(KINDS), chance.choice((1, 1, 2)), chance.random() < 0.2)

    def hits(self, number: int) -> bool:
        """Tell whether the fault hits this request."""
        return number == self.number or (self.lasts and number > self.number)


@dataclass(slots=True)
class Issued:
    """A certificate that the CA has issued for an order.

    :ivar order: the last part of the order's path.
    """

    order: str
    names: frozenset[str]


@dataclass
class Servers:
    """The CA and DNS as the program sees them in one run.

    :ivar at_ca: the fault of the CA; ``at_dns``: that of DNS.
    :ivar pids: the processes of the run.
    :ivar orders: the names of the orders that the CA accepted in this run.
    :ivar issued: the certificates of this run.
    """

    lab: Lab
    workspace: Workspace
    at_ca: Fault | None = None
    at_dns: Fault | None = None
    pids: list[int] = field(default_factory=list)
    orders: list[frozenset[str]] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)
    _counted: dict[str, int] = field(default_factory=dict)
    _under_way: set[int] = field(default_factory=set)
    directory: str = ""

    @classmethod
    @contextlib.contextmanager
    def started(cls, lab: Lab, folder: Path) -> Iterator[Servers]:
        """Start the proxies of the lab's servers, and add foreign values to the zone."""
        lab.add_zone(ZONE, ns=[ADDRESS])
        servers = cls(lab, Workspace(lab, folder))
        theirs = [(label, "TXT", f'"{FOREIGN}"') for label in ("_acme-challenge", "_acme-challenge.shop")]
        lab.update(ZONE, add=theirs)
        try:
            with lab.forwarder(ADDRESS, servers._dns), lab.acme_proxy(servers._asked, servers._answered) as proxy:
                servers.directory = proxy.directory_url
                yield servers
        finally:
            lab.update(ZONE, remove=theirs)

    def write(self, wanted: dict[str, dict[str, Any]], *, patience: float) -> None:
        """Write the configuration.

        :param patience: seconds for DNS to show a value; the CA gets some more.
        """
        lab = self.lab
        self.workspace.write(
            {
                "ca.lab.directory": self.directory,
                "ca.lab.timeout": 3 + patience,
                "dns.home.zones": [ZONE],
                "dns.home.server": f"{ADDRESS}:{lab.port}",
                "certificate": [
                    {"name": name, "propagation": {"timeout": patience}, **settings}
                    for name, settings in wanted.items()
                ],
            }
        )

    def begin(self, at_ca: Fault | None, at_dns: Fault | None) -> None:
        """Begin a run with these faults."""
        self.at_ca, self.at_dns = at_ca, at_dns
        self.pids, self.orders, self.issued, self._counted = [], [], [], {}
        self.workspace.env["TSIG_SECRET"] = (
            self.lab.other_key.secret if at_dns and at_dns.what == "bad-key" else self.lab.key.secret
        )
        self.lab.flush()  # or the CA's resolver would keep the values of an earlier run

    def end(self) -> None:
        """End a run: wait until the CA has finished the requests of killed processes."""
        end = time.monotonic() + LONGEST
        while self._under_way and time.monotonic() < end:
            time.sleep(0.01)
        self._under_way.clear()

    def texts(self) -> set[tuple[str, str]]:
        """Our values in DNS now."""
        return {
            (name, value) for name, values in self.lab.all_txt().items() for value in values
            if name.endswith(ZONE) and value != FOREIGN
        }  # fmt: skip

    def foreign(self) -> set[str]:
        """The names with a foreign value."""
        return {name for name, values in self.lab.all_txt().items() if name.endswith(ZONE) and FOREIGN in values}

    # ── the CA ──────────────────────────────────────────────────────────────────────────

    def _fault(self, request: Request) -> str:
        """Return the fault of this request, or an empty text."""
        fault = self.at_ca
        if fault is None or request.kind != fault.kind:
            return ""
        return fault.what if fault.hits(self._counted.get(request.kind, 0)) else ""

    def _asked(self, request: Request) -> Response | None:
        self._counted[request.kind] = self._counted.get(request.kind, 0) + 1
        match self._fault(request):
            case "busy":
                return Response.problem(503, "serverInternal", "busy", ("Retry-After", "1"))
            case "broken":
                return Response.problem(500, "serverInternal", "broken")
            case "limited":
                return Response.problem(429, "rateLimited", "too many", ("Retry-After", "3600"))
            case "reset":
                return DROP
        self._under_way.add(id(request))
        return None

    def _answered(self, request: Request, response: Response) -> Response:
        try:
            return self._answer(request, response)
        finally:
            self._under_way.discard(id(request))

    def _answer(self, request: Request, response: Response) -> Response:
        if request.kind == "finalize":
            time.sleep(COMPLETES)
        self._note(request, response)
        match self._fault(request):
            case "kill":
                self.kill(signal.SIGKILL)
            case "lost":
                return DROP
            case "garbage":
                return Response(response.status, os.urandom(64), response.headers)
            case "html":
                return Response(200, b"<html>Welcome</html>", (("Content-Type", "text/html"),))
            case "truncated":
                return Response(response.status, response.body[: len(response.body) // 2], response.headers)
        return response

    def _note(self, request: Request, response: Response) -> None:
        if response.status >= 400 or request.kind not in {"newOrder", "finalize"}:
            return
        names = frozenset(identifier["value"] for identifier in response.json()["identifiers"])
        if request.kind == "newOrder":
            self.orders.append(names)
        else:
            self.issued.append(Issued(request.path.rpartition("/")[2], names))

    def kill(self, number: int) -> None:
        """Send a signal to every process of the run."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # ── DNS ─────────────────────────────────────────────────────────────────────────────

    def _dns(self, query: Query) -> bytes | dns.message.Message | None:
        fault = self.at_dns
        update = query.message.opcode() == dns.opcode.UPDATE
        self._counted["DNS"] = self._counted.get("DNS", 0) + 1
        match fault.what if fault else "":
            case "silent" if not update and self._counted["DNS"] <= SILENT:
                return None
            case "lame" if not update:
                return strip_aa(query)
            case "servfail" if not update:
                return _only(query, dns.rcode.SERVFAIL)
            case "refused" if update:
                return _only(query, dns.rcode.REFUSED)
            case "lost" if update:
                query.forward()
                return query.wire[:2] + bytes(9)
        return query.forward()


def _only(query: Query, code: dns.rcode.Rcode) -> dns.message.Message:
    answer = dns.message.make_response(query.message)
    answer.flags |= dns.flags.AA
    answer.set_rcode(code)
    return answer


def disk_point(chance: Random) -> str:
    """Return the step from which the disk fails, and its error."""
    number = chance.choice((errno.ENOSPC, errno.ENOSPC, errno.EIO, errno.EROFS))
    return f"disk {number} from {chance.randint(1, 150)}"
