"""A configuration and a store with every kind of file, to export and to restore."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from dnsrenew.base.model.spec import AccountData
from dnsrenew.base.runtime import Context
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import replace
from dnsrenew.config import Config
from dnsrenew.config.cas import BUILT_IN
from dnsrenew.errors import DnsRenewError, StoreError
from dnsrenew.extensions.setup.archive.export import ExportResult, export
from dnsrenew.extensions.setup.archive.restore import RestoreResult, restore
from dnsrenew.store import FolderStore
from dnsrenew.store.records import Notified
from tests.kit.clock import START, FakeClock
from tests.kit.config_files import ROOTS
from tests.kit.stores import DIRECTORY, ORDER, SPEC, issue

PASSPHRASE: Final = "correct horse battery"
CANARIES: Final = ("plain-canary-4711", "file-canary-0815", "hook-canary-1234", "old-canary-9876", "eab-canary-5555")
CONFIG: Final = """\
include = ["conf.d/*.toml"]
agree_terms = true
contact = ["me@example.com"]

[ca.lab]
directory = "https://ca.test/dir"
trust = "lab-ca.pem"
eab = { kid = "kid-1", hmac = "eab-canary-5555" }  # eab-canary-5555 since May

[dns.home]
provider = "duckdns"
# token = "old-canary-9876"
token = "plain-canary-4711"

[dns.own]
provider = "ownhost"
auth_token = "file:secrets/own-token.secret"

[dns.script]
provider = "hook"
program = ["./hook.sh"]
"""
INCLUDED: Final = """\
[[certificate]]
name = "home"
domains = ["home.duckdns.org"]
ca = "lab"
routes = [{ challenge = "dns-01", dns = "home" }]

[[certificate]]
name = "second"
domains = ["second.example.test"]
ca = "lab"
routes = [{ challenge = "dns-01", dns = "own" }]
"""
PROVIDER: Final = """\
title = "Own host"
driver = "lexicon"
[driver_options]
provider = "gandi"
[options.auth_token]
required = true
secret = true
"""


JOURNAL: Final = {
    "schema": 1,
    "certificate": "home",
    "since": "2026-11-27T02:47:49Z",
    "values": [
        {"zone": "x.test.", "name": "_acme-challenge.x.test.", "value": "a-value", "ttl": 60, "dns": "home"},
    ],
}


def fill_config(folder: Path) -> Path:
    """Write a configuration with an include, a provider, roots, a secret file and a program; return its path."""
    files = {
        "dnsrenew.toml": CONFIG,
        "conf.d/certificates.toml": INCLUDED,
        "providers/ownhost.toml": PROVIDER,
        "lab-ca.pem": ROOTS,
        "secrets/own-token.secret": "file-canary-0815\n",
        "hook.sh": "#!/bin/sh\nTOKEN=hook-canary-1234\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text, "utf-8")
        path.chmod(0o700 if name == "hook.sh" else 0o600)
    return folder / "dnsrenew.toml"


def fill_store(root: Path, asked_by: str = "") -> FolderStore:
    """Write a store with every kind of file; `second` was obtained twice."""
    store, context = FolderStore(root), Context(clock=FakeClock())
    accounts = store.accounts(DIRECTORY, "lab", context)
    with accounts.lock():
        account = AccountData(key_pem=issue(99)[1], url="https://ca.test/acct/1", contact=("me@example.com",))
        accounts.save(replace(account, next_key_pem=issue(98)[1]))
    store.ledger(BUILT_IN["letsencrypt"].directory, "letsencrypt", context).note_certificate(["home.test"])
    for name, serials in (("home", (1,)), ("second", (2, 3))):
        with store.lock(name, context=context):
            for serial in serials:
                state = replace(store.read_state(name), asked_by=asked_by)
                store.keep(replace(SPEC, name=name), "lab", *issue(serial), state=state)
    store.signing_requests.save("second", *_request())
    store.orders.save("second", replace(ORDER, version=2))
    store.notified.write("home", Notified(failed=True))
    store.diagnoses.add("home", {"time": "2026-11-26T10:00:00Z", "renewable": True, "facts": {}})
    store.deployment("home", "entry").keep({"/srv/key.pem": issue(1)[1]})
    (root / "journal/home-1.json").write_text(json.dumps(JOURNAL))
    store.fingerprint_key()
    return store


def _request() -> tuple[str, bytes]:
    from dnsrenew.base import x509
    from dnsrenew.base.x509 import user_files

    key = x509.new_key("ecdsa-p256")
    return user_files.request_to_pem(x509.make_csr(key, list(SPEC.identifiers))), x509.key_to_pem(key)


def exported(config: Path, file: Path, passphrase: str | None = PASSPHRASE) -> ExportResult:
    """Export with a clock that stands still."""
    return export(Config.load(config), file, Context(clock=FakeClock()), passphrase=_secret(passphrase))


def restored(file: Path, target: Path, passphrase: str | None = PASSPHRASE) -> RestoreResult:
    """Restore, a month later."""
    later = FakeClock(START + timedelta(days=30))
    return restore(file, target, Context(clock=later), passphrase=_secret(passphrase))


def _secret(passphrase: str | None) -> Secret | None:
    return None if passphrase is None else Secret(passphrase)


def tree(folder: Path) -> dict[str, bytes | str]:
    """Return every file below a folder with its content, and every link with its target."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def make_tar(
    files: dict[str, bytes],
    *,
    sums: bytes | None = None,
    members: list[tarfile.TarInfo] | None = None,
    mode: int = 0o600,
) -> bytes:
    """Return an archive as `export` writes it, with these files.

    :param members: more entries, without content, after the files.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
        for member in members or []:
            tar.addfile(member)
        lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()
        info = tarfile.TarInfo("SHA256SUMS")
        info.size = len(lines if sums is None else sums)
        tar.addfile(info, io.BytesIO(lines if sums is None else sums))
        end = tar.offset + 2 * tarfile.BLOCKSIZE  # tar itself fills the last record
    return gzip.compress(out.getvalue()[:end])


def header(**changes: object) -> bytes:
    """Return the header of an archive of a configuration `dnsrenew.toml`."""
    values = {"format": 1, "config": "/old/dnsrenew.toml", "main": "dnsrenew.toml", "masked": [], "left_out": []}
    return json.dumps({**values, **changes}).encode()


def refused(file: Path, target: Path, passphrase: str | None = None) -> DnsRenewError:
    """Return the error of a restore; nothing is left of it."""
    before = sorted(target.parents[1].rglob("*")) if target.parents[1].exists() else None
    with pytest.raises(DnsRenewError) as caught:
        restored(file, target, passphrase)
    after = sorted(target.parents[1].rglob("*")) if target.parents[1].exists() else None
    assert after == before
    return caught.value


def failure(file: Path, target: Path) -> StoreError | None:
    """Restore; return the error, or None."""
    try:
        restored(file, target, None)
    except StoreError as error:
        return error
    return None
