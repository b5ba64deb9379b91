"""Podman and Docker, with folders of their own, and the image of the Containerfile, built as `make image` does.

No registry is needed: the base of the image has Debian's Python, and what is installed into it comes from a folder.
Both, and the image, are made once and kept in `build/`; containers get the code of this checkout over that of the
image (:func:`code_in`), which is older. Only root can start the engines.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from .debian import CHECKOUT, SOURCES, bootstrap, made
from .process import ServerFailedError, ServerProcess, find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES: Final = ("podman", "docker")
IMAGE: Final = "localhost/dnsrenew"
BASE: Final = "localhost/base"
_PATIENCE: Final = 120.0
_PACKAGES: Final = "python3,python3-venv,ca-certificates"
_LOCK: Final = ".ci/image.lock"
_SET_UP: Final = """
mount -t tmpfs tmpfs /run
if ! grep -q ' /sys/fs/cgroup cgroup2 ' /proc/mounts; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
fi
exec "$@"
"""
"""crun refuses the hybrid of cgroups 1 and 2 that some machines have. In /run are the engines of this machine."""
_OWN: Final = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-ec", _SET_UP, "sh")
"""An engine's processes and mounts are gone when it is."""


def why_not() -> str:
    """Return why no container engine can be started here; "" if one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root of Linux can start Podman and Docker"
    if not any((Path("/etc/apt") / each).exists() for each in SOURCES):
        return "no packages of Debian can be had here"
    done = subprocess.run([*_OWN, "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"no namespaces can be made here: {done.stderr.strip()}"


class Engine:
    """An engine that runs.

    :ivar name: `podman` or `docker`.
    :ivar socket: of its API.
    """

    def __init__(self, name: str, socket: Path) -> None:
        """It listens on a socket."""
        self.name = name
        self.socket = socket
        remote = ["--remote", "--url"] if name == "podman" else ["--host"]
        self._command = [find_program(name), *remote, f"unix://{socket}"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of its client; the output is one text."""
        return subprocess.run(
            [*self._command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def good(self, *arguments: str) -> str:
        """Run a command that succeeds; return its output."""
        done = self.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout)
        return done.stdout.strip()

    def load_image(self) -> None:
        """Load the image, which is made if it is not there."""
        self.good("load", "--quiet", "--input", str(image_archive()))

    def inspect(self, container: str) -> Any:
        """Return what the engine knows of a container."""
        return json.loads(self.good("container", "inspect", container))[0]


@contextmanager
def running_engine(name: str) -> Iterator[Engine]:
    """Run an engine that has the base of the image; skip where it cannot run."""
    if why := why_not():
        pytest.skip(f"{name} was left out: {why}")
    base = base_archive()
    with _folder() as folder:
        engine = Engine(name, folder / "engine.sock")
        process = _podman(folder, engine.socket) if name == "podman" else _docker(folder, engine.socket)
        process.start()
        try:
            try:
                process.wait_ready(lambda: engine.socket.exists() and engine.run("info").returncode == 0, _PATIENCE)
            except ServerFailedError as error:
                pytest.skip(f"{name} was left out: it does not start here: {str(error).splitlines()[-1]}")
            engine.good("import", str(base), BASE)
            yield engine
            for each in engine.good("ps", "--all", "--quiet").split():
                engine.run("rm", "--force", "--volumes", each)
        finally:
            process.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder with a short path, for a socket; in memory where much is free: images are many small files."""
    memory = "/dev/shm"
    is_good = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30
    folder = Path(tempfile.mkdtemp(prefix="dnsrenew-", dir=memory if is_good else None))
    try:
        yield folder
    finally:
        end = time.monotonic() + _PATIENCE
        while folder.exists():  # the last processes of an engine may still be ending
            assert time.monotonic() < end, f"{folder} cannot be removed"
            shutil.rmtree(folder, ignore_errors=True)


def _podman(folder: Path, socket: Path) -> ServerProcess:
    listen = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
    return ServerProcess("podman", [*_OWN, *listen], folder, _podman_settings(folder))


def _podman_settings(folder: Path) -> dict[str, str]:
    """Write the configuration of Podman and Buildah; return the variables that name it."""
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    )
    processes = _hard_limit()
    (folder / "containers.conf").write_text(
        '[containers]\ncgroups = "disabled"\npids_limit = 0\n'
        f'default_ulimits = ["nofile=1024:1024", "nproc={processes}:{processes}"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    return {
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
    }


def _hard_limit() -> int:
    """Return how many processes root may have; Podman asks for a million, which a container cannot have."""
    import resource  # not on Windows

    limit = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return 1 << 20 if limit == resource.RLIM_INFINITY else limit


def _docker(folder: Path, socket: Path) -> ServerProcess:
    (folder / "daemon.json").write_text("{}")
    command = [
        *(*_OWN, find_program("dockerd"), "--host", f"unix://{socket}", f"--config-file={folder / 'daemon.json'}"),
        *(f"--data-root={folder / 'data'}", f"--exec-root={folder / 'exec'}", f"--pidfile={folder / 'pid'}"),
        *("--iptables=false", "--ip6tables=false", "--bridge=none", "--log-level=warn"),
    ]
    return ServerProcess("dockerd", command, folder)


def code_in(folder: Path) -> tuple[str, ...]:
    """Copy the code of this checkout to a folder; return the options of containers that use it and compile it once."""
    for name in ("dnsrenew", "providers"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder, *(each for each in folder.rglob("*") if each.is_dir())):
        path.chmod(0o777)
    return (f"--volume={folder}:/checkout", "--env=PYTHONPATH=/checkout")


# ── images ──────────────────────────────────────────────────────────────────────────────


def base_archive() -> Path:
    """Return the root folder that an image begins with, as a tar file."""
    return made("base", [_PACKAGES], partial(bootstrap, packages=_PACKAGES, form="tar"))


def image_archive() -> Path:
    """Return the image, as `podman save` writes it; its code may be older than that of this checkout."""
    parts = [(CHECKOUT / name).read_bytes() for name in ("Containerfile", "pyproject.toml", _LOCK)]
    return made("image", [_PACKAGES, *parts], _make_image)


def _make_image(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dnsrenew-image-") as text:
        context = Path(text)
        (context / ".ci").mkdir()
        for name in ("Containerfile", _LOCK):
            shutil.copy(CHECKOUT / name, context / name)
        _pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={context / 'dist'}", str(CHECKOUT))
        _build(target, context)


def _build(target: Path, context: Path) -> None:
    wheels = made("wheels", [_PACKAGES, (CHECKOUT / _LOCK).read_bytes()], _download)
    pip = context / "pip.conf"
    pip.write_text("[install]\nno-index = true\nfind-links = /wheels\n")
    with _folder() as folder:
        environment = {**os.environ, **_podman_settings(folder)}
        volumes = [f"--volume={wheels}:/wheels:ro", f"--volume={pip}:/etc/pip.conf:ro"]
        limits = ["--ulimit=nofile=1024:1024", f"--ulimit=nproc={_hard_limit()}:{_hard_limit()}"]
        for arguments in (
            ["import", "--quiet", str(base_archive()), BASE],
            [
                *("build", "--quiet", "--format=docker", "--isolation=chroot", "--network=host"),
                *(*limits, *volumes, f"--build-arg=BASE={BASE}", f"--tag={IMAGE}"),
                *(f"--file={context / 'Containerfile'}", str(context)),
            ],
            ["save", "--quiet", f"--output={target}", IMAGE],
        ):
            command = [*_OWN, "podman", *arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (arguments, done.stdout, done.stderr)


def _download(target: Path) -> None:
    """Download what the image's lock has, for the Python of its base."""
    with tarfile.open(base_archive()) as base:
        version = next(found[1] for name in base.getnames() if (found := re.search(r"/bin/python(3\.\d+)$", name)))
    wanted = ["--only-binary=:all:", "--require-hashes", f"--requirement={CHECKOUT / _LOCK}", f"--dest={target}"]
    _pip("download", f"--python-version={version}", *wanted)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
