"""PgBouncer (Debian's), a connection pooler before a server of :mod:`tests.kit.postgres`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.kit.postgres import LOOPBACK, PASSWORD, USER, Postgres, as_postgres, give_to_postgres, write_certificate
from tests.lab import ports
from tests.lab.certs import LabCA
from tests.lab.process import ServerProcess, find_program


class PgBouncer(ServerProcess):
    """PgBouncer; it listens on :attr:`port` of 127.0.0.1."""

    port = 0

    def ready(self) -> None:
        """Wait until it takes connections; killed and started again, it takes up nothing of before."""
        ups = self.log().count("process up")
        self.start()
        self.wait_ready(lambda: self.log().count("process up") > ups)


@contextlib.contextmanager
def pgbouncer(
    server: Postgres, mode: str, *, tls: LabCA | None = None, database: str = "*", line: str = "", **more: str
) -> Iterator[PgBouncer]:
    """Run PgBouncer.

    :param mode: ``session`` or ``transaction``: how long a client keeps its session of the server.
    :param tls: clients have to use TLS, with a certificate of this CA for 127.0.0.1.
    :param line: what the line of the database has besides its address.
    :param more: other settings.
    """
    folder = Path(tempfile.mkdtemp(prefix="dnsrenew-pgbouncer-"))
    try:
        with ports.reserve(LOOPBACK) as port:
            (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
            settings = {
                "listen_addr": LOOPBACK,
                "listen_port": str(port.number),
                "unix_socket_dir": "",
                "pool_mode": mode,
                "auth_type": "scram-sha-256",
                "auth_file": str(folder / "users"),
                "default_pool_size": "100",
                **more,
            }
            if tls:
                certificate, key = folder / "server.crt", folder / "server.key"
                write_certificate(tls, certificate, key)
                settings |= {
                    "client_tls_sslmode": "require",
                    "client_tls_cert_file": str(certificate),
                    "client_tls_key_file": str(key),
                }
            lines = [f"[databases]\n{database} = host={LOOPBACK} port={server.port} {line}\n[pgbouncer]"]
            lines += [f"{name} = {value}" for name, value in settings.items()]
            (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
            give_to_postgres(folder, *folder.iterdir())
            command = as_postgres([find_program("pgbouncer"), str(folder / "pgbouncer.ini")])
            process = PgBouncer("pgbouncer", command, folder)
            process.port = port.number
            try:
                process.ready()
                yield process
            finally:
                process.stop()
    finally:
        shutil.rmtree(folder)
