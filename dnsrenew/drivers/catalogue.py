"""The DNS hosts: one file each in ``providers/``, read one at a time and validated completely."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files, host_port, names
from dnsrenew.base.secrets import Secret
from dnsrenew.base.validation import texts as phrases
from dnsrenew.base.validation.mistakes import Mistake, kind, nearest, one_of, quoted
from dnsrenew.drivers import texts
from dnsrenew.drivers.provider import NAME, OWN_OBJECT, RESERVED, OptionSpec, Provider

_PACKAGE: Final = Path(__file__).resolve().parents[1]

SHIPPED: Final = (_PACKAGE / "_providers", _PACKAGE.parent / "providers")
"""The folders of the shipped files: in the wheel, or in the checkout of an editable install."""


def find_provider(
    name: str, folders: Iterable[Path] = (), read_own: Callable[[Path], bytes] = files.read
) -> Provider | None:
    """Return the provider of that name, or None.

    :param folders: the user's ``providers/`` folders in order of precedence; shipped files and plug-ins follow.
    :param read_own: reads a file in them.
    :raises ConfigError: ``provider-invalid``, its file has a mistake.
    """
    if name == OWN_OBJECT:
        return Provider(name=name, title="The program's own driver", driver=OWN_OBJECT, any_options=True)
    # A plug-in may have any name; the name of a file becomes part of a path.
    readers = [*((folder, read_own) for folder in folders), *((folder, files.read) for folder in SHIPPED)]
    for folder, read in readers if NAME.fullmatch(name) else ():
        path = folder / f"{name}.toml"
        try:
            text = read(path).decode("utf-8-sig")  # Notepad writes a byte order mark
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            from dnsrenew.drivers.provider_file import unreadable

            raise unreadable(path, error) from None
        return parse_provider(text, name, str(path))
    if name in plug_in_names():
        return Provider(name=name, title=name, driver=name, any_options=True)
    return None


def parse_provider(text: str, name: str, file: str | None = None) -> Provider:
    """Return the provider of a provider file.

    :param file: the name of the file in messages; default: ``NAME.toml``.
    :raises ConfigError: ``provider-invalid``, with all mistakes.
    """
    from dnsrenew.drivers import provider_file

    return provider_file.parse(text, name, file or f"{name}.toml")


def provider_names(folders: Iterable[Path] = ()) -> list[str]:
    """Return the sorted names of all providers: the user's, the shipped ones and plug-ins."""
    found = {file.stem for folder in (*folders, *SHIPPED) for file in folder.glob("*.toml")}
    return sorted({name for name in found if NAME.fullmatch(name)} | plug_in_names())


def left_out_hosts() -> dict[str, dict[str, str]]:
    """Return known hosts that have no file: ``title``, ``why``, ``source``, ``instead``.

    The keys are lexicon's names, and other spellings (``names`` in the table, separated by blanks), in lower case.
    """
    import tomllib

    path = next(folder for folder in SHIPPED if folder.is_dir()) / "_left_out.toml"
    hosts: dict[str, dict[str, str]] = {}
    for name, table in tomllib.loads(path.read_text("utf-8")).items():
        host = {key: value for key, value in table.items() if isinstance(value, str)}
        hosts |= dict.fromkeys((name, *host.get("names", "").split()), host)
    return hosts


def plug_in_names() -> set[str]:
    """Return the names of installed third-party drivers (slow: it reads every installed distribution).

    The built-in drivers are entry points too, but left out: they are not hosts.
    """
    from importlib.metadata import entry_points

    from dnsrenew.drivers.protocol import BUILT_IN, ENTRY_POINT_GROUP

    return set(entry_points(group=ENTRY_POINT_GROUP).names) - BUILT_IN.keys()


def check_options(provider: Provider, options: Mapping[str, Any]) -> list[Mistake]:
    """Return all mistakes in the options of an account, in a stable order; none without a provider file.

    The mistakes contain no value and no file name. Reserved keys are not checked here. A reference to a secret may be a
    ``str`` (or the table ``{command = […]}``) or a :class:`Secret`.
    """
    if provider.any_options:
        return []
    mistakes = [
        _mistake(key, phrases.MISSING, texts.REQUIRED.format(help=spec.help or texts.VALUE, title=provider.title))
        for key, spec in provider.options.items()
        if spec.required and key not in options
    ]
    for key, value in options.items():
        if key in RESERVED:
            continue
        spec = provider.options.get(key)
        mistake = _unknown(provider, key) if spec is None else _wrong_value(key, value, spec)
        if mistake is not None:
            mistakes.append(mistake)
    return mistakes


def zone_for(provider: Provider, name: str) -> str | None:
    """Return the zone of a name by the ``zone_suffixes`` of the provider, absolute; None if no suffix matches."""
    for suffix in provider.zone_suffixes:
        above, labels = names.labels(suffix), names.labels(name)
        if len(labels) > len(above) and labels[-len(above) :] == above:
            return ".".join(labels[-len(above) - 1 :]) + "."
    return None


def _unknown(provider: Provider, key: str) -> Mistake:
    known = sorted(provider.options)
    expected = one_of(known) if known else texts.NO_OPTION
    return _mistake(key, texts.UNKNOWN_OPTION, expected, nearest(key, known))


def _wrong_value(key: str, value: object, spec: OptionSpec) -> Mistake | None:
    if isinstance(value, Secret):
        return None
    if spec.kind in {"list", "program"}:
        is_list = isinstance(value, (list, tuple)) and all(isinstance(each, str) and each for each in value)
        return None if is_list and value else _mistake(key, kind(value), texts.LIST)
    if isinstance(value, str):
        if value.strip():
            return _wrong_text(key, value.strip(), spec)
        if not spec.required:
            return None
        return _mistake(key, phrases.EMPTY_TEXT, spec.help or texts.VALUE)
    if spec.secret and isinstance(value, Mapping) and {"command"} <= set(value) <= {"command", "env"}:
        return None
    return _mistake(key, kind(value), texts.TEXT_OR_REFERENCE if spec.secret else texts.QUOTED_TEXT)


def _wrong_text(key: str, text: str, spec: OptionSpec) -> Mistake | None:
    if spec.kind == "url":
        return _wrong_url(key, text)
    if spec.kind == "address" and not host_port.has_host(text):
        return _mistake(key, quoted(text), texts.HOST_ADDRESS)
    if spec.pattern and not spec.secret and not re.fullmatch(spec.pattern, text):
        return _mistake(key, quoted(text), spec.form)
    return None


def _wrong_url(key: str, address: str) -> Mistake | None:
    from dnsrenew.base.web_address import is_web_address  # few accounts name an address

    if not is_web_address(address):
        has_user = "@" in address  # not shown: a password can precede the @
        return _mistake(key, texts.URL_WITH_USER if has_user else texts.NOT_A_URL, texts.API_ADDRESS)
    if "?" in address or "#" in address:
        return _mistake(key, texts.URL_WITH_QUERY, texts.API_ADDRESS)
    return None


def _mistake(key: str, found: str, expected: str, near: str | None = None) -> Mistake:
    return Mistake("", None, key, found, expected, near)
