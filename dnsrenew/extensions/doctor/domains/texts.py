"""The texts of the checks of names.

Each is about one name or zone. If several are equally bad, the evidence has all of them.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── domain ──────────────────────────────────────────────────────────────────────────────

DOMAIN_OK: Final = Text("domain", "The domain of every name exists: {zones}.", "")
DOMAIN_SUFFIX: Final = Text(
    "domain",
    "{domain} is a public suffix: anyone can register names below it, so no public CA issues a certificate for it.",
    "Request a certificate for a domain of your own, such as www.{domain}, instead of {domain} itself.",
)
DOMAIN_NOT_PUBLIC: Final = Text(
    "domain",
    "No public CA issues a certificate for {domain}, because it is not a name in the public DNS.",
    "Use a domain that you have registered, or set ca to a CA of your own.",
)
DOMAIN_NOT_REGISTERED: Final = Text(
    "domain",
    "The domain {registered} is not registered, or its registration has ended: the name servers of {parent} do not "
    "have it.",
    "Check the spelling of {registered}, and renew its registration at your registrar.",
)
DOMAIN_NOWHERE: Final = Text(
    "domain",
    "{domain} does not exist in DNS, and no name above it either.",
    "Check the spelling of {domain}, and that its domain is registered.",
)
DOMAIN_NO_TOP: Final = Text(
    "domain",
    "The DNS servers of this machine cannot look up {domain} or any other public name: they answer that even {top} "
    "does not exist.",
    'Set `nameservers` under [resolver] to public DNS servers, such as ["9.9.9.9", "1.1.1.1"].',
)
DOMAIN_PARKED: Final = Text(
    "domain",
    "The registrar has parked {registered}: its name servers are {servers}. This usually means that its registration "
    "has expired.",
    "Renew the registration of {registered}, or set its name servers to those of your DNS host, at your registrar.",
)
DOMAIN_UNKNOWN: Final = Text(
    "domain",
    "dnsrenew could not find out whether {domain} is registered: no name server above it answers.",
    "Run this on a network that does not restrict DNS, or look up the domain at your registrar.",
)

# ── name-exists ─────────────────────────────────────────────────────────────────────────

EXISTS_OK: Final = Text("name-exists", "Every name has an address in DNS.", "")
EXISTS_NOT_NEEDED: Final = Text(
    "name-exists", "{domain} has no address in DNS, and needs none: the certificate is validated by dns-01.", ""
)
EXISTS_ABSENT: Final = Text(
    "name-exists",
    "{domain} does not exist in DNS (its zone {zone} does), so the CA finds no host to connect to.",
    "Create an A record for {domain}; if it is a dynamic DNS name that has lapsed, renew it at its DNS host.",
)
EXISTS_NOWHERE: Final = Text(
    "name-exists",
    "Neither {domain} nor a domain above it exists in DNS, so the CA cannot find a host to connect to.",
    "First fix the problem with the domain, in this list.",
)
EXISTS_EMPTY: Final = Text(
    "name-exists",
    "{domain} has no A or AAAA record, so the CA finds no host to connect to.",
    "Give {domain} an A record with the public address of this machine.",
)
EXISTS_UNKNOWN: Final = Text(
    "name-exists",
    "dnsrenew could not find out whether {domain} has an address: no name server of its zone answers.",
    "First fix the problem with the name servers, in this list.",
)

# ── delegation ──────────────────────────────────────────────────────────────────────────

DELEGATION_OK: Final = Text("delegation", "All name servers of {zone} ({count}) answer correctly.", "")
DELEGATION_DEAD: Final = Text(
    "delegation",
    "None of the name servers of {zone} has the zone ({servers}), so no CA can look up a name in it.",
    "Set the name servers of {zone} at your registrar to those of your DNS host, or add the zone there.",
)
DELEGATION_LAME: Final = Text(
    "delegation",
    "The name server {server} does not have the zone {zone}; the others do.",
    "Remove {server} from the name servers of {zone} at your registrar and your DNS host, or repair it.",
)
DELEGATION_SILENT: Final = Text(
    "delegation",
    "The name server {server} of {zone} does not answer; the others do.",
    "Repair {server}, or remove it from the name servers of {zone} at your registrar and your DNS host.",
)
DELEGATION_NO_TCP: Final = Text(
    "delegation",
    "The name server {server} of {zone} answers by UDP but not by TCP; the others do both.",
    "Make {server} answer on TCP port 53: a CA may query by TCP.",
)
DELEGATION_NO_UDP: Final = Text(
    "delegation",
    "The name server {server} of {zone} answers by TCP but not by UDP; the others do both.",
    "Make {server} answer on UDP port 53: a CA queries by UDP first.",
)
DELEGATION_DIFFERS: Final = Text(
    "delegation",
    "{parent} names other name servers for {zone} ({above}) than the zone itself does ({own}).",
    "Make both lists the same: at your registrar, and in the NS records of {zone}.",
)
DELEGATION_DISAGREE: Final = Text(
    "delegation",
    "The name servers of {zone} do not list the same NS records: {server} lists {own}, another one {other}.",
    "Check that all name servers of {zone} have the same version of the zone.",
)
DELEGATION_ONLY_UDP: Final = Text(
    "delegation",
    "The name servers of {zone} answer by UDP but not by TCP; a firewall here may be the reason.",
    "Allow this machine to connect to TCP port 53, or make the name servers answer there.",
)
DELEGATION_ONLY_TCP: Final = Text(
    "delegation",
    "The name servers of {zone} answer by TCP but not by UDP; a firewall here may be the reason.",
    "Allow this machine to send to UDP port 53, or make the name servers answer there.",
)
DELEGATION_UNREACHED: Final = Text(
    "delegation",
    "No name server of {zone} answers this machine ({servers}).",
    "Check that these servers are running, and that this machine can query them on port 53 (UDP and TCP).",
)
DELEGATION_UNKNOWN: Final = Text(
    "delegation",
    "The name servers of {zone} could not be found.",
    "Check the name servers of {zone} at your registrar, and the DNS server of this machine.",
)

# ── dnssec ──────────────────────────────────────────────────────────────────────────────

DNSSEC_UNSIGNED: Final = Text(
    "dnssec", "{zone} has no DS record in the zone above, so no resolver checks its signatures.", ""
)
DNSSEC_OK: Final = Text("dnssec", "The DNSSEC signatures of {zone} are right, from its DS record down.", "")
_REMOVE_DS: Final = "Remove the DS record of {zone} at your registrar, or replace it with the one from your DNS host."
DNSSEC_MISMATCH: Final = Text(
    "dnssec",
    "No DS record of {zone} at the registrar matches a key of the zone, so CAs refuse every answer about {zone}.",
    _REMOVE_DS,
)
DNSSEC_NO_KEY: Final = Text(
    "dnssec",
    "{zone} has a DS record at the registrar, but is not signed, so CAs refuse every answer about {zone}.",
    _REMOVE_DS,
)
_SIGN: Final = "Have the zone signed again at the DNS host of {zone}, or remove its DS record at your registrar."
DNSSEC_EXPIRED: Final = Text(
    "dnssec",
    "The DNSSEC signature of {record} ended on {when}, so CAs refuse every answer about {zone}.",
    _SIGN,
)
DNSSEC_EARLY: Final = Text(
    "dnssec",
    "The DNSSEC signature of {record} is not valid before {when}, so CAs refuse every answer about {zone}.",
    "Check the clock of this machine, and that of the server that signs {zone}.",
)
DNSSEC_MISSING: Final = Text(
    "dnssec",
    "{record} has no DNSSEC signature, but {zone} has a DS record, so CAs refuse this answer.",
    _SIGN,
)
DNSSEC_INVALID: Final = Text(
    "dnssec", "The DNSSEC signature of {record} is wrong, so CAs refuse every answer about {zone}.", _SIGN
)
DNSSEC_NO_DENIAL: Final = Text(
    "dnssec",
    "No signed record (NSEC) proves that {record} does not exist, so CAs refuse this answer.",
    _SIGN,
)
DNSSEC_SOME: Final = Text(
    "dnssec",
    "Some name servers of {zone} answer with wrong or old DNSSEC signatures: {servers}.",
    "Check that these servers receive each new version of {zone}.",
)
DNSSEC_REFUSED: Final = Text(
    "dnssec",
    "The DNS server of this machine refuses to answer for {zone} because of its DNSSEC signatures; without "
    "checking them, it answers.",
    "Check the signatures of {zone} at its DNS host, or remove its DS record at your registrar.",
)
DNSSEC_UNSUPPORTED: Final = Text(
    "dnssec",
    "{zone} is signed with an algorithm that dnsrenew cannot check; most resolvers treat it as unsigned.",
    "Sign {zone} with ECDSA P-256 (algorithm 13), which every resolver can check.",
)
DNSSEC_UNKNOWN: Final = Text(
    "dnssec",
    "dnsrenew could not check the DNSSEC signatures of {zone}: its name servers do not answer.",
    "First fix the problem with the name servers, in this list.",
)

# ── split-dns ───────────────────────────────────────────────────────────────────────────

SPLIT_OK: Final = Text("split-dns", "This machine sees the same addresses as the CA.", "")
SPLIT_PRIVATE: Final = Text(
    "split-dns",
    "In this network {domain} has the address {here}; the CA sees {outside}. This does not affect renewals: dnsrenew "
    "queries the name servers of the zone.",
    "",
)
SPLIT_HIDDEN: Final = Text(
    "split-dns",
    "The DNS server of this machine hides the address of {domain}, which is {outside} in DNS (routers do this against "
    "DNS rebinding). This does not affect renewals: dnsrenew queries the name servers of the zone.",
    "",
)
SPLIT_NOT_YET: Final = Text(
    "split-dns",
    "The DNS server of this machine finds no address of {domain}, but the name servers of the domain have "
    "{outside}. The record changed recently, or the zone answers differently in each network.",
    "",
)
SPLIT_ONLY_HERE: Final = Text("split-dns", "{domain} has an address only in this network ({here}).", "")
SPLIT_OTHER: Final = Text(
    "split-dns",
    "The DNS server of this machine resolves {domain} to {here}, but the name servers of the domain have "
    "{outside}. The record changed recently, or the zone answers differently in each network.",
    "",
)
SPLIT_UNKNOWN: Final = Text(
    "split-dns",
    "dnsrenew could not find out whether this machine sees the same address of {domain} as the CA.",
    "",
)

# ── cname ───────────────────────────────────────────────────────────────────────────────

CNAME_NONE: Final = Text("cname", "The TXT records are written at {targets}.", "")
CNAME_FOLLOWED: Final = Text(
    "cname", ("A CNAME record at {start} points to {target}, so the TXT record is written there."), ""
)

# ── txt-stale ───────────────────────────────────────────────────────────────────────────

TXT_CLEAN: Final = Text("txt-stale", "No old TXT values are at the challenge names.", "")
TXT_STALE: Final = Text(
    "txt-stale",
    "Old TXT values are at {name}: {values}. They do not stop a renewal, but a DNS host may allow only a few.",
    "Run `dnsrenew cleanup`, then delete the values that are left at {name} at your DNS host.",
)
TXT_DOUBLED: Final = Text(
    "txt-stale",
    "There is a TXT record at {name}, which contains the zone {zone} twice: the DNS host appends the zone itself.",
    "Delete the record at {name}, and leave out {zone} when you enter names at this DNS host.",
)
TXT_UNKNOWN: Final = Text(
    "txt-stale",
    "dnsrenew could not look for old TXT values at {name}: no name server of its zone answers.",
    "First fix the problem with the name servers, in this list.",
)

TXT_NO_PLACE: Final = Text(
    "txt-stale",
    "dnsrenew could not find out where the TXT records of {domains} are written, so it could not look for old values.",
    "First fix the DNS problems of {domains}, in this list.",
)

# ── wildcard-shadow ─────────────────────────────────────────────────────────────────────

SHADOW_NONE: Final = Text("wildcard-shadow", "No name of the certificate depends on a wildcard record.", "")
SHADOW_UNKNOWN: Final = Text(
    "wildcard-shadow",
    "dnsrenew could not check whether a name of the certificate ({domains}) stops resolving during a renewal.",
    "First fix the DNS problems of {domains}, in this list.",
)
SHADOWED: Final = Text(
    "wildcard-shadow",
    "{domain} exists only through *.{parent}, so it disappears from DNS while the TXT record for its certificate "
    "exists, and for some time after.",
    "Give {domain} a record of its own, or request *.{parent} instead.",
)

# ── address: all others are in dnsrenew/base/checks/texts.py ─────────────────────────────

ADDRESS_UNKNOWN: Final = Text(
    "address",
    "dnsrenew could not find out whether {names} points to this machine: no name server of its zone answers.",
    "First fix the problem with the name servers, in this list.",
)

# ── proxied ─────────────────────────────────────────────────────────────────────────────

PROXIED_NO: Final = Text("proxied", "No CDN that is known to dnsrenew answers in place of this machine.", "")
PROXIED: Final = Text(
    "proxied",
    "{provider} answers for {domain} ({seen}) instead of this machine. tls-alpn-01 cannot work through it; http-01 "
    "works only if it passes on requests for /.well-known/acme-challenge/.",
    "Use a dns-01 route for {domain}, or switch the proxy off for this record.",
)
PROXIED_UNKNOWN: Final = Text(
    "proxied",
    "dnsrenew could not check whether a CDN answers for {domain}: its addresses are unknown.",
    "First fix the problem with the name servers, in this list.",
)
