"""The texts of the checks of this machine."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── the way to the Internet ─────────────────────────────────────────────────────────────

INTERNET_OK: Final = Text("internet", "The network works: {host} answers.", "")
INTERNET_CONNECTED: Final = Text(
    "internet", "The network works: {host} accepts connections, even though its answer is not usable.", ""
)
INTERNET_NO_ROUTE: Final = Text(
    "internet",
    "This machine is not connected: it has no route to the Internet, neither for IPv4 nor for IPv6.",
    "Connect this machine to the network, and check that it has a default route (`ip route`; on Windows, `route "
    "print`).",
)
INTERNET_SIGN_IN: Final = Text(
    "internet",
    "This network requires a sign-in: it answers in place of {host}, and redirects to {portal}.",
    "Open http://{host}/ in a browser on this network and sign in, or ask its administrator to allow this machine.",
)
INTERNET_NO_DNS: Final = Text(
    "internet",
    "No DNS server answers this machine, so it cannot find any host.",
    "Check the DNS servers of this machine, or set `nameservers` under [resolver] to servers that answer.",
)
INTERNET_SILENT: Final = Text(
    "internet",
    "This machine has a route to the Internet, but it cannot reach {hosts}.",
    "Try to open any web page on this machine with a browser or curl; if that fails, check the router.",
)

INTERNET_DOWN: Final = Text(
    "internet",
    "This machine has no Internet: no CA answers ({hosts}), and no root server of the DNS.",
    "Check whether another device in this network opens a web page; if not, restart the router or ask your Internet "
    "provider.",
)

VPN_NONE: Final = Text("vpn", "This machine reaches the Internet through {interfaces}, which is not a VPN.", "")
VPN_OUT: Final = Text(
    "vpn",
    "This machine reaches the Internet through the VPN {interfaces} ({families}), so others see the VPN's address "
    "instead of yours.",
    "If people or a CA must reach this machine from the Internet, exclude it from the VPN on {interfaces}.",
)
VPN_PPP: Final = Text(
    "vpn",
    "This machine reaches the Internet through {interfaces} ({families}), which may be a VPN or the connection to "
    "your Internet provider.",
    "Check what {interfaces} is (`ip -d link show`); if it is a VPN, others see its address instead of yours.",
)
VPN_UNKNOWN: Final = Text(
    "vpn",
    "This machine reaches the Internet from {addresses}, but dnsrenew cannot tell through which interface.",
    "Check the route (`ip route get 198.41.0.4`); through a VPN, others see its address instead of yours.",
)

IPV6_OK: Final = Text("ipv6", "IPv6 works: a CA answered this machine over IPv6.", "")
IPV6_UNTRIED: Final = Text("ipv6", "This machine has a public IPv6 address and a route for it ({addresses}).", "")
IPV6_NONE: Final = Text("ipv6", "This machine has no public IPv6 address, and does not need one.", "")
IPV6_ELSEWHERE: Final = Text(
    "ipv6",
    "{names} has an IPv6 address in DNS, but this machine has none, so a CA that connects over IPv6 does not reach it.",
    "Remove the AAAA record of {names}, unless the machine with that address passes requests on to this machine.",
)
IPV6_NO_ROUTE: Final = Text(
    "ipv6",
    "This machine has the IPv6 address {addresses}, but no route for it, so it cannot answer over IPv6.",
    "Repair the IPv6 route (`ip -6 route` shows no default route), or remove the AAAA records that point to this "
    "machine.",
)
IPV6_BROKEN: Final = Text(
    "ipv6",
    "IPv6 does not work here: hosts that answer over IPv4 do not answer over IPv6 ({addresses}).",
    "Repair IPv6 on this machine or its router, or turn it off and remove the AAAA records that point to this machine.",
)

# ── DNS ─────────────────────────────────────────────────────────────────────────────────

_SET_DOH: Final = (
    "Set `doh` under [resolver] to DNS-over-HTTPS servers, such as "
    '["https://dns.google/dns-query", "https://cloudflare-dns.com/dns-query"].'
)

_CHECK_SERVERS: Final = (
    "Check that these servers are running, and that this machine can query them on port {port} (UDP and TCP); if "
    "it cannot, set `doh` under [resolver]."
)

PORT_53_OK: Final = Text("port-53", "The name servers can be queried directly, by UDP and by TCP.", "")
PORT_53_BY_DOH: Final = Text(
    "port-53",
    "This machine cannot query any name server on port {port}, so dnsrenew uses the DNS-over-HTTPS servers of the "
    "configuration instead.",
    "",
)
PORT_53_CLOSED: Final = Text(
    "port-53",
    "This network blocks DNS queries to port {port} by UDP and by TCP: {servers} cannot be queried.",
    _SET_DOH,
)
PORT_53_SILENT: Final = Text(
    "port-53",
    "DNS queries leave this network, but none of the name servers of the domains answers: {servers}.",
    _CHECK_SERVERS,
)
PORT_53_NO_ANSWER: Final = Text(
    "port-53",
    "No name server of the domains answers this machine on port {port}: {servers}. They are down, or a firewall "
    "blocks the queries.",
    _CHECK_SERVERS,
)
PORT_53_NO_RESOLVER: Final = Text(
    "port-53",
    "The DNS servers of this machine do not answer in time, so the name servers of the domains cannot be found.",
    "Check the DNS servers of this machine, or set `nameservers` under [resolver] to servers that answer.",
)
PORT_53_NO_ZONE: Final = Text(
    "port-53",
    "No name server was queried: the DNS servers of this machine find no zone for {domains}.",
    "Check the spelling of {domains}; if it is right, set `nameservers` under [resolver] to servers that can look up "
    "the zone.",
)
PORT_53_HALF: Final = Text(
    "port-53",
    "This network blocks DNS queries by {protocol}.",
    "Allow {protocol} port {port} from this machine to the Internet, or set `doh` under [resolver].",
)
PORT_53_REDIRECTED: Final = Text(
    "port-53",
    "Something between this machine and the name servers {servers} answers DNS queries in their place: no answer "
    "is authoritative.",
    _SET_DOH,
)
PORT_53_NOBODY: Final = Text(
    "port-53",
    "This machine has no route to any name server, so dnsrenew cannot tell whether DNS queries leave this network.",
    "Connect this machine to the Internet first, then run `dnsrenew doctor` again.",
)

# ── ports ───────────────────────────────────────────────────────────────────────────────

_HTTP_TAKEN: Final = (
    "Set `webroot` to the folder that this program serves, stop it with `before`, or use a dns-01 route, which needs "
    "no port."
)

# The texts with the code port-80-free are also for port-443-free; an examination sets the code.

PORT_FREE: Final = Text("port-80-free", "Port {port} can be opened.", "")
PORT_IN_USE: Final = Text(
    "port-80-free",
    "Port {port} is in use by {owner} (process {pid} of {user}), which can serve http-01 from a webroot.",
    "",
)
PORT_IN_USE_UNKNOWN: Final = Text(
    "port-80-free", "Port {port} is in use by a program that can serve http-01 from a webroot.", ""
)
PORT_FREED_BEFORE: Final = Text(
    "port-80-free", "Port {port} is in use now. Before a renewal, {before} runs and should free it.", ""
)
PORT_TAKEN: Final = Text("port-80-free", "Port {port} is in use by {owner} (process {pid} of {user}).", _HTTP_TAKEN)
PORT_TAKEN_TLS: Final = Text(
    "port-443-free",
    "Port {port} is in use by {owner} (process {pid} of {user}).",
    "Stop {owner} with `before` and start it again with `after`, or use a dns-01 route, which needs no port.",
)
PORT_TAKEN_STRANGE: Final = Text(
    "port-80-free",
    "Port {port} is in use by {owner} (process {pid} of {user}).",
    "Check the program with `ps -fp {pid}`, because any user can choose this name, and stop it; or use a "
    "dns-01 route, which needs no port.",
)
PORT_TAKEN_UNKNOWN: Final = Text(
    "port-80-free",
    "Port {port} is in use by another program.",
    "Find the program with `sudo ss -ltnp 'sport = :{port}'`, and stop it with `before`; or use a dns-01 "
    "route, which needs no port.",
)
PORT_TAKEN_UNKNOWN_WINDOWS: Final = Text(
    "port-80-free",
    "Port {port} is in use by another program, or reserved by Windows.",
    "Find the program with `netstat -abno` as administrator, and the reserved ports with `netsh interface ipv4 show "
    "excludedportrange protocol=tcp`.",
)
PORT_FORBIDDEN: Final = Text(
    "port-80-free",
    "The user {user} is not allowed to open port {port}.",
    "Run dnsrenew as root. To let every user open all ports from {port} up until the next restart: sudo sysctl "
    "net.ipv4.ip_unprivileged_port_start={port}",
)
PORT_NO_ADDRESS: Final = Text(
    "port-80-free",
    'This machine has no address for listen = "{listen}".',
    'Listen on an address of this machine, or on all of them with listen = ":{port}".',
)
PORT_FAILED: Final = Text(
    "port-80-free",
    "Port {port} cannot be opened ({error}).",
    "Fix this, or use a dns-01 route, which needs no port.",
)

LISTENS_OWN: Final = Text("port-80-listens", "dnsrenew itself listens at {listen} during a validation.", "")
LISTENS_OWN_LOOPBACK: Final = Text(
    "port-80-listens",
    'listen = "{listen}" can be reached only from this machine. A CA gets an answer only if a program '
    "here passes port 80 on to it.",
    'Check that a proxy on this machine passes requests on to {listen}, or use listen = ":80".',
)
LISTENS_OWN_UNREACHED: Final = Text(
    "port-80-listens",
    'listen = "{listen}" can be reached only from this machine, and nothing passes port 80 on to it.',
    'Make a web server pass requests on to {listen}, or use listen = ":80".',
)
LISTENS_OWN_ONE_FAMILY: Final = Text(
    "port-80-listens",
    'listen = "{listen}" accepts only {served}, but {names} also has an {missing} address.',
    'Listen on all addresses with listen = ":{port}", or remove the DNS record with the {missing} address.',
)
LISTENS_OK: Final = Text("port-80-listens", "A program listens on port {port} ({served}).", "")
LISTENS_PASSED_ON: Final = Text(
    "port-80-listens", "Nothing listens on port {port} itself; a rule of the firewall passes it on.", ""
)
LISTENS_UNREADABLE: Final = Text(
    "port-80-listens",
    "The user {user} is not allowed to see which programs listen on port {port}.",
    "Run as root: sudo dnsrenew doctor",
)
LISTENS_NOTHING: Final = Text(
    "port-80-listens",
    "Nothing listens on port {port}, so a CA gets no answer for http-01.",
    "Start the web server that serves the webroot on port {port}, or set `listen` instead of `webroot`.",
)
LISTENS_NOTHING_BEHIND: Final = Text(
    "port-80-listens",
    "Nothing listens on port {port} of this machine. That is right only if the router forwards port {port} "
    "to another port or machine.",
    "Check where the router forwards port {port}; if it is this machine and this port, start the web server.",
)
LISTENS_NOTHING_SEEN: Final = Text(
    "port-80-listens",
    "Nothing listens on port {port}, unless a firewall rule passes it on, which dnsrenew could not see.",
    "Run as root, so that the rules can be read: sudo dnsrenew doctor",
)
LISTENS_LOOPBACK: Final = Text(
    "port-80-listens",
    "Port {port} can be reached only from this machine: a program listens on {addresses} only.",
    "Make the web server listen on all addresses, in nginx with `listen {port};` and `listen [::]:{port};`.",
)
LISTENS_ONE_FAMILY: Final = Text(
    "port-80-listens",
    "Port {port} is served over {served} only, but {names} also has an {missing} address.",
    "Make the web server listen over {missing} too, or remove the DNS record with that address.",
)

# ── the firewall ────────────────────────────────────────────────────────────────────────

_CLOSED: Final = (
    "The firewall of this machine blocks port {port} ({families}) with {rule} in the table {table}, chain {chain}."
)

FIREWALL_OPEN: Final = Text("port-80-firewall", "The firewall of this machine allows port {port} ({families}).", "")
FIREWALL_PASSED_ON: Final = Text(
    "port-80-firewall", "The firewall of this machine passes port {port} on to another port or host with {rule}.", ""
)
FIREWALL_CLOSED_NFT: Final = Text(
    "port-80-firewall",
    _CLOSED,
    "Run `sudo nft insert rule {family} {table} {chain} tcp dport {port} accept`, and add that rule to "
    "/etc/nftables.conf to keep it after a restart.",
)
FIREWALL_CLOSED_IPTABLES: Final = Text(
    "port-80-firewall",
    _CLOSED,
    "Run `sudo {command} -t {table} -I {chain} -p tcp --dport {port} -j ACCEPT`, and save the rules to keep it "
    "after a restart.",
)
FIREWALL_CLOSED_UFW: Final = Text("port-80-firewall", _CLOSED, "Run `sudo ufw allow {port}/tcp`.")
FIREWALL_CLOSED_FIREWALLD: Final = Text(
    "port-80-firewall",
    _CLOSED,
    "Run `sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload`.",
)
FIREWALL_BEFORE: Final = Text(
    "port-80-firewall",
    "The firewall of this machine blocks port {port} ({families}) now. {before}, which runs before a renewal, may "
    "open it.",
    "Check that {before} opens TCP port {port} in the firewall.",
)
FIREWALL_DEPENDS: Final = Text(
    "port-80-firewall",
    "Rule {rule} of the firewall (table {table}, chain {chain}) checks more than the port, so dnsrenew cannot tell "
    "whether a CA reaches port {port}.",
    "Check that this rule allows every sender to connect to TCP port {port}: a CA may connect from any address.",
)
FIREWALL_FORBIDDEN: Final = Text(
    "port-80-firewall",
    "The user {user} is not allowed to read the firewall rules, so dnsrenew cannot tell whether port {port} is open.",
    "Run as root: sudo dnsrenew doctor",
)
FIREWALL_UNREADABLE: Final = Text(
    "port-80-firewall",
    "Not even root can read the firewall rules here, so dnsrenew cannot tell whether port {port} is open.",
    "In a container, check the firewall of its host; elsewhere, check the output of `nft list ruleset`.",
)
FIREWALL_NO_PROGRAM: Final = Text(
    "port-80-firewall",
    "This machine has no program that shows the firewall rules, so dnsrenew cannot tell whether port {port} is open.",
    "Install nftables and run `dnsrenew doctor` again; in a container, check the firewall of its host.",
)
FIREWALL_UNSUPPORTED: Final = Text(
    "port-80-firewall",
    "dnsrenew cannot read the firewall of this machine, so it cannot tell whether port {port} is open.",
    "Check in the firewall settings of this machine whether incoming connections to TCP port {port} are allowed.",
)
FIREWALL_OFF: Final = Text("port-80-firewall", "Windows Firewall is off, so it does not block port {port}.", "")
FIREWALL_RULE_ALLOWS: Final = Text("port-80-firewall", "Windows Firewall allows port {port} with the rule {rules}.", "")
FIREWALL_RULE_BLOCKS: Final = Text(
    "port-80-firewall",
    "Windows Firewall has a rule that blocks port {port}: {rules}.",
    "Open wf.msc and check which addresses the rule {rules} blocks: a CA may connect from any address.",
)
FIREWALL_NO_RULE: Final = Text(
    "port-80-firewall",
    "Windows Firewall has no rule for port {port}; a rule for a program may still allow it.",
    "Allow it, as administrator: netsh advfirewall firewall add rule name=dnsrenew dir=in action=allow "
    "protocol=TCP localport={port}",
)
