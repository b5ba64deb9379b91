"""Finding the folder of HFS on this machine, and guarding against a program of another user that imitates it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dnsrenew import Secret
from dnsrenew.deploy.targets.hfs import HfsDeployer
from dnsrenew.errors import DeployError
from tests.kit.api_server import Api
from tests.kit.deployments import KeptFiles, deployer_context, make_certificate

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="gives folders to another user")
OTHER = 54321


def deploy(tmp_path: Path, **options: Any) -> None:
    """Deploy to a stand-in that names the folder of another user."""
    folder = tmp_path / "hfs"
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)
    answers: Mapping[str, Any] = {
        "/~/api/get_status": {"cwd": str(folder), "https": {"listening": True}},
        "/~/api/get_config": {"https_port": 443},
        "/~/api/set_config": {},
    }
    with Api(lambda asked: (200, answers[asked.path])) as api:
        deployer = HfsDeployer(deployer_context({"url": api.url, **options}))
        deployer.deploy(make_certificate(tmp_path / "store"))


def test_the_private_key_is_not_written_where_another_user_says(tmp_path: Path) -> None:
    """A folder reported by another user's process is refused, so that it does not get the private key."""
    with pytest.raises(DeployError) as caught:
        deploy(tmp_path)
    assert caught.value.code == "deploy-unsupported"
    assert str(tmp_path / "hfs") in caught.value.message
    assert list((tmp_path / "hfs").iterdir()) == []


def test_a_folder_that_the_entry_names_is_used(tmp_path: Path) -> None:
    """A configured folder may belong to another user, who gets the files."""
    deploy(tmp_path, folder=str(tmp_path / "hfs"))
    assert (tmp_path / "hfs" / "dnsrenew-home.key").stat().st_uid == OTHER


def test_a_password_does_not_leave_this_machine_in_plain() -> None:
    """A password is sent to HFS on another machine over TLS only."""
    options = {"url": "http://hfs.example.test", "user": "boss", "password": Secret("right-word")}
    with pytest.raises(DeployError) as caught:
        HfsDeployer(deployer_context(options)).verify_addresses()
    assert "not encrypted" in caught.value.message


def test_only_the_settings_that_we_change_are_put_back(tmp_path: Path) -> None:
    """Of what the store has kept, HFS gets the settings of a deployment alone: a database may hold anything."""
    kept = KeptFiles()
    kept.files["settings"] = json.dumps({"acme_renew": True, "server_code": "exports.init = …"}).encode()
    with Api(lambda _: (200, {})) as api:
        HfsDeployer(deployer_context({"url": api.url}, kept)).restore()
        asked = [json.loads(each.body) for each in api.asked if each.path.endswith("set_config")]
    assert asked == [{"values": {"acme_renew": True}}]
