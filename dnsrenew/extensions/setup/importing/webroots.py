"""The folder that a web server serves for a name, from its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.extensions.setup.importing.servers import config_files, without_comment

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.model import HostView
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


_PORTS: Final = re.compile(r"(?:^|[\s{;])listen\s+(?:\S+:)?(\d+)(?=[\s;])")
_DEFAULT_SERVER: Final = re.compile(r"(?:^|[\s{;])listen\s+(?:\S+:)?80\s[^;]*\bdefault_server\b")
_DEFAULT_WORD: Final = "default_server"


def webroot_of(server: str, domains: Sequence[str], host: HostView, notes: Notes) -> str | None:
    """Return the only folder that is served in the files that name one of the domains; None if there are several.

    Where these have a port other than 80 only, nginx's default server of port 80 answers for the domains.

    :param server: ``nginx`` or ``apache``.
    """
    roots: set[str] = set()
    ports: set[str] = set()
    for file in config_files(host, tuple(domains), notes):
        lines = [without_comment(line) for line in file.lines]
        named = {name for line in lines for match in _NAMES[server].finditer(line) for name in match[1].split()}
        if file.server.folder in _FOLDERS[server] and named & set(domains):
            roots |= {match[1] for line in lines for match in _ROOTS[server].finditer(line)}
            ports |= {match[1] for line in lines for match in _PORTS.finditer(line)}
    if not roots and server == "nginx" and ports and "80" not in ports:
        roots = _default_roots(host, notes)
    return roots.pop() if len(roots) == 1 else None


def _default_roots(host: HostView, notes: Notes) -> set[str]:
    """Return the folders in the files with nginx's default server of port 80."""
    found: set[str] = set()
    for file in config_files(host, (_DEFAULT_WORD,), notes):
        lines = [without_comment(line) for line in file.lines]
        if file.server.folder in _FOLDERS["nginx"] and any(map(_DEFAULT_SERVER.search, lines)):
            found |= {match[1] for line in lines for match in _ROOTS["nginx"].finditer(line)}
    return found
