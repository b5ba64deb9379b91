"""The configuration files of servers on a machine, as far as they name certificates or folders for responses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.base import files
from dnsrenew.base.found import UntrustedError
from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing.on_machine import shown

if TYPE_CHECKING:
    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.reading import Notes

_FOLDERS: Final = ("etc", "usr/local/etc", "opt/homebrew/etc", "usr/local/nginx/conf", "opt/bitnami")
_SKIPPED_FOLDERS: Final = frozenset(
    {
        *("sites-available", "conf-available", "mods-available"),  # only those that are enabled count
        *("ssl", "alternatives", "dnsrenew", "pki", "ca-certificates", "fonts", "terminfo", "selinux", "X11"),
    }
)
_SKIPPED_ENDS: Final = ("~", ".bak", ".orig", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmsave", ".rpmnew", ".swp")
_LARGEST: Final = 1 << 20
_MOST: Final = 50_000
"""Files that are looked at; a large one counts as several, and one that others can change as many."""
_LARGE: Final = 1 << 14
_UNTRUSTED: Final = 1_000
_DEEPEST: Final = 40
_LONGEST: Final = 1_000
"""Characters of a line that is looked at."""


class ServerKind(Frozen):
    """A kind of server.

    :ivar name: its name for people.
    :ivar folder: a part of the path of its configuration.
    :ivar reload: the program that makes it load its certificates.
    :ivar test: the command that checks its configuration; "" if it has none.
    :ivar ports: where it serves TLS by default, each with the protocol that starts TLS, or None.
    """

    name: str
    folder: str
    reload: tuple[str, ...]
    test: str = ""
    ports: tuple[tuple[int, str | None], ...] = ()


_HTTPS: Final = ((443, None),)
_MAIL: Final = ((465, None), (587, "smtp"), (25, "smtp"))

SERVERS: Final = (
    ServerKind("nginx", "nginx", ("systemctl", "reload", "nginx"), "nginx -t", _HTTPS),
    ServerKind("Apache", "apache2", ("systemctl", "reload", "apache2"), "apache2ctl configtest", _HTTPS),
    ServerKind("Apache", "httpd", ("systemctl", "reload", "httpd"), "apachectl configtest", _HTTPS),
    ServerKind(
        "HAProxy", "haproxy", ("systemctl", "reload", "haproxy"), "haproxy -c -f /etc/haproxy/haproxy.cfg", _HTTPS
    ),
    ServerKind("Postfix", "postfix", ("postfix", "reload"), "postfix check", _MAIL),
    ServerKind(
        "Dovecot",
        "dovecot",
        ("doveadm", "reload"),
        "doveconf -n",
        ((993, None), (995, None), (143, "imap"), (110, "pop3")),
    ),
    ServerKind("Caddy", "caddy", ("systemctl", "reload", "caddy"), "", _HTTPS),
    ServerKind("Mosquitto", "mosquitto", ("systemctl", "reload", "mosquitto"), "", ((8883, None),)),
    ServerKind("lighttpd", "lighttpd", ("systemctl", "reload", "lighttpd"), "", _HTTPS),
    ServerKind("Exim", "exim4", ("systemctl", "reload", "exim4"), "", _MAIL),
    ServerKind("Prosody", "prosody", ("prosodyctl", "reload")),
    ServerKind("ProFTPD", "proftpd", ("systemctl", "reload", "proftpd")),
    ServerKind("vsftpd", "vsftpd", ("systemctl", "restart", "vsftpd")),
    ServerKind("coturn", "turnserver", ("systemctl", "restart", "coturn"), "", ((5349, None),)),
)
_UNKNOWN: Final = ServerKind("", "", ())


class ConfigFile(Frozen):
    """A configuration file.

    :ivar path: as it is on the machine, without the root of a test.
    """

    server: ServerKind
    path: str
    lines: tuple[str, ...]


def config_files(
    host: HostView, words: tuple[str, ...], notes: Notes, leave_out: tuple[Path, ...] = ()
) -> Iterator[ConfigFile]:
    """Give the configuration files below ``/etc`` and its like that have one of some words.

    :param notes: get a note for each that others can change; it is left out.
    :param leave_out: folders that are not looked into.
    """
    wanted = tuple(word.encode("utf-8", "replace") for word in words)
    left = _MOST
    for top in _FOLDERS:
        for here, folders, names in os.walk(host.root / top):
            folders[:] = [name for name in sorted(folders) if _is_looked_into(Path(here, name), name, leave_out)]
            for name in sorted(names):
                file = os.path.join(here, name)
                data = b"" if name.endswith(_SKIPPED_ENDS) else _content(file)
                left -= 1 + len(data) // _LARGE
                if left < 0:
                    return
                if not any(word in data for word in wanted):
                    continue
                try:
                    data = host.discovery.read(file, _LARGEST)
                except UntrustedError as error:
                    notes.add_untrusted(error)
                    left -= _UNTRUSTED
                except OSError:
                    continue
                else:
                    path = shown(Path(file), host)
                    yield ConfigFile(_server(path), path, tuple(_lines(data)))


def _lines(data: bytes) -> Iterator[str]:
    return (line if len(line) <= _LONGEST else "" for line in data.decode("utf-8", "replace").splitlines())


def _is_looked_into(path: Path, name: str, leave_out: tuple[Path, ...]) -> bool:
    is_deep = len(path.parts) > _DEEPEST
    return name not in _SKIPPED_FOLDERS and path not in leave_out and not is_deep and not os.path.islink(path)


def _content(path: str) -> bytes:
    try:
        if os.path.getsize(path) > _LARGEST:
            return b""
        with files.open_to_read(path) as stream:
            return stream.read(_LARGEST)
    except OSError:
        return b""


def _server(path: str) -> ServerKind:
    parts = path.replace(".", "/").split("/")
    return next((kind for kind in SERVERS if kind.folder in parts), _UNKNOWN)


def without_comment(line: str) -> str:
    """Return a line of a configuration without a comment."""
    return "" if line.lstrip().startswith(("#", "//", ";")) else line.partition(" #")[0]
