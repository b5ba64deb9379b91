"""Finds the servers on this machine that can get the certificate: by their processes, ports and configurations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dnsrenew.base.found import RunningProgram, running_programs
from dnsrenew.base.users import this_user
from dnsrenew.base.values import Frozen, replace
from dnsrenew.deploy.targets import hfs
from dnsrenew.extensions.setup.init import server_apps, texts, web_servers
from dnsrenew.extensions.setup.init.server import FoundServer, ServerHost


class _KnownServer(Frozen):
    """A kind of server.

    :ivar names: names of its program.
    :ivar find: describes a trusted process of it; None: it gets no certificate from us.
    :ivar is_one: tells whether a process of these names is one.
    """

    key: str
    title: str
    names: tuple[str, ...]
    find: Callable[[ServerHost, RunningProgram], FoundServer | None]
    is_one: Callable[[RunningProgram], bool] = lambda _: True


_KINDS: Final = (
    _KnownServer("hfs", "HFS", hfs.PROGRAMS, server_apps.hfs, hfs.is_hfs),
    _KnownServer("nginx", "nginx", ("nginx",), web_servers.nginx),
    _KnownServer("apache", "Apache", ("apache2", "httpd"), web_servers.apache),
    _KnownServer("haproxy", "HAProxy", ("haproxy",), web_servers.haproxy),
    _KnownServer("caddy", "Caddy", ("caddy",), web_servers.caddy),
    _KnownServer("jellyfin", "Jellyfin", ("jellyfin",), server_apps.jellyfin),
    _KnownServer(
        "homeassistant",
        "Home Assistant",
        ("hass", "homeassistant", "python", "python3"),
        server_apps.home_assistant,
        server_apps.is_home_assistant,
    ),
    _KnownServer("mosquitto", "Mosquitto", ("mosquitto",), server_apps.mosquitto),
)


def find_servers(host: ServerHost) -> list[FoundServer]:
    """Return the servers that run, each configuration once, those that are not trusted last, once for each user.

    A second one of a kind is ``nginx-2``.
    """
    servers: list[FoundServer] = []
    for kind in _KINDS:
        its: dict[tuple[bool, str], FoundServer] = {}
        for server in _found(host, kind):
            is_strange = server.distrust != ""
            its.setdefault((is_strange, server.user if is_strange else server.config), server)
        for number, (_, server) in enumerate(sorted(its.items(), key=lambda item: item[0][0]), 1):
            servers.append(server if number == 1 else replace(server, key=f"{server.key}-{number}"))
    return sorted(servers, key=lambda server: server.distrust != "")


def _found(host: ServerHost, kind: _KnownServer) -> Iterator[FoundServer]:
    """Yield the servers of a kind."""
    programs = [one for one in host.programs if not one.is_elsewhere and one.is_called(*kind.names)]
    its = {one.pid: one for one in programs if kind.is_one(one)}
    for program in its.values():
        if program.parent not in its:  # not a worker
            server = _describe(host, kind, program)
            if server is not None:
                yield server


def _describe(host: ServerHost, kind: _KnownServer, program: RunningProgram) -> FoundServer | None:
    server = FoundServer(key=kind.key, title=kind.title, distrust=texts.NOT_YOURS)
    if host.discovery.is_trusted_process(program):
        is_own = host.discovery.is_own_process(program)
        # A service's process can change its command line: its configuration is then at the usual place.
        found = kind.find(host, program if is_own else replace(program, command=(program.name,)))
        weakness = host.weakness(found.config) if found is not None and found.config else None
        if weakness is None:
            return None if found is None else replace(found, is_root_s=program.uid == 0)
        server = replace(server, distrust=texts.NOT_ONLY_YOURS.format(path=weakness.path))
    return replace(server, pid=program.pid, user=program.user)


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
