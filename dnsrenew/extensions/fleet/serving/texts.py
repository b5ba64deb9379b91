"""The texts of servers that serve a fleet."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NOT_FOLLOWED: Final = Text(
    "serve-database",
    "The server cannot read the database of the fleet, so it keeps serving the certificates in memory: {reason}.",
    "Check that the database is running; the server retries every second.",
)
NOT_LOADED: Final = Text(
    "serve-unusable",
    "The server cannot use version {version} of the certificate {name} from the database: {reason}.",
    "Fix the cause, or renew the certificate: dnsrenew renew --force {name}",
)
NOT_ASKED: Final = Text(
    "on-unknown-failed",
    "on_unknown failed, so no certificate was obtained on demand: {reason}.",
    "Correct the function: it must return True or False.",
)
NOT_ADDED: Final = Text(
    "on-demand-failed",
    "on_unknown allowed {name}, but it could not be added to the fleet: {reason}.",
    "Fix the cause; the next client that connects with this name starts another attempt.",
)
NO_FUNCTION: Final = "on_unknown must be a function that takes a name and returns True or False, not {found}"
NO_COROUTINE: Final = (
    "on_unknown is called in a thread of its own, so it must be a plain function, not a coroutine function"
)
NO_SIZE: Final = "cache must be a number of certificates, 1 or more, not {found!r}"
NO_BOOL: Final = "it returned {found} instead of True or False"
