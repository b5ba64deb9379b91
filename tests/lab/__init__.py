"""Real servers on loopback for tests, demo and benchmark: BIND, Knot, NSD, PowerDNS, Pebble; proxies that misbehave.

Debian's packages bind9, bind9-dnsutils, pdns-server, pdns-backend-sqlite3, knot, nsd and pebble are needed; nothing
needs root.
"""

from __future__ import annotations

from .acmemessages import DROP, Raw, Request, Response
from .acmeproxy import AcmeProxy, Exchange
from .certs import LabCA
from .delay import DnsDelayProxy, SilentServer, TcpDelayProxy, UdpDelayProxy
from .dnsforwarder import DnsForwarder, Query, Wire
from .knot import Knot
from .lab import Lab, LabOptions
from .nsd import Nsd
from .pebble import Pebble, PebbleOptions
from .powerdns import PowerDns
from .process import ServerFailedError
from .records import PRIMARY, SECONDARY
from .zones import TsigKey, Zone

__all__ = [
    "DROP",
    "PRIMARY",
    "SECONDARY",
    "AcmeProxy",
    "DnsDelayProxy",
    "DnsForwarder",
    "Exchange",
    "Knot",
    "Lab",
    "LabCA",
    "LabOptions",
    "Nsd",
    "Pebble",
    "PebbleOptions",
    "PowerDns",
    "Query",
    "Raw",
    "Request",
    "Response",
    "ServerFailedError",
    "SilentServer",
    "TcpDelayProxy",
    "TsigKey",
    "UdpDelayProxy",
    "Wire",
    "Zone",
]
