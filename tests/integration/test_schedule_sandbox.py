"""A renewal under the restrictions of the unit that `dnsrenew schedule install` writes."""

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.config import Config
from dnsrenew.schedule import installer
from dnsrenew.schedule.host import make_plan, this_job
from dnsrenew.schedule.installer import needs_of
from tests.kit.confined import confined
from tests.kit.schedule_stage import DEBIAN_ROOT, Programs
from tests.lab.workspace import Workspace

NOBODY = 65534


class Quiet(SimpleHTTPRequestHandler):
    """A file server without a log."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def webroot(workspace: Workspace) -> Iterator[Path]:
    """The folder of a web server of another user, at the port of the CA's requests."""
    folder = workspace.path / "web root"
    folder.mkdir(mode=0o755)
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    address = ("127.0.0.1", workspace.lab.pebble.http_port)
    server = ThreadingHTTPServer(address, partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02))
    thread.start()
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def installed(workspace: Workspace) -> str:
    """Install the schedule of a system, except its files; return the text of its service."""
    needs = needs_of(Config.load(workspace.config_path))
    plan = make_plan("systemd", this_job(DEBIAN_ROOT, str(workspace.config_path), needs), DEBIAN_ROOT)
    installer.install(replace(plan, files=()), Programs())
    return plan.files[0].text


def renew(workspace: Workspace, unit: str) -> tuple[int, Any]:
    """Renew as the unit does; return the exit status and the document."""
    done = subprocess.run(
        confined(unit, workspace.argv("renew", "--json")),
        cwd=workspace.path, env=workspace.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    workspace.captured += [done.stdout, done.stderr]
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def certificates(webroot: Path) -> list[dict[str, Any]]:
    """A certificate by dns-01, and one by http-01."""
    routes = [{"challenge": "http-01", "webroot": str(webroot)}]
    return [
        {"name": "dns", "domains": ["example.test", "*.example.test"]},
        {"name": "web", "domains": ["sandboxed.test"], "routes": routes},
    ]


def test_a_first_run_has_all_that_it_needs(workspace: Workspace, webroot: Path) -> None:
    """A first run can create the account, write DNS and a foreign webroot, and store. Everything else is read-only."""
    workspace.lab.add_zone("sandboxed.test", "@ A 127.0.0.1\n")
    workspace.write({"certificate": certificates(webroot)})
    status, document = renew(workspace, installed(workspace))
    assert [outcome["status"] for outcome in document["outcomes"]] == ["renewed", "renewed"], document
    assert status == 0
    assert [outcome["warnings"] for outcome in document["outcomes"]] == [[], []]


def test_a_folder_that_is_not_in_the_unit_is_read_only(workspace: Workspace) -> None:
    """A store that was moved after the installation fails with its error code."""
    unit = installed(workspace)
    with tempfile.TemporaryDirectory(dir="/srv") as elsewhere:  # /dev stays writable, where the workspace may be
        workspace.write({"store": f"{elsewhere}/state"})
        status, document = renew(workspace, unit)
    assert status == 1
    assert {outcome["error"]["code"] for outcome in document["outcomes"]} == {"store-read-only"}
