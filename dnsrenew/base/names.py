"""Domain names as labels (RFC 1034), without the cost of importing a DNS library; and IP addresses as identifiers."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING
from unicodedata import category

from dnsrenew.base import texts

if TYPE_CHECKING:
    from tldextract import TLDExtract

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME = 253
_USUAL = re.compile(rf"(?:\*\.)?(?:{_LABEL.pattern}\.)*+(?![0-9]+\Z){_LABEL.pattern}")
_MARKS = "-._。．｡"
"""Punctuation that a name can have instead of a dot; IDNA reads the last three as a dot."""
_A_LABELS = re.compile(r"(?:[\w*-]+\.)*xn--[\w-]+(?:\.[\w-]+)*")


class InvalidName(ValueError):
    """The text is not a domain name; ``str()`` is the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def labels(name: str) -> list[str]:
    """Split a name into lower-case labels; a final dot is ignored."""
    return name.removesuffix(".").lower().split(".")


def is_at_or_below(name: str, ancestor: str) -> bool:
    """Return whether ``name`` is ``ancestor`` or a subdomain of it."""
    upper = labels(ancestor)
    return upper == [""] or labels(name)[-len(upper) :] == upper


def absolute(name: str) -> str:
    """Return the absolute form, with the final dot (RFC 1034 section 3.1)."""
    return name if name.endswith(".") else f"{name}."


def relative(name: str) -> str:
    """Return the name without the final dot, for people."""
    return name.removesuffix(".")


def is_wildcard(domain: str) -> bool:
    """Return whether the domain is ``*.something``."""
    return domain.startswith("*.")


def base_domain(domain: str) -> str:
    """Return the domain that the CA validates: a wildcard without its ``*.`` (RFC 8555 section 7.1.3)."""
    return domain.removeprefix("*.")


def covers(certified: Collection[str], wanted: Iterable[str]) -> bool:
    """Return whether a certificate for some names is valid for all others. A wildcard covers one label."""
    return all(name in certified or f"*.{name.partition('.')[2]}" in certified for name in wanted)


def is_plain(name: str) -> bool:
    """Return whether every label has only letters, digits, ``_`` and inner ``-``. DNS itself allows any octet."""
    return all(_LABEL.fullmatch(label) for label in labels(name))


def is_ip(identifier: str) -> bool:
    """Return whether an identifier is an IP address (RFC 8738) and not a domain; no top-level domain is a number."""
    return ":" in identifier or identifier.rpartition(".")[2].isdecimal()


def canonical_ip(text: str) -> str:
    """Return the canonical text of an IP address as an identifier (RFC 8738 section 3), IPv6 as in RFC 5952.

    :raises InvalidName: the text is not an IP address.
    """
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidName(texts.NO_IP_ADDRESS) from None


def reverse_name(address: str) -> str:
    """Return the name under ``in-addr.arpa`` or ``ip6.arpa`` of an IP address (RFC 1034, RFC 3596)."""
    return ipaddress.ip_address(address).reverse_pointer


def url_host(identifier: str) -> str:
    """Return an identifier as the host of a URL, with an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{identifier}]" if ":" in identifier else identifier


def to_a_labels(domain: str) -> str:
    """Return the A-label form (RFC 5890) of a domain or wildcard, in lower case, without a final dot.

    :raises InvalidName: the text is not a domain name.
    """
    text = domain.removesuffix(".").lower()
    prefix = "*." if text.startswith("*.") else ""
    base = text.removeprefix("*.")
    if not base.isascii():
        base = _encode(base)
    _check(base)
    return prefix + base


def is_a_labels(domain: str) -> bool:
    """Return whether :func:`to_a_labels` would return the same text, as for most domains, but not for an IP address."""
    return len(domain) <= _MAX_NAME and _USUAL.fullmatch(domain) is not None


def shown(name: str) -> str:
    """Return a name for people. A name beyond ASCII is shown in its letters, with its A-labels in brackets."""
    parts = relative(name).split(".")
    try:
        text = ".".join(each[4:].encode().decode("punycode") if each[:4] == "xn--" else each for each in parts)
    except ValueError:
        return name
    return f"{text} ({name})" if text != relative(name) and text.isprintable() else name


def in_letters(text: str) -> str:
    """Return a text in which names beyond ASCII are written in their letters, as people write them."""
    return _A_LABELS.sub(lambda match: shown(match[0]).partition(" (")[0], text)


def _encode(base: str) -> str:
    import idna  # slow to import, and only needed outside ASCII

    try:
        return idna.encode(base, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        mark = next((each for each in base if category(each)[0] in "PSZ" and each not in _MARKS), None)
        if mark:
            raise InvalidName(texts.BAD_CHARACTER.format(character=mark)) from None
        raise InvalidName(texts.NOT_INTERNATIONAL.format(error=str(error))) from None


def _check(base: str) -> None:
    if len(base) > _MAX_NAME:
        raise InvalidName(texts.TOO_LONG.format(most=_MAX_NAME))
    for label in base.split("."):
        if not label:
            raise InvalidName(texts.EMPTY_LABEL)
        if not _LABEL.fullmatch(label):
            raise InvalidName(texts.BAD_LABEL.format(label=repr(label)))


# ── public suffixes ────────────────────────────────────────────────────────────────────

# Public suffixes: names such as ``co.uk``, below which a registry gives domains to the public.


def is_public_suffix(name: str) -> bool:
    """Return whether a name is the public suffix of a registry, for which no public CA issues.

    The copy of the Public Suffix List in the tldextract package decides; no request is sent. Its suffixes of companies
    (``duckdns.org``) do not count, because the company can have a certificate. The first name takes 0.2 s.

    :param name: a domain as A-labels, in lower case.
    """
    parts = _extractor()(name)
    return not parts.domain and parts.suffix == name


@functools.cache
def _extractor() -> TLDExtract:
    from tldextract import TLDExtract  # slow to load

    return TLDExtract(cache_dir=None, suffix_list_urls=())
