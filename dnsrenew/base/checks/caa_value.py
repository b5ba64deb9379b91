"""Parses the value of a CAA ``issue`` or ``issuewild`` record strictly (RFC 8659 section 4.2, RFC 8657)."""

from __future__ import annotations

import re
from typing import Final

from dnsrenew.base.values import Frozen

_BLANK: Final = " \t"
_LABEL: Final = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TAG: Final = re.compile(_LABEL)
_TEXT: Final = re.compile(r"[!-:<-~]*")
_METHODS: Final = re.compile(r"(?:[A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*)?")


class Issuer(Frozen):
    """A CA that may issue, and the conditions.

    :ivar domain: in lower case; empty: no CA may issue.
    :ivar parameters: tags in lower case with their values, in order.
    """

    domain: str
    parameters: tuple[tuple[str, str], ...] = ()

    def all(self, tag: str) -> list[str]:
        """Return every value of a tag."""
        return [value for its, value in self.parameters if its == tag]

    def extended(self, account_url: str | None, challenge: str) -> Issuer:
        """Return a copy with this account in place of the one named, and with the method added to those allowed."""
        return Issuer(
            self.domain, tuple((tag, _extended(tag, value, account_url, challenge)) for tag, value in self.parameters)
        )

    def __str__(self) -> str:
        return "; ".join([self.domain, *(f"{tag}={value}" for tag, value in self.parameters)])


def parse_issuer(value: str) -> Issuer | None:
    """Return the parsed value, or None if it is malformed: it then allows no CA.

    It never raises, whatever the text.
    """
    head, *rest = value.split(";")  # no part may contain a semicolon
    domain = head.strip(_BLANK)
    if domain and not _DOMAIN.fullmatch(domain):
        return None
    if len(rest) == 1 and not rest[0].strip(_BLANK):
        rest = []
    parameters = [_parse_parameter(text) for text in rest]
    known = [parameter for parameter in parameters if parameter is not None]
    return Issuer(domain.lower(), tuple(known)) if len(known) == len(parameters) else None


def parse_methods(value: str) -> tuple[str, ...] | None:
    """Return the methods in a ``validationmethods`` value, or None if it is malformed."""
    if not _METHODS.fullmatch(value):
        return None
    return tuple(method for method in value.split(",") if method)


def _parse_parameter(text: str) -> tuple[str, str] | None:
    tag, equals, value = (part.strip(_BLANK) for part in text.partition("="))
    if not equals or not _TAG.fullmatch(tag) or not _TEXT.fullmatch(value):
        return None
    return tag.lower(), value


def _extended(tag: str, value: str, account_url: str | None, challenge: str) -> str:
    if tag == "accounturi":
        return account_url or value
    if tag == "validationmethods":
        return ",".join(dict.fromkeys([*(parse_methods(value) or ()), challenge]))
    return value
