"""What a refusal of a CA is called here, and what a person does about it (RFC 8555 section 6.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

LATER: Final = "Try again later; if it stays so, ask the CA."
LOOK_AT_DNS: Final = "Look at the DNS of the names, DNSSEC included, from outside your network, and run dnsrenew again."
ACCOUNT: Final = "Look at `contact` and `agree_terms`, and whether the CA has closed the account."
LIMIT: Final = "Wait as long as the CA asks, and do not try more often."
MALFORMED_NAME: Final = "Correct the name in `domains`, or take it out: no CA can issue for it."
_NAMES: Final = "Ask for other names, or use another CA for these."
REACH: Final = "Look whether this machine can reach the CA's `directory`: network, DNS, proxy and firewall."
_YEAR: Final = 365 * 86400.0

KINDS: Final[dict[str, tuple[str, str]]] = {
    "accountDoesNotExist": ("ca-account-refused", ACCOUNT),
    "alreadyRevoked": ("ca-already-revoked", "Nothing is left to do: renew it to replace it."),
    "badCSR": ("ca-bad-csr", "Choose another `key`, or ask the CA which kinds of key and which names it takes."),
    "badPublicKey": ("ca-bad-csr", "Choose another `key`."),
    "badRevocationReason": ("ca-bad-reason", "Give another `--reason`, or none."),
    "caa": ("ca-caa", "Add this CA to the CAA records of the names, or take those records away."),
    "connection": ("ca-connection", "Look whether the CA can reach the name servers of the names from outside."),
    "dns": ("ca-dns", LOOK_AT_DNS),
    "externalAccountRequired": (
        "ca-eab-required",
        "Get a key for external account binding from the CA and set it as `eab` of this CA.",
    ),
    "incorrectResponse": ("ca-incorrect-response", "Run dnsrenew again; if it stays so, raise `propagation.settle`."),
    "invalidProfile": ("ca-profile-unknown", "Set `profile` to one that the CA offers, or leave it out."),
    "invalidContact": ("ca-account-refused", "Set `contact` to a mail address that the CA accepts."),
    "rateLimited": ("ca-rate-limited", LIMIT),
    "rejectedIdentifier": ("ca-rejected-identifier", _NAMES),
    "serverInternal": ("ca-server-error", LATER),
    "tls": ("ca-connection", "Look whether the CA can reach this host from outside."),
    "unauthorized": ("ca-unauthorized", "Run dnsrenew again; if it stays so, raise `propagation.settle`."),
    "unsupportedContact": ("ca-account-refused", "Set `contact` to a mail address that the CA accepts."),
    "unsupportedIdentifier": ("ca-rejected-identifier", _NAMES),
    "userActionRequired": ("ca-user-action-required", "Open the address in the message and do what the CA asks."),
}
OTHER: Final = ("ca-error", "Read the CA's words above, and ask the CA if they do not help.")

STAGES: Final = {
    "directory": "the request for its directory",
    "newNonce": "the request for a nonce",
    "renewalInfo": "the request for renewal information",
    "newAccount": "to make an account",
    "account": "to change the account",
    "accountInfo": "to show the account",
    "keyChange": "to change the key of the account",
    "revokeCert": "to revoke the certificate",
    "newOrder": "the order",
    "order": "the order",
    "authorization": "to show an authorization",
    "challenge": "the answer to a challenge",
    "finalize": "to issue the certificate",
    "certificate": "to send the certificate",
}


def by_status(status: int) -> tuple[str, str]:
    """Return code and fix of a refusal that says not why."""
    if status == 429:
        return "ca-rate-limited", LIMIT
    return ("ca-server-error" if status >= 500 else "ca-malformed-answer"), LATER


def until(seconds: float, now: datetime) -> str:
    """Return how long and until when: "2 hours, until 2026-11-25 14:00 UTC"."""
    if seconds > _YEAR:  # a date may be so far away that there is no calendar for it
        return "more than a year"
    end = (now + timedelta(seconds=seconds)).astimezone(UTC)
    return f"{duration(seconds)}, until {end:%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """Return how long: "2 hours"."""
    count, unit = next(
        (round(seconds / size), unit)
        for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
        if seconds >= 2 * size or size == 1
    )
    return f"{count} {unit}{'' if count == 1 else 's'}"
