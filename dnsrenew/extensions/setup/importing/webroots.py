"""The folder that a web server serves for a name, from its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.setup.importing.servers import config_files, without_comment

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.reading import Notes

_NAMES: Final = {
    "nginx": re.compile(r"\bserver_name\s+([^;]+)"),
    "apache": re.compile(r"(?i)\bServer(?:Name|Alias)\s+(.+)"),
}
_ROOTS: Final = {
    "nginx": re.compile(r"(?:^|[\s{;])root\s+[\"']?([^\s;\"']+)"),
    "apache": re.compile(r"(?i)\bDocumentRoot\s+[\"']?([^\s\"']+)"),
}
_FOLDERS: Final = {"nginx": frozenset({"nginx"}), "apache": frozenset({"apache2", "httpd"})}


def webroot_of(server: str, domains: Sequence[str], host: HostView, notes: Notes) -> str | None:
    """Return the only folder that is served in the files that name one of the domains; None if there are several.

    :param server: ``nginx`` or ``apache``.
    """
    roots: set[str] = set()
    for file in config_files(host, tuple(domains), notes):
        lines = [without_comment(line) for line in file.lines]
        named = {name for line in lines for match in _NAMES[server].finditer(line) for name in match[1].split()}
        if file.server.folder in _FOLDERS[server] and named & set(domains):
            roots |= {match[1] for line in lines for match in _ROOTS[server].finditer(line)}
    return roots.pop() if len(roots) == 1 else None
