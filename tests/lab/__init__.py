"""Real servers on loopback for tests, demo and benchmark: BIND, PowerDNS, Pebble, and proxies that misbehave.

Debian's packages bind9, bind9-dnsutils, pdns-server, pdns-backend-sqlite3 and pebble are needed; nothing needs root.
"""

from __future__ import annotations

from .acmemessages import DROP, Raw, Request, Response
from .acmeproxy import AcmeProxy, Exchange
from .certs import LabCA
from .delay import DnsDelayProxy, SilentServer, TcpDelayProxy, UdpDelayProxy
from .dnsforwarder import DnsForwarder, Query, Wire
from .lab import Lab, LabOptions
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
    "Lab",
    "LabCA",
    "LabOptions",
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
