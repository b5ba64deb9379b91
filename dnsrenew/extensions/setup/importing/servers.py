"""The servers that read the other tool's files, the new files for them, and the lines to change."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.extensions.setup.importing.found import FileRole, FoundDeployment, FoundFile, shell
from dnsrenew.extensions.setup.importing.server_files import ConfigFile, ServerKind, config_files, without_comment

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.base.model import Deployment
    from dnsrenew.extensions.setup.importing.found import HostView
    from dnsrenew.extensions.setup.importing.plan import PlannedCertificate
    from dnsrenew.extensions.setup.importing.reading import Notes

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
_GROUP_READ: Final = 0o040


class NewFile(Frozen):
    """A file that takes the place of one of the other tool.

    :ivar certificate: the name of its certificate.
    """

    certificate: str
    role: FileRole
    path: str


class ServerLine(Frozen):
    """A line of a server's configuration that names files of the other tool.

    :ivar line: the number of the line, from 1.
    :ivar new: the line as it should be.
    :ivar files: the files that it then names.
    :ivar port: the port with TLS in the file; None if there is none, or several.
    """

    server: ServerKind
    file: str
    line: int
    text: str
    new: str
    files: tuple[NewFile, ...]
    port: int | None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        certificates = list(dict.fromkeys(file.certificate for file in self.files))
        names = ("file", "line", "text", "new")
        own = {name: getattr(self, name) for name in names}
        return {"server": self.server.name or None, "certificates": certificates, **own}


def lines_that_name(
    certificates: Sequence[PlannedCertificate], host: HostView, folders: Sequence[Path], live: Path, notes: Notes
) -> list[ServerLine]:
    """Return the lines of all servers that name files of the certificates.

    :param folders: those of the tools, which are not looked into.
    :param live: the folder for the new files.
    :param notes: get a note for each configuration that others can change; it is left out.
    """
    new = {
        file.path: NewFile(each.name, file.role, str(live / each.name / NAMES[file.role]))
        for each in certificates
        for file in each.found.files
    }
    found = []
    for config in config_files(host, tuple(new), notes, (*folders, live)) if new else ():
        port = _port(config)
        for number, text in enumerate(config.lines, 1):
            changed, files = _changed(text, new)
            if files:
                place = config.server, config.path, number, text.strip(), changed.strip()
                found.append(ServerLine(*place, files=files, port=port))
    return found


def _changed(text: str, new: Mapping[str, NewFile]) -> tuple[str, tuple[NewFile, ...]]:
    """Return a line with the new paths in place of the old ones, and their files; a comment has none."""
    files, code = [], without_comment(text)
    for path in sorted(new, key=len, reverse=True):  # one path can be the beginning of another
        if path in code:
            files.append(new[path])
            code, text = code.replace(path, ""), text.replace(path, new[path].path)
    return text, tuple(files)


def _port(config: ConfigFile) -> int | None:
    """Return the only port with TLS in a file."""
    found = tls_ports(config)
    return found.pop() if len(found) == 1 else None


def tls_ports(config: ConfigFile) -> set[int]:
    """Return the ports with TLS in a file, as far as the kind of server is known."""
    pattern = _TLS_PORTS.get(config.server.name)
    return {int(match[1]) for line in config.lines if pattern for match in pattern.finditer(without_comment(line))}


def deployment_for(certificate: PlannedCertificate, lines: Sequence[ServerLine]) -> FoundDeployment | None:
    """Return the entry that writes the new files of a certificate and reloads its servers; None without any."""
    own = [line for line in lines if any(file.certificate == certificate.name for file in line.files)]
    if not own:
        return None
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
    return FoundDeployment(to="files", source=", ".join(dict.fromkeys(line.file for line in own)), options=options)


def _group(files: Sequence[FoundFile]) -> dict[str, object]:
    """Return the options for a group that may read the old key: a server that does not start as root needs it."""
    if os.name != "posix":
        return {}
    import grp

    for file in files:
        if file.role == "key":
            try:
                info = os.stat(file.path)
                name = grp.getgrgid(info.st_gid).gr_name
            except (OSError, KeyError):
                continue
            if info.st_mode & _GROUP_READ and info.st_gid:
                return {"group": name, "key_mode": "0640"}
    return {}


def new_paths(entry: Deployment, live: Path) -> list[str]:
    """Return the files that an entry of ``deploy`` writes into the folder of the new files.

    :param live: that folder.
    """
    values = [entry.options.get(role) for role in NAMES] if entry.to == "files" else []
    return [value for value in values if isinstance(value, str) and value.startswith(f"{live}{os.sep}")]
