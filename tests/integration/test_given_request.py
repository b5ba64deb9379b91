"""`csr` at Pebble, and in the database of a fleet."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dnsrenew import Certificate, Config, Renewer, StoreError
from tests.kit.fleet_stage import FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress, address, postgres  # noqa: F401  # fixtures
from tests.kit.renew_stage import Stage
from tests.lab.workspace import Workspace


def openssl(folder: Path) -> str:
    """Make a key and a request with OpenSSL; return the request."""
    subject = ["-subj", "/CN=shop.example.test", "-addext", "subjectAltName=DNS:shop.example.test"]
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "site.key")]
    subprocess.run(
        ["openssl", "req", "-new", *key, *subject, "-out", str(folder / "site.csr")], check=True, capture_output=True
    )
    return (folder / "site.csr").read_text()


def test_pebble_issues_for_a_request_of_openssl(stage: Stage) -> None:
    """The certificate fits the key that OpenSSL made; the command names no file of a key, and the store has none."""
    openssl(stage.workspace.path)
    stage.workspace.write({"certificate": [{"name": "shop", "csr": "site.csr"}]})
    done = stage.workspace.run("renew")
    assert done.returncode == 0, done.stderr
    assert "privkey.pem" not in done.stdout
    current = stage.workspace.store / "certificates/shop/current"
    assert not list(stage.workspace.store.rglob("certificates/**/privkey.pem"))
    shown = [
        subprocess.run(command, check=True, capture_output=True).stdout
        for command in (
            ["openssl", "x509", "-in", str(current / "cert.pem"), "-noout", "-pubkey"],
            ["openssl", "pkey", "-in", str(stage.workspace.path / "site.key"), "-pubout"],
        )
    ]
    assert shown[0] == shown[1]
    assert stage.workspace.run_json("renew")[1]["outcomes"][0]["status"] == "not-due"
    assert stage.workspace.run("revoke", "shop", "--yes").returncode == 0
    assert stage.workspace.run("renew").returncode == 0


def test_a_fleet_has_no_key_of_it(workspace: Workspace, address: DatabaseAddress) -> None:  # noqa: F811
    """A document of a fleet has the request itself; a worker orders with it, and the database gets no key."""
    stage = FleetStage(workspace, address)
    pem = openssl(workspace.path)
    (workspace.path / "fleet.json").write_text(json.dumps({"name": "shop", "csr": pem}))
    added = workspace.run("fleet", "add", "fleet.json")
    assert added.returncode == 0, added.stderr
    with stage.crew():
        wait_until(lambda: stage.versions().get("shop") == 1, "a certificate")
    stage.database.execute("UPDATE dnsrenew_certificate SET due = now()")
    with stage.crew() as (crew,):
        wait_until(lambda: "shop" in crew.heard.of("not-due"), "another look")
    (found,) = workspace.run_json("status")[1]["certificates"]
    assert (found["state"], found["domains"]) == ("valid", ["shop.example.test"])
    with pytest.raises(StoreError) as caught:
        _ = _certificate(stage).private_key_pem
    assert caught.value.code == "no-private-key"
    stage.database.close()


def _certificate(stage: FleetStage) -> Certificate:
    """Return the certificate from the database."""
    store = {"url": stage.address.url, "password": stage.workspace.env["DATABASE_PASSWORD"]}
    config = stage.lab.config({"store": store, "certificate": None, "dns.home.tsig_secret": stage.lab.key.secret})
    return Renewer(Config.from_dict(config, base=stage.workspace.path)).certificate("shop")
