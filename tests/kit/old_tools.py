"""certbot and lego as Debian has them, against the lab, for tests of `dnsrenew import`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.workspace import Workspace

_PATIENCE = 120.0
"""Seconds for a tool of others; certbot takes some ten."""


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, with its bytes."""
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


@dataclass
class OldTool:
    """A folder for the data of a tool, and one for the configuration that the import writes."""

    workspace: Workspace
    root: Path

    @property
    def target(self) -> Path:
        """The configuration that the import writes."""
        return self.root / "new" / "dnsrenew.toml"

    @property
    def ca_file(self) -> Path:
        """The root of the CA's HTTPS endpoint."""
        return self.workspace.lab.folder / "tls" / "lab-ca.pem"

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run a tool, which must succeed; return its output."""
        done = subprocess.run(
            arguments,
            env={**os.environ, "HOME": str(self.root), **(env or {})},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def certbot(self, *arguments: str, server: str) -> str:
        """Run certbot in the folder `le`."""
        folders = [
            f"--{name}-dir={self.root / folder}" for name, folder in (("config", "le"), ("work", "w"), ("logs", "l"))
        ]
        env = {"REQUESTS_CA_BUNDLE": str(self.ca_file)}
        return self.run("certbot", *folders, "--server", server, "--non-interactive", *arguments, env=env)

    def dnsrenew(self, *arguments: str) -> tuple[int, Any]:
        """Run dnsrenew with the configuration of the import; return the exit status and the document."""
        done = self.workspace.run(*arguments, "--config", str(self.target), "--json")
        return done.returncode, json.loads(done.stdout)

    def imported(self, folder: Path, kind: str) -> tuple[int, Any]:
        """Import a folder."""
        return self.dnsrenew("import", str(folder), "--from", kind)

    def at_the_lab(self, *, trust: bool = False) -> None:
        """Add the settings that only a lab needs: its name servers and, if `trust`, the root of its CA."""
        lab = self.workspace.lab
        text = self.target.read_text("utf-8")
        if trust:
            line = next(line for line in text.splitlines() if line.startswith("directory = "))
            text = text.replace(line, f'{line}\ntrust = "{self.ca_file}"', 1)
        resolver = f'[resolver]\nnameservers = ["{lab.nameserver}"]\nauthoritative_port = {lab.port}\n'
        self.target.write_text(f"{text}\n{resolver}", "utf-8")
