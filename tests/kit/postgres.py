"""A PostgreSQL server for the tests (Debian's), databases in it, and a proxy that cuts, hangs and delays.

The server runs as the user ``postgres`` if the tests run as root, which initdb refuses. It listens on a Unix socket in
its folder and on a free port of 127.0.0.1. It does not call fsync: what it has committed survives :meth:`Postgres.kill`
(the page cache of the kernel is not lost), not a power cut.

Three fixtures are known to every test (:mod:`tests.kit.postgres_fixtures`; nothing has to be imported): ``postgres``,
one server for each test worker, ``address``, a new database, and ``fleet_address``, one with the tables of a fleet::

    def test_it(address: DatabaseAddress) -> None:
        database = Database(address)

A test that stops or kills the server starts it again before it ends (``with postgres.stopped():``), or uses a server
of its own (``with Postgres.running() as server:``).
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

import psutil
import psycopg

from tests.kit import postgres_fixtures
from tests.kit.tcp_proxy import LOOPBACK, Proxy
from tests.lab import ports
from tests.lab.certs import LabCA
from tests.lab.process import ServerProcess, find_program

__all__ = [
    "LOOPBACK",
    "PASSWORD",
    "SUPERUSER",
    "USER",
    "DatabaseAddress",
    "Postgres",
    "Proxy",
    "address",
    "fleet_address",
    "postgres",
]

postgres, address = postgres_fixtures.postgres, postgres_fixtures.address  # some tests import them from here
fleet_address = postgres_fixtures.fleet_address
USER: Final = "dnsrenew"
"""The role that owns the databases; it is no superuser."""
PASSWORD: Final = "the-password-of-the-database"
SUPERUSER: Final = "postgres"
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "jit": "off",  # to load the compiler takes longer than any query here
    "dynamic_shared_memory_type": "mmap",  # files in its folder, which go with it: the servers are killed
}
_SHARED_MEMORY: Final = "/dev/shm"
_PREFIX: Final = "dnsrenew-pg-"
_ROOM: Final = 4 << 30
_OLD: Final = 24 * 3600
_HBA: Final = f"""
local all {SUPERUSER} trust
host  all all {LOOPBACK}/32 scram-sha-256
"""


@dataclass(frozen=True)
class DatabaseAddress:
    """The address of a database as in the configuration: the password is not part of the URL.

    :ivar port: the port of the server, or of a proxy in front of it.
    :ivar query: libpq's parameters, such as ``sslmode=require``.
    """

    name: str
    port: int
    user: str = USER
    password: str | None = field(default=PASSWORD, repr=False)
    host: str = LOOPBACK
    query: str = ""

    @property
    def url(self) -> str:
        """The URL, without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.name}" + (
            f"?{self.query}" if self.query else ""
        )

    def read_password(self) -> str | None:
        """Return the password."""
        return self.password

    def at(self, port: int) -> DatabaseAddress:
        """Return the same database behind another port, such as that of a :class:`Proxy`."""
        return replace(self, port=port)


def _verifier() -> str:
    """Return what a server keeps of the password (RFC 5803), with one round of 4096: half the time of a connection."""
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), bytes(16), 1)
    client, server = (hmac.digest(salted, each, "sha256") for each in (b"Client Key", b"Server Key"))
    parts = [base64.b64encode(each).decode() for each in (bytes(16), hashlib.sha256(client).digest(), server)]
    return "SCRAM-SHA-256$1:{}${}:{}".format(*parts)


class Postgres:
    """A server in a folder: it can be stopped, killed and started again; its databases stay.

    :ivar folder: the folder of the server, in which its socket is too.
    :ivar port: its port on 127.0.0.1.
    """

    def __init__(
        self, folder: Path, port: int, *, small_disk: int = 0, tls: LabCA | None = None, **settings: str
    ) -> None:
        """Prepare a server; nothing is started yet.

        :param folder: an empty folder that the user postgres can reach (pytest's ``tmp_path`` is not).
        :param tls: clients have to use TLS, with the certificate of this CA for 127.0.0.1.
        :param small_disk: MiB of a file system of its own at :attr:`small_disk`, for a tablespace; root only.
        :param settings: settings of the server, such as ``max_connections="10"``.
        """
        self.folder = folder
        self.port = port
        self._tls = tls
        self._settings = {**_SETTINGS, **({"ssl": "on"} if tls else {}), **settings}
        self._small_disk = small_disk
        self._process = ServerProcess("postgres", self._command(), folder)
        self._names = iter(range(1, 1_000_000))

    @classmethod
    @contextlib.contextmanager
    def running(
        cls, *, standby: bool = False, small_disk: int = 0, tls: LabCA | None = None, **settings: str
    ) -> Iterator[Self]:
        """Make a server in a temporary folder, and stop and remove it at the end.

        :param standby: start it as a replica, which can only be read.
        :param small_disk: MiB of a file system that fills up: see :attr:`small_disk`; root only.
        :param tls: clients have to use TLS.
        """
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_memory()))
        try:
            with ports.reserve(LOOPBACK) as port:
                server = cls(folder, port.number, small_disk=small_disk, tls=tls, **settings)
                server.initialize(standby=standby)
                try:
                    yield server.start()
                finally:
                    server.kill()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def initialize(self, *, standby: bool = False) -> None:
        """Make the data folder and the role."""
        self.folder.chmod(0o700)
        self.small_disk.mkdir()
        give_to_postgres(self.folder, self.small_disk)
        options = ["-U", SUPERUSER, "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C", "-A", "trust"]
        subprocess.run(
            as_postgres([_program("initdb"), "-D", str(self._data), *options]),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )
        (self._data / "pg_hba.conf").write_text(_HBA.replace("host ", "hostssl ") if self._tls else _HBA)
        if self._tls:
            write_certificate(self._tls, self._data / "server.crt", self._data / "server.key")
        role = f"CREATE ROLE {USER} LOGIN PASSWORD '{_verifier()}'"
        subprocess.run(
            as_postgres([_program("postgres"), "--single", "-F", "-D", str(self._data), "postgres"]),
            check=True,
            capture_output=True,
            cwd=self.folder,
            input=role.encode(),
        )
        if standby:
            self.make_standby()

    def make_standby(self) -> None:
        """Let the next start be that of a replica, which can only be read."""
        (self._data / "standby.signal").touch()

    def start(self) -> Self:
        """Start the server, and wait until it answers."""
        self._process.start()
        self._process.wait_ready(self._answers, timeout=30)
        return self

    def stop(self) -> None:
        """Stop the server as its administrator does: sessions end with an error, committed data is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server as ``kill -9`` of all its processes does; the next start recovers."""
        if self._process.running:
            server = psutil.Process(self._process.pid)
            # All at once: the others would end in their own time, and a new server refuses to start until then.
            everything = [server, *server.children(recursive=True)]
            for process in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.stop()
            end = time.monotonic() + 10
            while any(map(_runs, everything)) and time.monotonic() < end:
                time.sleep(0.002)

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def stopped(self, *, kill: bool = False) -> Iterator[None]:
        """Stop or kill the server during the block, and start it again."""
        self.kill() if kill else self.stop()
        try:
            yield
        finally:
            self.start()

    def new_database(self, template: DatabaseAddress | None = None, *, owner: str = USER) -> DatabaseAddress:
        """Create a database and return its address.

        :param template: a database to copy, which must have no connections.
        """
        name = f"d{next(self._names)}"
        with self.admin() as admin:
            copied = f"TEMPLATE {template.name}" if template else ""
            copied += " STRATEGY FILE_COPY" if admin.info.server_version >= 150000 else ""  # half as much work
            admin.execute(f"CREATE DATABASE {name} OWNER {owner} {copied}".encode())
        return DatabaseAddress(name, self.port)

    def drop(self, address: DatabaseAddress) -> None:
        """Remove a database, and end the sessions that use it."""
        with self.admin() as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {address.name} WITH (FORCE)".encode())

    def new_role(self, name: str, *more: str) -> None:
        """Make a role with the password of all, and execute statements, such as a GRANT, as the superuser."""
        with self.admin() as admin:
            for statement in (f"CREATE ROLE {name} LOGIN PASSWORD '{_verifier()}'", *more):
                admin.execute(statement.encode())

    @contextlib.contextmanager
    def admin(self, database: str = "postgres") -> Iterator[psycopg.Connection[Any]]:
        """Connect as the superuser, by the Unix socket; each statement commits."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, user=SUPERUSER, dbname=database, autocommit=True, connect_timeout=5
        ) as connection:
            yield connection

    def sessions(self, address: DatabaseAddress) -> list[int]:
        """Return the processes of the server that serve a database."""
        with self.admin() as admin:
            rows = admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                (address.name,),
            )
            return [pid for (pid,) in rows]

    def terminate(self, address: DatabaseAddress) -> int:
        """End all sessions of a database, and return how many there were."""
        with self.admin() as admin:
            rows = admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                                 (address.name,))  # fmt: skip
            return len(rows.fetchall())

    def log(self) -> str:
        """The complete log of the server."""
        return self._process.log()

    @property
    def small_disk(self) -> Path:
        """An empty folder for a tablespace; on a small file system that only the server sees, if requested."""
        return self.folder / "small"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _command(self) -> list[str]:
        settings = {
            **self._settings,
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # A second time: the kernel forgets the signal for the death of the parent when the user changes.
        dying = [find_program("setpriv"), "--pdeathsig", "KILL", "--"]
        command = as_postgres([*dying, _program("postgres"), "-D", str(self._data), *options])
        if not self._small_disk:
            return command
        uid, gid = _ids()
        mount = f"mount -t tmpfs -o size={self._small_disk}m,mode=700,uid={uid},gid={gid} tmpfs {self.small_disk}"
        return ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *command]

    def _end(self, number: int) -> None:
        if self._process.running:
            os.kill(self._process.pid, number)
            with contextlib.suppress(psutil.TimeoutExpired):
                psutil.Process(self._process.pid).wait(20)
        self.kill()

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.admin():
            return True
        return False


def _runs(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@functools.cache
def _memory() -> str | None:
    """Return a folder in memory for the databases, because their removal from a disk takes seconds; or None.

    What was left there a day ago is removed: tests that are killed leave forty megabytes for each server.
    """
    for folder in Path(_SHARED_MEMORY).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            server = int((folder / "data/postmaster.pid").read_text().partition("\n")[0])
            if time.time() - folder.stat().st_mtime > _OLD and not psutil.pid_exists(server):
                shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_SHARED_MEMORY).free > _ROOM:
            return _SHARED_MEMORY
    return None


def _program(name: str) -> str:
    """Return the path of a program of the server; Debian keeps them out of PATH, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    return str(found[-1]) if found else find_program(name)


def _ids() -> tuple[int, int]:
    import pwd  # not on Windows

    user = pwd.getpwnam("postgres")
    return user.pw_uid, user.pw_gid


def give_to_postgres(*paths: Path) -> None:
    """Let the user postgres own files, if the tests run as root."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, *_ids())


def write_certificate(ca: LabCA, certificate: Path, key: Path) -> None:
    """Write the certificate of 127.0.0.1, and its key, for a server that runs as the user postgres."""
    certificate.write_bytes(ca.certificate_pem.read_bytes())
    key.touch(0o600)
    key.write_bytes(ca.key_pem.read_bytes())
    give_to_postgres(certificate, key)


def as_postgres(command: list[str]) -> list[str]:
    """Return the command line that runs a command as the user postgres, if the tests run as root."""
    if os.geteuid() != 0:
        return command
    uid, gid = _ids()
    return [find_program("setpriv"), f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--", *command]
