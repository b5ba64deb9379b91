"""HFS, rejetto's HTTP File Server, on loopback: the real program, run by Node.

HFS 3.2.2 is in the folder that the environment variable DNSRENEW_TEST_HFS names (unpacked, with its ``node_modules``);
without that it is cloned from its public repository and compiled once, into ``build/``, as its dev.md says. HFS 0.52.9,
the newest in npm's registry, is installed from there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any, Final

import pytest

from tests.kit.child import ROOT
from tests.lab import ports
from tests.lab.process import ServerProcess
from tests.lab.web import fetch

VARIABLE: Final = "DNSRENEW_TEST_HFS"
VERSION: Final = "3.2.2"
OLD_VERSION: Final = "0.52.9"
_REPOSITORY: Final = "https://github.com/rejetto/hfs"
_BUILT: Final = ROOT / "build" / f"hfs-{VERSION}"
_INSTALLED: Final = ROOT / "build" / f"hfs-{OLD_VERSION}"
_LOOPBACK: Final = "127.0.0.1"


class NoHfsError(Exception):
    """HFS is not installed and cannot be fetched; the message says why."""


def or_skip(find: Callable[[], Path]) -> Path:
    """Return the script of HFS; without it the test is skipped with the reason."""
    try:
        return find()
    except NoHfsError as error:
        pytest.skip(f"the tests of HFS were left out: {error}")


def find() -> Path:
    """Return the script of HFS 3.2.2.

    :raises NoHfsError: there is none.
    """
    _check_node("node")
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else _BUILT
    if not given and not (folder / "dist").is_dir():
        _build()
    for script in (folder / "index.js", folder / "dist" / "src" / "index.js"):
        if script.is_file():
            return script
    raise NoHfsError(f"there is no HFS in {folder}; {VARIABLE} can name a folder that has it")


def find_old() -> Path:
    """Return the script of HFS 0.52.9, with its web pages.

    :raises NoHfsError: it could not be installed.
    """
    _check_node("node", "npm")
    script = _INSTALLED / "node_modules" / "hfs" / "src" / "index.js"
    if not script.is_file():
        _install()
    return script


def _check_node(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            raise NoHfsError(f"{program} is not installed")


def _build() -> None:
    shutil.rmtree(_BUILT, ignore_errors=True)
    _BUILT.parent.mkdir(exist_ok=True)
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", f"v{VERSION}", _REPOSITORY, str(_BUILT)]
    try:
        _run(clone, ROOT, 60)
        _run(["npm", "run", "build-all"], _BUILT, 600)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(_BUILT, ignore_errors=True)
        reason = f"{_REPOSITORY} could not be cloned and compiled ({type(error).__name__})"
        raise NoHfsError(f"{reason}; {VARIABLE} can name a folder that has it") from None


def _install() -> None:
    """Install it aside, then move it: another process of the tests may do the same."""
    _INSTALLED.parent.mkdir(exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="hfs-", dir=_INSTALLED.parent))
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(aside)]
    try:
        _run(["npm", "install", *options, f"hfs@{OLD_VERSION}"], aside, 60)
        aside.chmod(0o755)
        with contextlib.suppress(OSError):  # the other process was faster
            aside.rename(_INSTALLED)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoHfsError(f"npm could not install hfs {OLD_VERSION} ({type(error).__name__})") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _run(command: Sequence[str], folder: Path, seconds: float) -> None:
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    subprocess.run(command, cwd=folder, env=environ, timeout=seconds, check=True, capture_output=True)


@dataclass(kw_only=True)
class Hfs:
    """One HFS.

    :ivar folder: its working directory, with ``config.yaml``.
    :ivar url: the address of its API.
    :ivar https_port: a port that is free for HTTPS.
    :ivar has_https: whether it serves HTTPS from its start on.
    """

    folder: Path
    url: str
    https_port: int
    has_https: bool
    process: ServerProcess

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process.start()
        self.process.wait_ready(lambda: _answers(self.url) and (not self.has_https or _listens(self.https_port)), 60)

    @property
    def address(self) -> str:
        """Where it serves HTTPS."""
        return f"{_LOOPBACK}:{self.https_port}"

    @property
    def config(self) -> str:
        """Its configuration on disk."""
        return (self.folder / "config.yaml").read_text()

    def leaf(self) -> str:
        """Return the certificate that an independent client gets, PEM."""
        return ssl.get_server_certificate((_LOOPBACK, self.https_port))

    def settings(self, *names: str) -> list[Any]:
        """Return some settings, as its API reports them."""
        headers = {"x-hfs-anti-csrf": "1", "Content-Type": "application/json"}
        body = json.dumps({"only": names}).encode()
        _, answer = fetch(f"{self.url}/~/api/get_config", method="POST", headers=headers, body=body)
        found = json.loads(answer)
        return [found.get(name) for name in names]

    @contextmanager
    def download(self, path: str) -> Iterator[Any]:
        """Begin a download over HTTPS, and give its response, of which nothing is read yet."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with closing(HTTPSConnection(_LOOPBACK, self.https_port, context=context, timeout=30)) as connection:
            connection.request("GET", path)
            yield connection.getresponse()


@contextmanager
def running(script: Path, folder: Path, settings: Mapping[str, Any], runner: Sequence[str] = ()) -> Iterator[Hfs]:
    """Run HFS in a folder.

    :param settings: keys of its configuration; ``https_port`` True stands for a free port.
    :param runner: the command line that runs it, such as one of another user.
    """
    with ports.reserve(_LOOPBACK) as port, ports.reserve(_LOOPBACK) as https:
        base = {"port": port.number, "listen_interface": _LOOPBACK, "open_browser_at_start": "false"}
        values = {**base, "auto_check_update": "false", **settings}
        if values.get("https_port") is True:
            values["https_port"] = https.number
        lines = (f"{key}: {value}\n" for key, value in values.items())
        (folder / "config.yaml").write_text("".join(lines))
        server = Hfs(
            folder=folder,
            url=f"http://{_LOOPBACK}:{port.number}",
            https_port=https.number,
            has_https=values.get("https_port", -1) != -1 and "cert" in values,
            process=ServerProcess("hfs", [*runner, "node", str(script), "--cwd", str(folder)], folder),
        )
        try:
            server.start()
            yield server
        finally:
            server.process.stop()


def shared_file(path: Path, size: int) -> str:
    """Make a file of zeros, and return the setting ``vfs`` that shares it."""
    with path.open("wb") as file:
        file.truncate(size)
    return f"{{ children: [ {{ source: {path} }} ] }}"


def size_of(response: Any) -> int:
    """Read a download to its end; return the number of bytes."""
    size = 0
    while piece := response.read(1 << 20):
        size += len(piece)
    return size


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, port), timeout=1):
        return True
    return False


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return fetch(f"{url}/~/api/get_status", method="POST", headers={"x-hfs-anti-csrf": "1"}, timeout=2)[0] < 500
    return False
