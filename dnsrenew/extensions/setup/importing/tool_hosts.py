"""What other tools call the DNS hosts and their options: ``[tools.TOOL]`` of the provider files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from dnsrenew.base.values import Frozen
from dnsrenew.drivers.catalogue import find_provider, provider_names
from dnsrenew.extensions.setup.importing import reading
from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, HostView

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


# ── aws ────────────────────────────────────────────────────────────────────────────────

# The access key for Route 53 in the files of the AWS command line, where other ACME clients look for it.
#
# Only a permanent key of the default profile is used, as in ``~/.aws/credentials`` (docs.aws.amazon.com, "Configuration
# and credential file settings"). Roles of a machine are not: the driver takes no credentials but its options.

_KEYS: Final = {"aws_access_key_id": "auth_access_key", "aws_secret_access_key": "auth_access_secret"}


def route53_account(host: HostView, notes: reading.Notes) -> FoundDnsAccount | None:
    """Return the account, or None without a key."""
    for file in (host.home / ".aws/credentials", host.home / ".aws/config", host.root / "root/.aws/credentials"):
        found = _keys(file, notes)
        if len(found) == len(_KEYS):
            return reading.dns_account("route53", found, str(file))
    return None


def _keys(file: Path, notes: reading.Notes) -> dict[str, str]:
    text = notes.credentials(file) if os.path.lexists(file) else ""  # most machines have none of these files
    settings = [each for each in reading.settings(text) if each.sections == ("default",)]
    return {_KEYS[each.key]: each.value for each in settings if each.key in _KEYS}
