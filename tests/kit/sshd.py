"""A real OpenSSH server on loopback with throw-away keys, which logs in the user that runs the tests."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.lab import ports
from tests.lab.process import ServerProcess, find_program

LOOPBACK: Final = "127.0.0.1"
_PRIVILEGES: Final = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"'
"""As root sshd needs /run/sshd, which only its service makes; so it gets a /run of its own."""


@dataclass(frozen=True, kw_only=True)
class Sshd:
    """A server that runs.

    :ivar options: the options of an entry of ``deploy`` that reach it.
    """

    folder: Path
    port: int
    process: ServerProcess
    options: dict[str, Any]

    def trust(self, key: Path) -> None:
        """Name a host key in the file of known hosts."""
        kind, public, *_ = key.with_suffix(".pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"[{LOOPBACK}]:{self.port} {kind} {public}\n")


def make_key(path: Path) -> Path:
    """Make a key pair of OpenSSH."""
    argv = [find_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run the server; its host key is known, and one key may log in."""
    folder.mkdir()
    host_key, identity = make_key(folder / "host_key"), make_key(folder / "identity")
    (folder / "authorized_keys").write_text(identity.with_suffix(".pub").read_text())
    with ports.reserve(LOOPBACK) as port:
        config = folder / "sshd_config"
        config.write_text(
            f"ListenAddress {LOOPBACK}\nPort {port.number}\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
            "PermitRootLogin prohibit-password\nPerSourcePenalties no\nSubsystem sftp internal-sftp\n"
            "KexAlgorithms curve25519-sha256\n"
        )
        argv = [find_program("sshd"), "-D", "-e", "-f", str(config)]
        if os.geteuid() == 0:
            argv = [find_program("unshare"), "--mount", "sh", "-euc", _PRIVILEGES, "sh", *argv]
        process = ServerProcess("sshd", argv, folder).start()
        try:
            process.wait_ready(lambda: _accepts(port.number))
            options = {"host": LOOPBACK, "port": port.number, "user": getpass.getuser(), "identity": str(identity),
                       "known_hosts": str(folder / "known_hosts")}  # fmt: skip
            running = Sshd(folder=folder, port=port.number, process=process, options=options)
            running.trust(host_key)
            yield running
        finally:
            process.stop()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        return connection.recv(4) == b"SSH-"
    return False
