"""PowerDNS with SQLite and its HTTP API: a DNS host whose records are written by an API instead of by RFC 2136."""

from __future__ import annotations

import json
import secrets
import sqlite3
from contextlib import ExitStack, closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from . import dnsclient, ports
from .process import ServerProcess, find_program
from .web import fetch

_SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")  # Debian's place for it


class PowerDnsApiError(RuntimeError):
    """The API reported an error."""


class PowerDns:
    """Authoritative on `address`:`port` (UDP, TCP), API at `api_url` with `api_key`. No answer is cached."""

    def __init__(self, folder: Path, address: str, port: int) -> None:
        """Nothing is started yet; the DNS port is the caller's, the API's is our own."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = address
        self.port = port
        self.api_key = secrets.token_urlsafe(24)
        self._api_port = 0
        self._stack = ExitStack()
        self.process = ServerProcess("powerdns", [], folder)

    @property
    def api_url(self) -> str:
        """The value of `pdns_server` in lexicon."""
        return f"http://127.0.0.1:{self._api_port}"

    def start(self) -> Self:
        """Make the database and start; `wait_ready` waits."""
        self._api_port = self._stack.enter_context(ports.reserve("127.0.0.1")).number
        database = self.folder / "pdns.sqlite3"
        with closing(sqlite3.connect(database)) as connection:
            connection.executescript(_SCHEMA.read_text())
        options = {
            "config-dir": self.folder,
            "launch": "gsqlite3",
            "gsqlite3-database": database,
            "local-address": self.address,
            "local-port": self.port,
            "socket-dir": self.folder,
            "api": "yes",
            "api-key": self.api_key,
            "webserver-address": "127.0.0.1",
            "webserver-port": self._api_port,
            "webserver-allow-from": "127.0.0.1",
            "daemon": "no",
            "guardian": "no",
            "disable-syslog": "yes",
            "write-pid": "no",
            "security-poll-suffix": "",  # otherwise it asks its maker's servers at every start
            "cache-ttl": 0,
            "query-cache-ttl": 0,
            "negquery-cache-ttl": 0,
            "zone-cache-refresh-interval": 0,
        }
        # By a file and not by arguments: those, and with them the API key, could be read by every user of the machine.
        config = self.folder / "pdns.conf"
        config.touch(mode=0o600)
        config.write_text("".join(f"{key}={value}\n" for key, value in options.items()))
        argv = [find_program("pdns_server"), f"--config-dir={self.folder}"]
        self.process = ServerProcess("powerdns", argv, self.folder).start()
        return self

    def wait_ready(self) -> None:
        """Until the API answers (its DNS side listens before)."""
        self.process.wait_ready(self._ready)

    def stop(self) -> None:
        """Stop it and give the API's port back."""
        self.process.stop()
        self._stack.close()

    def add_zone(self, name: str, ns: tuple[str, ...], records: tuple[tuple[str, str, str], ...] = ()) -> None:
        """Create a zone through the API. `ns`: addresses; `records`: (absolute name, type, value), one per name."""
        rrsets = [_rrset(f"{name}.", "NS", *(f"ns{number}.{name}." for number, _ in enumerate(ns, 1)))]
        rrsets += [
            _rrset(f"ns{number}.{name}.", "AAAA" if ":" in address else "A", address)
            for number, address in enumerate(ns, 1)
        ]
        rrsets += [_rrset(owner, kind, value) for owner, kind, value in records]
        self.api("POST", "/zones", {"name": f"{name}.", "kind": "Native", "rrsets": rrsets})
        self.process.wait_ready(lambda: dnsclient.serves(name, self.address, self.port))

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Make one call below /api/v1/servers/localhost; return its answer."""
        status, answer = fetch(
            f"{self.api_url}/api/v1/servers/localhost{path}",
            method=method,
            body=None if body is None else json.dumps(body).encode(),
            headers={"X-API-Key": self.api_key, "Content-Type": "application/json"},
        )
        if status >= HTTPStatus.BAD_REQUEST:
            message = f"{method} {path}: {status} {answer.decode(errors='replace')}"
            raise PowerDnsApiError(message)
        return json.loads(answer) if answer else None

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ready(self) -> bool:
        try:
            return isinstance(self.api("GET", ""), dict)
        except (OSError, PowerDnsApiError):
            return False


def _rrset(owner: str, kind: str, *values: str) -> dict[str, object]:
    records = [{"content": value, "disabled": False} for value in values]
    return {"name": owner, "type": kind, "ttl": 60, "changetype": "REPLACE", "records": records}
