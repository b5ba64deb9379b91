"""Folders as certbot and lego write them, made without either: their layouts are those of their documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from josepy.jwk import JWKRSA

from dnsrenew.base import x509
from dnsrenew.base.clock import SystemClock
from dnsrenew.base.model.spec import split_chain
from dnsrenew.base.runtime import Context
from dnsrenew.extensions.setup.importing.importer import ImportResult, run_import
from dnsrenew.extensions.setup.importing.model import HostView, ImportRequest
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue

LETSENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
DAY = timedelta(days=1)


@cache
def rsa_key(number: int = 0) -> x509.PrivateKey:
    """An account key as certbot makes it; another number is another key."""
    return x509.new_key("rsa2048")


@dataclass
class OldMachine:
    """A machine in a folder: its `/`, the home of its user, and the configuration that an import writes."""

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.home, self.root / "etc", self.target.parent):
            folder.mkdir(parents=True)
            folder.chmod(0o755)

    @property
    def home(self) -> Path:
        """The home of the user."""
        return self.root / "home" / "me"

    @property
    def target(self) -> Path:
        """The configuration to write."""
        return self.root / "target" / "dnsrenew.toml"

    @property
    def letsencrypt(self) -> Path:
        """The folder of certbot."""
        return self.root / "etc" / "letsencrypt"

    @property
    def lego(self) -> Path:
        """The folder of lego."""
        return self.home / ".lego"

    @property
    def store(self) -> FolderStore:
        """The store that the import fills."""
        return FolderStore(self.target.parent / "state")

    def host(self, platform: str = "linux") -> HostView:
        """The machine as readers see it."""
        return HostView(self.root, self.home, self.home, {}, platform)

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Write a file below `/`."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def imported(
        self, path: Path | None = None, kind: str | None = None, say: Callable[[str], str] = str
    ) -> ImportResult:
        """Import, as the command does."""
        request = ImportRequest(path, kind, self.target, True, self.host(), say)
        return run_import(request, self.store, Context(clock=SystemClock()))

    # ── certbot ─────────────────────────────────────────────────────────────────────────

    def certbot_account(
        self, key: x509.PrivateKey, number: str = "a1", host: str = "acme-v02.api.letsencrypt.org"
    ) -> Path:
        """An account of certbot."""
        folder = self.letsencrypt / "accounts" / host / "directory" / number
        folder.mkdir(parents=True)
        (folder / "private_key.json").write_text(json.dumps(JWKRSA(key=key).to_json()))
        body = {"contact": [f"mailto:{number}@example.test"]}
        (folder / "regr.json").write_text(json.dumps({"body": body, "uri": f"https://{host}/acct/{number}"}))
        (folder / "meta.json").write_text('{"creation_host": "example"}')
        return folder

    def certbot_certificate(
        self,
        name: str,
        domains: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
        *,
        age: timedelta = DAY,
        maps: str = "",
        **more: str,
    ) -> Path:
        """A certificate of certbot, and its file in `renewal/`."""
        chain, key, _ = issue(list(domains or [name]), datetime.now(UTC) - age)
        folder, archive = self.letsencrypt / "live" / name, self.letsencrypt / "archive" / name
        folder.mkdir(parents=True)
        archive.mkdir(parents=True)
        leaf, rest = split_chain(chain)
        files = {"cert": leaf.encode(), "chain": rest.encode(), "fullchain": chain.encode(), "privkey": key}
        for file, data in files.items():
            (archive / f"{file}1.pem").write_bytes(data)
            (folder / f"{file}.pem").symlink_to(f"../../archive/{name}/{file}1.pem")
        defaults = {"account": "a1", "server": LETSENCRYPT, "authenticator": "standalone"}
        lines = [f"{file} = {folder / file}.pem" for file in files]
        lines += [
            "[renewalparams]",
            *(f"{key} = {value}" for key, value in {**defaults, **(parameters or {}), **more}.items()),
        ]
        lines += ["[[webroot_map]]", maps] if maps else []
        return self.write(f"etc/letsencrypt/renewal/{name}.conf", "version = 4.0.0\n" + "\n".join(lines) + "\n")

    # ── lego ────────────────────────────────────────────────────────────────────────────

    def lego_account(self, *, newer: bool = False, host: str = "acme-v02.api.letsencrypt.org") -> Path:
        """An account of lego 4, or of lego 5."""
        folder = self.lego / "accounts" / host / "me@example.test"
        file = folder / "EC256" / "account.json" if newer else folder / "account.json"
        key = folder / "EC256" / "me@example.test.key" if newer else folder / "keys" / "me@example.test.key"
        key.parent.mkdir(parents=True)
        key.write_bytes(x509.key_to_pem(x509.new_key("ecdsa-p256")))
        registration = {"body": {"status": "valid"}, "uri": f"https://{host}/acme/acct/7"}
        document: dict[str, Any] = {"email": "me@example.test", "registration": registration}
        file.write_text(json.dumps({"id": "me@example.test", "keyType": "EC256", **document} if newer else document))
        return file

    def lego_certificate(self, domains: Sequence[str], *, age: timedelta = DAY, bundle: bool = True) -> str:
        """A certificate of lego; the name of its files."""
        chain, key, _ = issue(list(domains), datetime.now(UTC) - age)
        folder, name = self.lego / "certificates", domains[0].replace("*", "_")
        folder.mkdir(parents=True, exist_ok=True)
        leaf, rest = split_chain(chain)
        (folder / f"{name}.crt").write_text(chain if bundle else leaf)
        (folder / f"{name}.issuer.crt").write_text(rest)
        (folder / f"{name}.key").write_bytes(key)
        (folder / f"{name}.json").write_text(json.dumps({"domain": domains[0], "certUrl": "https://ca.test/cert/1"}))
        return name
