"""A connection pooler like PgBouncer: each client gets a session of the server for a transaction, or until its end.

It speaks PostgreSQL's protocol 3.0 (the chapters "Message Flow" and "Message Formats" of PostgreSQL's manual): it
answers the login itself, with a process number of its own, and passes everything else on.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import Final, Self

from tests.kit.postgres import LOOPBACK, SUPERUSER, Postgres

_PROTOCOL: Final = 196608
_SSL_REQUEST: Final = (80877103, 80877104)
_HEAD: Final = 5
PROCESS: Final = 4242


def _read(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = source.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def _message(source: socket.socket) -> bytes:
    head = _read(source, _HEAD)
    return head + _read(source, struct.unpack(">I", head[1:])[0] - 4)


class _Session:
    """A session of the server, as the superuser; ``greeting`` is the server's answer to the login."""

    def __init__(self, path: Path, database: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        body = struct.pack(">I", _PROTOCOL) + f"user\0{SUPERUSER}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack(">I", len(body) + 4) + body)
        self.greeting = b""
        while not self.greeting.endswith(b"Z\0\0\0\5I"):
            message = _message(self.socket)
            if message[:1] != b"K":
                self.greeting += message

    def ask(self, message: bytes, client: socket.socket) -> bool:
        """Pass a message on, and the answers if it ends a round; return whether the session is free afterwards."""
        self.socket.sendall(message)
        if message[:1] not in b"QS":
            return False
        while True:
            answer = _message(self.socket)
            client.sendall(answer)
            if answer[:1] == b"Z":
                return answer.endswith(b"I")


class Pooler:
    """The pooler; it listens on :attr:`port` of 127.0.0.1.

    :param by_transaction: a client keeps a session for a transaction only, not until its own end.
    """

    def __init__(self, server: Postgres, database: str, *, by_transaction: bool) -> None:
        self._path = server.folder / f".s.PGSQL.{server.port}"
        self._database = database
        self._by_transaction = by_transaction
        self._free: list[_Session] = []
        self._every: list[socket.socket] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._every:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._every.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _take(self) -> _Session:
        if self._free:
            return self._free.pop()
        session = _Session(self._path, self._database)
        self._every.append(session.socket)
        return session

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._log_in(client)
            session = None
            while True:
                message = _message(client)
                if message[:1] == b"X":
                    return
                session = session or self._take()
                if session.ask(message, client) and self._by_transaction:
                    self._free.append(session)
                    session = None

    def _log_in(self, client: socket.socket) -> None:
        while True:
            (size,) = struct.unpack(">I", _read(client, 4))
            (code,) = struct.unpack(">I", _read(client, size - 4)[:4])
            if code not in _SSL_REQUEST:
                break
            client.sendall(b"N")
        session = self._take()
        self._free.append(session)
        end = len(b"Z\0\0\0\5I")
        key = b"K" + struct.pack(">III", 12, PROCESS, 0)
        client.sendall(session.greeting[:-end] + key + session.greeting[-end:])
