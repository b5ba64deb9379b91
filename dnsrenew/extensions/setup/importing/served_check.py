"""Whether the servers serve from the new files: their ports are asked, and what they serve is compared with the store.

While the old and the new files hold the same certificate, its serial number proves nothing; then the server must have
read its configuration since the new paths are in it.
"""

from __future__ import annotations

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
from dnsrenew.config import Config
from dnsrenew.deploy import verify
from dnsrenew.deploy.entry import entry_id
from dnsrenew.errors import ConfigError, Message, StoreError
from dnsrenew.extensions.setup.importing import servers, texts
from dnsrenew.extensions.setup.importing.model import HostView
from dnsrenew.extensions.setup.importing.plan import PlannedCertificate
from dnsrenew.extensions.setup.importing.reading import Notes
from dnsrenew.extensions.setup.importing.servers import ConfigFile, ServerKind, config_files, without_comment
from dnsrenew.store import State, Store

_LOOPBACK: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


class ServedFiles(Frozen):
    """The new files of a certificate, and the servers whose configurations name them.

    :ivar old: the certificate of the other tool, DER; None if it has none.
    :ivar entry: what writes the files.
    :ivar configs: the configurations that name them.
    """

    certificate: Certificate
    state: State
    entry: Deployment
    old: bytes | None
    configs: list[ConfigFile]

    @property
    def server(self) -> str:
        """The names of the servers."""
        return " / ".join(dict.fromkeys(each.server.name or texts.A_SERVER for each in self.configs))


class ServerWatch(Frozen):
    """Looks at the servers of a machine.

    :ivar live: the folder of the new files.
    :ivar notes: get a note for each configuration that others can change; it is left out.
    """

    config: Path
    live: Path
    store: Store
    host: HostView
    context: Context
    notes: Notes

    def not_served(self, certificates: Sequence[PlannedCertificate]) -> list[Message]:
        """Return why it is not certain that every server serves from the new files; nothing if it is.

        :raises Cancelled: the run was cancelled.
        """
        try:
            specs = Config.load(self.config).certificates
        except ConfigError:  # the next steps report the mistakes
            return []
        old = {each.name: each.found.fullchain_pem for each in certificates}
        found: list[Message] = []
        for spec in specs:
            for entry in spec.deploy:
                if isinstance(entry, Deployment) and (paths := servers.new_paths(entry, self.live)):
                    found += self._of_entry(spec.name, entry, paths, _der(old.get(spec.name)))
        return list(dict.fromkeys(found))

    def _of_entry(self, name: str, entry: Deployment, paths: Sequence[str], old: bytes | None) -> Iterator[Message]:
        try:
            state = self.store.read_state(name)
            certificate = self.store.certificate(name, state)
        except StoreError as error:
            yield texts.SEEN_UNREADABLE.format(reason=error.message)
            return
        configs = [
            each
            for each in config_files(self.host, tuple(paths), self.notes)
            if any(path in without_comment(line) for line in each.lines for path in paths)
        ]
        if certificate is None:
            yield texts.SEEN_NOT_STORED.format(name=name)
        elif not configs:
            yield texts.SEEN_NOWHERE.format(path=paths[0], name=name)
        else:
            yield from _ports(ServedFiles(certificate, state, entry, old, configs), self.host, self.context)


def _der(pem: str | None) -> bytes | None:
    try:
        return x509.to_der(pem) if pem else None
    except ValueError:
        return None


def _ports(served: ServedFiles, host: HostView, context: Context) -> Iterator[Message]:
    """Ask the ports of the entry, those that the configurations tell, and else the usual ones of the server."""
    given = served.entry.options.get("verify") or ()
    addresses = [given] if isinstance(given, str) else list(given)
    changed = max(_changed(host, each) for each in served.configs)
    for address in addresses:
        yield from _wrong(served, address, served.entry.options.get("starttls"), changed, context)
    by_server: dict[ServerKind, set[int]] = {}
    for config in served.configs:
        by_server.setdefault(config.server, set()).update(servers.tls_ports(config))
    asked = {host_port.split(address)[1] for address in addresses}
    others = len(asked.difference(*by_server.values()))  # each is that of a server whose configuration tells none
    for kind, ports in by_server.items():
        for port in sorted(ports - asked):
            yield from _wrong(served, f"localhost:{port}", None, changed, context)
        if not ports and others:
            others -= 1
        elif not ports:
            yield from _usual_ports(served, kind, changed, context)


def _usual_ports(served: ServedFiles, kind: ServerKind, changed: float, context: Context) -> Iterator[Message]:
    """Ask the ports that such a server has by default: those that accept connections, and at least one."""
    is_seen = False
    for port, starttls in kind.ports:
        wanted = verify.wanted(served.certificate, {"starttls": starttls}, [f"localhost:{port}"])
        if any(one.accepts for one in verify.inspect_ports(context, wanted)):
            is_seen = True
            yield from _wrong(served, f"localhost:{port}", starttls, changed, context)
    if not is_seen:
        file = next(each.path for each in served.configs if each.server == kind)
        yield texts.SEEN_NO_PORT.format(server=kind.name or texts.A_SERVER, file=file, name=served.certificate.name)


def _changed(host: HostView, config: ConfigFile) -> float:
    """Return when a configuration was changed last, seconds since 1970; a link to it counts too."""
    path = host.root / config.path.lstrip("/")
    try:
        return max(time for info in (os.stat(path), os.lstat(path)) for time in (info.st_mtime, info.st_ctime))
    except OSError:
        return float("inf")


def _wrong(
    served: ServedFiles, address: str, starttls: str | None, changed: float, context: Context
) -> Iterator[Message]:
    """Yield why a port does not prove it.

    :param changed: when the configuration was changed last, seconds since 1970.
    """
    wanted = verify.wanted(served.certificate, {**served.entry.options, "starttls": starttls}, [address])
    name = served.certificate.name
    for one in verify.inspect_ports(context, wanted):
        if one.leaf is None:
            yield texts.SEEN_NO_TLS.format(address=address, name=name, reason=one.error)
        elif one.leaf != wanted.leaf:
            yield texts.SEEN_OTHER.format(address=address, name=name, server=served.server)
        elif served.old in {None, wanted.leaf} and not _has_loaded(served, address, changed):
            yield texts.SEEN_SAME.format(address=address, name=name, server=served.server)


def _has_loaded(served: ServedFiles, address: str, changed: float) -> bool:
    """Return whether the server on a port has read its configuration since it was changed."""
    host, port = host_port.split(address)
    if host in _LOOPBACK and has_loaded_since(port, changed):
        return True
    record = served.state.deployments.get(entry_id(served.entry), {})
    if not (served.entry.options.get("reload") and record.get("ok") and record.get("changed")):
        return False
    try:
        return datetime.fromisoformat(str(record.get("time"))).timestamp() > changed
    except ValueError:
        return False


# ── restarts ───────────────────────────────────────────────────────────────────────────

# When the server on a port was started, or loaded its configuration again, as far as its processes show it.

_WORKERS: Final = frozenset({"nginx", "apache2", "httpd"})
"""Servers whose main process replaces all workers when it reads its configuration again."""
_NEW_WORKER: Final = frozenset({"haproxy"})
"""Servers whose main process starts a worker only then; the old one serves its last connections."""
_LEAVING: Final = "shutting down"
"""In the title of a worker of nginx that was replaced."""


def has_loaded_since(port: int, moment: float) -> bool:
    """Return whether the server on a TCP port has read its configuration after a time, for certain.

    False also where nothing shows it: for a server that reads its files again in the same process, and for a process
    that this user may not see.

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
    """Return the outermost process of the same program: the one that has the workers."""
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

    psutil counts from the second in which Linux was started; the clock since then has 10 ms, those of the process.
    """
    if sys.platform != "linux":
        return process.create_time()
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    seconds = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # starttime, the 22nd field
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + seconds
