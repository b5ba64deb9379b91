"""Whether the servers use the new files: asks their ports, and compares the served certificates with the store.

While the old and the new files have the same certificate, its serial number proves nothing. Then the server must have
read its configuration after the change of the paths.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil

from dnsrenew.base import host_port, x509
from dnsrenew.base.model import Certificate, Deployment
from dnsrenew.base.runtime import Context
from dnsrenew.base.values import Frozen
from dnsrenew.deploy import verify
from dnsrenew.deploy.entry import entry_id
from dnsrenew.errors import Message, StoreError
from dnsrenew.extensions.setup.importing import servers, texts
from dnsrenew.extensions.setup.importing.model import HostView
from dnsrenew.extensions.setup.importing.writing import ImportWriter
from dnsrenew.store import State

_LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


def not_served(done: ImportWriter) -> list[Message]:
    """Return why it is not certain that every server uses the new files; empty if it is certain.

    :raises Cancelled: the run was cancelled.
    """
    now = done.loaded()
    old = {each.name: each.found.fullchain_pem for each in done.plan.certificates}
    found: list[Message] = []
    for spec in () if now is None else now.certificates:
        for entry in spec.deploy:
            if isinstance(entry, Deployment) and (paths := servers.new_paths(entry, done.live)):
                found += _of_entry(done, entry, paths, (spec.name, old.get(spec.name)))
    return list(dict.fromkeys(found))


def _of_entry(
    done: ImportWriter, entry: Deployment, paths: Sequence[str], old: tuple[str, str | None]
) -> Iterator[Message]:
    """Yield why it is not certain for the files of an entry.

    :param old: the names of the certificate and of the other tool.
    """
    name, pem = old
    try:
        state = done.store.read_state(name)
        certificate = done.store.certificate(name, state)
    except StoreError as error:
        yield texts.SEEN_UNREADABLE.format(reason=error.message)
        return
    found = servers.config_files(done.request.host, tuple(paths), done.notes)
    configs = [each for each in found if any(path in line for line in each.code for path in paths)]
    if certificate is None:
        yield texts.SEEN_NOT_STORED.format(name=name)
    elif not configs:
        yield texts.SEEN_NOWHERE.format(path=paths[0], name=name)
    else:
        changed = max(_changed(done.request.host, each) for each in configs)
        yield from ServedFiles(done.context, certificate, state, entry, _der(pem), configs, changed).wrong()


def _der(pem: str | None) -> bytes | None:
    with contextlib.suppress(ValueError):
        return x509.to_der(pem) if pem else None
    return None


def _changed(host: HostView, config: servers.ConfigFile) -> float:
    """Return when a configuration was last changed, seconds since 1970. A change of a link to it counts too."""
    path = host.root / config.path.lstrip("/")
    with contextlib.suppress(OSError):
        return max(time for info in (os.stat(path), os.lstat(path)) for time in (info.st_mtime, info.st_ctime))
    return float("inf")


class ServedFiles(Frozen):
    """The new files of a certificate, and the servers whose configurations name them.

    :ivar entry: the entry that writes the files.
    :ivar old: the certificate of the other tool, DER, or None.
    :ivar configs: the configurations that name them.
    :ivar changed: when these were changed last, seconds since 1970.
    """

    context: Context
    certificate: Certificate
    state: State
    entry: Deployment
    old: bytes | None
    configs: list[servers.ConfigFile]
    changed: float

    def wrong(self) -> Iterator[Message]:
        """Ask the ports of the entry, the ports in the configurations, or the usual ports of the server."""
        given = self.entry.options.get("verify") or ()
        addresses = [given] if isinstance(given, str) else list(given)
        for address in addresses:
            yield from self._wrong(address, self.entry.options.get("starttls"))
        by_server: dict[servers.ServerKind, set[int]] = {}
        for config in self.configs:
            by_server.setdefault(config.server, set()).update(servers.tls_ports(config))
        asked = {host_port.split(address)[1] for address in addresses}
        others = len(asked.difference(*by_server.values()))  # each is that of a server whose configuration tells none
        for kind, ports in by_server.items():
            for port in sorted(ports - asked):
                yield from self._wrong(f"localhost:{port}", None)
            if not ports and others:
                others -= 1
            elif not ports:
                yield from self._usual_ports(kind)

    def _usual_ports(self, kind: servers.ServerKind) -> Iterator[Message]:
        """Ask the default ports of such a server: those that accept connections, and at least one."""
        is_seen = False
        for port, starttls in kind.ports:
            wanted = verify.wanted(self.certificate, {"starttls": starttls}, [f"localhost:{port}"])
            if any(one.accepts for one in verify.inspect_ports(self.context, wanted)):
                is_seen = True
                yield from self._wrong(f"localhost:{port}", starttls)
        if not is_seen:
            file = next(each.path for each in self.configs if each.server == kind)
            yield texts.SEEN_NO_PORT.format(server=kind.title, file=file, name=self.certificate.name)

    def _wrong(self, address: str, starttls: str | None) -> Iterator[Message]:
        """Yield why a port does not prove it."""
        wanted = verify.wanted(self.certificate, {**self.entry.options, "starttls": starttls}, [address])
        server = " / ".join(dict.fromkeys(each.server.title for each in self.configs))
        fields = {"address": address, "name": self.certificate.name, "server": server}
        for one in verify.inspect_ports(self.context, wanted):
            if one.leaf is None:
                yield texts.SEEN_NO_TLS.format(**fields, reason=one.error)
            elif one.leaf != wanted.leaf:
                yield texts.SEEN_OTHER.format(**fields)
            elif self.old in {None, wanted.leaf} and not self._has_loaded(address):
                yield texts.SEEN_SAME.format(**fields)

    def _has_loaded(self, address: str) -> bool:
        """Return whether the server on a port has read its configuration since the change."""
        host, port = host_port.split(address)
        if host in _LOOPBACK and has_loaded_since(port, self.changed):
            return True
        record = self.state.deployments.get(entry_id(self.entry), {})
        if not (self.entry.options.get("reload") and record.get("ok") and record.get("changed")):
            return False
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(str(record.get("time"))).timestamp() > self.changed
        return False


# ── restarts ───────────────────────────────────────────────────────────────────────────

# When the server on a port was started or reloaded its configuration, according to its processes.

_WORKERS: Final = frozenset({"nginx", "apache2", "httpd"})
"""Servers whose main process replaces all workers when it reads its configuration again."""
_NEW_WORKER: Final = frozenset({"haproxy"})
"""Servers whose main process starts a new worker only then. The old one serves its last connections."""
_LEAVING: Final = "shutting down"
"""The title of a replaced nginx worker contains this."""


def has_loaded_since(port: int, moment: float) -> bool:
    """Return whether the server on a TCP port has certainly read its configuration after a time.

    It is False if this cannot be seen: for a server that reloads in the same process, and for a process that this user
    may not see.

    :param moment: seconds since 1970.
    """
    try:
        found = psutil.net_connections("tcp")
        listening = {
            one.pid
            for one in found
            if one.status == psutil.CONN_LISTEN and one.pid is not None and one.laddr and one.laddr[1] == port
        }
        mains = {_main(psutil.Process(pid)) for pid in listening}
        return bool(mains) and all(_is_newer(main, moment) for main in mains)
    except (psutil.Error, OSError):  # macOS shows them only to root
        return False


def _main(process: psutil.Process) -> psutil.Process:
    """Return the outermost process of the same program, which has the workers."""
    parent = process.parent()
    while parent is not None and parent.name() == process.name():
        process, parent = parent, parent.parent()
    return process


def _is_newer(main: psutil.Process, moment: float) -> bool:
    if _started(main) > moment:
        return True
    name = main.name()
    if name not in _WORKERS | _NEW_WORKER:
        return False
    workers = [one for one in main.children() if one.name() == name and _LEAVING not in " ".join(one.cmdline())]
    newer = [_started(one) > moment for one in workers]
    return any(newer) if name in _NEW_WORKER else bool(newer) and all(newer)


def _started(process: psutil.Process) -> float:
    """Return when a process was started, seconds since 1970, rounded down.

    psutil counts from the second in which Linux was started. The process's own start time has a resolution of 10 ms.
    """
    if sys.platform != "linux":
        return process.create_time()
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    seconds = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # starttime, the 22nd field
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
