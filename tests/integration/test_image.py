"""The container image in Podman and in Docker, as docs/guides/docker.md runs it, and the target ``docker`` for both."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from dnsrenew.errors import DeployError
from dnsrenew.extensions.targets.docker import DockerDeployer
from tests.kit.deployments import deployer_context, make_certificate
from tests.kit.load import allowed
from tests.kit.processes import wait_until
from tests.lab.containers import BASE, ENGINES, IMAGE, Engine, code_in, running_engine
from tests.lab.workspace import Workspace

USER: Final = 1000
pytestmark = pytest.mark.timeout(900)
"""Seconds; the base of the image is made once, which may take minutes."""
RIGHTS: Final = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Podman or Docker."""
    with running_engine(request.param) as running:
        yield running


@pytest.fixture
def config(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the lab, its CA's root and its secret, for the user of the image."""
    folder = tmp_path_factory.mktemp("config")
    shutil.copy(workspace.lab.ca.trust_pem, folder / "ca.pem")
    (folder / "tsig.secret").write_text(workspace.lab.key.secret)
    changes = {"ca.lab.trust": "ca.pem", "dns.home.tsig_secret": "file:tsig.secret"}
    text = workspace.write(changes).read_text().replace('store = "state"\n', "")
    (folder / "dnsrenew.toml").write_text(text)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o400)
        os.chown(path, USER, USER)
    return folder


def engines(slow: str) -> pytest.MarkDecorator:
    """Parametrize with both engines, of which one is slow."""
    both = [pytest.param(each, marks=[pytest.mark.slow] if each == slow else []) for each in ENGINES]
    return pytest.mark.parametrize("engine", both, indirect=True, scope="module")


@engines(slow="docker")
def test_it_renews_tells_its_health_and_ends(
    engine: Engine, config: Path, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As an ordinary user without rights the container renews, is healthy, reads its configuration anew, and ends."""
    engine.load_image()
    code = code_in(tmp_path_factory.mktemp("code"))
    folders = (*code, f"--volume={config}:/etc/dnsrenew:ro", "--volume=store:/var/lib/dnsrenew")
    engine.good("run", "--rm", "--network=host", *folders[:-1], IMAGE, "check")
    often = ("--health-interval=1s", "--health-start-period=1s") if engine.name == "docker" else ()
    engine.good("run", "--detach", "--name=dnsrenew", *often, *RIGHTS, *folders, IMAGE)
    wait_until(lambda: engine.run("exec", "dnsrenew", "dnsrenew", "status", "--check", "--quiet").returncode == 0)
    if engine.name == "podman":  # its timer is one of systemd
        engine.good("healthcheck", "run", "dnsrenew")
    else:
        wait_until(lambda: engine.inspect("dnsrenew")["State"]["Health"]["Status"] == "healthy")
    status = dict(line.split(":", 1) for line in engine.good("exec", "dnsrenew", "cat", "/proc/1/status").splitlines())
    assert {key: status[key].split() for key in ("Uid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")} == {
        "Uid": [str(USER)] * 4,
        "CapEff": ["0" * 16],
        "CapBnd": ["0" * 16],
        "NoNewPrivs": ["1"],
        "Seccomp": ["2"],
    }
    assert engine.run("exec", "dnsrenew", "touch", "/opt/dnsrenew/x").returncode != 0
    assert "renews" in engine.good("exec", "dnsrenew", "dnsrenew", "status")
    engine.good("kill", "--signal=HUP", "dnsrenew")
    wait_until(lambda: "read again" in engine.good("logs", "dnsrenew"))
    started = time.monotonic()
    engine.good("stop", "dnsrenew")
    assert time.monotonic() - started < allowed(5)
    assert engine.inspect("dnsrenew")["State"]["ExitCode"] == 143
    workspace.assert_clean(texts=[engine.good("logs", "dnsrenew")])
    engine.good("rm", "dnsrenew")
    engine.good("run", "--rm", *RIGHTS, *folders, IMAGE, "status", "--check")  # a new container has all of it


@engines(slow="podman")
def test_a_deployment_tells_a_container(engine: Engine, tmp_path: Path) -> None:
    """`to = "docker"` signals a container and runs programs in it; what fails, and what is not there, is told."""
    script = "trap 'echo heard' HUP; echo ready; while :; do sleep 0.1; done"
    engine.good("run", "--detach", "--name=web", "--network=host", "--entrypoint=sh", BASE, "-c", script)

    wait_until(lambda: "ready" in engine.good("logs", "web"))

    def put(container: str = "web", **options: object) -> None:
        given = {"container": container, "socket": str(engine.socket), **options}
        DockerDeployer(deployer_context(given)).deploy(make_certificate(tmp_path))

    def refused(container: str = "web", **options: object) -> str:
        with pytest.raises(DeployError) as caught:
            put(container, **options)
        return caught.value.message

    put(signal="SIGHUP")
    wait_until(lambda: "heard" in engine.good("logs", "web"))
    put(run=("touch", "/run/a b"))
    engine.good("exec", "web", "test", "-e", "/run/a b")
    assert "no such thing" in refused(run=("sh", "-c", "echo no such thing >&2; exit 3"))
    assert "missing-program" in refused(run=("missing-program",))
    assert "other" in refused("other", signal="SIGHUP")
    engine.good("kill", "web")
    for options in ({"signal": "SIGHUP"}, {"run": ("true",)}):
        assert "running" in refused(**options) or "state" in refused(**options)
