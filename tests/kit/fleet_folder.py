"""A folder with the configuration of a fleet, in which commands run."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config
from dnsrenew.cli import main
from dnsrenew.extensions.fleet.database.database_store import DatabaseStore
from dnsrenew.extensions.fleet.database.wanted import WantedCertificates
from dnsrenew.extensions.fleet.fleet import store_of
from tests.kit.postgres import PASSWORD, DatabaseAddress

SEAL = base64.b64encode(b"s" * 32).decode()
OTHER_SEAL = base64.b64encode(b"t" * 32).decode()


class FleetFolder:
    """A folder with a configuration whose store is a database; commands run in it.

    :ivar said: what the last command wrote to standard error.
    """

    def __init__(self, folder: Path, where: DatabaseAddress, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.path = folder / "dnsrenew.toml"
        self.said = ""
        self._capsys = capsys
        for name, text in (("password.secret", PASSWORD), ("seal.secret", SEAL)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self.write(where)

    def write(self, where: DatabaseAddress, *, seal: str = '"file:seal.secret"', more: str = "") -> None:
        """Write the configuration."""
        seal_line = f"seal = {seal}\n" if seal else ""
        self.path.write_text(
            f'store = {{ url = "{where.url}", password = "file:password.secret" }}\nagree_terms = true\n'
            '[dns.home]\nprovider = "duckdns"\ntoken = "file:password.secret"\n'
            f'[fleet]\n{seal_line}[fleet.defaults]\nkey = "rsa2048"\n{more}'
        )

    def add_table(self, name: str, *, domain: str = "") -> None:
        """Add `[[certificate]]` to the configuration."""
        with self.path.open("a") as file:
            file.write(f'[[certificate]]\nname = "{name}"\ndomains = ["{domain or name}.duckdns.org"]\n')

    def run(self, command: str, *, status: int = 0) -> dict[str, Any]:
        """Run a command with ``--json``; return its document."""
        assert main([*command.split(), "--json", "--config", str(self.path)]) == status
        out, self.said = self._capsys.readouterr()
        assert PASSWORD not in out + self.said
        document: dict[str, Any] = json.loads(out)
        assert document["version"] == 1
        return document

    def refused(self, command: str, *, status: int = 2) -> dict[str, Any]:
        """Run a command that fails; return its error."""
        error: dict[str, Any] = self.run(command, status=status)["error"]
        return error

    def lines(self, *documents: object) -> str:
        """Write JSON lines; return the name of the file."""
        lines = [each if isinstance(each, str) else json.dumps(each) for each in documents]
        (self.folder / "lines.jsonl").write_text("\n".join(lines))
        return "lines.jsonl"

    def add(self, *documents: object) -> dict[str, Any]:
        """Add certificates; return the counts."""
        found = self.run(f"fleet add {self.lines(*documents)}")
        return {key: value for key, value in found.items() if key != "version"}

    def mistakes(self, *documents: object) -> list[tuple[int | None, str]]:
        """Add certificates that are refused; return line and key of each mistake."""
        error = self.refused(f"fleet add {self.lines(*documents)}")
        assert error["code"] == "config-invalid"
        assert {each["file"] for each in error["evidence"]["mistakes"]} == {"lines.jsonl"}
        return [(each["line"], each["key"]) for each in error["evidence"]["mistakes"]]

    def config(self) -> Config:
        """The configuration."""
        return Config.load(self.path)

    def names(self) -> list[str]:
        """The names in the fleet."""
        with open_store(self) as store:
            return [each.name for each in WantedCertificates(store.database).all()]


class open_store:  # noqa: N801  # used as a function
    """The store of a folder's configuration, closed at the end."""

    def __init__(self, fleet: FleetFolder) -> None:
        self._fleet = fleet

    def __enter__(self) -> DatabaseStore:
        self._store = store_of(self._fleet.config())
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()
