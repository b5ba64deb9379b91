"""The firewall of Windows, as PowerShell's NetSecurity module shows it; it needs no administrator.

A rule may be limited to programs, addresses and networks, so that none of them is certain to close a port.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import subprocesses
from dnsrenew.base.found import printable
from dnsrenew.base.model import Check
from dnsrenew.extensions.doctor.facts import HTTP
from dnsrenew.extensions.doctor.host import texts

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_SECONDS: Final = 8.0
_MAX_BYTES: Final = 1 << 20
_SCRIPT: Final = """
$rules = Get-NetFirewallPortFilter -Protocol TCP | Where-Object {{ $_.LocalPort -contains '{port}' }} |
  Get-NetFirewallRule | Where-Object {{ "$($_.Enabled)" -eq 'True' -and "$($_.Direction)" -eq 'Inbound' }} |
  ForEach-Object {{ @{{ name = $_.DisplayName; action = "$($_.Action)" }} }}
$profiles = Get-NetFirewallProfile -PolicyStore ActiveStore | ForEach-Object {{ @{{ enabled = "$($_.Enabled)" }} }}
ConvertTo-Json -Compress -Depth 4 @{{ rules = @($rules); profiles = @($profiles) }}
"""


def judge_windows(context: Context, port: int) -> Check:
    """Return the check of the firewall; on other systems, that it cannot be read."""
    evidence = {"port": port}
    found = _read(context, port) if os.name == "nt" else None
    if found is None:
        return Check.of(texts.FIREWALL_UNSUPPORTED, "unknown", evidence, blocks=HTTP)
    return judge_profiles(found, port)


def judge_profiles(found: Mapping[str, Any], port: int) -> Check:
    """Return the check, from the rules about the port and the profiles."""
    evidence = {"port": port}
    rules = [(printable(str(rule.get("name")), 80), rule.get("action")) for rule in found.get("rules") or ()]
    blocking = [name for name, action in rules if action == "Block"]
    allowing = [name for name, action in rules if action == "Allow"]
    if all(profile.get("enabled") == "False" for profile in found.get("profiles") or [{}]):
        return Check.of(texts.FIREWALL_OFF, "ok", evidence)
    if blocking:
        return Check.of(texts.FIREWALL_RULE_BLOCKS, "unknown", {**evidence, "rules": blocking}, blocks=HTTP)
    if allowing:
        return Check.of(texts.FIREWALL_RULE_ALLOWS, "ok", {**evidence, "rules": allowing})
    return Check.of(texts.FIREWALL_NO_RULE, "unknown", evidence, blocks=HTTP)


def _read(context: Context, port: int) -> Mapping[str, Any] | None:
    arguments = ("powershell", "-NoProfile", "-NonInteractive", "-Command", _SCRIPT.format(port=port))
    try:
        done = subprocesses.run(
            arguments, env=subprocesses.environment(), seconds=_SECONDS, limit=_MAX_BYTES, cancel=context.cancel
        )
        found = json.loads(done.output) if done.status == 0 else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
