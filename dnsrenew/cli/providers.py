"""``dnsrenew providers``: the supported DNS hosts and their options. ``dnsrenew check``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, Protocol

from dnsrenew.base import extensions
from dnsrenew.base.validation import nearest
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import Options, usage
from dnsrenew.cli.formatting import say
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import bold, dim, green
from dnsrenew.cli.texts import LABELS
from dnsrenew.config import Config, check_config
from dnsrenew.config.dns_accounts import provider_folders
from dnsrenew.config.sources import here, user_folder
from dnsrenew.drivers import scripts
from dnsrenew.drivers.catalogue import find_provider, left_out_hosts, provider_names
from dnsrenew.drivers.provider import Behaviour, Provider
from dnsrenew.drivers.scripts import OtherHost, found_scripts, is_named, way_of
from dnsrenew.errors import ConfigError

_WIDEST: Final = 100
_GAP: Final = "  "


class AccountTools(Protocol):
    """The implementation of ``dnsrenew providers`` with ``--check`` and ``--new``."""

    def check(self, invocation: Invocation) -> int:
        """Test an account of the configuration; return the exit status."""

    def new(self, invocation: Invocation, folders: Sequence[Path]) -> int:
        """Write a new driver; return the exit status."""


def providers(invocation: Invocation) -> int:
    """Show all DNS hosts or one, test an account, or write a new driver; return the exit status.

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
    others: list[OtherHost] = []
    if options.search and not options.names:
        found = [provider for provider in found if is_named(options.search, provider)]
        others = [host for host in scripts.without_driver() if is_named(options.search, host)]
    elif options.names and not found and (other := scripts.find_other(options.names)) is not None and other.script:
        others = [other]
    elif options.names and not found and not options.names.isascii():  # a Chinese name of one host
        found = called if len(called := scripts.providers_called(options.names, folders)) == 1 else []
    if word and not found and not others:
        raise _unknown(word, known, folders, is_search=not options.names)
    terminal = invocation.terminal
    if terminal.json:
        more = {"others": [host.to_dict() for host in others]} if options.search or others else {}
        terminal.write_document({"providers": [_document(provider) for provider in found], **more})
        return 0
    columns = terminal.out.size()[0] or terminal.err.size()[0]  # even of a terminal behind `| less`
    if options.names and terminal.quiet:
        terminal.write_result(found[0].block(say).rstrip() if found else others[0].block())  # for >> dnsrenew.toml
        return 0
    if options.names:
        width = min(columns or _WIDEST, _WIDEST)
        lines = _one(found[0], width) if found else _by_script(others[0], width)
    elif options.search:
        rows = [(provider.name, say(provider.title), _way(provider)) for provider in found]
        rows += [(host.name if host.script else "-", say(host.title), _way(host)) for host in others]
        lines = _table(texts.SEARCH_COLUMNS, rows, texts.SEARCH_HINT, columns)
    else:
        rows = [(provider.name, say(provider.title), _needs(provider)) for provider in found]
        lines = _table(texts.PROVIDER_COLUMNS, rows, texts.PROVIDERS_HINT, columns)
    terminal.write_result("\n".join(lines))
    return 0


def _way(host: Provider | OtherHost) -> str:
    if not isinstance(host, OtherHost):
        return texts.WAY_LEXICON if way_of(host) == "lexicon" else texts.WAY_DRIVER
    if not host.script:
        return texts.WAY_DELEGATE
    return (texts.WAY_SCRIPT if host.is_installed else texts.WAY_SCRIPT_MISSING).format(script=host.script)


def _unknown(name: str, known: Sequence[str], folders: Sequence[Path], *, is_search: bool) -> ConfigError:
    if (left_out := left_out_hosts().get(name.lower())) is not None:
        return ConfigError.of(texts.LEFT_OUT_PROVIDER, name=name, why=left_out["why"], instead=left_out["instead"])
    if (other := scripts.find_other(name)) is not None:
        return ConfigError.of(texts.NO_DRIVER, name=name, title=other.title)
    called = [] if is_search else [host.name for host in scripts.providers_called(name, folders)[:3]]
    similar = called or nearest(name, known)
    words = [name[:length] for length in range(len(name) - 1, 3 if name.isascii() else 1, -1)] if is_search else []
    hosts = [host for each in known if words and (host := find_provider(each, folders)) is not None]
    if similar is None and (short := next((word for word in words if any(is_named(word, host) for host in hosts)), "")):
        return ConfigError.of(texts.SHORTER_FOUND, name=name, shorter=short)
    if is_search:
        text = texts.NOTHING_FOUND if similar is None else texts.NEARLY_FOUND
    else:
        text = texts.UNKNOWN_PROVIDER if similar is None else texts.MISSPELT_PROVIDER
    return ConfigError.of(text, name=name, nearest=similar)


def _folders(invocation: Invocation) -> list[Path]:
    """Return the user's own provider folders, without needing a configuration."""
    user = user_folder(os.environ)
    try:
        return list(provider_folders(str(invocation.config_path().parent), user))
    except ConfigError:
        if invocation.options.config:
            raise
    return list(provider_folders(user, None)) if user else []


def _table(
    head: tuple[str, str, str], found: Sequence[tuple[str, str, str]], hint: str, columns: int | None
) -> list[str]:
    rows = [head, *found]
    names, titles, needs = (max(formatting.width(row[column]) for row in rows) for column in range(3))
    if columns is not None:
        # The titles are wrapped, in a column of at least half the room, if the longest option fits beside it.
        room = columns - names - 2 * len(_GAP)
        longest = max(formatting.width(word) for row in rows for word in row[2].replace("、", "、 ").split() or [""])
        titles = min(titles, max(room - needs, min(room // 2, room - longest), 16))
    lines = []
    for row in rows:
        wrapped = zip_longest([row[0]], formatting.wrap(row[1], titles), _wrapped(row[2], names, titles, columns))
        for name, title, need in wrapped:
            padded = (name or "") + " " * (names - formatting.width(name or ""))
            start = f"{padded}{_GAP}{title or ''}"
            padding = " " * (names + len(_GAP) + titles - formatting.width(start))
            shown = need if row is head else dim(need or "")
            lines.append(f"{start}{padding}{_GAP}{shown}" if need else start)
    return [bold(lines[0]), *lines[1:], "", *map(dim, formatting.wrap(hint, columns))]


def _wrapped(needs: str, names: int, titles: int, columns: int | None) -> list[str]:
    return formatting.wrap(needs, None if columns is None else columns - names - titles - 2 * len(_GAP))


def _needs(provider: Provider) -> str:
    if provider.any_options:
        return texts.SEE_DOCUMENTATION
    return texts.SEPARATOR.join(option for option, spec in provider.options.items() if spec.required) or "-"


def _one(provider: Provider, columns: int) -> list[str]:
    pages = [(LABELS["website"], provider.website), (LABELS["documentation"], provider.docs)]
    lines = [bold(say(provider.title)), *formatting.fields([(label, say(page)) for label, page in pages if page], None)]
    rows = [(_shown(key, option.required), say(option.help)) for key, option in provider.options.items()]
    if provider.any_options:
        rows = [(LABELS["options"], texts.PLUGIN_OPTIONS)]
    lines += ["", bold(texts.PROVIDER_NEEDS), *formatting.fields(rows or [texts.NO_OPTIONS], columns)]
    lines += ["", bold(texts.PROVIDER_BLOCK) + dim(texts.PROVIDER_BLOCK_NOTE)]
    lines += ["", *provider.block(say).rstrip().splitlines()]  # not indented, to be copied
    lines += ["", bold(texts.PROVIDER_LIMITS), *_behaviour(provider.behaviour, columns)]
    return [*lines, *_scripts(columns)] if provider.runs_script else lines


def _by_script(host: OtherHost, columns: int) -> list[str]:
    block = [bold(texts.PROVIDER_BLOCK) + dim(texts.PROVIDER_BLOCK_NOTE), "", *host.block().splitlines()]
    hint = formatting.wrap(texts.SCRIPT_HINT.format(script=host.script, title=say(host.title)), columns)
    return [bold(say(host.title)), f"  {_way(host)}", "", *block, "", *hint]


def _document(provider: Provider) -> dict[str, Any]:
    """Return the JSON form. For acme.sh, it includes the scripts on this machine."""
    document = {**provider.to_dict(), "way": way_of(provider)}
    for script in found_scripts() if provider.runs_script else ():
        variables = [
            {"name": each.name, "help": each.help, "required": each.is_required, "group": number}
            for number, group in enumerate(script.groups)
            for each in group
        ]
        about = {"name": script.name, "path": script.path, "title": script.title, "variables": variables}
        document.setdefault("scripts", []).append(about)
    return document


def _scripts(columns: int) -> list[str]:
    """Return the scripts of acme.sh on this machine, with the variables that they require."""
    lines = ["", bold(texts.SCRIPTS_FOUND)]
    for script in found_scripts():
        lines.append(f"  {script.name}  {script.title}")
        for number, group in enumerate(script.groups):
            lines += [f"    {texts.OR}"] if number else []
            rows = [(_shown(each.name, each.is_required), each.help) for each in group]
            lines += [f"  {line}" for line in formatting.fields(rows, columns - 2)]
    return lines if len(lines) > 2 else [*lines, f"  {texts.NO_SCRIPTS}"]


def _shown(option: str, is_required: bool) -> str:  # noqa: FBT001  # its name says all
    return option if is_required else texts.OPTIONAL.format(option=option)


def _behaviour(behaviour: Behaviour, columns: int) -> list[str]:
    waits = texts.WAITS_LONGER if behaviour.settle else texts.WAITS
    timeout, settle = formatting.seconds(behaviour.propagation_timeout), formatting.seconds(behaviour.settle)
    one_value = texts.ONE_VALUE_A_ZONE if behaviour.scope == "zone" else texts.ONE_VALUE_A_NAME
    holds = {
        waits.format(timeout=timeout, settle=settle): True,
        one_value: behaviour.values == "one",
        texts.TWO_VALUES: behaviour.values == "two",
        texts.DELEGATED: behaviour.delegated,
        texts.BY_HAND: behaviour.by_hand,
        texts.EXCLUSIVE: behaviour.exclusive,
        texts.REMOVES_NOTHING: not behaviour.removes and not behaviour.by_hand,
        say(behaviour.note): bool(behaviour.note),
    }
    return [line for row, is_so in holds.items() if is_so for line in formatting.wrap(row, columns, "  ", "  ")]


# ── check ──────────────────────────────────────────────────────────────────────────────

# ``dnsrenew check``: validates the configuration, its secrets and its drivers, offline.


def check(invocation: Invocation) -> int:
    """Check the configuration; return the exit status.

    :raises ConfigError: with all mistakes.
    """

    def read(explicit: str | None, **how: bool) -> Config:  # a secret's command can take long
        return invocation.signals.run(partial(check_config, explicit, **how, clock=invocation.clock))

    config = invocation.config(needs_certificates=True, read=read)
    document = {"ok": True, "certificates": len(config.certificates), "accounts": len(config.accounts)}
    warnings = [notice.to_dict() for notice in config.warnings]
    invocation.terminal.write_document({**document, "warnings": warnings})
    if not invocation.terminal.quiet:
        path, columns = str(config.path), invocation.terminal.out.size()[0]
        path = path if columns is None else formatting.relative_path(path, here())
        certificates = formatting.count(len(config.certificates), texts.CERTIFICATE)
        accounts = formatting.count(len(config.accounts), texts.DNS_ACCOUNT)
        line = texts.CONFIG_VALID.format(path=path, certificates=certificates, accounts=accounts)
        invocation.terminal.write_marked_result(green("✓"), line)
    return 0
