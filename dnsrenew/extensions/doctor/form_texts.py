"""The words around the checks, in every form. Each is a whole sentence or a heading; fields are facts."""

from __future__ import annotations

from typing import Final

SEPARATOR: Final = ", "
HOST: Final = "This machine"
"""Replaces the certificate's name if only the machine was checked."""

# ── headlines ───────────────────────────────────────────────────────────────────────────

CAN: Final = "{name} can be renewed by {challenges} at {ca}"
CAN_WITH: Final = "{name} can be renewed by {challenges} with {accounts} at {ca}"
CAN_UNTESTED: Final = "{name}: no problem was found for {challenges} with {accounts} at {ca}. {untested}"
ACCOUNT_UNTESTED: Final = "To test the account {untested} too, run: dnsrenew doctor --probe"
ACCOUNTS_UNTESTED: Final = "To test the accounts {untested} too, run: dnsrenew doctor --probe"
CANNOT: Final = "{name} cannot be renewed"
NOT_KNOWN: Final = "{name}: dnsrenew could not find out whether it can be renewed"
HOST_ALONE: Final = "This machine alone"
SEVERAL_CAN: Final = "{count} certificates can be renewed by {challenges} at {ca}"
SEVERAL_CAN_WITH: Final = "{count} certificates can be renewed by {challenges} with {accounts} at {ca}"
SEVERAL_UNTESTED: Final = (
    "{count} certificates: no problem was found for {challenges} with {accounts} at {ca}. {untested}"
)

# ── conclusions ─────────────────────────────────────────────────────────────────────────

NEXT: Final = "Next: {action}"
NEXT_FOR: Final = "Next, for {name}: {action}"
NOTHING_TO_DO: Final = "There is nothing to do: {challenges} at {ca} works."
NOTHING_TO_DO_WITH: Final = "There is nothing to do: {challenges} with {accounts} at {ca} works."
NOTHING_FOUND: Final = "There is nothing to do: no problem was found for {challenges} with {accounts} at {ca}."
ALL_UNTESTED: Final = "There is nothing to do: no problem was found for the {count} certificates."
ALL_CAN: Final = "There is nothing to do: all {count} certificates can be renewed."
NO_ACTION: Final = "dnsrenew found nothing that you can change on this machine."
HOST_DONE: Final = "dnsrenew could not find out which certificates can be renewed: only this machine was examined."
COUNTS_CERTAIN: Final = "Of {count} certificates, {can} can be renewed and {cannot} cannot."
COUNTS_UNKNOWN: Final = "Of {count} certificates, {can} can be renewed; for {unknown}, dnsrenew could not find out."
COUNTS: Final = (
    "Of {count} certificates, {can} can be renewed and {cannot} cannot; for {unknown}, dnsrenew could not find out."
)

# ── groups of checks ────────────────────────────────────────────────────────────────────

SHARED: Final = "Found for several certificates"
BAD: Final = "Problems"
WORTH_KNOWING: Final = "Worth knowing (you can renew anyway)"
WORTH_KNOWING_TOO: Final = "Also worth knowing"
"""The heading if another cause stops every renewal."""
UNKNOWN: Final = "Not known"
CHANGES: Final = "Changed since the last record"
ONE_OK: Final = "1 check found no problem."
SEVERAL_OK: Final = "{count} checks found no problem."

# ── the routes that a check stops, and its certificates ─────────────────────────────────

LEFT_OUT: Final = "{count} checks need the network and were left out."
LEFT_OUT_ONE: Final = "1 check needs the network and was left out."
STOPS_ALL: Final = "Stops every route."
STOPS: Final = "Stops {challenges}."
STOPS_THROUGH: Final = "Stops routes through {through}."
STOPS_ACCOUNT: Final = "Stops routes through the DNS account {through}."
MAY_STOP_ALL: Final = "May stop every route."
MAY_STOP: Final = "May stop {challenges}."
MAY_STOP_THROUGH: Final = "May stop routes through {through}."
MAY_STOP_ACCOUNT: Final = "May stop routes through the DNS account {through}."
CONCERNS: Final = "Affects {names}."
CONCERNS_MORE: Final = "Affects {names} and {more} more."

# ── changes ─────────────────────────────────────────────────────────────────────────────

CHANGED: Final = {
    "address": "The public address has changed since {since}: {was} → {now}.",
    "nat": "The address of the router has changed since {since}: {was} → {now}.",
    "delegation": "The name servers have changed since {since}: {was} → {now}.",
    "port-80-free": "Port 80 of this machine has changed since {since}: {was} → {now}.",
    "port-80-firewall": "The firewall for port 80 has changed since {since}: {was} → {now}.",
    "port-80-forwarded": "The forwarding of port 80 has changed since {since}: {was} → {now}.",
    "port-80-outside": "The result for port 80 from outside has changed since {since}: {was} → {now}.",
    "port-443-free": "Port 443 of this machine has changed since {since}: {was} → {now}.",
    "port-443-outside": "The result for port 443 from outside has changed since {since}: {was} → {now}.",
}
"""By the code of the check."""
CHANGED_OTHER: Final = "The check {code} has changed since {since}: {was} → {now}."
RESULTS: Final = {"ok": "OK", "bad": "wrong", "unknown": "not known"}
"""The texts for recorded checks without their own value."""

# ── Markdown ────────────────────────────────────────────────────────────────────────────

MADE_BY: Final = "dnsrenew {version} on {system}"
EVIDENCE: Final = "Evidence"

# ── the report ───────────────────────────────────────────────────────────────────────────

TITLE: Final = "dnsrenew doctor: {headline}"
TITLE_SEVERAL: Final = "dnsrenew doctor: {count} certificates"
HEADING: Final = "What the doctor found"
MADE: Final = "Made on {time} by dnsrenew {version} on {system}. All times are UTC."
PRIVATE: Final = "This file may contain domains, addresses and paths: read it before you give it to anyone."
CODE_OF: Final = "The code of the check; use it to search the documentation"

# ── the network ─────────────────────────────────────────────────────────────────────────

NETWORK: Final = "The network"
NETWORK_ABOUT: Final = (
    "How a CA reaches this machine, and how it finds its records. Each part has the colour of its worst check."
)
WAY_IN: Final = "How the CA reaches you"
WAY_OF_DNS: Final = "How names are resolved"
NODES: Final = {
    "ca": "CA",
    "internet": "Internet",
    "provider": "Internet provider",
    "router": "Router",
    "host": "This machine",
    "port-80": "Port 80",
    "port-443": "Port 443",
    "resolver": "Resolver",
    "parent": "Parent zone",
    "servers": "Name servers",
    "account": "DNS account",
}
ONE_WRONG: Final = "✗ 1 problem"
SEVERAL_WRONG: Final = "✗ {count} problems"
NODE_STATES: Final = {
    "worth-knowing": "! worth knowing",
    "unknown": "? not known",
    "ok": "✓ OK",
    "none": "not examined",
}

# ── the time line ───────────────────────────────────────────────────────────────────────

TIME: Final = "Timeline"
NOW: Final = "now"
COLUMNS: Final = ("Certificate", "Timeline", "Valid from", "Renewal", "Expires")
NO_CERTIFICATE: Final = "There is no certificate yet."
LIFE: Final = "Valid from {start} to {end}; renewal from {renewal}."
LIFE_ONLY: Final = "Valid from {start} to {end}."
LEGEND_LIFE: Final = "valid"
LEGEND_RENEWAL: Final = "renewal"

# ── checks ──────────────────────────────────────────────────────────────────────────────

MARK_WORDS: Final = {"bad": "Wrong:", "worth-knowing": "Worth knowing:", "unknown": "Not known:", "ok": "OK:"}
"""The text for a screen reader instead of the mark."""
YES, NO, NONE = "yes", "no", "none"
