"""Finds the servers on this machine that can get the certificate: by their processes, ports and configurations."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dnsrenew.base.found import RunningProgram, running_programs
from dnsrenew.base.users import this_user
from dnsrenew.base.values import replace
from dnsrenew.setup.init import server_apps, web_servers
from dnsrenew.setup.init.server import FoundServer, ServerHost, is_called

Finder = Callable[[ServerHost, RunningProgram], FoundServer | None]


def find_servers(host: ServerHost) -> list[FoundServer]:
    """Return the servers that run, each configuration once. A second one of a kind is ``nginx-2``."""
    finders: Sequence[tuple[Finder, tuple[str, ...]]] = (
        (server_apps.hfs, ("node", "hfs", "HFS")),  # it sets its title to `HFS 3.2.2`
        (web_servers.nginx, ("nginx",)),
        (web_servers.apache, ("apache2", "httpd")),
        (web_servers.haproxy, ("haproxy",)),
        (web_servers.caddy, ("caddy",)),
        (server_apps.jellyfin, ("jellyfin",)),
        (server_apps.home_assistant, ("hass", "homeassistant", "python", "python3")),
        (server_apps.mosquitto, ("mosquitto",)),
    )
    visible = [program for program in host.programs if host.sees_files_of(program)]
    servers: list[FoundServer] = []
    for finder, names in finders:
        its: dict[str, FoundServer] = {}
        for program in visible:
            found = finder(host, program) if is_called(program, *names) else None
            if found is not None:
                its.setdefault(found.config, found)
        for number, server in enumerate(its.values(), 1):
            servers.append(server if number == 1 else replace(server, key=f"{server.key}-{number}"))
    return servers


def this_server_host() -> ServerHost:
    """Return the machine that this process runs on."""
    is_admin = hasattr(os, "geteuid") and os.geteuid() == 0
    return ServerHost(
        root=Path("/"),
        home=Path(os.path.expanduser("~")),
        programs=tuple(running_programs()),
        user=this_user(),
        is_admin=is_admin,
    )
