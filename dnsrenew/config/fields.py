"""Readers of single values: texts, numbers, addresses, durations, names, programs.

A reader returns the value, or raises ``FieldError`` with the expected one.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dnsrenew.base import host_port
from dnsrenew.base import texts as base_texts
from dnsrenew.base.clock import seconds_of, unit_seconds
from dnsrenew.base.host_port import is_web_address
from dnsrenew.base.model import RenewBefore
from dnsrenew.base.names import InvalidName, canonical_ip, is_ip, to_a_labels
from dnsrenew.base.validation import FieldError, KeyPath, describe_found, half_width, kind, nearest, one_of, quoted
from dnsrenew.base.validation.texts import EMPTY_LIST, SECONDS, TEXT, TRUE_OR_FALSE, WHOLE_NUMBER
from dnsrenew.config import texts
from dnsrenew.config.schema import FieldScope, ReadField, brackets

_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_CERTIFICATE_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
_PORTS: Final = [*map("com{}".format, range(10)), *map("lpt{}".format, range(10))]
_WINDOWS_NAMES: Final = {"con", "prn", "aux", "nul", *_PORTS}
# Rarely needed, so compiled on first use.
_FRACTION: Final = r"([0-9]{1,4}) ?/ ?([0-9]{1,4})"
_DURATION: Final = r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([A-Za-z]+)"
_MAIL: Final = r"(?:mailto:)?[^@\s,?<>:]+@[^@\s,?<>]+"
_DAY: Final = 86400
_TEN_YEARS: Final = 3653 * _DAY
_SEVERAL: Final = re.compile(r"[\s,;\uff0c\uff1b\u3001]+")
_SHOWN: Final = 4
"""The number of names that a mistake quotes."""


def unread(value: Any, _scope: FieldScope, _path: KeyPath) -> Any:
    """Return a value unchanged, because another reader checks it."""
    return value


def text(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read a non-empty text."""
    if isinstance(value, str) and value and "\0" not in value:
        return str(value)
    raise FieldError(texts.NOT_EMPTY if value == "" else TEXT)


def argument(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read a word of a command. Every word except the program itself may be empty."""
    return "" if value == "" and path[-1] != 0 else text(value, scope, path)


def flag(value: Any, _scope: FieldScope, _path: KeyPath) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    raise FieldError(TRUE_OR_FALSE)


def integer(least: int, most: int) -> ReadField:
    """Return a reader of whole numbers."""

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise FieldError(WHOLE_NUMBER.format(least=least, most=most))

    return read


def seconds(least: int) -> ReadField:
    """Return a reader of seconds, up to a day."""

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= _DAY:
            return float(value)
        raise FieldError(SECONDS.format(least=least, most=_DAY))

    return read


def time_limit(value: Any, scope: FieldScope, path: KeyPath) -> float:
    """Read seconds, more than 0 and up to a day."""
    if value != 0:
        with contextlib.suppress(FieldError):
            return float(seconds(0)(value, scope, path))
    raise FieldError(texts.TIME_LIMIT.format(most=_DAY))


def choice(*words: str) -> ReadField:
    """Return a reader of one of these words."""
    valid = frozenset(words)

    def read(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
        if isinstance(value, str) and value in valid:
            return value
        raise FieldError(one_of(words), nearest=nearest(value, words))

    return read


_OF_TABLES: Final = (texts.ROUTES, texts.TABLES)


def list_of(read_item: ReadField, expected: str, *, least: int = 0, one: bool = False) -> ReadField:
    """Return a reader of a list; each invalid item is a mistake of its own.

    :param expected: a phrase such as "a list of tables".
    :param one: whether a text counts as a list of one item.
    """

    def read(value: Any, scope: FieldScope, path: KeyPath) -> tuple[Any, ...]:
        if one and isinstance(value, str):
            return (read_item(value, scope, path),)
        if not isinstance(value, (list, tuple)):
            raise brackets(value, scope, path, expected) if expected in _OF_TABLES else FieldError(expected)
        if len(value) < least:
            found = texts.LIST_LENGTH.format(count=len(value)) if value else EMPTY_LIST
            raise FieldError(expected, found=found)
        items = []
        for index, item in enumerate(value):
            try:
                items.append(read_item(item, scope, (*path, index)))
            except FieldError as error:
                if not scope.is_wide(item, read_item, (*path, index)):
                    scope.mistake((*path, index), error.found or describe_found(item), error.expected, error.nearest)
        return tuple(items)

    return read


def file_path(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read a path, relative to its configuration file, and return it absolute."""
    return scope.path_of(text(os.fspath(value) if isinstance(value, os.PathLike) else value, scope, path))


def judged_file(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read the path of a file that others must not be able to change, such as a file with a secret."""
    file = file_path(value, scope, path)
    scope.checks.judge(file)
    return file


def plain_name(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read the name of an account, a CA or a provider, which may become part of a path."""
    if isinstance(value, str) and _PLAIN_NAME.fullmatch(value):
        return value
    raise FieldError(texts.PLAIN_NAME)


def certificate_name(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read the name of a certificate; it becomes a folder name on every system."""
    if not isinstance(value, str) or not _CERTIFICATE_NAME.fullmatch(value) or value[-1] == ".":
        raise FieldError(texts.CERTIFICATE_NAME)
    if value.partition(".")[0] in _WINDOWS_NAMES:
        raise FieldError(texts.WINDOWS_NAME)
    return value


def _url(schemes: tuple[str, ...], expected: str, without_user: str) -> ReadField:
    def read(value: Any, scope: FieldScope, path: KeyPath) -> str:
        url = text(value, scope, path)
        if is_web_address(url, schemes):
            return url
        if "@" in url:  # not shown, because a password can precede the @
            raise FieldError(without_user, found=texts.URL_WITH_USER)
        raise FieldError(expected)

    return read


https_url: Final = _url(("https",), texts.HTTPS_URL, texts.HTTPS_URL_NO_USER)
web_url: Final = _url(("http", "https"), texts.WEB_URL, texts.WEB_URL_NO_USER)


def address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read ``HOST[:PORT]``, an IPv6 address in brackets."""
    return _address(value, texts.ADDRESS, host=True, port=False)


def target_address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read ``HOST:PORT``."""
    return _address(value, texts.TARGET_ADDRESS, host=True, port=True)


def listen_address(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read ``[HOST]:PORT``."""
    return _address(value, texts.LISTEN_ADDRESS, host=False, port=True)


def _address(value: Any, expected: str, *, host: bool, port: bool) -> str:
    if not isinstance(value, str):
        raise FieldError(expected)
    try:
        name, number = host_port.split(value)
    except host_port.PortError:
        raise FieldError(texts.PORT) from None
    except ValueError:
        raise FieldError(expected) from None
    is_bare = ":" in name and not value.startswith("[")
    if (
        is_bare
        or (host and not name)
        or (port and not number)
        or not re.fullmatch(r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?|[A-Za-z0-9._-]*", name)
    ):
        raise FieldError(expected)
    return value


def contact(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read an email address, with or without ``mailto:`` (RFC 8555 section 7.3: one address, no header fields)."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and re.fullmatch(_MAIL, value):
        return value
    raise FieldError(texts.MAIL)


def file_mode(value: Any, _scope: FieldScope, _path: KeyPath) -> str:
    """Read an octal file mode."""
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value):
        return value
    raise FieldError(texts.FILE_MODE)


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def renew_before(value: Any, _scope: FieldScope, _path: KeyPath) -> RenewBefore:
    """Read a fraction of the lifetime, or a time."""
    if isinstance(value, RenewBefore) and _is_number(value.fraction) != _is_number(value.seconds):
        return value
    if not isinstance(value, str):
        raise FieldError(texts.RENEW_BEFORE)
    if fraction := re.fullmatch(_FRACTION, value):
        numerator, denominator = int(fraction[1]), int(fraction[2])
        if 0 < numerator < denominator:
            return RenewBefore(fraction=numerator / denominator)
        raise FieldError(texts.FRACTION)
    if time := re.fullmatch(_DURATION, value):
        unit = unit_seconds(time[2].lower())
        if unit is None:
            # The letters are read too.
            units = [f"{name}s" for name in ("minute", "hour", "day", "week")]
            raise FieldError(texts.TIME_UNIT.format(units=one_of(units)), nearest=nearest(time[2], units))
        if float(time[1]) > 0:
            return RenewBefore(seconds=float(time[1]) * unit)
        raise FieldError(texts.TIME_ABOVE_ZERO)
    raise FieldError(texts.RENEW_BEFORE)


def lifetime(value: Any, _scope: FieldScope, _path: KeyPath) -> float:
    """Read the requested lifetime of a certificate in seconds. A number is in seconds too."""
    found = seconds_of(value) if isinstance(value, str) else value
    if isinstance(found, (int, float)) and not isinstance(found, bool) and 300 <= found <= _TEN_YEARS:
        return float(found)
    raise FieldError(texts.LIFETIME)


def domain(value: Any, _scope: FieldScope, path: KeyPath) -> tuple[str, str]:
    """Read a domain, wildcard or IP address; return it as written, in lower case, and as A-labels (RFC 5890).

    An IP address is returned twice in canonical form (RFC 8738).
    """
    if not isinstance(value, str):
        raise FieldError(texts.DOMAIN)
    if len(several := _SEVERAL.sub(" ", value).split()) > 1:
        quotes = ", ".join(quoted(half_width(each)) for each in several[:_SHOWN]) + (", …" if several[_SHOWN:] else "")
        raise FieldError((texts.DOMAIN_QUOTES if isinstance(path[-1], int) else texts.DOMAIN_LIST).format(names=quotes))
    written = value.lower().removesuffix(".")
    if (address := read_address(written)) is not None:
        return address, address
    if ":" in written:
        raise FieldError(texts.DOMAIN_NO_URL)
    if written != written.strip():
        raise FieldError(texts.DOMAIN_NO_SPACE)
    if written.endswith("."):  # a second final dot
        raise FieldError(texts.DOMAIN_BECAUSE.format(reason=base_texts.EMPTY_LABEL))
    if "/" in written:
        raise FieldError(texts.DOMAIN_NO_SLASH if written.index("/") == len(written) - 1 else texts.DOMAIN_NO_PATH)
    if "*" in written and ("*" in written[1:] or not written.startswith("*.")):
        raise FieldError(texts.DOMAIN_STAR)
    try:
        identifier = to_a_labels(written)
    except InvalidName as error:
        raise FieldError(texts.DOMAIN_BECAUSE.format(reason=error.reason)) from None
    except (UnicodeError, IndexError, ValueError):
        raise FieldError(texts.DOMAIN) from None
    if is_ip(identifier):  # in digits of another script
        raise FieldError(texts.IP_INVALID)
    return written, identifier


def zone(value: Any, scope: FieldScope, path: KeyPath) -> str:
    """Read a name that is not a wildcard, such as a zone; return it as A-labels (RFC 5890)."""
    _, identifier = domain(value, scope, path)
    if is_ip(identifier):
        raise FieldError(texts.DOMAIN_NO_IP)
    if identifier.startswith("*."):
        raise FieldError(texts.DOMAIN_NO_STAR)
    return identifier


def each_key(table: Mapping[Any, Any], scope: FieldScope, path: KeyPath, read: Callable[[str, Any], None]) -> None:
    """Call a reader for each named table, such as ``[dns.NAME]``, with a valid name."""
    for key, value in table.items():
        try:
            read(plain_name(key, scope, path), value)
        except FieldError as error:
            is_name = isinstance(key, str) and _PLAIN_NAME.fullmatch(key)
            found = error.found or kind(value) if is_name else texts.NAME
            scope.mistake((*path, str(key)), found, error.expected, error.nearest)


# ── ip addresses ───────────────────────────────────────────────────────────────────────

# Domains that are IP addresses (RFC 8738): their canonical form, and common mistakes in writing them.


def read_address(text: str) -> str | None:
    """Return the IP address in an item of ``domains``, in canonical form; None if no address is meant.

    :param text: the text in lower case.
    :raises FieldError: an address with additional text, or a text that is almost an address.
    """
    host, slash, _ = text.removeprefix("*.").partition("/")
    if not is_ip(host):
        return None
    bare, port = _without_port(host)
    if bare is None:
        if host.count(":") == 1 or host.endswith(":"):  # a host name with a port, or a URL
            return None
        raise FieldError(texts.IP_INVALID)
    if slash:
        raise FieldError(texts.IP_NO_NETWORK)
    if text.startswith("*."):
        raise FieldError(texts.IP_NO_STAR)
    if port:
        raise FieldError(texts.IP_NO_PORT.format(address=bare))
    if host.startswith("["):
        raise FieldError(texts.IP_NO_BRACKETS.format(address=bare))
    if "%" in bare:
        raise FieldError(texts.IP_NO_ZONE)
    # IPv4 in the form of IPv6 (RFC 4291 section 2.5.5.2): clients connect to it by IPv4.
    if (mapped := getattr(ipaddress.ip_address(bare), "ipv4_mapped", None)) is not None:
        raise FieldError(texts.IP_MAPPED.format(address=mapped))
    return bare


def _without_port(host: str) -> tuple[str | None, int]:
    """Return the canonical address and port (0 if absent); no address if the text is not one."""
    with contextlib.suppress(InvalidName, ValueError):
        address, port = host_port.split(host)
        return canonical_ip(address), port
    return None, 0


# ── programs ───────────────────────────────────────────────────────────────────────────

# The programs that a configuration runs: their paths, and whether others can change them.
#
# The contents of scripts, and the imports of interpreters, are not checked.

_RUNS_ANOTHER: Final = re.compile(
    r"(?:ba|da|fi|k|z|a)?sh|(?:pythonw?|pypy|perl|ruby|node|nodejs|php|lua)[\d.]*|cmd|powershell|pwsh|busybox|"
    r"env|nice|ionice|nohup|setsid|stdbuf|timeout|time|sudo|doas|su|runuser|setpriv|chroot|unshare|nsenter|flock|"
    r"xargs|systemd-run"
)
"""The names of shells, interpreters and other programs whose arguments name a program or script to run."""
_BETWEEN_WORDS: Final = re.compile(r"[\s;|&<>()`'\"]+")


def command(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program and its arguments. If the program exists, it becomes absolute and is checked."""
    return _command(value, scope, path, texts.COMMAND)


def dns_hook(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program that writes TXT records, as :func:`command`."""
    return _command(value, scope, path, texts.DNS_HOOK)


def _command(value: Any, scope: FieldScope, path: KeyPath, expected: str) -> tuple[str, ...]:
    words: tuple[str, ...] = list_of(argument, expected, least=1)(value, scope, path)
    return judged(words, scope) if words else words


def judged(words: Sequence[str], scope: FieldScope) -> tuple[str, ...]:
    """Return a command with the absolute path of its program, after a check of all paths that it names.

    :raises FieldError: as :meth:`FieldScope.check_plain`.
    :raises ConfigError: ``config-untrusted``.
    """
    scope.check_plain()
    for path in _named_files(words, scope):
        if os.path.isfile(path):
            scope.checks.judge(path)
    return (program_path(words[0], scope), *words[1:])


def program_path(name: str, scope: FieldScope) -> str:
    """Return the checked absolute path of a program; a name that is not in ``PATH`` is returned unchanged.

    A path with a slash is relative to its configuration file. Run the returned path and not the name, so that the
    checked program is the one that runs. A missing program may be put into ``PATH`` later, so the folders in ``PATH``
    are checked.

    :raises ConfigError: ``config-untrusted``.
    """
    path = scope.path_of(name) if has_folder(name) else scope.checks.program(name)
    if path is None:
        for folder in os.get_exec_path():
            scope.checks.judge(os.path.abspath(os.path.join(folder, name)))
        return name
    scope.checks.judge(path)
    return path


def has_folder(name: str) -> bool:
    """Return whether a program is given as a path."""
    return os.path.basename(name) != name


def _named_files(words: Sequence[str], scope: FieldScope) -> Iterator[str]:
    """Yield the paths that a command names. If it runs another program, also the paths that it would find by name."""
    arguments = words[1:]
    yield from filter(os.path.isabs, arguments)
    if not _RUNS_ANOTHER.fullmatch(os.path.basename(words[0]).lower().removesuffix(".exe")):
        return
    script = next((word for word in arguments if not word.startswith("-")), "")
    yield os.path.abspath(script)
    for word in dict.fromkeys(word for each in arguments for word in _words(each)):
        if has_folder(word):
            yield os.path.abspath(word)
        elif len(word) <= 64 and (found := scope.checks.program(word)):
            yield found


def _words(text: str) -> Iterator[str]:
    """Yield the words of a command for a shell: as the shell reads them, and the texts between shell operators."""
    yield from _BETWEEN_WORDS.split(text)
    try:
        yield from shlex.split(text)
    except ValueError:  # an open quote, which the shell refuses too
        return
