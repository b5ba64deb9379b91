"""``dnsrenew providers``: the supported DNS hosts, and the options of each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, Protocol

from dnsrenew.base import extensions
from dnsrenew.base.validation.mistakes import nearest
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.terminal import bold, dim
from dnsrenew.cli.texts import LABELS
from dnsrenew.config.dns_accounts import provider_folders
from dnsrenew.config.locate import user_folder
from dnsrenew.drivers.catalogue import find_provider, left_out_hosts, provider_names
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.cli.arguments import Options
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.drivers.provider import Behaviour, Provider

_WIDEST: Final = 100
_GAP: Final = "  "
_NARROWEST: Final = 16
"""The least width of the column with the titles, which are wrapped."""


class AccountTools(Protocol):
    """What ``dnsrenew providers`` does with ``--check`` and ``--new``."""

    def check(self, invocation: Invocation) -> int:
        """Test an account of the configuration; return the exit status."""

    def new(self, invocation: Invocation, folders: Sequence[Path]) -> int:
        """Write a new driver; return the exit status."""


def providers(invocation: Invocation) -> int:
    """Show all DNS hosts, or one; test an account; write a new driver. Return the exit status.

    :raises ConfigError: ``provider-unknown``, ``account-unknown``, ``usage``, or a mistake in a file.
    """
    options = invocation.options
    _check_combination(options)
    if options.check is None and options.new is None:
        return _show(invocation)
    tools: AccountTools | None = next(extensions.plugged(lambda each: each.account_tools), None)
    if tools is None:
        raise extensions.missing(f"dnsrenew providers {'--new' if options.check is None else '--check'}", "setup")
    return tools.new(invocation, _folders(invocation)) if options.check is None else tools.check(invocation)


def _check_combination(options: Options) -> None:
    """Refuse options that contradict each other.

    :raises ConfigError: ``usage``.
    """
    given = {"--check": options.check, "--new": options.new, "--search": options.search, "NAME": options.names}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise usage(texts.ONE_OF_PROVIDERS, "dnsrenew providers", first=chosen[0], second=chosen[1])
    if options.markdown and options.check is None:
        raise usage(texts.MARKDOWN_ALONE, "dnsrenew providers")


def _show(invocation: Invocation) -> int:
    folders, options = _folders(invocation), invocation.options
    known = provider_names(folders)
    word = options.names or options.search
    selected = [name for name in known if name.lower() == options.names.lower()] if options.names else known
    found = [provider for name in selected if (provider := find_provider(name, folders)) is not None]
    if options.search and not options.names:
        found = [provider for provider in found if _matches(options.search, provider)]
    if word and not found:
        raise _unknown(word, known, is_search=not options.names)
    terminal = invocation.terminal
    if terminal.json:
        terminal.write_document({"providers": [provider.to_dict() for provider in found]})
        return 0
    columns = terminal.out.size()[0]
    if options.names and terminal.quiet:
        terminal.write_result(found[0].block().rstrip())  # for >> dnsrenew.toml
        return 0
    lines = _one(found[0], min(columns or _WIDEST, _WIDEST)) if options.names else _list(found, columns)
    terminal.write_result("\n".join(lines))
    return 0


def _matches(word: str, provider: Provider) -> bool:
    return word.lower() in f"{provider.name}\n{provider.title}\n{provider.website}".lower()


def _unknown(name: str, known: Sequence[str], *, is_search: bool) -> ConfigError:
    left_out = left_out_hosts().get(name.lower())
    if left_out is not None:
        return ConfigError.of(texts.LEFT_OUT_PROVIDER, name=name, why=left_out["why"], instead=left_out["instead"])
    similar = nearest(name, known)
    if is_search:
        text = texts.NOTHING_FOUND if similar is None else texts.NEARLY_FOUND
    else:
        text = texts.UNKNOWN_PROVIDER if similar is None else texts.MISSPELT_PROVIDER
    return ConfigError.of(text, name=name, nearest=similar)


def _folders(invocation: Invocation) -> list[Path]:
    """Return the user's own provider folders. No configuration is needed."""
    user = user_folder(os.environ)
    try:
        beside: str | None = str(invocation.config_path().parent)
    except ConfigError:
        if invocation.options.config:
            raise
        beside = None
    if beside is None:
        return list(provider_folders(user, None)) if user else []
    return list(provider_folders(beside, user))


def _list(found: Sequence[Provider], columns: int | None) -> list[str]:
    rows = [texts.PROVIDER_COLUMNS, *((provider.name, provider.title, _needs(provider)) for provider in found)]
    names, titles, needs = (max(formatting.width(row[column]) for row in rows) for column in range(3))
    if columns is not None:
        titles = min(titles, max(columns - names - needs - 2 * len(_GAP), _NARROWEST))
    lines = []
    for row in rows:
        wrapped = zip_longest([row[0]], formatting.wrap(row[1], titles), _wrapped(row[2], names, titles, columns))
        for name, title, need in wrapped:
            padded = (name or "") + " " * (names - formatting.width(name or ""))
            head = f"{padded}{_GAP}{title or ''}"
            padding = " " * (names + len(_GAP) + titles - formatting.width(head))
            shown = need if row is texts.PROVIDER_COLUMNS else dim(need or "")
            lines.append(f"{head}{padding}{_GAP}{shown}" if need else head)
    return [bold(lines[0]), *lines[1:], "", *map(dim, formatting.wrap(texts.PROVIDERS_HINT, columns))]


def _wrapped(needs: str, names: int, titles: int, columns: int | None) -> list[str]:
    return formatting.wrap(needs, None if columns is None else columns - names - titles - 2 * len(_GAP))


def _needs(provider: Provider) -> str:
    if provider.any_options:
        return texts.SEE_DOCUMENTATION
    return ", ".join(option for option, spec in provider.options.items() if spec.required) or "-"


def _one(provider: Provider, columns: int) -> list[str]:
    pages = [(LABELS["website"], provider.website), (LABELS["documentation"], provider.docs)]
    lines = [bold(provider.title), *formatting.fields([(label, page) for label, page in pages if page], None)]
    rows = [
        (option if spec.required else texts.OPTIONAL.format(option=option), spec.help)
        for option, spec in provider.options.items()
    ]
    if provider.any_options:
        rows = [(LABELS["options"], texts.PLUGIN_OPTIONS)]
    lines += ["", bold(texts.PROVIDER_NEEDS), *formatting.fields(rows or [texts.NO_OPTIONS], columns)]
    lines += ["", bold(texts.PROVIDER_BLOCK) + dim(texts.PROVIDER_BLOCK_NOTE)]
    lines += ["", *provider.block().rstrip().splitlines()]  # not indented, to be copied
    return [*lines, "", bold(texts.PROVIDER_LIMITS), *_behaviour(provider.behaviour, columns)]


def _behaviour(behaviour: Behaviour, columns: int) -> list[str]:
    waits = texts.WAITS_LONGER if behaviour.settle else texts.WAITS
    timeout, settle = formatting.seconds(behaviour.propagation_timeout), formatting.seconds(behaviour.settle)
    rows = [waits.format(timeout=timeout, settle=settle)]
    if behaviour.values == "one":
        rows.append(texts.ONE_VALUE_A_ZONE if behaviour.scope == "zone" else texts.ONE_VALUE_A_NAME)
    if behaviour.values == "two":
        rows.append(texts.TWO_VALUES)
    if behaviour.delegated:
        rows.append(texts.DELEGATED)
    if behaviour.by_hand:
        rows.append(texts.BY_HAND)
    if behaviour.exclusive:
        rows.append(texts.EXCLUSIVE)
    if not behaviour.removes:
        rows.append(texts.REMOVES_NOTHING)
    rows.append(" ".join(behaviour.note.split()))
    return [line for row in rows if row for line in formatting.wrap(row, columns, "  ", "  ")]
