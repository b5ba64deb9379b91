"""HFS, Jellyfin, Home Assistant and Mosquitto, with the certificates in their configurations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Final
from xml.sax.saxutils import unescape

from dnsrenew.base.found import RunningProgram
from dnsrenew.extensions.setup.init.server import (
    ConfiguredPair,
    FoundServer,
    ServerHost,
    config_file,
    reload_command,
    words,
)

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
    if https_port < 0:
        options["https"] = True
    return FoundServer(
        key="hfs",
        title="HFS",
        config=config,
        names=tuple(dict.fromkeys(match[1] for match in _NAMES.finditer(text))),
        to="hfs",
        options=options,
    )


# ── Jellyfin ────────────────────────────────────────────────────────────────────────────

_XML: Final = r"<{name}>([^<]*)</{name}>"
_JELLYFIN_PORT: Final = 8920


def jellyfin(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Jellyfin; it reads a PKCS#12 file, which its configuration names."""
    folder = config_file(host, program, ("--configdir", "-c"))
    config = host.first_file(os.path.join(folder, "network.xml") if folder else "", "/etc/jellyfin/network.xml")
    text = host.read(config)
    path, password, port = (
        _xml(text, name) for name in ("CertificatePath", "CertificatePassword", "InternalHttpsPort")
    )
    served = ConfiguredPair((), path, "", int(port) if port.isdecimal() else _JELLYFIN_PORT)
    reload = reload_command(program, [], "restart")
    return FoundServer(
        key="jellyfin",
        title="Jellyfin",
        config=config,
        pairs=(served,) if path and _xml(text, "EnableHttps") == "true" else (),
        to="pkcs12",
        options={"reload": reload} if reload else {},
        secrets={"password": password} if password else {},
        owner=program.user,
        settings=("CertificatePath",),
    )


def _xml(text: str, name: str) -> str:
    match = re.search(_XML.format(name=name), text)
    return unescape(match[1].strip(), {"&quot;": '"', "&apos;": "'"}) if match else ""


# ── Home Assistant ──────────────────────────────────────────────────────────────────────

_SSL: Final = re.compile(r"^[ \t]+ssl_(certificate|key):[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
_SERVER_PORT: Final = re.compile(r"^[ \t]+server_port:[ \t]*(\d{1,5})\b", re.MULTILINE)
_HASS_PORT: Final = 8123


def is_home_assistant(program: RunningProgram) -> bool:
    """Return whether the command line is that of Home Assistant: Python can run anything."""
    return any(os.path.basename(word) in {"hass", "homeassistant"} for word in words(program)[:4])


def home_assistant(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Home Assistant Core; it loads its certificate when it is started."""
    folder = config_file(host, program, ("-c", "--config")) or str(host.home / ".homeassistant")
    config = host.first_file(os.path.join(folder, "configuration.yaml"))
    text = host.read(config)
    files = dict(_SSL.findall(text))
    port = _SERVER_PORT.search(text)
    pair = ConfiguredPair((), files.get("certificate", ""), files.get("key", ""), int(port[1]) if port else _HASS_PORT)
    reload = reload_command(program, [], "restart")
    return FoundServer(
        key="homeassistant",
        title="Home Assistant",
        config=config,
        pairs=(pair,) if pair.certificate and pair.key else (),
        options={"reload": reload} if reload else {},
        owner=program.user,
        settings=("ssl_certificate", "ssl_key"),
    )


# ── Mosquitto ───────────────────────────────────────────────────────────────────────────

_LINE: Final = re.compile(r"^[ \t]*(listener|port|certfile|keyfile|include_dir)[ \t]+(\S+)", re.MULTILINE)
_MOST_FOLDERS: Final = 5
_MOST_FILES: Final = 100


def mosquitto(host: ServerHost, program: RunningProgram) -> FoundServer:
    """Describe Mosquitto; it loads its files again at SIGHUP."""
    config = config_file(host, program, ("-c", "--config-file"), "/etc/mosquitto/mosquitto.conf")
    port: int | None = None
    files = {"certfile": "", "keyfile": ""}
    for name, value in _mosquitto_lines(host, config):
        if name in {"listener", "port"} and value.isdecimal() and not files["certfile"]:
            port = int(value)
        elif name in files and not files[name]:
            files[name] = value
    pair = ConfiguredPair((), files["certfile"], files["keyfile"], port)
    return FoundServer(
        key="mosquitto",
        title="Mosquitto",
        config=config,
        pairs=(pair,) if pair.certificate and pair.key else (),
        options={"reload": reload_command(program, ["pkill", "-HUP", "-x", "mosquitto"], "reload")},
        owner=program.user,
        settings=("certfile", "keyfile"),
    )


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
