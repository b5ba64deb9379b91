"""Read the response of a name server to an update, and explain a missing or wrong one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.message
import dns.rcode
import dns.tsig
import dns.update

from dnsrenew.drivers.rfc2136 import texts

if TYPE_CHECKING:
    from dnsrenew.errors import Text

REFUSALS: Final = {
    dns.rcode.REFUSED: texts.KEY_NOT_ALLOWED,
    dns.rcode.NOTAUTH: texts.NOT_AUTHORIZED,
    dns.rcode.NOTZONE: texts.NOT_IN_ZONE,
    dns.rcode.NXDOMAIN: texts.NO_SUCH_ZONE,
    dns.rcode.SERVFAIL: texts.SERVER_FAILED,
    dns.rcode.NOTIMP: texts.NO_DYNAMIC_UPDATE,
}
"""The text of each RCODE; any other is :data:`texts.UPDATE_REFUSED`."""


class OtherAnswerError(dns.exception.DNSException):
    """The response is none to this update."""


class UnsignedError(dns.exception.DNSException):
    """The response to a signed update reports success but is not signed."""


def read(answer: bytes, update: dns.update.UpdateMessage) -> dns.rcode.Rcode:
    """Return the RCODE of a response.

    An error needs no signature, because nothing was changed: a server without keys or updates cannot sign it.

    :raises DNSException: it is no response to this update, or its signature is invalid.
    """
    unchecked = dns.message.from_wire(answer, keyring=False)
    if not update.is_response(unchecked):
        raise OtherAnswerError
    if update.keyring and not unchecked.had_tsig:
        if unchecked.rcode() == dns.rcode.NOERROR:
            raise UnsignedError
        return unchecked.rcode()
    return dns.message.from_wire(answer, keyring=update.keyring, request_mac=update.mac).rcode()


def explain(error: Exception) -> Text:
    """Return the text for an update without a usable response."""
    if isinstance(error, dns.tsig.PeerBadKey):
        return texts.KEY_UNKNOWN
    if isinstance(error, dns.tsig.PeerBadSignature | dns.tsig.BadSignature):
        return texts.SECRET_WRONG
    if isinstance(error, dns.tsig.PeerBadTime | dns.tsig.BadTime):
        return texts.CLOCK_SKEW
    if isinstance(error, dns.tsig.PeerError | dns.message.UnknownTSIGKey | dns.exception.DNSException) and (
        "tsig" in type(error).__module__ or "TSIG" in type(error).__name__
    ):
        return texts.SIGNATURE_WRONG
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return texts.TIMED_OUT
    if isinstance(error, socket.gaierror):
        return texts.SERVER_NAME_UNKNOWN
    if isinstance(error, OSError | EOFError):
        return texts.UNREACHABLE if getattr(error, "strerror", None) else texts.CONNECTION_LOST
    if isinstance(error, UnsignedError):
        return texts.NOT_SIGNED
    return texts.NO_DNS_ANSWER
