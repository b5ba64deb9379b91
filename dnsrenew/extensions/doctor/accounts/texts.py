"""The texts of the checks of DNS accounts, their secrets and the test value."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

SECRETS_OK: Final = Text("secrets", "Every secret of the DNS account {dns} can be read.", "")
SECRET_LATE: Final = Text(
    "secrets",
    "The secret {reference} was not read in time: its program or keyring may be waiting for your input.",
    "Make sure that {reference} can be read without your help, because scheduled runs cannot ask you.",
)
SECRET_FORM: Final = Text(
    "secrets",
    "The secret `{key}` of the DNS account {dns} ({reference}) does not look like one of this DNS host.",
    "Copy the secret again from the DNS host; its form is: {form}.",
)

ACCOUNT_OK: Final = Text("dns-account", "Every name has a DNS account that may write its TXT record: {names}.", "")
ACCOUNT_UNTESTED: Final = Text("dns-account", "Every name has a DNS account (not tested): {names}.", "")
ACCOUNT_NONE: Final = Text(
    "dns-account",
    "No DNS account can write the TXT records of {names} ({records}); the zones of the accounts are {zones}.",
    "Add the zone to the account that holds it (zones = […]), or add an account for it. To find its host, run: "
    "dnsrenew providers",
)
ACCOUNT_NONE_AT_ALL: Final = Text(
    "dns-account",
    "The configuration has no DNS account that can write the TXT records of {names} ({records}).",
    "Add an account at the DNS host of the domain. To find it, run: dnsrenew providers",
)
ACCOUNT_UNKNOWN: Final = Text(
    "dns-account",
    "dnsrenew could not find out which DNS account writes the TXT records of {names}: DNS does not show their zone.",
    "First fix the DNS problem of {names}, in this list.",
)

ACCOUNT_BY_HAND: Final = Text(
    "dns-account",
    "You must set the TXT records of {names} ({records}) by hand (account {by_hand}), so only a renewal in a "
    "terminal can use this route.",
    "{advice}",
)
ACCOUNT_NOT_DELEGATED: Final = Text(
    "dns-account",
    "The DNS account {delegated} writes only names that a CNAME record points to, but {records} has no CNAME record.",
    "Run `dnsrenew delegate {domain}`: it shows the CNAME record that you set once, and waits for it.",
)

CREDENTIALS_OK: Final = Text("dns-credentials", "The DNS host accepts the credentials of the account {dns}.", "")
CREDENTIALS_REFUSED: Final = Text(
    "dns-credentials",
    "{title} refuses the credentials of the DNS account {dns} (HTTP status {status}): {options} may be wrong, expired "
    "or not allowed to edit {zones}.",
    "Log in to {website}, create a new key that can edit {zones}, and set it as {options} of the account {dns}.",
)
CREDENTIALS_UNKNOWN: Final = Text(
    "dns-credentials",
    "dnsrenew did not check whether the DNS host accepts the credentials of the account {dns}: no test value was "
    "written.",
    "First fix the problem in this list that kept dnsrenew from writing the test value.",
)

_PROBE: Final = "txt-probe"

PROBE_OK: Final = Text(
    _PROBE,
    "Every name server showed a test value at {records} after {seconds:g} s; it is removed again.",
    "",
)
PROBE_OK_STAYS: Final = Text(
    _PROBE,
    "Every name server showed a test value at {records} after {seconds:g} s; the next value replaces it.",
    "",
)
PROBE_NOT_LOOKED_UP: Final = Text(
    _PROBE,
    "A test value at {records} was written and removed. dnsrenew did not check that it was visible, because "
    '`propagation.check` is "none".',
    "",
)
PROBE_KEPT: Final = Text(
    _PROBE,
    "A test value at {records} was written and seen, but the DNS host did not remove it.",
    "Allow the key of the account {dns} to delete TXT records too, then run: dnsrenew cleanup",
)
PROBE_LOCKED: Final = Text(
    _PROBE,
    "No test value was written to {zones}: another run of dnsrenew is using the zone now.",
    "Run `dnsrenew doctor --probe` again when the other run has ended.",
)
PROBE_IN_USE: Final = Text(
    _PROBE,
    "No test value was written to {zones}: the DNS host keeps only one value, which the test would replace.",
    "Run `dnsrenew doctor --probe` again when no value is served at {records}.",
)
