"""The options of an account: where the primary server is, and the key."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.name
import dns.tsig

from dnsrenew.base import host_port
from dnsrenew.errors import ConfigError
from dnsrenew.secrets import Secret

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


def _wrong(context: DriverContext, key: str, what: str, fix: str) -> ConfigError:
    return ConfigError(
        "option-invalid",
        f"The option {key} of the account {context.account} {what}.",
        fix=fix,
        evidence={"account": context.account, "key": key},
    )


def address(context: DriverContext) -> tuple[str, int]:
    """Return host and port of the primary server.

    :raises ConfigError: ``option-invalid``.
    """
    account, text = context.account, _text(context, "server")
    try:
        host, port = host_port.split(text, PORT)
    except ValueError:
        host, port = "", PORT
    if not host:
        raise ConfigError(
            "option-invalid",
            f"The option server of the account {account} is not an address.",
            fix="State it as HOST or HOST:PORT, an IPv6 address in brackets.",
            evidence={"account": account, "key": "server", "found": text},
        )
    return host, port


def tsig_key(context: DriverContext) -> dns.tsig.Key | None:
    """Return the key that updates are signed with; None where there is none.

    :raises ConfigError: ``option-invalid``.
    """
    # No variable here holds the secret while an error is raised: a monitor shows them.
    name, has_secret = _text(context, "tsig_name"), bool(_text(context, "tsig_secret"))
    if not name and not has_secret:
        return None
    if not name or not has_secret:
        given, missing = ("tsig_name", "tsig_secret") if name else ("tsig_secret", "tsig_name")
        raise _wrong(context, missing, f"is missing, though {given} is there", f"State both, or neither: {missing}.")
    algorithm = (_text(context, "tsig_algorithm") or "hmac-sha256").lower().removesuffix(".")
    if algorithm not in ALGORITHMS:
        raise _wrong(context, "tsig_algorithm", "is not known", f"State one of {', '.join(ALGORITHMS)}.")
    try:
        key_name = dns.name.from_text(name)
    except (dns.exception.DNSException, ValueError):
        raise _wrong(
            context, "tsig_name", "is not a domain name", "Copy the name from the server's key statement."
        ) from None
    raw = _octets(context)
    if raw is None:
        raise _wrong(
            context, "tsig_secret", "is not base64", "Copy the secret from the server's key, without the quotes."
        )
    return dns.tsig.Key(key_name, raw, algorithm=ALGORITHMS[algorithm])


def _octets(context: DriverContext) -> bytes | None:
    try:
        return base64.b64decode(_text(context, "tsig_secret"), validate=True)
    except (binascii.Error, ValueError):
        return None
