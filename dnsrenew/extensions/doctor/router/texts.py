"""The texts of the checks of the router and of the view from outside, and of the helper."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── nat ─────────────────────────────────────────────────────────────────────────────────

NAT_NONE: Final = Text("nat", "This machine itself has the public address {address}.", "")
NAT_ONLY_IPV6: Final = Text("nat", "This machine has only IPv6, with the public address {address}.", "")
NAT_ROUTER: Final = Text("nat", "The router has the public address {wan}.", "")
NAT_CGNAT: Final = Text(
    "nat",
    "Your Internet provider shares one public IPv4 address among several customers (carrier-grade NAT, "
    "{wan}), so no IPv4 connection from the Internet reaches this machine.",
    "Use a dns-01 route, which needs no open port, or ask your Internet provider for a public address.",
)
NAT_CGNAT_IPV6: Final = Text(
    "nat",
    "The address {wan} belongs to carrier-grade NAT, so no IPv4 connection from the Internet reaches this machine; "
    "its IPv6 address {ipv6} is public.",
    "Publish an AAAA record with {ipv6} and no A record, or use a dns-01 route, which needs no open port.",
)
NAT_DS_LITE: Final = Text(
    "nat",
    "The address {wan} belongs to DS-Lite: your Internet provider carries IPv4 inside IPv6, so no IPv4 connection "
    "from the Internet reaches this machine.",
    "Use a dns-01 route, which needs no open port, or ask your Internet provider for a public IPv4 address.",
)
NAT_DS_LITE_IPV6: Final = Text(
    "nat",
    "The address {wan} belongs to DS-Lite, so no IPv4 connection from the Internet reaches this machine; its IPv6 "
    "address {ipv6} is public.",
    "Publish an AAAA record with {ipv6} and no A record, or use a dns-01 route, which needs no open port.",
)
NAT_DOUBLE: Final = Text(
    "nat",
    "The router itself is behind another router: on its other side it has the private address {wan}.",
    "Forward the port in both routers, first to {wan} and then to this machine, or set one of them to bridge mode.",
)
NAT_OTHER_ADDRESS: Final = Text(
    "nat",
    "The router has the address {wan}, but the outside helper sees this machine at {seen}.",
    "Check whether a VPN or a second line carries the traffic of this machine, or whether another router is in front "
    "of this one.",
)
NAT_EMPTY: Final = Text(
    "nat",
    "The router reports no public IPv4 address: it is offline, or behind another network.",
    "Look up the WAN address on the router's own page, and compare it with the one that a website shows you.",
)
NAT_SILENT: Final = Text(
    "nat",
    "The router {gateway} does not report its public address: it supports neither UPnP nor NAT-PMP.",
    "Look up the WAN address on the router's own page: http://{gateway}/",
)
NAT_NO_GATEWAY: Final = Text(
    "nat",
    "This machine has the private address {address}, but dnsrenew could not find its router.",
    "Look up the WAN address on the page of your router.",
)
NAT_NO_ADDRESS: Final = Text(
    "nat", "This machine has no address to reach the Internet.", "Connect this machine to a network."
)

# ── port-80-forwarded ───────────────────────────────────────────────────────────────────

FORWARDED_NO_NEED: Final = Text(
    "port-80-forwarded",
    "This machine itself has the public address {address}, so no router has to forward port 80.",
    "",
)
FORWARDED_ONLY_IPV6: Final = Text(
    "port-80-forwarded", "This machine has only IPv6, so no router has to forward port 80.", ""
)
FORWARDED_OK: Final = Text(
    "port-80-forwarded", "The router forwards port 80 to this machine ({target}, port {target_port}).", ""
)
FORWARDED_PROVEN: Final = Text(
    "port-80-forwarded", "The outside helper reached this machine through port 80 of {address}.", ""
)
FORWARDED_ELSEWHERE: Final = Text(
    "port-80-forwarded",
    "The router forwards port 80 to {target}, but this machine has the address {host}.",
    "Forward port 80 to {host} on the router's page ({gateway}), and reserve this address for this machine in its DHCP "
    "settings.",
)
FORWARDED_OTHER_PORT: Final = Text(
    "port-80-forwarded",
    "The router forwards port 80 to port {target_port} of this machine, but http-01 listens on port {port}.",
    'Forward port 80 to port {port} on the router\'s page ({gateway}), or write `listen = ":{target_port}"` in the '
    "route.",
)
FORWARDED_NONE: Final = Text(
    "port-80-forwarded",
    "The router shows no mapping for port 80, but routers often do not show mappings that you set on their own page.",
    "Check on the router's page (http://{gateway}/) that TCP port 80 is forwarded to {host}.",
)
FORWARDED_SILENT: Final = Text(
    "port-80-forwarded",
    "The router {gateway} does not report which ports it forwards.",
    "Check on the router's page (http://{gateway}/) that TCP port 80 is forwarded to {host}.",
)
FORWARDED_NO_ROUTER: Final = Text(
    "port-80-forwarded",
    "dnsrenew could not find out whether port 80 is forwarded to this machine, because it could not find the router.",
    "Check on the page of your router that TCP port 80 is forwarded to this machine.",
)

# ── port-80-outside, port-443-outside; the empty code is replaced by the check's ────────

OUTSIDE_NO_HELPER: Final = Text(
    "port-80-outside",
    "Whether port {port} is open can be tested only from outside, and no outside helper is configured.",
    "Open {scheme}://{name}/ on a phone with mobile data instead of Wi-Fi: any answer, even an error page, means that "
    "port {port} is open.",
)
OUTSIDE_NO_HELPER_HOST: Final = Text(
    "port-80-outside",
    "Whether port {port} is open can be tested only from outside, and no outside helper is configured.",
    "Open {scheme}:// and the name of this machine on a phone with mobile data instead of Wi-Fi: any answer, even an "
    "error page, means that port {port} is open.",
)
OUTSIDE_OPEN: Final = Text("port-80-outside", "Port {port} of {address} is open from outside.", "")
OUTSIDE_TIMEOUT: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside: connections time out.",
    "Forward port {port} to this machine in the router, and allow it in every firewall.",
)
OUTSIDE_REFUSED: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside: connections are refused.",
    "Forward port {port} to this machine in the router, and allow it in every firewall.",
)
OUTSIDE_UNREACHABLE: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside: there is no route to it, or a firewall rejects connections.",
    "Forward port {port} to this machine in the router, and allow it in every firewall.",
)
OUTSIDE_FAILED: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside.",
    "Forward port {port} to this machine in the router, and allow it in every firewall.",
)
OUTSIDE_PROVIDER: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside, even though the router forwards it and port "
    "{other_port} is open. Your Internet provider probably blocks it.",
    "Use a dns-01 route, which needs no open port, or ask your Internet provider to open port {port}.",
)
OUTSIDE_HALF: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is closed from outside; dnsrenew cannot tell whether it is open over IPv6, because "
    "it could not reach the helper over IPv6.",
    "Forward port {port} to this machine in the router and allow it in every firewall, or use a helper that has IPv6.",
)
OUTSIDE_NOTHING_HERE: Final = Text(
    "port-80-outside",
    "The outside helper got no answer from port {port} of {address}, but nothing listened on this machine either.",
    "Run `dnsrenew doctor` as a user that is allowed to open port {port}, such as root.",
)
OUTSIDE_FOREIGN: Final = Text(
    "port-80-outside",
    "Port {port} of {address} is open from outside, but the answer did not come from this machine.",
    "Check on the router's page that port {port} is forwarded to this machine, and not used by the router or "
    "another device.",
)
HELPER_SILENT: Final = Text(
    "port-80-outside",
    "The helper ({helper}) does not answer, so dnsrenew cannot tell whether port {port} is open.",
    "Check probe_url in [doctor], and that the helper is running.",
)
HELPER_NONSENSE: Final = Text(
    "port-80-outside",
    "The helper ({helper}) sent an invalid answer, so dnsrenew cannot tell whether port {port} is open.",
    "Check that probe_url in [doctor] points to a helper for dnsrenew.",
)
HELPER_BUSY: Final = Text(
    "port-80-outside",
    "The helper ({helper}) receives too many requests, so dnsrenew cannot tell whether port {port} is open.",
    "Run `dnsrenew doctor` again in a minute.",
)
HELPER_PROXIED: Final = Text(
    "port-80-outside",
    "The helper ({helper}) sees a proxy instead of this machine, so dnsrenew cannot tell whether port {port} is open.",
    "Run the helper without a proxy in front of it.",
)

# ── dnsrenew doctor --serve-probe ───────────────────────────────────────────────────────

PROBE_ADDRESS: Final = Text(
    "probe-address", "{value} is not an address to listen on.", "Write HOST:PORT, such as :8090 for all addresses."
)
PROBE_PORT: Final = Text(
    "probe-address",
    "The helper cannot listen on {value} ({cause}).",
    "Choose a free port and an address of this machine. Ports below 1024 need root.",
)
