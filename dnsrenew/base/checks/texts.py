"""The texts of verdicts.

Some fields are evidence in a form for people: ``{place}`` is ``found_at``, with ``owner`` if that is another name.
``{address}`` and ``{own}`` are the foreign addresses and the addresses of this machine and its router, of one family.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── addresses ───────────────────────────────────────────────────────────────────────────

ADDRESSES_OK: Final = Text("address", "{identifier} resolves to this machine.", "")
ADDRESSES_MISSING: Final = Text(
    "address",
    "{identifier} has no A or AAAA record, so the CA finds no host to connect to.",
    "Give {identifier} an A record with the public address of this machine.",
)
_FOREIGN: Final = (
    "The {kind} record of {identifier} points to {address}, which is not an address of this machine ({own})."
)
ADDRESS_FOREIGN: Final = Text("address", _FOREIGN, "Correct the {kind} record of {identifier}, or remove it.")
ADDRESS_FOREIGN_NAT: Final = Text(
    "address",
    _FOREIGN,
    "If {address} is your router, forward its port 80 to this machine; otherwise correct the A record of {identifier}.",
)
ADDRESS_FOREIGN_NO_OWN: Final = Text(
    "address",
    "The {kind} record of {identifier} points to {address}, but this machine has no address of that kind (IPv4 for "
    "A, IPv6 for AAAA).",
    "Correct the {kind} record of {identifier}, or remove it.",
)
ADDRESS_NOT_OURS: Final = Text(
    "address",
    "{identifier} is not an address of this machine.",
    "Forward port 80 of {identifier} to this machine, or run dnsrenew on the host that has this address.",
)
ADDRESS_PROXIED: Final = Text(
    "address",
    "The {kind} record of {identifier} points to {address}, which belongs to {proxy}; dnsrenew cannot tell whether it "
    "passes requests on to this machine.",
    "Use a dns-01 route for {identifier}, or make sure that the proxy passes /.well-known/acme-challenge/ on to "
    "this machine.",
)
ADDRESS_SHARED: Final = Text(
    "address",
    "{identifier} points to this machine and to others ({address}); the CA connects to one of them.",
    "Make sure that every host of {identifier} answers challenges.",
)

# ── CAA (RFC 8659, RFC 8657) ────────────────────────────────────────────────────────────

CAA_UNRESTRICTED: Final = Text("caa", "No CAA record restricts issuance for {identifier}.", "")
CAA_ALLOWED: Final = Text("caa", "The CAA records at {place} allow it.", "")
CAA_UNKNOWN: Final = Text("caa", "dnsrenew could not find out whether CAA records restrict {identifier}. {reason}", "")
CAA_NO_IDENTITIES: Final = Text(
    "caa", "There are CAA records at {place}, but the CA does not state its CAA identities.", ""
)
CAA_DOUBTFUL: Final = Text(
    "caa", "The CA decides how it interprets this record, so it may refuse to issue for {identifier}: {record}", ""
)

CAA_CRITICAL: Final = Text(
    "caa",
    "The CAA record at {place} is marked critical, and CAs do not support its tag {tag}, so none of them may issue "
    "for {identifier}.",
    "Remove this record at the DNS host of {owner}: {record}",
)
CAA_FORBIDS_ALL: Final = Text(
    "caa",
    "The CAA records at {place} allow no CA to issue for {identifier}.",
    "Replace this record with one that names the CA, or remove it, at the DNS host of {owner}: {record}",
)
_ADD: Final = "Add this record at the DNS host of {owner}: {wanted}"
CAA_OTHER_CA: Final = Text(
    "caa", "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier}.", _ADD
)
CAA_OTHER_CA_MALFORMED: Final = Text(
    "caa",
    "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier} (a malformed record allows "
    "no CA).",
    _ADD,
)
CAA_OTHER_CA_UNMEETABLE: Final = Text(
    "caa",
    "The CAA records at {place} allow only {issuers}, not {ca}, to issue for {identifier} (a record names this CA, "
    "but its conditions cannot be met).",
    _ADD,
)
CAA_NO_CA: Final = Text("caa", "The CAA records at {place} allow no CA to issue for {identifier}.", _ADD)
CAA_NO_CA_MALFORMED: Final = Text(
    "caa",
    "The CAA records at {place} allow no CA to issue for {identifier} (a malformed record allows no CA).",
    _ADD,
)
CAA_NO_CA_UNMEETABLE: Final = Text(
    "caa",
    "The CAA records at {place} allow no CA to issue for {identifier} (a record names this CA, but its conditions "
    "cannot be met).",
    _ADD,
)
CAA_OTHER_ACCOUNT: Final = Text(
    "caa",
    "The CAA records at {place} allow {ca} to issue for {identifier}, but only to a different account.",
    _ADD,
)
CAA_OTHER_METHOD: Final = Text(
    "caa",
    "The CAA records at {place} allow {ca} to issue for {identifier} only by {methods}, not by {challenge}.",
    _ADD,
)

CNAME_PLACE: Final = Phrase("{found_at} (through its CNAME record, at {owner})")
AND: Final = Phrase("{some} and {last}")
OR: Final = Phrase("{some} or {last}")
