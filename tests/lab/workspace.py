"""A user's folder in a test: a dnsrenew.toml, secrets in the environment, and a way to run the program there."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .canary import assert_no_canary
from .forks import forks, python_path
from .settings import to_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .lab import Lab

_STRIPPED = ("DNSRENEW_", "LEXICON_", "XDG_")


def forget_account(store: Path) -> None:
    """Remove the account from a store, so that the next order needs validations.

    To the same account Pebble gives a valid authorization in one of a hundred orders, even if configured not to.
    """
    shutil.rmtree(store / "accounts")


@dataclass
class Workspace:
    """A folder that hides the real user: HOME is inside, and the variables that dnsrenew reads are removed.

    The TSIG secrets are references to environment variables, so the config holds no secret, and every secret is a
    canary: `assert_clean` looks for all of them in every file below the folder and in all that `run` captured.
    """

    lab: Lab
    path: Path
    env: dict[str, str] = field(default_factory=dict)
    captured: list[str] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write the config for `example.test`, its wildcard, and the account `home`."""
        canary = f"canary-{secrets.token_hex(12)}"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_STRIPPED)}
        home = self.path / "home"
        home.mkdir(parents=True, exist_ok=True)
        self.env = {
            **kept,
            "HOME": str(home),
            "PYTHONPATH": python_path(kept),
            "TSIG_SECRET": self.lab.key.secret,
            "OTHER_TSIG_SECRET": self.lab.other_key.secret,
            "CANARY": canary,
        }
        self.canaries += [self.lab.key.secret, self.lab.other_key.secret, canary]
        self.write()

    @property
    def config_path(self) -> Path:
        """The dnsrenew.toml."""
        return self.path / "dnsrenew.toml"

    @property
    def store(self) -> Path:
        """The store of that config."""
        return self.path / "state"

    def config(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The lab's config with its secret by reference; changes as in `Lab.config`."""
        return self.lab.config({"dns.home.tsig_secret": "env:TSIG_SECRET", **(changes or {})})

    def other_account(self) -> dict[str, Any]:
        """A second account, which may change other.test only: for `"dns.other"`."""
        account = self.lab.account(self.lab.other_key, "other.test")
        return {**account, "tsig_secret": "env:OTHER_TSIG_SECRET"}

    def write(self, changes: Mapping[str, Any] | None = None) -> Path:
        """Write the config, with changes."""
        return self.write_text(to_toml(self.config(changes)))

    def write_text(self, text: str) -> Path:
        """Write any text as the config."""
        self.config_path.write_text(text)
        self.config_path.chmod(0o600)
        return self.config_path

    def run(
        self, *arguments: str, timeout: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `dnsrenew ARGUMENTS` in this folder; for `renew`, the CA's resolver has forgotten what it was asked."""
        if "renew" in arguments:
            self.lab.flush()  # or the CA might see the TXT values of the last run: nothing has outlived their TTL
        with self._started(arguments, {**self.env, **(env or {})}) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        self.captured += [out, err]
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run_json(self, *arguments: str, **options: Any) -> tuple[int, Any]:
        """Return the exit status and the document on standard output of `dnsrenew ARGUMENTS --json`."""
        done = self.run(*arguments, "--json", **options)
        return done.returncode, json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `dnsrenew ARGUMENTS` without waiting, for tests that send signals. The caller ends it."""
        return self._started(arguments, self.env)

    def _started(self, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
        argv = self.argv(*arguments)
        if sys.platform == "linux" and argv == Workspace.argv(self, *arguments) and forks().serves(arguments, env):
            return forks().start(arguments, self.path, env)
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, cwd=self.path, env=env, stdout=pipe, stderr=pipe, text=True)

    def argv(self, *arguments: str) -> list[str]:
        """The command line of the program."""
        return [sys.executable, "-m", "dnsrenew", *arguments]

    def assert_clean(self, *, paths: Iterable[Path] = (), texts: Iterable[str] = ()) -> None:
        """Check that no canary is in a file here, in captured output, or in the given paths and texts."""
        assert_no_canary(self.canaries, paths=[self.path, *paths], texts=[*self.captured, *texts])
