"""Every check: its code, the function that makes it, and the cause that it finds.

The order is that of the output, and of urgency: if several checks stop a renewal, the first has the next action.
The function of ``port-80-free`` in ``host.ports`` is ``port_80_free`` in ``host/ports.py``. Its arguments are the facts
and what its scope names; it returns None if it has nothing to do with the certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.challenges import CHALLENGES

if TYPE_CHECKING:
    from dnsrenew.model import Check

Scope = Literal["host", "certificate", "ca", "account", "certificate-ca", "certificate-account"]
"""What a check is about. ``host``: only this host. The others get the certificate, the name of a CA, or both."""

HTTP: Final = tuple(name for name, its in CHALLENGES.items() if its.port == 80)
TLS: Final = tuple(name for name, its in CHALLENGES.items() if its.port == 443)
INBOUND: Final = tuple(name for name, its in CHALLENGES.items() if its.port is not None)
DNS: Final = tuple(name for name, its in CHALLENGES.items() if its.writes_dns)
PERSIST: Final = ("dns-persist-01",)
"""Its check is about what only this type has: a record that stays."""
ALL: Final = ("all",)


class CheckEntry(Frozen):
    """One check.

    :ivar rows: the rows of causes that it finds, in the table of docs/how-it-works/diagnosis.md.
    :ivar challenges: it is made for certificates with a route of these; empty: for all.
    :ivar blocks: the challenges that it may stop if it cannot be made.
    :ivar on_host: for a check of a certificate: whether it is also made without a configuration, with None.
    :ivar only_names: whether it is about domains alone, so that it is not made for a certificate for IP addresses.
    :ivar only_probe: whether it writes to DNS, so that it is made only with ``--probe``.
    """

    code: str
    module: str
    scope: Scope
    rows: tuple[int, ...] = ()
    challenges: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    on_host: bool = False
    only_names: bool = False
    only_probe: bool = False

    @property
    def function(self) -> Callable[..., Check | None]:
        """The function that makes the check."""
        module: Any = import_module(f"dnsrenew.doctor.{self.module}")
        made: Callable[..., Check | None] = getattr(module, self.code.replace("-", "_"))
        return made


TABLE: Final = (
    CheckEntry("internet", "host.internet", "host", (25,), blocks=ALL),
    CheckEntry("vpn", "host.outbound", "host", (8,), INBOUND),
    CheckEntry("ipv6", "host.outbound", "certificate", (9,), INBOUND, on_host=True),
    CheckEntry("port-53", "host.dns_port", "host", (14, 25), blocks=DNS, only_names=True),
    CheckEntry("clock", "issuer.clock", "host", (21,), blocks=ALL),
    CheckEntry("store", "keeping.store", "host", (19,), blocks=ALL),
    CheckEntry("store-space", "keeping.store", "host", (19,)),
    CheckEntry("secrets", "accounts.accounts", "account", (18,), DNS, blocks=DNS),
    CheckEntry("secrets", "issuer.account", "ca", (18,), blocks=ALL),
    CheckEntry("ca-reachable", "issuer.ca", "ca", (22, 25), blocks=ALL),
    CheckEntry("ca-terms", "issuer.account", "ca", blocks=ALL),
    CheckEntry("ca-limits", "issuer.limits", "certificate-ca", (23,), blocks=ALL),
    CheckEntry("domain", "domains.names", "certificate", (13,), blocks=ALL),
    CheckEntry("name-exists", "domains.names", "certificate", (12,), blocks=INBOUND),
    CheckEntry("delegation", "domains.zones", "certificate", (14,), blocks=ALL),
    CheckEntry("dnssec", "domains.zones", "certificate", (15,), blocks=ALL),
    CheckEntry("split-dns", "domains.names", "certificate", (26,)),
    CheckEntry("caa", "issuer.caa", "certificate-ca", (16,), blocks=ALL),
    CheckEntry("cname", "domains.challenge_names", "certificate", (17,), DNS, blocks=DNS),
    CheckEntry("dns-account", "accounts.accounts", "certificate", (18,), DNS, blocks=DNS),
    CheckEntry("dns-account", "accounts.driver", "account", (18,), DNS, blocks=DNS),
    CheckEntry("dns-credentials", "accounts.probe", "certificate-account", (18,), DNS, blocks=DNS, only_probe=True),
    CheckEntry("txt-probe", "accounts.probe", "certificate-account", (17,), DNS, blocks=DNS, only_probe=True),
    CheckEntry("txt-stale", "domains.challenge_names", "certificate", (17,), DNS),
    CheckEntry("wildcard-shadow", "domains.challenge_names", "certificate", (17,), DNS),
    CheckEntry("address", "domains.addresses", "certificate", (9, 10, 11), INBOUND, blocks=INBOUND),
    CheckEntry("proxied", "domains.addresses", "certificate", (11,), INBOUND),
    CheckEntry("nat", "router.router", "host", (7,), INBOUND, blocks=INBOUND),
    CheckEntry("port-80-free", "host.ports", "certificate", (1,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-listens", "host.ports", "certificate", (2,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-firewall", "host.firewall", "certificate", (3,), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-forwarded", "router.router", "certificate", (4, 5), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-80-outside", "router.outside", "certificate", (4, 6), HTTP, blocks=HTTP, on_host=True),
    CheckEntry("port-443-free", "host.ports", "certificate", (1,), TLS, blocks=TLS),
    CheckEntry("port-443-outside", "router.outside", "certificate", (4, 6), TLS, blocks=TLS),
    CheckEntry("served", "keeping.served", "certificate", (20,)),
    CheckEntry("schedule", "keeping.schedule", "host", (24,)),
    CheckEntry("last-run", "keeping.schedule", "certificate", (24,)),
    CheckEntry("last-run", "keeping.persist_route", "certificate-ca", (24,), PERSIST, blocks=PERSIST),
    CheckEntry("expiry", "keeping.schedule", "certificate", (24,)),
)
