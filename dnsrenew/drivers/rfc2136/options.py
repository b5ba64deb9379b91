"""The options of an account: the primary server and the key."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.name
import dns.tsig

from dnsrenew.base import host_port
from dnsrenew.base.secrets import Secret
from dnsrenew.drivers.rfc2136 import texts
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from dnsrenew.drivers.protocol import DriverContext

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
