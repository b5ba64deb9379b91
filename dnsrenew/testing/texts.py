"""The texts of the conformance check: a sentence for each MUST, and the difference that was found."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

MUSTS: Final = {
    "add-writes": Phrase("add MUST write all values of one call at one name, exactly as given"),
    "ttl": Phrase("add MUST write the values with the TTL as given"),
    "add-keeps-others": Phrase("add MUST keep the other values at the name"),
    "add-again": Phrase("add MUST succeed for a value that already exists, and keep the others"),
    "add-several-names": Phrase("add MUST write values at several names in one call"),
    "remove-only": Phrase("remove MUST remove the value, and only it"),
    "remove-again": Phrase("remove MUST succeed for a value that was removed already, and keep the others"),
    "remove-never": Phrase("remove MUST succeed for a value that never existed, and keep the others"),
    "remove-half": Phrase("remove MUST remove those values of a call that exist"),
    "remove-last": Phrase("remove MUST remove the last value of a name"),
    "remove-no-name": Phrase("remove MUST succeed at a name that does not exist"),
    "parallel-names": Phrase("Two drivers MUST be able to write at two names at the same time"),
    "parallel-name": Phrase("Two drivers MUST be able to write at one name at the same time"),
    "burst": Phrase("Several calls in a row MUST succeed, or raise provider-rate-limited"),
    "wrong-credentials": Phrase("With wrong credentials, add MUST raise provider-unauthorized and write nothing"),
}
"""The sentence of each MUST, in the order of the check."""

IS_MADE: Final = Phrase("A driver MUST be created without error")

RAISED: Final = Phrase("{must}, but it raised {error}")
DIFFERS: Final = Phrase("{must}, but at {name} {difference}.")
IS_MISSING: Final = Phrase("{values} is missing")
EXISTS: Final = Phrase("{values} exists")
OTHER_TTL: Final = Phrase("{must}, but the TTL at {name} is {found} instead of {expected} seconds.")
WRONG_TAKEN: Final = Phrase("{must}, but it raised nothing.")
WRONG_CODE: Final = Phrase("{must}, but it raised {found} ({error})")

RAISED_SECRET: Final = Phrase("A driver MUST keep its secrets out of its exceptions, but it raised {shown}")
LOGGED_SECRET: Final = Phrase("A driver MUST keep its secrets out of its log, but it logged {shown}")
BYSTANDER_GONE: Final = Phrase(
    "A driver MUST keep the TXT values at all other names of the zone, but that at {name} is gone"
)

LATE_WRITTEN: Final = Phrase(
    "A driver MUST write nothing after its context was cancelled, but a value exists at {name}: "
    "call check() of the context before each write"
)
SLOW: Final = Phrase(
    "A call of the driver took {seconds} s, and a run makes several: keep one connection in a call, "
    "and remember the identifiers of zones in the context."
)
TWICE: Final = Phrase("{value} twice")

ONE_VALUE: Final = Phrase("The host keeps one value at a name.")
TWO_VALUES: Final = Phrase("The host keeps the two newest values of a name.")
ONE_NAME: Final = Phrase("The account writes one name.")
SERVERS_TTL: Final = Phrase("The server sets the TTL.")
ONE_VALUE_A_ZONE: Final = Phrase("The host can keep only one value for the whole zone.")
NOTHING_TO_REMOVE: Final = Phrase("Values at this DNS host need no removal.")
ONE_WRITER: Final = Phrase("The provider file says that one writer at a time changes a zone.")
NOT_PARALLEL: Final = Phrase("The test was not asked to make parallel calls.")
NO_TTL: Final = Phrase("The TTL cannot be read.")
NO_WRONG_CREDENTIALS: Final = Phrase("There is no driver with wrong credentials.")
NO_SECRET: Final = Phrase("The account has no secret to replace.")
NOT_PREPARED: Final = Phrase("The values that it needs could not be written: {error}")

STOPPED: Final = Phrase("The first write failed for a reason that would make every other one fail.")
NOT_SEEN: Final = Phrase("No value of the first write was visible, so no other one would be.")

MUST_BROKEN: Final = Text(
    "must-broken", "{reason}", "Correct the driver, or the provider file that describes the host."
)
"""The reason in ``--json`` for a broken MUST without an exception of the driver."""
ZONE_UNKNOWN: Final = Text(
    "check-no-zone",
    "The account {account} has no `zones`, and no certificate uses it, so there is no zone for test values.",
    'Set zones = ["…"] of the account to a zone for tests.',
)
NO_REGISTRATION: Final = Text(
    "check-no-zone",
    "The account {account} writes only the name of its registration, but is not registered yet.",
    "Run `dnsrenew delegate NAME`: it registers, and shows the CNAME record that you set.",
)
NAME_UNKNOWN: Final = Text(
    "check-no-zone",
    "The account {account} writes only names that a CNAME record points to, and its configuration does not contain "
    "them.",
    "Run `dnsrenew doctor --probe`, which tests it with the certificates that use it.",
)
BY_HAND: Final = Text(
    "check-by-hand",
    "You write the records of the account {account} by hand, so there is nothing to test.",
    "Use an account at a DNS host that has an API.",
)
ZONE_IN_USE: Final = Text(
    "check-in-use",
    "{zone} has a TXT value, but its DNS host keeps only one, which a test would replace.",
    "Use another zone for the test; or, if the value is an old one, run `dnsrenew cleanup`.",
)
