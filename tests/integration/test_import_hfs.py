"""The configuration that a real HFS writes is read: certificates in files, and as text in the configuration itself."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.base import x509
from dnsrenew.extensions.setup.importing import hfs as reader
from dnsrenew.extensions.setup.importing.model import FoundData, HostView
from tests.kit import hfs
from tests.kit.certificates import issue
from tests.kit.processes import wait_until
from tests.lab.web import fetch

NAME = "import.hfs.test"


@pytest.fixture(scope="module")
def script() -> Path:
    """HFS 3.2.2."""
    return hfs.or_skip(hfs.find)


def change(server: hfs.Hfs, **values: Any) -> None:
    """Change settings by the API, as the admin page does; HFS then writes its file."""
    headers = {"x-hfs-anti-csrf": "1", "Content-Type": "application/json"}
    body = json.dumps({"values": values}).encode()
    fetch(f"{server.url}/~/api/set_config", method="POST", headers=headers, body=body)


def read(server: hfs.Hfs) -> FoundData:
    """Return what is found in its folder."""
    assert reader.is_here(server.folder)
    host = HostView(server.folder, server.folder, server.folder, {}, "linux")
    return reader.read(server.folder, host)


def test_certificates_in_files_and_in_the_configuration(script: Path, tmp_path: Path) -> None:
    """A certificate in files and one as text in the configuration are imported alike."""
    chain, key, _ = issue([NAME], datetime.now(UTC))
    (tmp_path / "own cert.pem").write_text(chain)
    (tmp_path / "own.key").write_bytes(key)
    with hfs.running(
        script, tmp_path, {"https_port": True, "cert": "own cert.pem", "private_key": "own.key"}
    ) as server:
        change(server, acme_domain=f"{NAME},www.{NAME}", acme_renew=True)
        wait_until(lambda: "acme_domain" in server.config)
        found = read(server)
        (certificate,) = found.certificates
        assert (certificate.domains, certificate.directory) == ((NAME, f"www.{NAME}"), None)
        assert certificate.key_pem == key
        assert certificate.deployments[0].options == {"url": server.url}
        assert found.not_understood == ()
        change(server, cert=chain, private_key=key.decode())
        wait_until(lambda: "BEGIN PRIVATE KEY" in server.config)
        (inline,) = read(server).certificates
        assert (inline.fullchain_pem, inline.key_pem) == (certificate.fullchain_pem, key)
        assert x509.read_certificate(inline.fullchain_pem or "").names == (NAME,)
