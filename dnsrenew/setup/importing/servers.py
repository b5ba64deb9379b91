"""The servers that read the other tool's files, the new files for them, and the lines to change."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base.values import Frozen
from dnsrenew.setup.importing.found import FileRole, FoundDeployment, FoundFile, shell
from dnsrenew.setup.importing.server_files import ConfigFile, ServerKind, config_files, without_comment

if TYPE_CHECKING:
    from pathlib import Path

    from dnsrenew.setup.importing.found import HostView
    from dnsrenew.setup.importing.plan import PlannedCertificate

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


class ServerLine(Frozen):
    """A line of a server's configuration that names a file of the other tool.

    :ivar certificate: the name of the certificate.
    :ivar line: the number of the line, from 1.
    :ivar new: the line as it should be.
    :ivar path: the new path in it.
    """

    certificate: str
    server: ServerKind
    file: str
    line: int
    text: str
    new: str
    role: FileRole
    path: str
    port: int | None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        names = ("certificate", "file", "line", "text", "new")
        return {"server": self.server.name or None, **{name: getattr(self, name) for name in names}}


def lines_that_name(
    certificates: Sequence[PlannedCertificate], host: HostView, folders: Sequence[Path], live: Path
) -> list[ServerLine]:
    """Return the lines of all servers that name a file of the certificates.

    :param folders: those of the tools, which are not looked into.
    :param live: the folder for the new files.
    """
    files = {file.path: (each.name, file) for each in certificates for file in each.found.files}
    found = []
    for config in config_files(host.root, tuple(files), (*folders, live)) if files else ():
        port = _port(config)
        for number, text in enumerate(config.lines, 1):
            # The longest first: one path can be the beginning of another.
            for path in sorted(files, key=len, reverse=True):
                if path in without_comment(text):
                    name, file = files[path]
                    new = str(live / name / NAMES[file.role])
                    changed = text.replace(path, new)
                    found.append(
                        ServerLine(
                            name,
                            config.server,
                            config.path,
                            number,
                            text.strip(),
                            changed.strip(),
                            file.role,
                            new,
                            port,
                        )
                    )
                    break
    return found


def _port(config: ConfigFile) -> int | None:
    """Return the only port with TLS in a file."""
    pattern = _TLS_PORTS.get(config.server.name)
    found = {match[1] for line in config.lines if pattern for match in pattern.finditer(without_comment(line))}
    return int(found.pop()) if len(found) == 1 else None


def deployment_for(certificate: PlannedCertificate, lines: Sequence[ServerLine]) -> FoundDeployment | None:
    """Return the entry that writes the new files of a certificate and reloads its servers; None without any."""
    own = [line for line in lines if line.certificate == certificate.name]
    if not own:
        return None
    options: dict[str, object] = {line.role: line.path for line in own}
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
