"""The DNS hosts: one file each in ``providers/``, read one at a time and checked to the last key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dnsrenew.base import files, names
from dnsrenew.drivers.provider import NAME, OWN_OBJECT, RESERVED, OptionSpec, Provider
from dnsrenew.secrets import Secret
from dnsrenew.validation.mistakes import Mistake, kind, nearest, one_of

_PACKAGE: Final = Path(__file__).resolve().parents[1]

SHIPPED: Final = (_PACKAGE / "_providers", _PACKAGE.parent / "providers")
"""Where our own files are: in the wheel, or in the working copy of an editable install."""


def find_provider(name: str, folders: Iterable[Path] = ()) -> Provider | None:
    """Return the provider of that name, or None.

    :param folders: the user's own ``providers/``, first come first; ours and plug-ins come after them.
    :raises ConfigError: ``provider-invalid`` when its file has a mistake.
    """
    if name == OWN_OBJECT:
        return Provider(name=name, title="The program's own driver", driver=OWN_OBJECT, any_options=True)
    # A plug-in may be called anything, a file may not: the name becomes a part of a path.
    for folder in (*folders, *SHIPPED) if NAME.fullmatch(name) else ():
        path = folder / f"{name}.toml"
        try:
            text = files.read(path).decode("utf-8-sig")  # Windows' editor writes a byte order mark
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
    """Return what a provider file says.

    :param file: what it is called in messages; default: ``NAME.toml``.
    :raises ConfigError: ``provider-invalid``, with all mistakes.
    """
    from dnsrenew.drivers import provider_file

    return provider_file.parse(text, name, file or f"{name}.toml")


def provider_names(folders: Iterable[Path] = ()) -> list[str]:
    """Return the names of all providers: the user's own, ours, and plug-ins; sorted."""
    found = {file.stem for folder in (*folders, *SHIPPED) for file in folder.glob("*.toml")}
    return sorted({name for name in found if NAME.fullmatch(name)} | plug_in_names())


def plug_in_names() -> set[str]:
    """Return the names of installed drivers of third parties (slow: every installed distribution is looked at).

    Ours are not among them: they stand there too, and are no hosts by themselves.
    """
    from importlib.metadata import entry_points

    from dnsrenew.drivers.protocol import BUILT_IN, COMING, ENTRY_POINT_GROUP

    return set(entry_points(group=ENTRY_POINT_GROUP).names) - BUILT_IN.keys() - COMING


def check_options(provider: Provider, options: Mapping[str, Any]) -> list[Mistake]:
    """Return all mistakes in an account's options, in a stable order; none for a driver without a provider file.

    They show no value, and do not know the file. Reserved keys are somebody else's to check. References to secrets are
    welcome in both forms: a ``str`` (or the table ``{command = […]}``) and a :class:`Secret`.
    """
    if provider.any_options:
        return []
    mistakes = [
        _mistake(key, "missing", f"{spec.help or 'a value'} (required by {provider.title})")
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
    """Return the zone that the file's ``zone_suffixes`` give a name, absolute; None where none fits."""
    for suffix in provider.zone_suffixes:
        upper, parts = names.labels(suffix), names.labels(name)
        if len(parts) > len(upper) and parts[-len(upper) :] == upper:
            return ".".join(parts[-len(upper) - 1 :]) + "."
    return None


def _unknown(provider: Provider, key: str) -> Mistake:
    known = sorted(provider.options)
    expected = one_of(known) if known else "no options of its own"
    return _mistake(key, "an unknown option", expected, nearest(key, known))


def _wrong_value(key: str, value: object, spec: OptionSpec) -> Mistake | None:
    if isinstance(value, Secret):
        return None
    if isinstance(value, str):
        if value.strip() or not spec.required:
            return None
        return _mistake(key, "an empty text", spec.help or "a value")
    if spec.secret and isinstance(value, Mapping) and {"command"} <= set(value) <= {"command", "env"}:
        return None
    return _mistake(key, kind(value), "a text, or a reference to a secret" if spec.secret else "a text in quotes")


def _mistake(key: str, found: str, expected: str, near: str | None = None) -> Mistake:
    return Mistake("", None, key, found, expected, near)
