"""The tables of the configuration page: every key that the program reads, with its type, default and an example."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from dnsrenew import config
from dnsrenew.config import dns_accounts
from dnsrenew.config.schema import Table
from docs.blocks import table

DATA: Final = Path(__file__).with_name("configuration_keys.toml")
_HEADS: Final = {
    "en": ("key", "value", "default", "example", "what it does"),
    "zh": ("键", "值", "默认值", "示例", "作用"),
}
ONLY_IN_PYTHON: Final = frozenset({("ca", "name")})
"""Keys of values that a program passes; in TOML the name follows the dot."""
PARTS: Final = frozenset({"document", "defaults"})
"""The schemas of documents and of ``[fleet.defaults]``: parts of ``certificate``."""


class Entry(NamedTuple):
    """What the data file says about a key; ``example`` is a TOML value, ``zh`` the help in Chinese."""

    type: str
    default: str
    example: str
    help: str
    zh: str


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(DATA.read_text("utf-8"))


@cache
def entries() -> Mapping[str, Mapping[str, Entry]]:
    """Return the data file: the keys of each table."""
    return {
        name: {key: Entry(**entry) for key, entry in keys.items()}
        for name, keys in _data().items()
        if name != "in-chinese"
    }


@cache
def schemas() -> Mapping[str, Mapping[str, bool]]:
    """Return the keys that the program reads, by table, and whether each is required."""
    found: dict[str, Mapping[str, bool]] = {}
    for module in pkgutil.iter_modules(config.__path__):
        for variable, value in vars(importlib.import_module(f"{config.__name__}.{module.name}")).items():
            name = variable.strip("_").lower()
            if isinstance(value, Table) and name not in PARTS:
                keys = {key: spec.required for key, spec in value.keys.items()}
                found[name] = {key: must for key, must in keys.items() if (name, key) not in ONLY_IN_PYTHON}
    common = dns_accounts._COMMON  # noqa: SLF001  # the rest is in the file of each DNS host
    found["dns"] = {"provider": True, **dict.fromkeys(common, False)}
    return found


def key_list(name: str, language: str = "en") -> str:
    """Return the keys of one table."""
    rows = []
    for key, entry in entries()[name].items():
        default = "**required**" if schemas()[name][key] else entry.default or "—"
        kind, default = (each if language == "en" else _in_chinese(each) for each in (entry.type, default))
        rows.append((f"`{key}`", kind, default, f"`{entry.example}`", entry.help if language == "en" else entry.zh))
    return table(_HEADS[language], rows)


def _in_chinese(words: str) -> str:
    """Return a type or a default in Chinese; one that is only code stays."""
    return str(_data()["in-chinese"][words]) if re.search("[a-z]", re.sub("`[^`]*`", "", words)) else words


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    f"keys-of-{name}{suffix}": partial(key_list, name, language)
    for language, suffix in (("en", ""), ("zh", "-in-chinese"))
    for name in (
        "main",
        "certificate",
        "route",
        "propagation",
        "dns",
        "ca",
        "resolver",
        "doctor",
        "notify",
        "metrics",
        "store",
        "fleet",
    )
}
