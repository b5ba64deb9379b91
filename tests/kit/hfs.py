"""HFS 3.2.2, rejetto's HTTP File Server, on loopback: the real program, run by Node.

It is the folder that the environment variable DNSRENEW_TEST_HFS names (unpacked, with its ``node_modules``); without
that it is cloned from its public repository and compiled once, into ``build/``, as its dev.md says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.kit.child import ROOT
from tests.lab import ports
from tests.lab.process import ServerProcess
from tests.lab.web import fetch

VARIABLE: Final = "DNSRENEW_TEST_HFS"
VERSION: Final = "3.2.2"
_REPOSITORY: Final = "https://github.com/rejetto/hfs"
_BUILT: Final = ROOT / "build" / f"hfs-{VERSION}"
_LOOPBACK: Final = "127.0.0.1"


class NoHfsError(Exception):
    """HFS is not there, and cannot be fetched; the message says why."""


def find() -> Path:
    """Return the script of HFS.

    :raises NoHfsError: there is none.
    """
    if shutil.which("node") is None:
        raise NoHfsError("Node is not installed")
    given = os.environ.get(VARIABLE)
    folder = Path(given) if given else _BUILT
    if not given and not (folder / "dist").is_dir():
        _build()
    for script in (folder / "index.js", folder / "dist" / "src" / "index.js"):
        if script.is_file():
            return script
    raise NoHfsError(f"there is no HFS in {folder}")


def _build() -> None:
    shutil.rmtree(_BUILT, ignore_errors=True)
    _BUILT.parent.mkdir(exist_ok=True)
    clone = ["git", "clone", "--quiet", "--depth", "1", "--branch", f"v{VERSION}", _REPOSITORY, str(_BUILT)]
    steps = ((clone, ROOT, 60), (["npm", "run", "build-all"], _BUILT, 600))
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    for command, folder, seconds in steps:
        try:
            subprocess.run(command, cwd=folder, env=environ, timeout=seconds, check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(_BUILT, ignore_errors=True)
            raise NoHfsError(f"{_REPOSITORY} could not be cloned and compiled ({type(error).__name__})") from None


@dataclass(kw_only=True)
class Hfs:
    """One HFS that runs.

    :ivar folder: its working directory, with ``config.yaml``.
    :ivar url: the address of its API.
    :ivar https_port: a port that is free for HTTPS.
    """

    folder: Path
    url: str
    https_port: int
    process: ServerProcess

    @property
    def address(self) -> str:
        """Where it serves HTTPS."""
        return f"{_LOOPBACK}:{self.https_port}"

    @property
    def config(self) -> str:
        """Its configuration on disk."""
        return (self.folder / "config.yaml").read_text()


@contextmanager
def running(script: Path, folder: Path, settings: Mapping[str, Any]) -> Iterator[Hfs]:
    """Run HFS in a folder.

    :param settings: keys of its configuration; ``https_port`` True stands for a free port.
    """
    with ports.reserve(_LOOPBACK) as port, ports.reserve(_LOOPBACK) as https:
        base = {"port": port.number, "listen_interface": _LOOPBACK, "open_browser_at_start": "false"}
        values = {**base, "auto_check_update": "false", **settings}
        if values.get("https_port") is True:
            values["https_port"] = https.number
        lines = (f"{key}: {value}\n" for key, value in values.items())
        (folder / "config.yaml").write_text("".join(lines))
        process = ServerProcess("hfs", ["node", str(script), "--cwd", str(folder)], folder).start()
        url = f"http://{_LOOPBACK}:{port.number}"
        try:
            process.wait_ready(lambda: _answers(url) and (values["https_port"] == -1 or _listens(https.number)), 60)
            yield Hfs(folder=folder, url=url, https_port=https.number, process=process)
        finally:
            process.stop()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, port), timeout=1):
        return True
    return False


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return fetch(f"{url}/~/api/get_status", method="POST", headers={"x-hfs-anti-csrf": "1"}, timeout=2)[0] < 500
    return False
