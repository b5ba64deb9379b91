"""A rolling upgrade: the version before and this one, on one fleet and on one store of a folder.

The version before is the last commit whose tables had the shape of today and whose package was another one. A checkout
without history does not have it; recorded tables and stores of 0.1.0 are in tests/data, and are read everywhere.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import signal
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dnsrenew.extensions.fleet.status import fleet_status
from tests.kit.fleet_stage import PATIENCE, FleetStage, wait_until
from tests.kit.postgres import DatabaseAddress
from tests.lab import AcmeProxy
from tests.lab.workspace import Workspace

ROOT: Final = Path(__file__).resolve().parents[2]
BEFORE: Final = "a0a6a7396415959593d6787f6c450f9e9dc63927"
"""The version before. With the first release this becomes its tag."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the version before."""
    if shutil.which("git") is None:
        pytest.skip("the version before was left out: git is not installed")
    git = ["git", "-c", f"safe.directory={ROOT}", "archive", BEFORE, "dnsrenew", "providers"]
    archive = subprocess.run(git, cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"the version before was left out, this checkout has no history: {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


class Versions:
    """Commands of both versions, in one workspace."""

    def __init__(self, workspace: Workspace, before: Path) -> None:
        self.workspace = workspace
        self.old = {"PYTHONPATH": str(before)}
        self.new = {"PYTHONPATH": str(ROOT)}

    def run(self, version: dict[str, str], *arguments: str) -> Any:
        """Return the document of a command that succeeds."""
        status, document = self.workspace.run_json(*arguments, env=version)
        assert status == 0, document
        return document

    @contextlib.contextmanager
    def worker(self, version: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
        """Run a worker until the end of the block, if the block does not end it."""
        argv = self.workspace.argv("worker", "--concurrency", "1", "--json")
        env = {**self.workspace.env, **version}
        pipe = subprocess.PIPE
        with subprocess.Popen(argv, cwd=self.workspace.path, env=env, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def end(self, process: subprocess.Popen[str]) -> int:
        """End a worker by SIGTERM; return how many certificates it has renewed."""
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        self.workspace.captured += [out, err]
        assert process.returncode == 143, err
        renewed: int = json.loads(out)["statuses"].get("renewed", 0)
        return renewed


@pytest.fixture
def versions(workspace: Workspace, before: Path) -> Versions:
    """Both versions."""
    return Versions(workspace, before)


def issued(ca: AcmeProxy) -> Counter[str]:
    """How many certificates the CA has issued for each domain."""
    taken = [each for each in ca.of_kind("newOrder") if each.response is not None and each.response.status == 201]
    return Counter(each["value"] for one in taken for each in (one.request.payload or {})["identifiers"])


def test_a_fleet(versions: Versions, address: DatabaseAddress, ca: AcmeProxy) -> None:
    """Workers of two versions share a fleet; the new one ends what the old one left, and the old one can come back."""
    stage = FleetStage(versions.workspace, address)
    stage.write(ca__lab__directory=ca.directory_url)
    with stage.database.transaction() as transaction:  # the tables are made by the version before
        transaction.execute(f"DROP OWNED BY {address.user}")
    old, new = versions.old, versions.new

    def add(*names: str) -> None:
        lines = [json.dumps({"name": name, "domains": [f"{name}.example.test"]}) for name in names]
        path = stage.workspace.path / "lines.jsonl"
        path.write_text("\n".join(lines))
        versions.run(new if names[0].startswith("new") else old, "fleet", "add", str(path))
        wanted.update(names)

    def all_done() -> bool:
        return stage.versions().keys() == wanted and not stage.jobs() and not stage.journal()

    wanted: set[str] = set()
    versions.run(old, "fleet", "init")
    add("old-1", "old-2")
    with versions.worker(old) as first:
        wait_until(all_done)
        versions.run(new, "fleet", "init")
        stage.lab.lag = 60.0  # the next one waits for DNS, with its value in it
        add("old-killed")
        wait_until(lambda: stage.lab.txt("_acme-challenge.old-killed.example.test"))
        wait_until(lambda: stage.database.fetch("SELECT 1 FROM dnsrenew_journal WHERE NOT asked"))
        first.kill()
        first.communicate()
    stage.lab.lag = 0.0
    stage.database.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'")
    with versions.worker(new) as second:
        wait_until(all_done)
        with versions.worker(old) as first:
            wait_until(lambda: len(fleet_status(stage.database, {}).workers) == 2)
            stage.lab.lag = 0.5  # so that there is enough to do for both
            add(*(f"new-{number}" for number in range(8)))
            wait_until(all_done)
            renewed = [versions.end(first), versions.end(second)]
    assert all(renewed), renewed
    assert sum(renewed) == 9, "eight new ones, and that of the killed worker"
    versions.run(old, "renew", "--force", "new-0")
    versions.run(new, "renew", "--force", "old-1")
    assert versions.run(old, "fleet", "status")["counts"]["valid"] == len(wanted)
    twice = {f"{name}.example.test": 2 for name in ("old-killed", "new-0", "old-1")}
    assert issued(ca) == {f"{name}.example.test": 1 for name in wanted} | twice
    stage.database.close()


def test_a_folder(versions: Versions, ca: AcmeProxy) -> None:
    """One store is renewed by the version before, by this one, and by the one before again; each reads all of it."""
    versions.workspace.write({"ca.lab.directory": ca.directory_url})
    for version in (versions.old, versions.new, versions.old):
        (outcome,) = versions.run(version, "renew", "--force")["outcomes"]
        assert outcome["status"] == "renewed"
        seen = [versions.run(reader, "status")["certificates"] for reader in (versions.old, versions.new)]
        assert [(each["state"], each["not_after"]) for (each,) in seen] == [("valid", outcome["not_after"])] * 2
    assert set(issued(ca).values()) == {3}
    assert len([each for each in ca.of_kind("newAccount") if each.response and each.response.status == 201]) == 1
