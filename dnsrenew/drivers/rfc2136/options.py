"""The options of an account: the primary server and the key."""

from __future__ import annotations

import base64
import binascii
import socket
from typing import Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.tsig
import dns.update

from dnsrenew.base import host_port
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.drivers.rfc2136 import texts
from dnsrenew.errors import ConfigError, Text

PORT: Final = 53
ALGORITHMS: Final = {
    "hmac-md5": dns.tsig.HMAC_MD5,
    "hmac-sha1": dns.tsig.HMAC_SHA1,
    "hmac-sha224": dns.tsig.HMAC_SHA224,
    "hmac-sha256": dns.tsig.HMAC_SHA256,
    "hmac-sha384": dns.tsig.HMAC_SHA384,
    "hmac-sha512": dns.tsig.HMAC_SHA512,
}


def _text(context: DriverContext, key: str) -> str:
    value = context.options.get(key, "")
    return (value.reveal() if isinstance(value, Secret) else value).strip()


def address(context: DriverContext) -> tuple[str, int]:
    """Return host and port of the primary server.

    :raises ConfigError: ``option-invalid``.
    """
    text = _text(context, "server")
    try:
        host, port = host_port.split(text, PORT)
    except ValueError:
        host, port = "", PORT
    if not host:
        raise ConfigError.of(texts.NOT_AN_ADDRESS, account=context.account, key="server", found=text)
    return host, port


def tsig_key(context: DriverContext) -> dns.tsig.Key | None:
    """Return the key for signing updates; None without one.

    :raises ConfigError: ``option-invalid``.
    """
    # No variable holds the secret while an error is raised: a tool may show the variables of a traceback.
    name, has_secret = _text(context, "tsig_name"), bool(_text(context, "tsig_secret"))
    if not name and not has_secret:
        return None
    if not name or not has_secret:
        given, missing = ("tsig_name", "tsig_secret") if name else ("tsig_secret", "tsig_name")
        raise ConfigError.of(texts.KEY_INCOMPLETE, account=context.account, key=missing, given=given)
    algorithm = (_text(context, "tsig_algorithm") or "hmac-sha256").lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise ConfigError.of(
            texts.ALGORITHM_UNKNOWN, account=context.account, key="tsig_algorithm", algorithms=list(ALGORITHMS)
        )
    try:
        key_name = dns.name.from_text(name)
    except (dns.exception.DNSException, ValueError):
        raise ConfigError.of(texts.KEY_NAME_INVALID, account=context.account, key="tsig_name") from None
    raw = _decoded_secret(context)
    if raw is None:
        raise ConfigError.of(texts.SECRET_NOT_BASE64, account=context.account, key="tsig_secret")
    return dns.tsig.Key(key_name, raw, algorithm=ALGORITHMS[algorithm])


def _decoded_secret(context: DriverContext) -> bytes | None:
    try:
        return base64.b64decode(_text(context, "tsig_secret"), validate=True)
    except (binascii.Error, ValueError):
        return None


# ── answers ────────────────────────────────────────────────────────────────────────────

# Read the response of a name server to an update, and explain a missing or wrong one.

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
