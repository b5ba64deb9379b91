"""The texts of servers that serve a fleet."""

from __future__ import annotations

from typing import Final

from dnsrenew.errors import Text

NOT_FOLLOWED: Final = Text(
    "serve-database",
    "The server cannot read the database of the fleet, and goes on with the certificates that it knows: {reason}.",
    "It is tried again every second; check that the database runs.",
)
NOT_LOADED: Final = Text(
    "serve-unusable",
    "The server cannot use version {version} of the certificate {name} from the database: {reason}.",
    "If the reason does not help, renew it again: dnsrenew renew --force {name}.",
)
NOT_ASKED: Final = Text(
    "on-unknown-failed",
    "The function on_unknown of the program failed, so a name was not obtained on demand: {reason}.",
    "Correct the function; it has to return True or False.",
)
NOT_ADDED: Final = Text(
    "on-demand-failed",
    "The name {name} was allowed, and could not be added to the fleet: {reason}.",
    "It is tried again when a client asks for the name; correct what the reason says.",
)
NO_FUNCTION: Final = "on_unknown must be a function that takes a name and returns True or False, not {found}"
NO_COROUTINE: Final = (
    "on_unknown is called in a thread of its own, so it must be a plain function, not a coroutine function"
)
NO_SIZE: Final = "cache must be a number of certificates, 1 or more, not {found!r}"
NO_BOOL: Final = "it returned {found} instead of True or False"
