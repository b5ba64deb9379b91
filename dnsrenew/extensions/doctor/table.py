"""Every check: its code, the function that makes it, and the cause that it finds.

The order is that of the output, and of urgency: if several checks stop a renewal, the first has the next action. The
arguments of a function are the facts and the objects of its scope. It returns None if it does not concern the
certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

from dnsrenew.base.model import Check
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.doctor.accounts import accounts, probe
from dnsrenew.extensions.doctor.domains import challenge_names, names, zones
from dnsrenew.extensions.doctor.facts import ALL, DNS, HTTP, INBOUND, PERSIST, TLS
from dnsrenew.extensions.doctor.host import firewall, internet, ports
from dnsrenew.extensions.doctor.issuer import ca, caa
from dnsrenew.extensions.doctor.keeping import store
from dnsrenew.extensions.doctor.router import outside

Scope = Literal["host", "certificate", "ca", "account", "certificate-ca", "certificate-account"]
"""The subject of a check. ``host``: only this machine. All other scopes get the certificate, the name of a CA, or both.

A check about a certificate and an account writes to DNS, so that it is made only with ``--probe``.
"""


class CheckEntry(Frozen):
    """One check.

    :ivar function: the function that makes the check.
    :ivar rows: the rows of causes that it finds, in the table of docs/how-it-works/diagnosis.md.
    :ivar challenges: the challenges of the routes for which it is made; empty: all.
    :ivar blocks: the challenges that it may stop if it cannot be made.
    :ivar on_host: for a check of a certificate, whether it is also made without a configuration, with None.
    :ivar only_names: whether it is only about domains, so that it is not made for a certificate for IP addresses.
    """

    code: str
    function: Callable[..., Check | None]
    scope: Scope
    rows: tuple[int, ...] = ()
    challenges: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    on_host: bool = False
    only_names: bool = False


TABLE: Final = (
    CheckEntry("internet", internet.internet, "host", (25,), blocks=ALL),
    CheckEntry("vpn", internet.vpn, "host", (8,), INBOUND),
    CheckEntry("ipv6", internet.ipv6, "certificate", (9,), INBOUND, on_host=True),
    CheckEntry("port-53", internet.port_53, "host", (14, 25), blocks=DNS, only_names=True),
    CheckEntry("clock", ca.clock, "host", (21,), blocks=ALL),
    CheckEntry("store", store.store, "host", (19,), blocks=ALL),
    CheckEntry("store-space", store.store_space, "host", (19,)),
    CheckEntry("secrets", accounts.secrets, "account", (18,), DNS, blocks=DNS),
    CheckEntry("secrets", ca.secrets, "ca", (18,), blocks=ALL),
    CheckEntry("ca-reachable", ca.ca_reachable, "ca", (22, 25), blocks=ALL),
    CheckEntry("ca-terms", ca.ca_terms, "ca", blocks=ALL),
    CheckEntry("ca-limits", ca.ca_limits, "certificate-ca", (23,), blocks=ALL),
    CheckEntry("domain", names.domain, "certificate", (13,), blocks=ALL, only_names=True),
    CheckEntry("name-exists", names.name_exists, "certificate", (12,), blocks=INBOUND, only_names=True),
    CheckEntry("delegation", zones.delegation, "certificate", (14,), blocks=ALL),
    CheckEntry("dnssec", zones.dnssec, "certificate", (15,), blocks=ALL),
    CheckEntry("split-dns", names.split_dns, "certificate", (26,), only_names=True),
    CheckEntry("caa", caa.caa, "certificate-ca", (16,), blocks=ALL),
    CheckEntry("cname", challenge_names.cname, "certificate", (17,), DNS, blocks=DNS, only_names=True),
    CheckEntry("dns-account", accounts.dns_account, "certificate", (18,), DNS, blocks=DNS),
    CheckEntry("dns-account", probe.dns_account, "account", (18,), DNS, blocks=DNS),
    CheckEntry("dns-credentials", probe.dns_credentials, "certificate-account", (18,), DNS, blocks=DNS),
    CheckEntry("txt-probe", probe.txt_probe, "certificate-account", (17,), DNS, blocks=DNS),
    CheckEntry("txt-stale", challenge_names.txt_stale, "certificate", (17,), DNS, only_names=True),
    CheckEntry("wildcard-shadow", challenge_names.wildcard_shadow, "certificate", (17,), DNS, only_names=True),
    CheckEntry("address", names.address, "certificate", (9, 10, 11), INBOUND, blocks=INBOUND),
    CheckEntry("proxied", names.proxied, "certificate", (11,), INBOUND),
    CheckEntry("nat", outside.nat, "host", (7,), INBOUND, blocks=INBOUND),
    CheckEntry("port-80-free", partial(ports.port_free, HTTP), "certificate", (1,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-listens", ports.port_80_listens, "certificate", (2,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-firewall", firewall.port_80_firewall, "certificate", (3,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-forwarded", outside.port_80_forwarded, "certificate", (4, 5), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-outside", partial(outside.outside, 80), "certificate", (4, 6), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-443-free", partial(ports.port_free, TLS), "certificate", (1,), TLS, blocks=TLS),
    CheckEntry("port-443-outside", partial(outside.outside, 443), "certificate", (4, 6), TLS, blocks=TLS),
    CheckEntry("served", store.served, "certificate", (20,)),
    CheckEntry("schedule", store.schedule, "host", (24,)),
    CheckEntry("last-run", store.last_run, "certificate", (24,)),
    CheckEntry("last-run", store.persist_last_run, "certificate-ca", (24,), PERSIST, blocks=PERSIST),
    CheckEntry("expiry", store.expiry, "certificate", (24,)),
)
