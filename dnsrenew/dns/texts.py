"""The texts of DNS errors and warnings, and the reasons that they quote.

Some fields are evidence in a form for people: ``{answers}`` is each server with its reason, ``{chain}`` is ``hops``
without final dots, ``{name}``, ``{target}`` and ``{last}`` are names of that chain. A reason is a clause that continues
"the server …", or a sentence; it is a :class:`~dnsrenew.errors.Phrase`, so that it is translated with the text.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── recursive servers ───────────────────────────────────────────────────────────────────

_FAILED: Final = "No DNS server of this machine can resolve the name: {answers}."
_UNREACHABLE: Final = "This machine cannot reach any DNS server: {answers}."

_SET_PUBLIC: Final = 'Set `nameservers` under [resolver] to public DNS servers, such as ["9.9.9.9", "1.1.1.1"].'

NAMESERVERS_FAILED: Final = Text(
    "dns-unreachable",
    _FAILED,
    _SET_PUBLIC,
)
SYSTEM_NAMESERVERS_FAILED: Final = Text(
    "dns-unreachable",
    _FAILED,
    "Check the system's DNS settings: they must name a server that resolves every domain for this machine.",
)
NAMESERVERS_UNREACHABLE: Final = Text(
    "dns-unreachable",
    _UNREACHABLE,
    "Check that this machine has a network connection and that `nameservers` under [resolver] is right.",
)
SYSTEM_NAMESERVERS_UNREACHABLE: Final = Text(
    "dns-unreachable",
    _UNREACHABLE,
    "Check that this machine has a network connection and that the system's DNS settings are right.",
)
NAMESERVERS_UNKNOWN: Final = Text(
    "dns-unreachable",
    "This machine cannot reach any DNS server: none of the configured names has an address.",
    _SET_PUBLIC,
)

# ── zones ───────────────────────────────────────────────────────────────────────────────

NOT_REGISTERED: Final = Text(
    "dns-no-zone",
    "The domain {name} is not registered: the name servers of {zone} do not have it.",
    "Check the spelling of {name}, and whether its registration has expired.",
)
NO_ZONE: Final = Text(
    "dns-no-zone",
    "No DNS zone was found for {name}: neither it nor a name above it exists in DNS.",
    "Check the spelling of {name}, and that the domain is registered and has name servers.",
)
NO_TOP_ZONE: Final = Text(
    "dns-no-zone",
    "The DNS servers of this machine cannot look up {name} or any other public name: they answer that even {top} does "
    "not exist.",
    'Set `nameservers` under [resolver] to public DNS servers, such as ["9.9.9.9", "1.1.1.1"].',
)
ZONE_SILENT: Final = Text(
    "dns-unreachable",
    "No name server of {zone} answers: {answers}.",
    "Check that the name servers of {zone} are running and that this machine can query them on port 53; if it "
    "cannot, set `resolver.doh`.",
)
ZONE_WITHOUT_ADDRESS: Final = Text(
    "dns-unreachable",
    "No name server of {zone} has an address.",
    "Check the NS records of {zone}, and that the servers they name have A or AAAA records.",
)
ZONE_WITHOUT_SERVERS: Final = Text(
    "dns-unreachable",
    "The name servers of the zone {zone} could not be found.",
    "Check that {zone} has NS records, and that the DNS server of this machine returns them.",
)
LOOKUPS_SLOW: Final = Text(
    "dns-unreachable",
    "The DNS lookups for {names} were stopped after {seconds:.0f} s: the name servers answer too slowly.",
    "Check the name servers of {names}, and of every zone that a CNAME points to.",
)
LOOKUPS_SILENT: Final = Text(
    "dns-unreachable",
    "The DNS lookups for {names} were stopped after {seconds:.0f} s: {answers}.",
    "Check these servers, and that this machine can query them on port 53 (UDP and TCP).",
)
MANY_SERVERS: Final = Text(
    "dns-many-servers",
    "The zone {zone} has {count} name servers; dnsrenew queries only {limit} of them, chosen at random.",
    "Remove some NS records of {zone}: more than {limit} name servers do not make a zone more reliable.",
)
MANY_ADDRESSES: Final = Text(
    "dns-many-servers",
    "The name servers of {zone} have {count} addresses; dnsrenew queries only {limit} of them, chosen at random.",
    "Remove some NS records of {zone}, or some addresses of its name servers.",
)
SERVERS_NOT_FOUND: Final = Text(
    "dns-unreachable",
    "The name servers for {names} could not be found within {seconds:.0f} s.",
    "Check the name servers of the zones of these names: they must answer this machine quickly.",
)
DNS_CLOSED: Final = Text(
    "dns-closed",
    "The zones' own name servers do not answer this machine, so dnsrenew cannot see whether {names} has a CNAME "
    "record.",
    "If it has one, set `alias` of the route to the name where the CNAME ends.",
)

# ── delegation by CNAME ─────────────────────────────────────────────────────────────────

CNAME_LOOP: Final = Text(
    "cname-loop",
    "The CNAME records that start at {name} form a loop: {chain}.",
    "Change the CNAME record at {last} so that it points to the name that will hold the TXT record.",
)
CNAME_DANGLING: Final = Text(
    "cname-dangling",
    "The CNAME record at {name} points to {target}, which is not in any DNS zone.",
    "Correct the CNAME record at {name}, or remove it: dnsrenew then writes the TXT record at {name} itself.",
)
ALIAS_HAS_CNAME: Final = Text(
    "alias-not-delegated",
    "The alias {alias} has a CNAME record itself, which points to {leads_to}.",
    'Set `alias = "{leads_to}"`, or remove the CNAME record at {alias}.',
)
ALIAS_ELSEWHERE: Final = Text(
    "alias-not-delegated",
    "The CNAME record at {name} points to {leads_to} instead of the alias {alias}.",
    "Change it to: {name}. CNAME {alias}.",
)
ALIAS_WITHOUT_CNAME: Final = Text(
    "alias-not-delegated",
    "{name} has no CNAME record to the alias {alias}, so the CA would not look there.",
    "Create this record at the DNS host of {name}: {name}. CNAME {alias}.",
)
WILDCARD_SHADOW: Final = Text(
    "wildcard-shadow",
    "{domain} exists only through *.{parent}, so it disappears from DNS while the TXT record for its certificate "
    "exists, and for some time after.",
    "Request *.{parent} instead, or give {domain} a record of its own.",
)

# ── propagation ─────────────────────────────────────────────────────────────────────────

_SOME_UPDATED: Final = "{updated} of {total} name servers have the new value after {seconds:.0f} s: {answers}."
_NONE_UPDATED: Final = "No name server has the new value after {seconds:.0f} s: {answers}."
_OPEN_FILES: Final = (
    "Allow dnsrenew to open more files (ulimit -n; in a systemd unit, LimitNOFILE=), or renew fewer certificates "
    "at once (--workers)."
)

SOME_UPDATED: Final = Text(
    "propagation-timeout",
    _SOME_UPDATED,
    "DNS can be slow: try again in 10 minutes, or write propagation = {{ timeout = 600 }} in its [[certificate]] "
    "table.",
)
NONE_UPDATED: Final = Text(
    "propagation-timeout",
    _NONE_UPDATED,
    "Check that the DNS account writes to these name servers. If it does, DNS is slow: write propagation = "
    "{{ timeout = 600 }} in its [[certificate]] table.",
)
SOME_UPDATED_NO_SOCKET: Final = Text("propagation-timeout", _SOME_UPDATED, _OPEN_FILES)
NONE_UPDATED_NO_SOCKET: Final = Text("propagation-timeout", _NONE_UPDATED, _OPEN_FILES)
SERVERS_UNREACHABLE: Final = Text(
    "dns-unreachable",
    "No name server of {zones} can be queried for the new value: {answers}.",
    "Check that these servers are running and that this machine can query them on port 53 (UDP and TCP); if it "
    "cannot, set `resolver.doh`.",
)
SERVER_UNREACHABLE: Final = Text(
    "dns-unreachable",
    "The name server {server} of {zone} {reason}; all others have the new value.",
    "Repair {name}, or remove it from the NS records of {zone}: the CA may query it.",
)
DOH_MISSING: Final = Text(
    "doh-missing",
    'The propagation check is "doh", but no DNS-over-HTTPS server is configured.',
    'Add `doh = ["https://…/dns-query"]` under [resolver] in the configuration.',
)
DOH_TIMEOUT: Final = Text(
    "propagation-timeout",
    "Not every DNS-over-HTTPS server has the new value after {seconds:.0f} s: {answers}.",
    "Add settle = 60 to `propagation`: if such a server is queried too early, it caches that there is no value.",
)
DOH_UNREACHABLE: Final = Text(
    "dns-unreachable",
    "No DNS-over-HTTPS server can be queried for the new value: {answers}.",
    "Check this machine's network connection and the addresses in `resolver.doh`.",
)

AND_MORE: Final = Phrase("and {count} more")
SERVER: Final = Phrase("{name} ({address})")
SERVER_REASON: Final = Phrase("{server} {reason}")
ADDRESS_MISSING: Final = Phrase("no address")

# ── reasons: how a server answers ───────────────────────────────────────────────────────

RCODE: Final = Phrase("answers {rcode}")
OTHER_NAME: Final = Phrase("answers for another name")
REFERRAL: Final = Phrase("refers to other servers instead of resolving the name")
LAME: Final = Phrase("answers, but not as an authority for {zone}")
# An authoritative server does not offer recursion; a resolver to which port 53 is redirected does.
LAME_RECURSIVE: Final = Phrase(
    "answers, but not as an authority for {zone} (a device on the path may answer in its place)"
)
NOT_DNS: Final = Phrase("sent something that is not a DNS message")
EXCESSIVE: Final = Phrase("sent an answer above dnsrenew's limit (500 records, 65,535 bytes, fewer if names are long)")
NOT_THE_ANSWER: Final = Phrase("sent something that is not an answer to the question")
HTTP_STATUS: Final = Phrase("answers with the HTTP status {status}")
HTTP_FAILURE: Final = Phrase("cannot be reached ({kind})")

UPDATED: Final = Phrase("is updated")
ALL_NAMES_UPDATED: Final = Phrase("is updated for all {total} names")
SOME_NAMES_UPDATED: Final = Phrase("is updated for {updated} of {total} names")
NOT_UPDATED: Final = Phrase("is not updated yet")
NOT_ANSWERED_YET: Final = Phrase("is being queried")
SKIPPED: Final = Phrase("is not queried: {reason}")

# ── reasons: why a server does not answer ───────────────────────────────────────────────

NO_ROUTE: Final = Phrase("cannot be reached: this machine has no route to it")
NO_ROUTE_ON_PATH: Final = Phrase("cannot be reached: a router reports no route to it")
ONLY_RCODE: Final = Phrase("is unreachable: it only answers {rcode}")
NO_REPLY: Final = Phrase("did not answer")
REFUSED: Final = Phrase("does not accept connections there (connection refused)")
FORBIDDEN: Final = Phrase("cannot be reached: this machine blocks it (a firewall?)")
NO_SOCKET: Final = Phrase("could not be queried: {cause}")
CONNECTION_LOST: Final = Phrase("closed the connection")

PROCESS_FILES: Final = Phrase("this process has too many open files")
SYSTEM_FILES: Final = Phrase("this machine has too many open files")
NO_MEMORY: Final = Phrase("this machine has no memory left for it")

# ── reasons: why a server is not queried (whole clauses) ────────────────────────────────

NO_SERVER_ADDRESS: Final = Phrase("it has no address")
NO_FAMILY_ROUTE: Final = Phrase("this machine has no {family} route to it")
NO_IPV6_SOURCE: Final = Phrase("this machine has no global IPv6 address to query it from")
ADDRESS_UNKNOWN: Final = Phrase("has no known address: {answers}")
NOT_ASKED: Final = Phrase("was not queried")

# ── reasons: why the CAA records are unknown (whole sentences) ──────────────────────────

CAA_INCOMPLETE: Final = Phrase("Not every parent domain could be queried.")
CAA_TIMEOUT: Final = Phrase("The name servers did not answer within {seconds:.0f} seconds.")
CAA_NO_ZONE: Final = Phrase("{name} is not in any DNS zone.")
CAA_REFERRALS: Final = Phrase("The referrals for {name} form a loop.")
CAA_CNAME_LOOP: Final = Phrase("The CNAME records that start at {name} form a loop.")
CAA_ZONE_SILENT: Final = Phrase("The name servers of {zone} do not answer whether {name} has CAA records: {answers}.")
CAA_NO_ADDRESS: Final = Phrase(
    "No name server of {zone} has an address, so dnsrenew cannot find out whether {name} has CAA records."
)
CAA_RECURSIVE: Final = Phrase("No recursive DNS server answers whether {name} has CAA records: {answers}.")
CAA_RECURSIVE_SILENT: Final = Phrase("No recursive DNS server answers in time whether {name} has CAA records.")
CAA_CLOSED: Final = Phrase("The zone's own name servers do not answer this machine.")
