"""Readers of single values: texts, numbers, addresses, durations, names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base.names import InvalidName, to_a_labels
from dnsrenew.config.schema import FieldScope, ReadField
from dnsrenew.model import RenewBefore
from dnsrenew.validation.mistakes import FieldError, KeyPath, describe_found, kind, nearest, one_of

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_CERTIFICATE_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
_WINDOWS: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
# Seldom wanted, and compiled only then.
_HOST: Final = r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?|[A-Za-z0-9._-]*"
_IPV4: Final = r"(?:[^.]*\.)*[0-9]+"  # no top-level domain is a number
_FRACTION: Final = r"([0-9]{1,4}) ?/ ?([0-9]{1,4})"
_DURATION: Final = r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([A-Za-z]+)"
_DAY: Final = 86400
_UNITS: Final = {"minute": 60, "hour": 3600, "day": _DAY, "week": 7 * _DAY}
_MODE: Final = r"0?[0-7]{3}"
_MAIL: Final = r"(?a:(?:mailto:)?[^@\s,?<>:]+@[^@\s,?<>]+)"

RENEW_BEFORE: Final = 'a part of the lifetime such as "1/3", or a time such as "10 days" or "36 hours"'
NAME: Final = "1 to 64 characters of a-z, 0-9, dot, hyphen and underscore, the first no dot or hyphen, the last no dot"
IP_ADDRESS: Final = "a domain name: an IP address cannot be validated by dns-01"


def text(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take a text that is not empty."""
    if isinstance(value, str) and value and "\0" not in value:
        return str(value)
    raise FieldError("a text that is not empty" if value == "" else "a text")


def flag(value: Any, _scope: FieldScope, _path: KeyPath) -> bool:
    """Take true or false."""
    if isinstance(value, bool):
        return value
    raise FieldError("true or false")


def integer(least: int, most: int) -> ReadField:
    """Return a reader of whole numbers."""

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise FieldError(f"a whole number from {least} to {most}")

    return read


def seconds(least: int) -> ReadField:
    """Return a reader of a number of seconds."""

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= _DAY:
            return float(value)
        raise FieldError(f"a number of seconds from {least} to {_DAY}")

    return read


def choice(*words: str, reserved: tuple[str, ...] = ()) -> ReadField:
    """Return a reader of one of some words; ``reserved`` ones are known and come later."""
    valid = frozenset(words)

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
        if isinstance(value, str) and value in valid:
            return value
        if isinstance(value, str) and value in reserved:
            raise FieldError(f"{one_of(words)}: this word is reserved for a later version")
        raise FieldError(one_of(words), nearest=nearest(value, words))

    return read


def list_of(read_item: ReadField, what: str, *, least: int = 0) -> ReadField:
    """Return a reader of a list; a wrong item is a mistake of its own.

    :param what: the list in words, such as "a list of texts".
    """

    def read(value: Any, scope: FieldScope, path: KeyPath) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise FieldError(what)
        if len(value) < least:
            raise FieldError(what, found="an empty list" if not value else f"a list of {len(value)}")
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read_item(item, scope, (*path, index)))
            except FieldError as wrong:
                scope.mistake((*path, index), wrong.found or describe_found(item), wrong.expected, wrong.nearest)
        return tuple(items)

    return read


def file_path(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take a path, relative to the file it stands in, and return it absolute."""
    import os

    return scope.path_of(text(os.fspath(value) if isinstance(value, os.PathLike) else value, scope, path))


def folder_path(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take the path of the store."""
    if isinstance(value, str) and "://" in value:
        raise FieldError(
            "the path of a folder: a database as the store is reserved for a later version", found="an address"
        )
    return file_path(value, scope, path)


def plain_name(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take the name of an account, a CA or a provider: it may become a part of a path."""
    if isinstance(value, str) and _PLAIN_NAME.fullmatch(value):
        return value
    raise FieldError("a name of letters, digits, dots, hyphens and underscores")


def certificate_name(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take the name of a certificate: it becomes a folder on every system."""
    if not isinstance(value, str) or not _CERTIFICATE_NAME.fullmatch(value) or value[-1] == ".":
        raise FieldError(NAME)
    if value[0] in "cpanl" and _WINDOWS.fullmatch(value):
        raise FieldError("a name that is not reserved on Windows")
    return value


def https_url(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take an https address."""
    return _url(text(value, scope, path), ("https",), "an address that begins with https://")


def web_url(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take an http or https address."""
    return _url(text(value, scope, path), ("http", "https"), "an address that begins with https:// or http://")


def _url(value: str, schemes: tuple[str, ...], expected: str) -> str:
    from urllib.parse import urlsplit  # the built-in CAs need none

    try:
        parts = urlsplit(value)
        whole = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        whole = False
    if whole and value.isascii() and value.isprintable() and " " not in value:
        return value
    if "@" in value:  # a password may stand before it
        raise FieldError(f"{expected} and has no user name in it", found="an address with a user name")
    raise FieldError(expected)


def address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take ``HOST[:PORT]``, an IPv6 address in brackets."""
    return _address(value, "an address HOST or HOST:PORT, IPv6 in brackets", host=True, port=False)


def target_address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take ``HOST:PORT``."""
    return _address(value, "an address HOST:PORT, IPv6 in brackets", host=True, port=True)


def listen_address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take ``[HOST]:PORT``."""
    return _address(value, "an address :PORT or HOST:PORT, IPv6 in brackets", host=False, port=True)


def _address(value: Any, expected: str, *, host: bool, port: bool) -> str:
    if not isinstance(value, str):
        raise FieldError(expected)
    try:
        name, number = host_port.split(value)
    except host_port.PortError:
        raise FieldError("a port from 1 to 65535") from None
    except ValueError:
        raise FieldError(expected) from None
    is_bare = ":" in name and not value.startswith("[")
    if is_bare or (host and not name) or (port and not number) or not re.fullmatch(_HOST, name):
        raise FieldError(expected)
    return value


def contact(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take a mail address, with or without ``mailto:`` (RFC 8555 section 7.3: one address, no header fields)."""
    if isinstance(value, str) and re.fullmatch(_MAIL, value) and value.isascii() and value.isprintable():
        return value
    raise FieldError('a mail address such as "me@example.com"')


def file_mode(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Take a file mode, as an octal text."""
    if isinstance(value, str) and re.fullmatch(_MODE, value):
        return value
    raise FieldError('an octal file mode in quotes, such as "0640"')


def renew_before(value: Any, _scope: FieldScope, _path: KeyPath) -> RenewBefore:
    """Take a part of the lifetime, or a time."""
    if isinstance(value, RenewBefore):
        return value
    if not isinstance(value, str):
        raise FieldError(RENEW_BEFORE)
    if part := re.fullmatch(_FRACTION, value):
        above, below = int(part[1]), int(part[2])
        if 0 < above < below:
            return RenewBefore(fraction=above / below)
        raise FieldError("a part of the lifetime between 0 and 1")
    if time := re.fullmatch(_DURATION, value):
        unit = time[2].lower().removesuffix("s")
        if unit not in _UNITS:
            words = [f"{word}s" for word in _UNITS]
            raise FieldError(f"a unit of {one_of(words)}", nearest=nearest(time[2], words))
        if float(time[1]) > 0:
            return RenewBefore(seconds=float(time[1]) * _UNITS[unit])
        raise FieldError("a time above zero")
    raise FieldError(RENEW_BEFORE)


def domain(value: Any, _scope: FieldScope, _path: KeyPath) -> tuple[str, str]:
    """Take a domain or wildcard; return it as written, in lower case, and as A-labels (RFC 5890)."""
    if not isinstance(value, str):
        raise FieldError("a domain name")
    written = value.lower().removesuffix(".")
    if ":" in written:
        raise FieldError(_colon(written))
    if "*" in written and ("*" in written[1:] or not written.startswith("*.")):
        raise FieldError(
            'a domain name, or a wildcard such as "*.example.com": the star stands for the whole first label'
        )
    try:
        identifier = to_a_labels(written)
    except InvalidName as error:
        raise FieldError(f"a domain name: {error}") from None
    except (UnicodeError, IndexError, ValueError):
        raise FieldError("a domain name") from None
    if identifier[-1].isdigit() and re.fullmatch(_IPV4, identifier):
        raise FieldError(IP_ADDRESS)
    return written, identifier


def _colon(written: str) -> str:
    if host_port.is_ip(written.strip("[]")):
        return IP_ADDRESS
    return "a domain name: without https:// in front and without a port behind"


def zone(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Take the name of a zone, or of any name that is no wildcard; return it as A-labels."""
    _, identifier = domain(value, scope, path)
    if identifier.startswith("*."):
        raise FieldError("a name without a star")
    return identifier


def each_key(table: Mapping[Any, Any], scope: FieldScope, path: KeyPath, read: Callable[[str, Any], None]) -> None:
    """Call a reader for each named table, such as ``[dns.NAME]``, whose name is a good one."""
    for key, value in table.items():
        try:
            read(plain_name(key, scope, path), value)
        except FieldError as wrong:
            place = (*path, str(key))
            if isinstance(key, str) and _PLAIN_NAME.fullmatch(key):
                scope.mistake(place, wrong.found or kind(value), wrong.expected, wrong.nearest)
            else:
                scope.mistake(place, "the name", wrong.expected)
