"""The access key for Route 53 in the files of the AWS command line, where other ACME clients look for it.

Only a permanent key of the default profile is used, as in ``~/.aws/credentials`` (docs.aws.amazon.com, "Configuration
and credential file settings"). Roles of a machine are not: the driver takes no credentials but its options.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.setup.importing import reading

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.extensions.setup.importing.model import FoundDnsAccount, HostView

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
