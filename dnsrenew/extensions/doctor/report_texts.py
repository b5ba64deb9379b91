"""The words of the report; those that it shares with the other forms are in ``form_texts``."""

from __future__ import annotations

from typing import Final

TITLE: Final = "dnsrenew doctor: {headline}"
TITLE_SEVERAL: Final = "dnsrenew doctor: {count} certificates"
HEADING: Final = "What the doctor found"
MADE: Final = "Made on {time} by dnsrenew {version} on {system}. All times are UTC."
PRIVATE: Final = "This file may name domains, addresses and paths; read it before you give it to anyone."
CODE_OF: Final = "The code of the check, for the documents"

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
    "provider": "Provider (ISP)",
    "router": "Router",
    "host": "This machine",
    "port-80": "Port 80",
    "port-443": "Port 443",
    "resolver": "Resolver",
    "parent": "Parent zone",
    "servers": "Name servers",
    "account": "DNS account",
}
ONE_WRONG: Final = "✗ 1 is wrong"
SEVERAL_WRONG: Final = "✗ {count} are wrong"
NODE_STATES: Final = {
    "worth-knowing": "! worth knowing",
    "unknown": "? not known",
    "ok": "✓ OK",
    "none": "not examined",
}

# ── the time line ───────────────────────────────────────────────────────────────────────

TIME: Final = "Timeline"
NOW: Final = "now"
COLUMNS: Final = ("Certificate", "Time line", "Valid from", "Renewal", "Expires")
NO_CERTIFICATE: Final = "There is no certificate yet."
LIFE: Final = "Valid from {start} to {end}; renewal from {renewal}."
LIFE_ONLY: Final = "Valid from {start} to {end}."
LEGEND_LIFE: Final = "valid"
LEGEND_RENEWAL: Final = "renewal"

# ── checks ──────────────────────────────────────────────────────────────────────────────

MARK_WORDS: Final = {"bad": "Wrong:", "worth-knowing": "Worth knowing:", "unknown": "Not known:", "ok": "OK:"}
"""What a screen reader says instead of the mark."""
YES, NO, NONE = "yes", "no", "none"
