"""The DNS hosts: one file each in ``providers/``, read one at a time and validated completely."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files, host_port, names, validation
from dnsrenew.base.host_port import is_web_address
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import KeyPath, Mistake
from dnsrenew.base.validation import texts as phrases
from dnsrenew.base.validation.toml_positions import key_lines, line_of, syntax_mistake
from dnsrenew.drivers import texts
from dnsrenew.drivers.loading import built_in, plug_ins
from dnsrenew.drivers.protocol import ENTRY_POINT_GROUP, is_ours
from dnsrenew.drivers.provider import NAME, OWN_OBJECT, RESERVED, Behaviour, OptionSpec, Provider
from dnsrenew.errors import ConfigError, described, system_reason

_PACKAGE: Final = Path(__file__).resolve().parents[1]

SHIPPED: Final = (_PACKAGE / "_providers", _PACKAGE.parent / "providers")
"""The folders of the shipped files: in the wheel, or in the checkout of an editable install."""


def find_provider(
    name: str, folders: Iterable[Path] = (), read_own: Callable[[Path], bytes] = files.read
) -> Provider | None:
    """Return the provider of that name, or None.

    :param folders: the user's ``providers/`` folders in order of precedence; shipped files and plug-ins follow.
    :param read_own: reads a file in these folders.
    :raises ConfigError: ``provider-invalid``: its file has a mistake.
    """
    if name == OWN_OBJECT:
        return Provider(name=name, title="The program's own driver", driver=OWN_OBJECT, any_options=True)
    readers = [*((folder, read_own) for folder in folders), *((folder, files.read) for folder in SHIPPED)]
    found = _provider_in(readers, name) or _provider_in(((folder, files.read) for folder in _plug_in_folders()), name)
    if found is None and name in plug_in_names():
        return Provider(name=name, title=name, driver=name, any_options=True)
    return found


def _provider_in(readers: Iterable[tuple[Path, Callable[[Path], bytes]]], name: str) -> Provider | None:
    """Return the provider of the first file with this name. A plug-in without a file may have any other name."""
    for folder, read in readers if NAME.fullmatch(name) else ():
        path = folder / f"{name}.toml"
        try:
            text = read(path).decode("utf-8-sig")  # Notepad writes a byte order mark
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise unreadable(path, error) from None
        return parse_provider(text, name, str(path))
    return None


def provider_names(folders: Iterable[Path] = ()) -> list[str]:
    """Return the sorted names of all providers: the user's, the shipped ones and plug-ins."""
    found = {file.stem for folder in (*folders, *SHIPPED, *_plug_in_folders()) for file in folder.glob("*.toml")}
    return sorted({name for name in found if NAME.fullmatch(name)} | plug_in_names())


def all_providers(folders: Iterable[Path] = ()) -> list[Provider]:
    """Return every known DNS host; leave out files with mistakes."""
    folders = list(folders)
    found = []
    for name in provider_names(folders):
        with contextlib.suppress(ConfigError):
            found.append(find_provider(name, folders))
    return [provider for provider in found if provider is not None]


def left_out_hosts() -> dict[str, dict[str, str]]:
    """Return known hosts that have no file: ``title``, ``why``, ``source``, ``instead``.

    The keys are lexicon's names, and other spellings (``names`` in the table, separated by blanks), in lower case.
    """
    path = next(folder for folder in SHIPPED if folder.is_dir()) / "_left_out.toml"
    hosts: dict[str, dict[str, str]] = {}
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        host = _described({key: value for key, value in table.items() if isinstance(value, str)}, "why", "instead")
        hosts |= dict.fromkeys((name, *host.get("names", "").split()), host)
    return hosts


def plug_in_names() -> set[str]:
    """Return the names of installed third-party drivers (slow: it reads every installed distribution).

    The built-in drivers are entry points too, but they are not hosts and left out.
    """
    found = {entry.name for entry in plug_ins(ENTRY_POINT_GROUP) if not is_ours(entry.value)}
    return found - built_in().keys()


def _plug_in_folders() -> Iterator[Path]:
    """Yield the folders with the provider files of installed packages (slow, as above).

    An entry point of the group ``dnsrenew.providers`` names a package; its ``*.toml`` are provider files.
    """
    for entry in sorted(plug_ins("dnsrenew.providers"), key=lambda each: each.name):
        try:
            spec = find_spec(entry.module)
        except Exception:  # noqa: BLE001, S112  # importing the parent of a third-party package may raise anything
            continue
        yield from map(Path, (spec and spec.submodule_search_locations) or ())


def help_within(option: OptionSpec) -> str:
    """Return the help of an option for use within a sentence: it starts in lower case, except for an abbreviation."""
    text = " ".join(option.help.split()).rstrip(".") or texts.VALUE
    first = text.partition(" ")[0]
    return described(text[0].lower() + text[1:] if len(first) == 1 or first[1:].islower() else text)


def check_options(provider: Provider, options: Mapping[str, Any]) -> list[Mistake]:
    """Return all mistakes in the options of an account, in a stable order. Without a provider file, the list is empty.

    The mistakes contain no value and no file name. Reserved keys are not checked here. A reference to a secret may be a
    ``str`` (or the table ``{command = […]}``) or a :class:`Secret`.
    """
    if provider.any_options:
        return []
    mistakes = [
        _mistake(key, phrases.MISSING, texts.REQUIRED.format(help=help_within(spec), title=provider.title))
        for key, spec in provider.options.items()
        if spec.required and key not in options
    ]
    for key, value in options.items():
        if key in RESERVED:
            continue
        spec = provider.options.get(key)
        if spec is None:
            known = sorted(provider.options)
            expected = validation.one_of(known) if known else texts.NO_OPTION
            mistakes.append(_mistake(key, phrases.UNKNOWN_OPTION, expected, validation.nearest(key, known)))
        elif mistake := _wrong_value(key, value, spec):
            mistakes.append(mistake)
    return mistakes


def zone_for(provider: Provider, name: str) -> str | None:
    """Return the zone of a name by the ``zone_suffixes`` of the provider, absolute; None if no suffix matches."""
    for suffix in provider.zone_suffixes:
        above, labels = names.labels(suffix), names.labels(name)
        if len(labels) > len(above) and labels[-len(above) :] == above:
            return ".".join(labels[-len(above) - 1 :]) + "."
    return None


def _wrong_value(key: str, value: object, spec: OptionSpec) -> Mistake | None:
    if isinstance(value, Secret):
        return None
    if spec.kind in {"list", "program"}:
        is_list = isinstance(value, (list, tuple)) and all(isinstance(each, str) and each for each in value)
        return None if is_list and value else _mistake(key, validation.kind(value), texts.LIST)
    if spec.kind == "variables":
        return None if isinstance(value, Mapping) else _mistake(key, validation.kind(value), texts.VARIABLES)
    if isinstance(value, str):
        if value.strip():
            return _wrong_text(key, value.strip(), spec)
        if not spec.required:
            return None
        return _mistake(key, phrases.EMPTY_TEXT, spec.help or texts.VALUE)
    if spec.secret and isinstance(value, Mapping) and {"command"} <= set(value) <= {"command", "env"}:
        return None
    return _mistake(key, validation.kind(value), texts.TEXT_OR_REFERENCE if spec.secret else texts.QUOTED_TEXT)


def _wrong_text(key: str, text: str, spec: OptionSpec) -> Mistake | None:
    if spec.kind == "url":
        return _wrong_url(key, text)
    if spec.kind == "address" and not host_port.has_host(text):
        return _mistake(key, validation.quoted(text), texts.HOST_ADDRESS)
    if spec.pattern and not spec.secret and not re.fullmatch(spec.pattern, text):
        return _mistake(key, validation.quoted(text), spec.form)
    return None


def _wrong_url(key: str, address: str) -> Mistake | None:
    if not is_web_address(address):
        has_user = "@" in address  # not shown: a password can precede the @
        return _mistake(key, texts.URL_WITH_USER if has_user else texts.NOT_A_URL, texts.API_ADDRESS)
    if "?" in address or "#" in address:
        return _mistake(key, texts.URL_WITH_QUERY, texts.API_ADDRESS)
    return None


def _mistake(key: str, found: str, expected: str, near: str | None = None) -> Mistake:
    return Mistake("", None, key, found, expected, near)


# ── provider file ──────────────────────────────────────────────────────────────────────

# Read one ``providers/*.toml``; imported only when a file is read.

_OPTION: Final = re.compile(r"[a-z][a-z0-9_]*")
_ENV: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_PATTERN: Final = re.compile(r"[a-z0-9*-]+(?:\.[a-z0-9*-]+)+")
_DAY: Final = 86400
_INVALID: Final = "provider-invalid"

Test = Callable[[Any], bool]
_Keys = Mapping[str, tuple[Test, str]]
"""For each key, the test of a value and the description of a valid one."""
_Found = tuple[KeyPath, str, str, str | None]
"""A mistake: its place, the value found, the expected value, and a likely correction."""


def _is(kind: type) -> Test:
    return lambda value: isinstance(value, kind)


def _matches(test: Callable[[str], object]) -> Test:
    return lambda value: isinstance(value, str) and bool(test(value))


def _each(test: Callable[[str], object]) -> Test:
    return lambda value: isinstance(value, list) and all(isinstance(item, str) and test(item) for item in value)


def _seconds(minimum: int, maximum: int, *kinds: type) -> Test:
    return lambda value: type(value) in kinds and minimum <= value <= maximum


def _one_of(*choices: str) -> Test:
    return lambda value: value in choices


def _is_tools(value: object) -> bool:
    """Return whether it is a table of tools, each with a table for each of its names of the host."""
    if not isinstance(value, dict):
        return False
    tables = [names for tool in value.values() if isinstance(tool, dict) for names in tool.values()]
    return all(isinstance(tool, dict) for tool in value.values()) and all(
        isinstance(table, dict) and all(isinstance(each, str) or _each(len)(each) for each in table.values())
        for table in tables
    )


def _is_pattern(value: object) -> bool:
    with contextlib.suppress(re.error):
        return isinstance(value, str) and bool(re.compile(value))
    return False


def _is_domain(text: str) -> bool:
    with contextlib.suppress(names.InvalidName):
        return names.to_a_labels(text) == text and not names.is_wildcard(text)
    return False


_URL: Final = _matches(re.compile("https?://").match)
_TOP: Final[_Keys] = {
    "title": (_matches(len), texts.TITLE),
    "website": (_URL, texts.URL),
    "docs": (_URL, texts.URL),
    "driver": (_matches(NAME.fullmatch), texts.DRIVER_NAME),
    "zone_suffixes": (_each(_is_domain), texts.ZONE_SUFFIXES),
    "names": (_each(len), texts.OTHER_NAMES),
    "name_servers": (_each(_HOST_PATTERN.fullmatch), texts.NAME_SERVERS),
    "driver_options": (_is(dict), phrases.TABLE),
    "options": (_is(dict), texts.OPTION_TABLES),
    "tools": (_is_tools, texts.TOOLS),
    "behaviour": (_is(dict), phrases.TABLE),
}
_OPTIONS: Final[_Keys] = {
    "required": (_is(bool), phrases.TRUE_OR_FALSE),
    "secret": (_is(bool), phrases.TRUE_OR_FALSE),
    "env": (_matches(_ENV.fullmatch), texts.VARIABLE_NAME),
    "help": (_is(str), phrases.TEXT),
    "pattern": (_is_pattern, texts.PATTERN),
    "form": (_is(str), phrases.TEXT),
    "kind": (_one_of("text", "list", "program", "file", "url", "address", "script", "variables"), texts.KIND),
    "default": (_is(str), phrases.TEXT),
}
_BEHAVIOUR: Final[_Keys] = {
    "ttl": (_seconds(1, 7 * _DAY, int), texts.TTL),
    "propagation_timeout": (_seconds(1, _DAY, int, float), texts.PROPAGATION_TIMEOUT),
    "settle": (_seconds(0, 3600, int, float), texts.SETTLE),
    "values": (_one_of("many", "two", "one"), texts.VALUES),
    "scope": (_one_of("name", "zone"), texts.SCOPE),
    "exclusive": (_is(bool), phrases.TRUE_OR_FALSE),
    "removes": (_is(bool), phrases.TRUE_OR_FALSE),
    "by_hand": (_is(bool), phrases.TRUE_OR_FALSE),
    "delegated": (_is(bool), phrases.TRUE_OR_FALSE),
    "note": (_is(str), phrases.TEXT),
}


def parse_provider(text: str, name: str, file: str | None = None) -> Provider:
    """Return the provider of a provider file.

    :param file: the name of the file in messages; default: ``NAME.toml``.
    :raises ConfigError: ``provider-invalid``, with all mistakes.
    """
    file = file or f"{name}.toml"
    try:
        document = tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        raise _invalid(text, file, error) from None
    check = _FileCheck()
    check.table((), document, _TOP, required=("title", "driver"))
    behaviour = _table(document, "behaviour")
    check.table(("behaviour",), behaviour, _BEHAVIOUR)
    if behaviour.get("scope") == "zone" and behaviour.get("values", "many") != "one":
        check.mistake(("behaviour", "scope"), texts.SCOPE_FOUND, texts.SCOPE_OF_MANY)
    options = _table(document, "options")
    for key, table in options.items():
        check.option(key, table)
    if check.mistakes:
        raise _invalid(text, file, check.mistakes)
    words: dict[str, Any] = {key: described(document.get(key, "")) for key in ("title", "website", "docs")}
    words |= {key: tuple(document.get(key, ())) for key in ("zone_suffixes", "names", "name_servers")}
    words |= {key: _table(document, key) for key in ("driver_options", "tools")}
    specs = {key: OptionSpec(**_described(table, "help", "form")) for key, table in options.items()}
    about = Behaviour(**_described(behaviour, "note"))
    return Provider(name=name, driver=document["driver"], options=specs, behaviour=about, **words)


def _invalid(text: str, file: str, found: Exception | Sequence[_Found]) -> ConfigError:
    """Return the error for a file that is not TOML, or has mistakes."""
    if isinstance(found, Exception):
        return validation.config_error([syntax_mistake(found, text, file)], code=_INVALID)
    lines = key_lines(text)
    mistakes = [Mistake(file, line_of(each[0], lines), validation.shown_key(each[0]), *each[1:]) for each in found]
    return validation.config_error(sorted(mistakes, key=lambda mistake: mistake.line or 0), code=_INVALID)


def _described(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return a table whose texts can be translated by a catalogue."""
    return {key: described(value) if key in keys else value for key, value in table.items()}


def unreadable(path: Path, error: OSError | UnicodeDecodeError) -> ConfigError:
    """Return the error for a file that exists but cannot be read."""
    found: str = texts.NOT_UTF8
    if isinstance(error, OSError):
        found = texts.UNREADABLE.format(cause=system_reason(error).lower())
    return validation.config_error([Mistake(str(path), None, texts.FILE, found, texts.READABLE)], code=_INVALID)


def _table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key, {})
    return value if isinstance(value, dict) else {}


class _FileCheck:
    """Checks one file and collects its mistakes."""

    def __init__(self) -> None:
        self.mistakes: list[_Found] = []

    def table(self, path: KeyPath, table: Mapping[str, Any], known: _Keys, required: tuple[str, ...] = ()) -> None:
        for key in required:
            if key not in table:
                self.mistake((*path, key), phrases.MISSING, known[key][1])
        for key, value in table.items():
            if key not in known:
                near = validation.nearest(key, known)
                self.mistake((*path, key), phrases.UNKNOWN_KEY, validation.one_of(sorted(known)), near)
            elif not known[key][0](value):
                self.mistake((*path, key), validation.describe_found(value), known[key][1])

    def option(self, key: str, table: object) -> None:
        path = ("options", key)
        if key in RESERVED:
            self.mistake(path, texts.RESERVED_NAME, texts.OTHER_NAME)
        elif not _OPTION.fullmatch(key):
            self.mistake(path, texts.OPTION_NAME_FOUND, texts.OPTION_NAME)
        if isinstance(table, dict):
            self.table(path, table, _OPTIONS, required=("form",) if "pattern" in table else ())
        else:
            self.mistake(path, validation.kind(table), phrases.TABLE)

    def mistake(self, path: KeyPath, found: str, expected: str, near: str | None = None) -> None:
        self.mistakes.append((path, found, expected, near))
