"""What other tools call the DNS hosts and their options: ``[tools.TOOL]`` of the provider files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import find_provider, provider_names

Tool = Literal["acme_sh", "caddy", "certbot", "lego"]
_INLINE = "inline"


class ToolHost(Frozen):
    """A DNS host, as another tool knows it.

    :ivar provider: the name of its file.
    :ivar options: our options by the names of the tool; of two for one option, the later one wins.
    :ivar inline: our options for values without a name, in order (Caddy).
    """

    provider: str
    options: Mapping[str, str]
    inline: tuple[str, ...] = ()


@cache
def hosts_of(tool: Tool) -> dict[str, ToolHost]:
    """Return the hosts that a tool knows, by its names for them."""
    providers = (provider for name in provider_names() if (provider := find_provider(name)) is not None)
    return {
        name: ToolHost(provider.name, _options(table), tuple(table.get(_INLINE, ())))
        for provider in providers
        for name, table in provider.tools.get(tool, {}).items()
    }


def _options(table: Mapping[str, Any]) -> dict[str, str]:
    return {
        theirs: ours
        for ours, names in table.items()
        if ours != _INLINE
        for theirs in ([names] if isinstance(names, str) else names)
    }
