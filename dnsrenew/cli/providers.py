"""``dnsrenew providers``: the DNS hosts, and what each needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import text
from dnsrenew.cli.terminal import bold, dim
from dnsrenew.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.drivers.provider import Behaviour, Provider

_READABLE: Final = 100


def providers(session: Invocation) -> int:
    """Show all DNS hosts, or the named one; return the exit status.

    :raises ConfigError: ``provider-unknown``, or a mistake in a provider's file.
    """
    from dnsrenew.drivers.catalogue import find_provider, provider_names
    from dnsrenew.validation.mistakes import nearest

    folders = _folders(session)
    name = session.options.names
    known = provider_names(folders)
    wanted = known if name is None else [name]
    found = [provider for word in wanted if (provider := find_provider(word, folders)) is not None]
    if name is not None and not found:
        close = nearest(name, known)
        raise ConfigError(
            "provider-unknown",
            f"There is no DNS host named {name!r}.",
            fix=f"Did you mean {close}? Run: dnsrenew providers {close}" if close else "Run: dnsrenew providers",
            evidence={"name": name, "nearest": close},
        )
    screen = session.screen
    if screen.json:
        screen.document({"providers": [provider.to_dict() for provider in found]})
        return 0
    columns = screen.out.size()[0]
    if name is not None and screen.quiet:
        screen.result(found[0].block().rstrip())  # ready for >> dnsrenew.toml
        return 0
    lines = _list(found, columns) if name is None else _one(found[0], min(columns or _READABLE, _READABLE))
    screen.result("\n".join(lines))
    return 0


def _folders(session: Invocation) -> list[Path]:
    """Return the user's own folders; a configuration is not needed for this."""
    from dnsrenew.config.dns_accounts import provider_folders
    from dnsrenew.config.locate import user_folder

    user = user_folder(os.environ)
    try:
        beside: str | None = str(session.config_path().parent)
    except ConfigError:
        if session.options.config:
            raise
        beside = None
    if beside is None:
        return list(provider_folders(user, None)) if user else []
    return list(provider_folders(beside, user))


def _list(found: Sequence[Provider], columns: int | None) -> list[str]:
    rows = [("NAME", "DNS HOST", "NEEDS")]
    for provider in found:
        needs = ", ".join(key for key, spec in provider.options.items() if spec.required)
        rows.append(
            (provider.name, provider.title, needs or ("see its documentation" if provider.any_options else "-"))
        )
    names, titles = (max(text.width(row[place]) for row in rows) for place in (0, 1))
    lines = []
    for number, (name, title, needs) in enumerate(rows):
        head = f"{name:{names}}  {title}{' ' * (titles - text.width(title))}  "
        lines.append(text.fit(bold(head + needs) if number == 0 else head + dim(needs), columns))
    return [*lines, "", dim("What one needs, where to get it, a block to copy: dnsrenew providers NAME")]


def _one(provider: Provider, columns: int) -> list[str]:
    lines = [bold(provider.title)]
    pages = [("website", provider.website), ("documentation", provider.docs)]
    lines += text.fields([(label, address) for label, address in pages if address], None)
    lines += ["", bold("What it needs")]
    rows = [(key if spec.required else f"{key} (optional)", spec.help) for key, spec in provider.options.items()]
    if provider.any_options:
        rows = [("options", "a plug-in: see its own documentation")]
    lines += text.fields(rows or [("nothing", "")], columns)
    lines += ["", bold("For dnsrenew.toml") + dim("  (the word after the dot is yours)")]
    lines += ["", *provider.block().rstrip().splitlines()]  # not indented: to be copied
    lines += ["", bold("How it behaves"), *_behaviour(provider.behaviour, columns)]
    return lines


def _behaviour(behaviour: Behaviour, columns: int) -> list[str]:
    rows = [
        f"A new value is waited for up to {text.seconds(behaviour.propagation_timeout)}"
        + (f", then {text.seconds(behaviour.settle)} more." if behaviour.settle else "."),
    ]
    if behaviour.values == "one":
        place = "the whole zone" if behaviour.scope == "zone" else "a name"
        rows.append(f"It keeps one TXT value for {place}: names are done one after the other.")
    if behaviour.exclusive:
        rows.append("It is written to by one run at a time.")
    if not behaviour.removes:
        rows.append("There is nothing to remove afterwards.")
    note = " ".join(behaviour.note.split())
    return [line for row in [*rows, note] if row for line in text.wrap(row, columns, "  ", "  ")]
