"""The container image: its entry, user, folders, health check and end, as the Containerfile has them.

`make image` builds it where there are a container engine and a base image. Here its parts run in a root folder of
their own, without either.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.kit.container import Container, Image, first_process
from tests.kit.load import allowed
from tests.kit.users import as_root
from tests.lab.workspace import Workspace


@pytest.fixture
def container(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """A container with the configuration of the lab, its CA's root and its secret, read-only, and an empty store."""
    image = Image.read()
    folders = {name: tmp_path_factory.mktemp(name) for name in ("root", "config", "store")}
    shutil.copy(workspace.lab.ca.trust_pem, folders["config"] / "ca.pem")
    (folders["config"] / "tsig.secret").write_text(workspace.lab.key.secret)
    changes = {"ca.lab.trust": "ca.pem", "dns.home.tsig_secret": "file:tsig.secret"}
    text = workspace.write(changes).read_text().replace('store = "state"\n', "")
    (folders["config"] / "dnsrenew.toml").write_text(text)
    folders["config"].chmod(0o755)
    for path in (folders["store"], *folders["config"].iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o400)
        os.chown(path, *image.user)
    return Container(image, *(str(folder) for folder in folders.values()))


@as_root
def test_it_renews_tells_its_health_and_ends(container: Container, workspace: Workspace) -> None:
    """In the container, as an ordinary user, the program renews, reports its health, and ends at SIGTERM."""
    image = container.image
    assert container.run(*image.health).returncode == 1  # no certificate yet
    with container.start(*image.entry, *image.command, "--json") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if '"certificate-finished"' in line:
                break
        health = container.run(*image.health)
        assert (health.returncode, health.stderr) == (0, ""), lines
        started = time.monotonic()
        os.kill(first_process(process), signal.SIGTERM)
        lines += process.stderr.readlines()
        document = process.stdout.read()
        assert process.wait(timeout=10) == 143
        assert time.monotonic() - started < allowed(5)
    assert [outcome["status"] for outcome in json.loads(document)["outcomes"]] == ["renewed"]
    workspace.assert_clean(paths=[Path(container.store)], texts=[*lines, document])
    store = Path(container.store)
    assert (store / "certificates" / "home" / "current" / "fullchain.pem").is_file()
    assert {path.lstat().st_uid for path in store.rglob("*")} == {image.user[0]}
