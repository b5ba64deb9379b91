"""The texts of dns-01, and of removing what earlier runs left."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

NO_IP: Final = Text(
    "dns-ip-address",
    "The challenge dns-01 cannot validate an IP address: {identifiers}.",
    "Add an http-01 or a tls-alpn-01 route for the address.",
)
TXT_KEPT: Final = Text(
    "txt-kept",
    "TXT values at {names} could not be removed ({reason}).",
    "They do no harm. The next run, or dnsrenew cleanup, tries to remove them again.",
)
TXT_KEPT_UNSURE: Final = Text(
    "txt-kept",
    "TXT values at {names} may have been written and could not be removed ({reason}).",
    "They do no harm. The next run, or dnsrenew cleanup, tries to remove them again.",
)
NO_ACCOUNT: Final = Text(
    "dns-no-account",
    "No DNS account can write {record}, which validates {identifier}. The accounts' zones are {zones}.",
    "Add the zone to the account that holds it (zones = […]), or add an account for it.",
)
NO_ACCOUNT_NO_ZONES: Final = Text(
    "dns-no-account",
    "No DNS account can write {record}, which validates {identifier}.",
    "Add the zone to the account that holds it (zones = […]), or add an account for it.",
)
NOT_DELEGATED: Final = Text(
    "dns-not-delegated",
    "{record} has no CNAME record yet; the DNS account {accounts} can be used only through one.",
    "Run `dnsrenew delegate {identifier}`: it shows the CNAME record to set, once, and waits for it.",
)
BY_HAND_UNATTENDED: Final = Text(
    "manual-no-terminal",
    "The TXT record {record} must be set by hand (account {account}), but this run is scheduled or has no terminal.",
    "Run `dnsrenew renew` in a terminal, or set a CNAME record once: `dnsrenew delegate {identifier}`.",
)
CNAME_ELSEWHERE: Final = Text(
    "cname-elsewhere",
    "A CNAME record points the TXT record of {identifier} to {name} in the zone {zone}. The DNS account {account} "
    "writes there, because it has no `zones`.",
    'Set zones = ["{zone}"] for the account {account} or alias = "{name}" in the route, or delete the CNAME if it is '
    "not yours.",
)

# ── removing what earlier runs left ─────────────────────────────────────────────────────

FOREIGN_LOST: Final = Text(
    "foreign-values-lost",
    "The script of the account {account} has removed or changed TXT values of other programs at {names}: {values}.",
    "Set these values again, and give the certificates another account: `dnsrenew providers --search` lists the ways.",
)
FOREIGN_STOPPED: Final = Text(
    "foreign-values-lost",
    "The account {account} writes nothing more in this run, because its script has removed or changed TXT values "
    "of other programs.",
    "Give the certificates another account: `dnsrenew providers --search` lists the ways.",
)
STILL_SERVED: Final = Text(
    "acme-sh-not-removed",
    "The script of the account {account} has ended, but the zone still serves its TXT values at {names}.",
    "Run: dnsrenew cleanup",
)

ACCOUNT_GONE: Final = Text(
    "account-gone",
    "The DNS account {account}, which wrote TXT values at {names}, is no longer in the configuration. "
    "The values are listed in {paths}.",
    "Add the account {account} again, or remove the values at your DNS host: the next run checks that they are gone.",
)
ACCOUNT_CHANGED: Final = Text(
    "account-changed",
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. "
    "The new host does not remove them: {reason}.",
    "Remove the values at the old host (the next run checks that they are gone), or configure the account as it was "
    "and run: dnsrenew cleanup",
)
ACCOUNT_CHANGED_SERVED: Final = Text(
    "account-changed",
    "The DNS account {account} was configured for another host when it wrote TXT values at {names}. "
    "They are still in DNS, or no name server responds.",
    "Remove the values at the old host (the next run checks that they are gone), or configure the account as it was "
    "and run: dnsrenew cleanup",
)
SWEEP_UNFINISHED: Final = Text(
    "sweep-unfinished",
    "The DNS host of the account {account} did not remove the TXT values at {names} in time.",
    "Run: dnsrenew cleanup",
)
SWEEP_KEPT: Final = Text(
    "sweep-kept",
    "TXT values of an earlier run at {names} could not be removed: {reason}",
    "{reason_fix}",
)
JOURNAL_UNREADABLE: Final = Text(
    "",
    "Could not check whether interrupted runs left TXT values in DNS. {reason}",
    "{reason_fix}",
)
"""An error of the store with its own code, as a warning before a run."""

# ── the way without a port ──────────────────────────────────────────────────────────────

ROUTE_INSTEAD: Final = Phrase("Add {route} to the routes of {name}: DNS needs no open port. Otherwise: {fix}")
INIT_INSTEAD: Final = Phrase("Run dnsrenew init to set up DNS, which needs no open port. Otherwise: {fix}")
ACCOUNT_INSTEAD: Final = Phrase(
    "Add a DNS account (dnsrenew providers NAME prints its block, dnsrenew init in an empty folder asks for it), "
    'and {{ challenge = "dns-01" }} to the routes of {name}: DNS needs no open port. Otherwise: {fix}'
)
DNS_INSTEAD: Final = Phrase("Use a dns-01 route, which needs no open port. Otherwise: {fix}")
