"""The servers that read the other tool's files, the new files for them, and the lines to change."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from dnsrenew.base.found import UntrustedError
from dnsrenew.base.model import Deployment
from dnsrenew.base.users import group_name
from dnsrenew.base.values import Frozen, replace
from dnsrenew.extensions.setup.importing import texts
from dnsrenew.extensions.setup.importing.model import FileRole, FoundDeployment, HostView, PlannedCertificate, shell
from dnsrenew.extensions.setup.importing.reading import Notes, content, shown

NAMES: Final[dict[FileRole, str]] = {
    "certificate": "fullchain.pem",
    "leaf": "cert.pem",
    "chain": "chain.pem",
    "key": "privkey.pem",
    "combined": "combined.pem",
}
_TLS_PORTS: Final = {
    "nginx": re.compile(r"\blisten\s+(?:[^\s;]*:)?(\d+)\s[^;]*\bssl\b"),
    "Apache": re.compile(r"(?i)<VirtualHost\s+[^>]*:(\d+)\s*>"),
    "HAProxy": re.compile(r"\bbind\s+[^\s]*:(\d+)\s.*\bssl\b"),
}
_CLIENTS: Final = frozenset({"ejabberd", "Prosody", "Mumble"})
"""Servers that also show their certificate to other servers."""
_POSTFIX_CLIENT: Final = re.compile(r"\s*(?:smtp|lmtp)_tls_(?:cert|eccert|dcert|chain)_files?\s*=\s*\S")


class NewFile(Frozen):
    """A file that replaces a file of the other tool.

    :ivar certificate: the name of its certificate.
    """

    certificate: str
    role: FileRole
    path: str


class ServerLine(Frozen):
    """A line of a server's configuration that names files of the other tool.

    :ivar line: the number of the line, from 1.
    :ivar new: the new line.
    :ivar files: the files that the new line names.
    :ivar port: the only TLS port in the file; None if there is not exactly one.
    :ivar folders: the old folder and the new one, if the lines of this file differ only in this.
    :ivar real: the file itself, behind a link.
    """

    server: ServerKind
    file: str
    line: int
    text: str
    new: str
    files: tuple[NewFile, ...]
    port: int | None
    folders: tuple[str, str] | None = None
    real: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        certificates = list(dict.fromkeys(file.certificate for file in self.files))
        own = {"file": self.file, "line": self.line, "text": self.text, "new": self.new}
        return {"server": self.server.name or None, "certificates": certificates, **own}


def lines_that_name(
    certificates: Sequence[PlannedCertificate], host: HostView, folders: Sequence[Path], live: Path, notes: Notes
) -> list[ServerLine]:
    """Return the lines of all servers that name files of the certificates.

    :param folders: the folders of the tools, which are not searched.
    :param live: the folder for the new files.
    :param notes: receives a note for each configuration that others can change, which is left out.
    """
    new = {
        path: NewFile(each.name, role, str(live / each.name / NAMES[role]))
        for each in certificates
        for path, role in each.found.files.items()
    }
    found = []
    for config in config_files(host, tuple(new), notes, (*folders, live)) if new else ():
        ports, lines = tls_ports(config), []
        port = ports.pop() if len(ports) == 1 else None
        for number, text in enumerate(config.lines, 1):
            changed, files = _changed(text, new)
            if files:
                place = config.server, config.path, number, text.strip(), changed.strip()
                lines.append(ServerLine(*place, files=files, port=port))
        moved = _other_folder(config, lines, f"{live}{os.sep}")
        # Behind a link, because the server would read a copy beside the link as one more file.
        real = shown(Path(os.path.realpath(host.root / config.path.lstrip(os.sep))), host)
        found += [replace(line, folders=moved, real=real) for line in lines]
        _note_client(config, [line.line for line in lines], notes)
    return found


def _other_folder(config: ConfigFile, lines: Sequence[ServerLine], new: str) -> tuple[str, str] | None:
    """Return the folders of the old and the new files, if the lines of a file differ only in this.

    :param new: the folder of the new files, with a separator at its end.
    """
    if not lines:
        return None
    begin = lines[0].new.find(new)
    rest = lines[0].new[begin + len(new) :]
    old = lines[0].text[begin : len(lines[0].text) - len(rest)]
    if begin < 0 or not old.endswith(os.sep) or not lines[0].text.endswith(rest):
        return None
    changed = {line.line: line.new for line in lines}
    for number, text in enumerate(config.lines, 1):
        wanted = changed.get(number, text.strip())
        if text.strip().replace(old, new) != wanted and without_comment(text).strip():
            return None
    return old, new


def _note_client(config: ConfigFile, named: Sequence[int], notes: Notes) -> None:
    """Add a note if the program of a configuration also shows its certificate to other servers, as their client.

    :param named: the numbers of the lines that name files of the certificates.
    """
    found = named if config.server.name in _CLIENTS else []
    if config.server.name == "Postfix":
        found = [number for number, line in enumerate(config.code, 1) if _POSTFIX_CLIENT.match(line)]
    for number in found[:1]:
        text = config.lines[number - 1].strip()
        notes.add(texts.CLIENT_AUTH_GONE, config.path, number, text, server=config.server.name)


def _changed(text: str, new: Mapping[str, NewFile]) -> tuple[str, tuple[NewFile, ...]]:
    """Return a line with new paths instead of old ones, and their files; a comment has no files."""
    files, code = [], without_comment(text)
    for path in sorted(new, key=len, reverse=True):  # one path can be the beginning of another
        if path in code:
            files.append(new[path])
            code, text = code.replace(path, ""), text.replace(path, new[path].path)
    return text, tuple(files)


def tls_ports(config: ConfigFile) -> set[int]:
    """Return the TLS ports in a file, if the kind of server is known."""
    pattern = _TLS_PORTS.get(config.server.name)
    return set(map(int, _matches(pattern, config.code))) if pattern else set()


def deployments_for(certificate: PlannedCertificate, lines: Sequence[ServerLine]) -> list[FoundDeployment]:
    """Return the entry that writes the new files of a certificate and reloads its servers, or None."""
    own = [line for line in lines if any(file.certificate == certificate.name for file in line.files)]
    files = [file for line in own for file in line.files if file.certificate == certificate.name]
    options: dict[str, object] = {file.role: file.path for file in files}
    options |= _group(certificate.found.files)
    reloads = list(dict.fromkeys(line.server.reload for line in own if line.server.reload))
    if len(reloads) == 1:
        options["reload"] = list(reloads[0])
    elif reloads:
        options["reload"] = list(shell(" && ".join(" ".join(words) for words in reloads)))
    ports = sorted({line.port for line in own if line.port is not None})
    if ports and any(not domain.startswith("*.") for domain in certificate.found.domains):
        options["verify"] = f"localhost:{ports[0]}" if len(ports) == 1 else [f"localhost:{port}" for port in ports]
    source = ", ".join(dict.fromkeys(line.file for line in own))
    return [FoundDeployment(to="files", source=source, options=options)] if own else []


def _group(files: Mapping[str, FileRole]) -> dict[str, object]:
    """Return the options for a group that may read the old key, which a server that does not start as root needs."""
    for path in (path for path, role in files.items() if role == "key"):
        try:
            info = os.stat(path)
        except OSError:
            continue
        name = group_name(info.st_gid)
        if info.st_mode & 0o040 and info.st_gid and not name.isdecimal():
            return {"group": name, "key_mode": "0640"}
    return {}


def new_paths(entry: Deployment, live: Path) -> list[str]:
    """Return the files that an entry of ``deploy`` writes into the folder of the new files.

    :param live: the folder of the new files.
    """
    values = [entry.options.get(role) for role in NAMES] if entry.to == "files" else []
    return [value for value in values if isinstance(value, str) and value.startswith(f"{live}{os.sep}")]


# ── server files ───────────────────────────────────────────────────────────────────────

# The configuration files of servers on a machine that name certificates or folders for responses.

_FOLDERS: Final = ("etc", "usr/local/etc", "opt/homebrew/etc", "usr/local/nginx/conf", "opt/bitnami")
_SKIPPED_FOLDERS: Final = frozenset(
    {
        *("sites-available", "conf-available", "mods-available"),  # only the enabled ones count
        *("ssl", "alternatives", "dnsrenew", "pki", "ca-certificates", "fonts", "terminfo", "selinux", "X11"),
    }
)
_SKIPPED_ENDS: Final = ("~", ".bak", ".orig", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmsave", ".rpmnew", ".swp")
_LARGEST: Final = 1 << 20
_MOST: Final = 50_000
"""The maximum number of files that are checked. A large file, or one that others can change, counts as several."""
_DEEPEST: Final = 40
_LONGEST: Final = 1_000
"""The maximum number of characters of a line that is checked."""


class ServerKind(Frozen):
    """A kind of server.

    :ivar name: its name for people.
    :ivar folder: a part of the path of its configuration.
    :ivar reload: the program that makes it load its certificates.
    :ivar test: the command that checks its configuration, or "".
    :ivar ports: its default TLS ports, each with the protocol that starts TLS, or None.
    """

    name: str
    folder: str
    reload: tuple[str, ...]
    test: str = ""
    ports: tuple[tuple[int, str | None], ...] = ()

    @property
    def title(self) -> str:
        """Its name, or words for a server of an unknown kind."""
        return self.name or texts.A_SERVER


_HTTPS: Final = ((443, None),)
_MAILBOXES: Final = ((993, None), (995, None), (143, "imap"), (110, "pop3"))
_TO_MUMBLE: Final = ("systemctl", "kill", "-s", "USR1", "mumble-server")
_TO_HAPROXY: Final = ("systemctl", "reload", "haproxy")
_MAIL: Final = ((465, None), (587, "smtp"), (25, "smtp"))

SERVERS: Final = (
    ServerKind("nginx", "nginx", ("systemctl", "reload", "nginx"), "nginx -t", _HTTPS),
    ServerKind("Apache", "apache2", ("systemctl", "reload", "apache2"), "apache2ctl configtest", _HTTPS),
    ServerKind("Apache", "httpd", ("systemctl", "reload", "httpd"), "apachectl configtest", _HTTPS),
    ServerKind("HAProxy", "haproxy", _TO_HAPROXY, "haproxy -c -f /etc/haproxy/haproxy.cfg", _HTTPS),
    ServerKind("Postfix", "postfix", ("postfix", "reload"), "postfix check", _MAIL),
    ServerKind("Dovecot", "dovecot", ("doveadm", "reload"), "doveconf -n", _MAILBOXES),
    ServerKind("Caddy", "caddy", ("systemctl", "reload", "caddy"), "", _HTTPS),
    ServerKind("Mosquitto", "mosquitto", ("systemctl", "reload", "mosquitto"), "", ((8883, None),)),
    ServerKind("lighttpd", "lighttpd", ("systemctl", "reload", "lighttpd"), "", _HTTPS),
    ServerKind("Exim", "exim4", ("systemctl", "reload", "exim4"), "", _MAIL),
    ServerKind("Prosody", "prosody", ("prosodyctl", "reload")),
    ServerKind("ejabberd", "ejabberd", ("ejabberdctl", "reload_config")),
    *(ServerKind("Mumble", folder, _TO_MUMBLE) for folder in ("mumble-server", "murmur", "mumble")),
    ServerKind("ProFTPD", "proftpd", ("systemctl", "reload", "proftpd")),
    ServerKind("vsftpd", "vsftpd", ("systemctl", "restart", "vsftpd")),
    ServerKind("coturn", "turnserver", ("systemctl", "restart", "coturn"), "", ((5349, None),)),
)


class ConfigFile(Frozen):
    """A configuration file.

    :ivar path: the path on the machine, without the root of a test.
    """

    server: ServerKind
    path: str
    lines: tuple[str, ...]

    @property
    def code(self) -> list[str]:
        """The lines without comments."""
        return list(map(without_comment, self.lines))


def config_files(
    host: HostView, words: tuple[str, ...], notes: Notes, leave_out: tuple[Path, ...] = ()
) -> Iterator[ConfigFile]:
    """Yield the configuration files below ``/etc`` and similar folders that contain certain words.

    :param notes: receives a note for each file that others can change, which is left out.
    :param leave_out: folders that are not searched.
    """
    wanted = tuple(word.encode("utf-8", "replace") for word in words)
    left = _MOST
    for top in _FOLDERS:
        for here, folders, names in os.walk(host.root / top):
            folders[:] = [name for name in sorted(folders) if _is_looked_into(Path(here, name), name, leave_out)]
            for name in sorted(names):
                file = os.path.join(here, name)
                data = b"" if name.endswith(_SKIPPED_ENDS) else content(file, _LARGEST) or b""
                left -= 1 + len(data) // (1 << 14)
                if left < 0:
                    return
                if not any(word in data for word in wanted):
                    continue
                try:
                    data = host.discovery.read(file, _LARGEST)
                except UntrustedError as error:
                    notes.add_untrusted(error)
                    left -= 1_000
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


def _server(path: str) -> ServerKind:
    parts = path.replace(".", "/").split("/")
    return next((kind for kind in SERVERS if kind.folder in parts), ServerKind("", "", ()))


def without_comment(line: str) -> str:
    """Return a line of a configuration without a comment."""
    return "" if line.lstrip().startswith(("#", "//", ";")) else line.partition(" #")[0]


# ── webroots ───────────────────────────────────────────────────────────────────────────

# The folder that a web server serves for a name, from its configuration.

_NAMES: Final = {
    "nginx": re.compile(r"\bserver_name\s+([^;]+)"),
    "apache": re.compile(r"(?i)\bServer(?:Name|Alias)\s+(.+)"),
}
_ROOTS: Final = {
    "nginx": re.compile(r"(?:^|[\s{;])root\s+[\"']?([^\s;\"']+)"),
    "apache": re.compile(r"(?i)\bDocumentRoot\s+[\"']?([^\s\"']+)"),
}
_PORTS: Final = re.compile(r"(?:^|[\s{;])listen\s+(?:\S+:)?(\d+)(?=[\s;])")
_DEFAULT_SERVER: Final = re.compile(r"(?:^|[\s{;])listen\s+(?:\S+:)?80\s[^;]*\bdefault_server\b")


def webroot_of(server: str, domains: Sequence[str], host: HostView, notes: Notes) -> str | None:
    """Return the only folder served in the files that name one of the domains; None if there are several.

    If these have only other ports than 80, nginx's default server on port 80 answers for the domains.

    :param server: ``nginx`` or ``apache``.
    """
    found = [file.code for file in config_files(host, tuple(domains), notes) if file.server.name.lower() == server]
    names = ({name for text in _matches(_NAMES[server], code) for name in text.split()} for code in found)
    code = [line for its, lines in zip(names, found, strict=True) if its & set(domains) for line in lines]
    roots, ports = set(_matches(_ROOTS[server], code)), set(_matches(_PORTS, code))
    if not roots and server == "nginx" and ports and "80" not in ports:
        nginx = (file.code for file in config_files(host, ("default_server",), notes) if file.server.name == "nginx")
        default = (code for code in nginx if any(map(_DEFAULT_SERVER.search, code)))
        roots = {root for code in default for root in _matches(_ROOTS["nginx"], code)}
    return roots.pop() if len(roots) == 1 else None


def _matches(pattern: re.Pattern[str], code: Sequence[str]) -> Iterator[str]:
    return (match[1] for line in code for match in pattern.finditer(line))
