"""The servers on this machine that can get the certificate; HFS, Jellyfin, Home Assistant and Mosquitto."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import unescape

from dnsrenew.base.found import RunningProgram, running_programs
from dnsrenew.base.users import this_user
from dnsrenew.base.values import Frozen, replace
from dnsrenew.deploy.targets import hfs as hfs_program
from dnsrenew.extensions.setup.init import texts, web_servers
from dnsrenew.extensions.setup.init.server import ConfiguredPair, FoundServer, ServerHost, config_file, reload, words

# ── HFS ─────────────────────────────────────────────────────────────────────────────────

_PORT: Final = re.compile(r"^port:[ \t]*(\d{1,5})[ \t]*$", re.MULTILINE)
_HTTPS_PORT: Final = re.compile(r"^https_port:[ \t]*(-?\d{1,5})[ \t]*$", re.MULTILINE)
_NAMES: Final = re.compile(r"^(?:acme_domain|base_url):[ \t]*[\"']?(?:https?://)?([^\s\"'/:,]+)", re.MULTILINE)


def hfs(host: ServerHost, program: RunningProgram) -> FoundServer | None:
    """Describe HFS: a process with its configuration in its folder."""
    config = os.path.join(program.folder, "config.yaml") if program.folder else ""
    if not host.first_file(config):
        return None
    text = host.read(config)
    port, https = _PORT.search(text), _HTTPS_PORT.search(text)
    https_port = int(https[1]) if https else -1
    plain = int(port[1]) if port else next((each for each in program.ports if each != https_port), 80)
    options: dict[str, Any] = {"url": f"http://127.0.0.1:{plain}", "folder": program.folder}
    options |= {"https": True} if https_port < 0 else {}
    names = tuple(dict.fromkeys(match[1] for match in _NAMES.finditer(text)))
    return FoundServer(config=config, names=names, to="hfs", options=options)


# ── Jellyfin ────────────────────────────────────────────────────────────────────────────

_XML: Final = r"<{name}>([^<]*)</{name}>"
_JELLYFIN_PORT: Final = 8920


def jellyfin(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Jellyfin, which reads a PKCS#12 file that its configuration names."""
    folder = config_file(host, program, ("--configdir", "-c"))
    config = host.first_file(os.path.join(folder, "network.xml") if folder else "", "/etc/jellyfin/network.xml")
    text = host.read(config)
    path, password, port = (_xml(text, key) for key in ("CertificatePath", "CertificatePassword", "InternalHttpsPort"))
    served = ConfiguredPair((), path, "", int(port) if port.isdecimal() else _JELLYFIN_PORT)
    pairs = (served,) if path and _xml(text, "EnableHttps") == "true" else ()
    found = FoundServer(config=config, pairs=pairs, to="pkcs12", options=reload(program, "restart"), owner=program.user)
    return replace(found, secrets={"password": password} if password else {}, settings=("CertificatePath",))


def _xml(text: str, name: str) -> str:
    match = re.search(_XML.format(name=name), text)
    return unescape(match[1].strip(), {"&quot;": '"', "&apos;": "'"}) if match else ""


# ── Home Assistant ──────────────────────────────────────────────────────────────────────

_SSL: Final = re.compile(r"^[ \t]+ssl_(certificate|key):[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_SERVER_PORT: Final = re.compile(r"^[ \t]+server_port:[ \t]*(\d{1,5})\b", re.MULTILINE)
_HASS: Final = ("hass", "homeassistant")
_HASS_PORT: Final = 8123


def is_home_assistant(program: RunningProgram) -> bool:
    """Return whether the command line is Home Assistant's, because Python can run anything."""
    return any(os.path.basename(word) in _HASS for word in words(program)[:4])


def home_assistant(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Home Assistant Core, which loads its certificate when it starts."""
    folder = config_file(host, program, ("-c", "--config")) or str(host.home / ".homeassistant")
    config = host.first_file(os.path.join(folder, "configuration.yaml"))
    text = host.read(config)
    files = dict(_SSL.findall(text))
    port = _SERVER_PORT.search(text)
    pair = ConfiguredPair((), files.get("certificate", ""), files.get("key", ""), int(port[1]) if port else _HASS_PORT)
    found = FoundServer(config=config, options=reload(program, "restart"), settings=("ssl_certificate", "ssl_key"))
    return _with_pair(found, program, pair)


# ── Mosquitto ───────────────────────────────────────────────────────────────────────────

_LINE: Final = re.compile(r"^[ \t]*(listener|port|certfile|keyfile|include_dir)[ \t]+(\S+)", re.MULTILINE)
_MOST_FOLDERS: Final = 5
_MOST_FILES: Final = 100


def mosquitto(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Mosquitto, which loads its files again at SIGHUP."""
    config = config_file(host, program, ("-c", "--config-file"), "/etc/mosquitto/mosquitto.conf")
    port: int | None = None
    files = {"certfile": "", "keyfile": ""}
    for name, value in _mosquitto_lines(host, config):
        if name in {"listener", "port"} and value.isdecimal() and not files["certfile"]:
            port = int(value)
        elif name in files and not files[name]:
            files[name] = value
    options = reload(program, "reload", "pkill", "-HUP", "-x", "mosquitto")
    found = FoundServer(config=config, options=options, settings=("certfile", "keyfile"))
    return _with_pair(found, program, ConfiguredPair((), files["certfile"], files["keyfile"], port))


def _with_pair(found: FoundServer, program: RunningProgram, pair: ConfiguredPair) -> FoundServer:
    """Return a server whose own user reads its pair of files, if its configuration names both."""
    return replace(found, owner=program.user, pairs=(pair,) if pair.certificate and pair.key else ())


def _mosquitto_lines(host: ServerHost, config: str) -> Iterator[tuple[str, str]]:
    folders: dict[str, None] = {}
    for line in _LINE.finditer(host.read(config)):
        if line[1] != "include_dir":
            yield line[1], line[2]
        elif line[2] not in folders and len(folders) < _MOST_FOLDERS:
            folders[line[2]] = None
            folder = host.inside(line[2])
            for file in sorted(folder.glob("*.conf"))[:_MOST_FILES] if folder.is_dir() else ():
                text = host.read(os.path.join(line[2], file.name))
                yield from ((line[1], line[2]) for line in _LINE.finditer(text))


# ── servers ────────────────────────────────────────────────────────────────────────────

# Finds the servers on this machine that can get the certificate, by their processes, ports and configurations.


class _KnownServer(Frozen):
    """A kind of server.

    :ivar names: the names of its program.
    :ivar find: describes a trusted process; None if it gets no certificate from us.
    :ivar is_one: returns whether a process with these names is this server.
    """

    key: str
    title: str
    names: tuple[str, ...]
    find: Callable[[ServerHost, RunningProgram], FoundServer | None]
    is_one: Callable[[RunningProgram], bool] = lambda _: True


_KINDS: Final = (
    _KnownServer("hfs", "HFS", hfs_program.PROGRAMS, hfs, hfs_program.is_hfs),
    _KnownServer("nginx", "nginx", ("nginx",), web_servers.nginx),
    _KnownServer("apache", "Apache", ("apache2", "httpd"), web_servers.apache),
    _KnownServer("haproxy", "HAProxy", ("haproxy",), web_servers.haproxy),
    _KnownServer("caddy", "Caddy", ("caddy",), web_servers.caddy),
    _KnownServer("jellyfin", "Jellyfin", ("jellyfin",), jellyfin),
    _KnownServer("homeassistant", "Home Assistant", (*_HASS, "python", "python3"), home_assistant, is_home_assistant),
    _KnownServer("mosquitto", "Mosquitto", ("mosquitto",), mosquitto),
)
SERVER_NAMES: Final = tuple(kind.key for kind in _KINDS)


def find_servers(host: ServerHost) -> list[FoundServer]:
    """Return the running servers, one for each configuration, untrusted ones last and once for each user.

    The second one of a kind is called ``nginx-2``.
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
    """Return the servers of a kind."""
    programs = [one for one in host.programs if not one.is_elsewhere and one.is_called(*kind.names)]
    its = {one.pid: one for one in programs if kind.is_one(one)}
    masters = (program for program in its.values() if program.parent not in its)  # no workers
    return filter(None, (_describe(host, kind, program) for program in masters))


def _describe(host: ServerHost, kind: _KnownServer, program: RunningProgram) -> FoundServer | None:
    server = FoundServer(key=kind.key, title=kind.title, distrust=texts.NOT_YOURS)
    if host.discovery.is_trusted_process(program):
        is_own = host.discovery.is_own_process(program)
        # A service's process can change its command line, and then its configuration is at the usual place.
        found = kind.find(host, program if is_own else replace(program, command=(program.name,)))
        if found is None:
            return None
        weakness = host.weakness(found.config) if found.config else None
        if weakness is None:
            return replace(found, key=kind.key, title=kind.title, is_root_s=program.uid == 0, is_own=is_own)
        server = replace(server, distrust=texts.NOT_ONLY_YOURS.format(path=weakness.path))
    return replace(server, pid=program.pid, user=program.user)


def this_server_host() -> ServerHost:
    """Return the machine of this process."""
    is_admin, home = hasattr(os, "geteuid") and os.geteuid() == 0, Path(os.path.expanduser("~"))
    programs = tuple(running_programs())
    return ServerHost(root=Path("/"), home=home, programs=programs, user=this_user(), is_admin=is_admin)
