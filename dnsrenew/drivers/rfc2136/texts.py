"""The texts of errors of the driver rfc2136.

``{reason}`` is the operating system's text for the error.
"""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

# ── options ─────────────────────────────────────────────────────────────────────────────

_OPTION: Final = "option-invalid"

NOT_AN_ADDRESS: Final = Text(
    _OPTION,
    "The option server of the account {account} is not an address.",
    "Set it to HOST or HOST:PORT, with an IPv6 address in brackets.",
)
KEY_INCOMPLETE: Final = Text(
    _OPTION,
    "The account {account} has the option {given} but not {key}.",
    "Set both options, or neither.",
)
ALGORITHM_UNKNOWN: Final = Text(
    _OPTION,
    "The option tsig_algorithm of the account {account} is not a known algorithm.",
    "Set it to one of {algorithms}.",
)
KEY_NAME_INVALID: Final = Text(
    _OPTION,
    "The option tsig_name of the account {account} is not a domain name.",
    "Copy the name from the key statement of the server.",
)
SECRET_NOT_BASE64: Final = Text(
    _OPTION,
    "The option tsig_secret of the account {account} is not base64.",
    "Copy the secret from the key statement of the server, without the quotes.",
)

# ── responses with an error (RCODE) ─────────────────────────────────────────────────────

_UNAUTHORIZED: Final = "provider-unauthorized"
_ZONE_UNKNOWN: Final = "provider-zone-unknown"
_REFUSED: Final = "provider-refused"

KEY_NOT_ALLOWED: Final = Text(
    _UNAUTHORIZED,
    "The name server {server} of the account {account} does not allow this key to update the zone {zone} ({rcode}).",
    "Allow the key in the update-policy (or allow-update) of the zone on the server.",
)
NOT_AUTHORIZED: Final = Text(
    _UNAUTHORIZED,
    "The name server {server} of the account {account} does not accept the key for the zone {zone}, or is not its "
    "primary server ({rcode}).",
    "Compare `server`, `tsig_name`, `tsig_algorithm` and `tsig_secret` with the configuration of the primary server, "
    "and allow the key to update the zone.",
)
NOT_IN_ZONE: Final = Text(
    _ZONE_UNKNOWN,
    "The name server {server} of the account {account} reports that a name is outside the zone {zone} ({rcode}).",
    "Set the right zone in the option `zones` of the account.",
)
NO_SUCH_ZONE: Final = Text(
    _ZONE_UNKNOWN,
    "The name server {server} of the account {account} does not have the zone {zone} ({rcode}).",
    "Set `server` to the primary server of the zone, and `zones` to the zone.",
)
SERVER_FAILED: Final = Text(
    "provider-server-error",
    "The name server {server} of the account {account} could not write the update of the zone {zone} ({rcode}).",
    "Read the server's log; often its zone file or journal is not writable.",
)
NO_DYNAMIC_UPDATE: Final = Text(
    _REFUSED,
    "The name server {server} of the account {account} does not support dynamic updates of the zone {zone} ({rcode}).",
    "Set `server` to the primary server of the zone, and enable dynamic updates there, or use another provider.",
)
UPDATE_REFUSED: Final = Text(
    _REFUSED,
    "The name server {server} of the account {account} refused the update of the zone {zone} ({rcode}).",
    'Read the server\'s log for the reason; if another account has this zone, write zones = ["{zone}"] in its table.',
)

# ── no usable response ──────────────────────────────────────────────────────────────────

_COMPARE_KEY: Final = "Compare `tsig_name`, `tsig_algorithm` and `tsig_secret` with the key on the server."

KEY_UNKNOWN: Final = Text(
    _UNAUTHORIZED,
    "The update of {zone} failed: the name server {server} of the account {account} does not have the key.",
    _COMPARE_KEY,
)
SECRET_WRONG: Final = Text(
    _UNAUTHORIZED,
    "The update of {zone} failed: the name server {server} of the account {account} has another secret for the key.",
    _COMPARE_KEY,
)
CLOCK_SKEW: Final = Text(
    _UNAUTHORIZED,
    "The update of {zone} failed: the clocks of this machine and of the name server {server} of the account {account} "
    "differ too much.",
    "Set the clocks of this machine and of the server, for example: sudo timedatectl set-ntp true (on "
    "Windows: w32tm /resync)",
)
SIGNATURE_WRONG: Final = Text(
    _UNAUTHORIZED,
    "The update of {zone} failed: the name server {server} of the account {account} sent an invalid signature.",
    _COMPARE_KEY,
)
TIMED_OUT: Final = Text(
    "provider-timeout",
    "The update of {zone} failed: the name server {server} of the account {account} did not answer in time.",
    "Check whether the server is running, and whether a firewall drops TCP to its port.",
)
SERVER_NAME_UNKNOWN: Final = Text(
    "provider-unreachable",
    "The update of {zone} failed: the name server {server} of the account {account} was not found in DNS.",
    "Correct `server`, or set it to an IP address.",
)
UNREACHABLE: Final = Text(
    "provider-unreachable",
    "The update of {zone} failed: the name server {server} of the account {account} cannot be reached ({reason}).",
    "Check whether the server is running, and whether `server` has its address and port.",
)
CONNECTION_LOST: Final = Text(
    "provider-unreachable",
    "The update of {zone} failed: the name server {server} of the account {account} closed the connection.",
    "Check whether the server is running, and whether `server` has its address and port.",
)
NOT_SIGNED: Final = Text(
    _REFUSED,
    "The update of {zone} failed: the answer of the name server {server} of the account {account} is not signed with "
    "the key.",
    "Check which program listens at `server`, and whether something in between answers instead of the server.",
)
NO_DNS_ANSWER: Final = Text(
    _REFUSED,
    "The update of {zone} failed: the name server {server} of the account {account} did not send a DNS response to it.",
    "Check which program listens at `server`.",
)
