"""The texts of messages about certificates, and of the warning that one could not be sent."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Phrase, Text

# ── titles ──────────────────────────────────────────────────────────────────────────────

TITLES: Final = {
    "failed": Phrase("{name}: renewal failed"),
    "expiring": Phrase("{name}: still not renewed, valid until {until}"),
    "not-deployed": Phrase("{name}: not deployed"),
    "recovered": Phrase("{name}: works again"),
    "renewed": Phrase("{name}: renewed"),
}
"""The titles by the kind of change, the worst first."""
TITLE_EXPIRED: Final = Phrase("{name}: still not renewed, expired on {until}")
TITLE_MORE: Final = Phrase("{first} (and {count} more)")
TITLE_TEST: Final = Phrase("dnsrenew: test message")

# ── bodies ──────────────────────────────────────────────────────────────────────────────

FAILED: Final = Phrase("The renewal of {name} failed: {domains}.")
STILL_FAILING: Final = Phrase("{name} is still not renewed: {domains}.")
LEFT: Final = {
    1: Phrase("Less than a third of the certificate's lifetime is left."),
    2: Phrase("Less than a sixth of the certificate's lifetime is left."),
}
"""The texts by the level of ``expiring``."""
RECOVERED: Final = Phrase("{name} works again after a failed renewal: {domains}.")
RENEWED: Final = Phrase("{name} was renewed: {domains}.")
NOT_DEPLOYED: Final = Phrase("{name} was not deployed: {to} ({target}).")
DEPLOYED: Final = Phrase("{name} is now deployed, after a failure: {to} ({target}).")
REASON: Final = Phrase("{message} {fix}")
VALID: Final = Phrase("The certificate is valid until {until}.")
NEXT_RENEWAL: Final = Phrase("The certificate is valid until {until}. The next renewal is due on {renewal}.")
OLD_VALID: Final = Phrase("The old certificate is valid until {until}.")
OLD_EXPIRED: Final = Phrase("The old certificate expired on {until}.")
NO_CERTIFICATE: Final = Phrase("There is no certificate yet.")
NEXT_ATTEMPT: Final = Phrase("dnsrenew tries again after {time}.")
NEXT_RUN: Final = Phrase("The next run tries again.")
MORE: Final = Phrase("And {count} more. Run: dnsrenew status --failing")
HOST: Final = Phrase("dnsrenew on {host}")
TEST: Final = Phrase("This is a test message. You get messages on: {kinds}.")
TEST_NONE: Final = Phrase("This is a test message.")

# ── messages that are not sent ──────────────────────────────────────────────────────────

_FAILED: Final = "notify-failed"

ADDRESS: Final = Phrase("{label} ({scheme})")
NO_PACKAGE: Final = Text(
    _FAILED,
    "Nothing was sent to {address}: the package apprise is not installed.",
    "Run: {command}",
)
NOT_RESOLVED: Final = Text(
    _FAILED,
    "Nothing was sent to {address}: {reason}.",
    "{reason_fix}",
)
UNKNOWN_ADDRESS: Final = Text(
    _FAILED,
    "Nothing was sent to {address}: apprise does not support this kind of address, or a part of it is missing.",
    "Compare the address with the page of the service in the documentation of apprise.",
)
NOT_SENT: Final = Text(
    _FAILED,
    "Nothing was sent to {address}: {reason}.",
    "Correct {key} in the configuration, or find out why the service refuses it.",
)
NOT_STORED: Final = Text(
    _FAILED,
    "The store could not record the notification about {name}, so it may be sent again: {reason}.",
    "{reason_fix}",
)
NOT_READ: Final = Text(
    _FAILED,
    "No notification about {name} was sent, because the store cannot be read: {reason}.",
    "{reason_fix}",
)
BROKEN: Final = Text(
    _FAILED,
    "An unexpected error stopped the messages ({type}).",
    "Run the command again with -vv and report the output.",
)
LATE: Final = Phrase("the service did not answer in time")
STOPPED: Final = Phrase("dnsrenew was stopped")
REFUSED: Final = Phrase("the service refused it")
ANSWERED: Final = Phrase("the service answered with status {status}")
UNEXPECTED: Final = Phrase("an unexpected error ({type})")
NO_URL: Final = Phrase("it is not a URL that starts with https:// or http://")
