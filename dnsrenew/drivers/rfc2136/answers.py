"""What a name server answers to an update, and why one got no answer, in our words."""

from __future__ import annotations

import socket
from typing import Final

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update

# What a server answers, and what a person does about it; {zone} is filled in. A missing one is "provider-refused".
REFUSALS: Final = {
    dns.rcode.REFUSED: (
        "provider-unauthorized",
        "does not let this key change the zone {zone}",
        "Allow the key in the zone's update-policy (or allow-update) on the server.",
    ),
    dns.rcode.NOTAUTH: (
        "provider-unauthorized",
        "does not accept the key for the zone {zone}, or is not its primary server",
        "Compare server, tsig_name, tsig_algorithm and tsig_secret with the primary server's configuration.",
    ),
    dns.rcode.NOTZONE: (
        "provider-zone-unknown",
        "says that a name is outside the zone {zone}",
        "State the right zone in the account's `zones`.",
    ),
    dns.rcode.NXDOMAIN: (
        "provider-zone-unknown",
        "does not have the zone {zone}",
        "State the primary server of the zone in `server`, and the zone in `zones`.",
    ),
    dns.rcode.SERVFAIL: (
        "provider-server-error",
        "could not write the change of the zone {zone}",
        "Read the server's log: often its zone file or journal is not writable.",
    ),
    dns.rcode.NOTIMP: (
        "provider-refused",
        "does not do dynamic updates of the zone {zone}",
        "Switch dynamic updates on there, or use another provider.",
    ),
}


class UnsignedError(dns.exception.DNSException):
    """A server says that it has done what a key of ours has signed, and does not sign that itself."""


def read(answer: bytes, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Return what the server says.

    A refusal is believed without a signature, for nothing is done on it: a server that knows nothing of keys or of
    updates can do no better.

    :raises DNSException: it is no answer to this update, or its signature is not right.
    """
    unchecked = dns.message.from_wire(answer, keyring=False)
    if not update.is_response(unchecked):
        raise dns.query.BadResponse
    if update.keyring and not unchecked.had_tsig:
        if unchecked.rcode() == dns.rcode.NOERROR:
            raise UnsignedError
        return unchecked.rcode()
    return dns.message.from_wire(answer, keyring=update.keyring, request_mac=update.mac).rcode()


def explain(error: Exception) -> tuple[str, str, str]:
    """Return code, what was seen, what to do."""
    key = "Compare tsig_name, tsig_algorithm and tsig_secret with the server's key."
    if isinstance(error, dns.tsig.PeerBadKey):
        return "provider-unauthorized", "the server does not know the key", key
    if isinstance(error, dns.tsig.PeerBadSignature | dns.tsig.BadSignature):
        return "provider-unauthorized", "the key's secret is not the server's", key
    if isinstance(error, dns.tsig.PeerBadTime | dns.tsig.BadTime):
        return (
            "provider-unauthorized",
            "the clocks of this machine and of the server are too far apart",
            "Set the clock of this machine and of the server (with NTP).",
        )
    if isinstance(error, dns.tsig.PeerError | dns.message.UnknownTSIGKey | dns.exception.DNSException) and (
        "tsig" in type(error).__module__ or "TSIG" in type(error).__name__
    ):
        return "provider-unauthorized", "the server's signature is not right", key
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return (
            "provider-timeout",
            "it did not answer in time",
            "See whether the server runs, and whether a firewall drops TCP to its port.",
        )
    if isinstance(error, socket.gaierror):
        return "provider-unreachable", "its name was not found in DNS", "Correct `server`, or state an address there."
    if isinstance(error, OSError | EOFError):
        what = (
            f"it cannot be reached ({error.strerror or 'the connection broke'})" if isinstance(error, OSError) else ""
        )
        return (
            "provider-unreachable",
            what or "the connection broke",
            "See whether the server runs, and whether `server` names its address and port.",
        )
    if isinstance(error, UnsignedError):
        return (
            "provider-refused",
            "its answer is not signed with the key",
            "See whether something between here and the server answers in its place, and what listens at `server`.",
        )
    return "provider-refused", "its answer is not a DNS answer to this update", "See what listens at `server`."
