"""The story that began this project, with HFS: port 80 is closed, no person acts, the machine is off for weeks."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Config
from dnsrenew.base.runtime import Context
from dnsrenew.store import FolderStore
from docs import hfs_picture
from docs.record import shown
from docs.screen import lines_of, terminal_of
from tests.kit import hfs
from tests.kit.certificates import issue
from tests.kit.fallback_stage import DNS, SITE, site
from tests.kit.first_hour import at_any_time
from tests.kit.renew_stage import Stage
from tests.kit.users import open_way
from tests.lab.workspace import Workspace

pytestmark = pytest.mark.timeout(900)  # where HFS is compiled first
AWAY = timedelta(days=120)
"""The age of the certificate when the machine is switched on again: it is valid for 90 days."""
SIZE = 64 << 20


def scheduled(workspace: Workspace) -> tuple[int, Any]:
    """Run the command that every schedule runs, also at a boot; return the exit status and the outcome."""
    workspace.lab.flush()
    status, document = workspace.run_json("renew", "--scheduled")
    (outcome,) = document["outcomes"]
    return status, outcome


def stored(workspace: Workspace) -> str:
    """Return the certificate in force, PEM."""
    return (workspace.store / "certificates" / "home" / "current" / "cert.pem").read_text()


def age(workspace: Workspace, folder: Path) -> str:
    """Replace the certificate in the store and in HFS by one that is months old; return it."""
    (spec,) = Config.load(workspace.config_path).certificates
    pem, key, facts = issue(spec.identifiers, datetime.now(UTC) - AWAY)
    store = FolderStore(workspace.store)
    with store.lock("home", context=Context()):
        store.keep(spec, "lab", pem, key, facts, state=store.read_state("home"))
    (folder / "dnsrenew-home.cer").write_text(pem)
    (folder / "dnsrenew-home.key").write_bytes(key)
    return stored(workspace)


@pytest.fixture(scope="session")
def script() -> Path:
    """HFS 3.2.2."""
    return hfs.or_skip(hfs.find)


def test_nobody_thinks_of_the_certificate_again(
    stage: Stage, script: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A run falls back to dns-01, and HFS serves the certificate during a download. After weeks it is renewed again."""
    folder, workspace = tmp_path_factory.mktemp("hfs"), stage.workspace
    (folder / "public").mkdir()
    shared = hfs.shared_file(folder / "public" / "big.bin", SIZE)
    own, own_key, _ = issue([SITE], datetime.now(UTC) - timedelta(days=85))
    (folder / "acme.cer").write_text(own)
    (folder / "acme.key").write_bytes(own_key)
    acme = {"cert": "acme.cer", "private_key": "acme.key", "acme_renew": "true", "acme_domain": SITE}
    with hfs.running(script, folder, {**acme, "https_port": True, "vfs": shared}) as server:
        # Nothing listens at the port where the CA looks for the response.
        routes = [{"challenge": "http-01", "webroot": str(folder / "public")}, DNS]
        deploy = [{"to": "hfs", "url": server.url, "verify_timeout": 10}]
        workspace.write({**site(stage), "certificate.0.routes": routes, "certificate.0.deploy": deploy})

        with server.download("/big.bin") as response:
            got = len(response.read(1 << 20))
            assert server.leaf() in own
            status, outcome = scheduled(workspace)
            assert (status, outcome["status"]) == (0, "renewed")
            failed, done = outcome["attempts"]
            assert (failed["route"]["challenge"], failed["error"]["code"]) == ("http-01", "http-unreachable")
            assert (done["route"]["challenge"], done["error"]) == ("dns-01", None)
            assert [one["served"] for one in outcome["deployed"]] == [True]
            assert server.leaf() == stored(workspace)
            assert got + hfs.size_of(response) == SIZE
        assert server.settings("cert", "acme_renew") == ["dnsrenew-home.cer", False]
        assert [notice["code"] for notice in outcome["warnings"]] == ["hfs-renewal-off"]

        server.process.stop()  # the machine is off
        expired = age(workspace, folder)
        status, outcome = scheduled(workspace)  # it is on again, and HFS is not there yet
        assert (status, outcome["status"], outcome["reason"]) == (1, "renewed", "expired")
        assert [one["error"]["code"] for one in outcome["deployed"]] == ["deploy-unreachable"]
        server.start()
        assert server.leaf() == expired
        status, outcome = scheduled(workspace)
        assert (status, outcome["status"], outcome["attempts"]) == (0, "not-due", [])
        assert [one["served"] for one in outcome["deployed"]] == [True]
        assert server.leaf() == stored(workspace) != expired
        assert server.settings("cert", "acme_renew") == ["dnsrenew-home.cer", False]


def test_the_picture_is_what_the_program_shows(script: Path) -> None:
    """A new recording ends with the lines of the stored picture. `python -m docs.hfs_picture` updates it."""
    with tempfile.TemporaryDirectory(prefix="reader-") as folder:
        home = open_way(Path(folder)) / "home"
        with hfs_picture.running(home, script) as (reader, _):
            last = shown(hfs_picture.renewal(reader)[-1].rows)
    drawn = lines_of(terminal_of(hfs_picture.PICTURE.read_text("utf-8")))
    assert at_any_time(last) == at_any_time(drawn)
