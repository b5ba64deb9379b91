"""``haproxy``: the file that HAProxy has loaded, and the same content over its runtime socket, without a reload."""

from __future__ import annotations

import socket
from typing import Final

from dnsrenew.base import host_port
from dnsrenew.base.model import Certificate
from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import FileDeployer, TargetFile, read_file
from dnsrenew.deploy.protocol import KEY_FILE, TargetKind, TargetOption, late
from dnsrenew.errors import DeployError, printable, system_reason

_SECONDS: Final = 10.0


class HaproxyDeployer(FileDeployer):
    """Replaces the file for the next restart, and the certificate in the running HAProxy."""

    def check(self, certificate: Certificate) -> bool:
        """Return whether the file has this content, and the running HAProxy this serial number."""
        if not super().check(certificate):
            return False
        return _serial(self._ask(f"show ssl cert {self._path}")) == certificate.serial.lstrip("0").lower()

    @property
    def _path(self) -> str:
        return str(self._options["certificate"])

    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the only file."""
        return [self.file(self._path, (certificate.private_key_pem + certificate.fullchain_pem).encode("ascii"))]

    def activate(self) -> None:
        """Abort the open transaction of an interrupted run; then set the certificate in a transaction and commit it."""
        self._ask(f"abort ssl cert {self._path}")
        lines = (read_file(self._path) or b"").decode("ascii").splitlines()
        pem = "\n".join(filter(str.strip, lines))  # an empty line would end the command
        self._order(f"set ssl cert {self._path} <<\n{pem}\n", "Transaction")
        self._order(f"commit ssl cert {self._path}", "Success")

    def _order(self, command: str, expected: str) -> None:
        answer = self._ask(command)
        if expected not in answer:
            reason, where = printable(answer)[:300] or "no answer", self._options["socket"]
            raise DeployError.of(texts.HAPROXY_REFUSED, socket=where, reason=reason, path=self._path)

    def _ask(self, command: str) -> str:
        """Send one command and return the answer. HAProxy closes the connection after it."""
        where, seconds = self._options["socket"], self._options.get("timeout", _SECONDS)
        try:
            return self._context.run.call(lambda: _exchange(where, command, seconds))
        except OSError as error:
            text = texts.HAPROXY_LATE if isinstance(error, TimeoutError) else texts.HAPROXY_SILENT
            raise DeployError.of(text, socket=where, reason=system_reason(error), shown=late(seconds)) from None


def _exchange(where: str, command: str, seconds: float) -> str:
    with _opened(where, seconds) as connection:
        if where.startswith("/"):
            connection.connect(where)
        connection.sendall(f"{command}\n".encode("ascii"))
        answer = b""
        while len(answer) < 1 << 20 and (piece := connection.recv(65536)):
            answer += piece
    return answer.decode("utf-8", "replace")


def _opened(where: str, seconds: float) -> socket.socket:
    """Return a connected socket, or an unconnected one for a path. The private key is sent through it unencrypted."""
    if where.startswith("/"):
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.settimeout(seconds)
        return unix
    address = host_port.split(where)
    if not host_port.is_here(address[0]):
        raise DeployError.of(texts.HAPROXY_PLAIN, socket=where)
    return socket.create_connection(address, timeout=seconds)


def _serial(answer: str) -> str:
    for line in answer.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "Serial":
            return value.strip().lstrip("0").lower()
    return ""


TARGET = TargetKind(
    to="haproxy",
    options={
        "socket": TargetOption("socket", required=True),
        "certificate": TargetOption("path", required=True),
        **KEY_FILE,
        "timeout": TargetOption("limit", default=_SECONDS),
    },
    writes=("certificate",),
    make=HaproxyDeployer,
)
