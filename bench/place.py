"""The lab for orders, and for each run a new folder with only the settings."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from bench import processes
from bench.processes import BENCH, Run, RunFailedError
from tests.lab import Lab
from tests.lab.settings import to_toml

ZONE = "example.test"


def names(count: int) -> list[str]:
    """Return this number of names of the lab's zone."""
    return [ZONE, *(f"n{number}.{ZONE}" for number in range(1, count))]


class Place:
    """Runs dnsrenew and the bare script against the same lab. A context manager; `lab`: fields of `LabOptions`."""

    def __init__(self, **lab: Any) -> None:
        # The bare script leaves its TXT values behind, and a new one must not meet a remembered old one.
        self._options = {"resolver_cache": False, **lab}
        self._stack = ExitStack()
        self._number = 0

    def __enter__(self) -> Self:
        self.path = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dnsrenew-bench-")))
        self.lab = self._stack.enter_context(Lab.start(**self._options))
        self.env = processes.environment(self.path, {"TSIG_SECRET": self.lab.key.secret})
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def config(self, count: int, **changes: Any) -> str:
        """Return the dnsrenew.toml for one certificate with this number of names."""
        wanted = {"dns.home.tsig_secret": "env:TSIG_SECRET", "certificate.0.domains": names(count), **changes}
        return to_toml(self.lab.config(wanted))

    def fresh(self, config: str) -> Path:
        """A new folder with this dnsrenew.toml: no store, no account."""
        self._number += 1
        folder = self.path / str(self._number)
        folder.mkdir()
        (folder / "dnsrenew.toml").write_text(config)
        (folder / "dnsrenew.toml").chmod(0o600)
        return folder

    def ours(self, count: int, **changes: Any) -> Run:
        """`dnsrenew renew` with an empty store; changes to the settings as in `config`."""
        folder = self.fresh(self.config(count, **changes))
        done = self.renew(folder)
        self._check(folder / "state" / "certificates" / "home" / "current")
        shutil.rmtree(folder)
        return done

    def renew(self, folder: Path, *arguments: str, through: tuple[str, ...] = ()) -> Run:
        """`dnsrenew renew` in a folder that `fresh` made; `through`: the start of another command line."""
        command = [*through, "renew", *arguments] if through else [*processes.program(), "renew", *arguments]
        return processes.run(command, folder, self.env)

    def status(self, folder: Path) -> Run:
        """`dnsrenew status` in a folder that `fresh` made."""
        return processes.run([*processes.program(), "status"], folder, self.env)

    def bare(self, count: int) -> Run:
        """Run the bare script, and remove its TXT values afterwards."""
        folder = self.fresh("")
        (folder / "settings.json").write_text(json.dumps(self._settings()))
        argv = [*processes.python(), str(BENCH / "bare.py"), "settings.json", ".", *names(count)]
        done = processes.run(argv, folder, self.env)
        self._check(folder)
        shutil.rmtree(folder)
        self.lab.remove_txt_but({})
        return done

    def _settings(self) -> dict[str, Any]:
        return {
            "directory": self.lab.directory_url,
            "trust": str(self.lab.ca.trust_pem),
            "zone": f"{ZONE}.",
            "servers": self.lab.ns,
            "port": self.lab.port,
            "key": f"{self.lab.key.name}.",
            "secret": self.lab.key.secret,
        }

    def _check(self, folder: Path) -> None:
        for name in ("fullchain.pem", "privkey.pem"):
            if not (folder / name).read_text().startswith("-----BEGIN"):
                raise RunFailedError(f"{name} was not written")
