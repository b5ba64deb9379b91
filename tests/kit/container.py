"""The container that the Containerfile describes, without a container engine.

``unshare`` gives it mounts and process ids of its own, as docker and podman do: the program is process 1, the root
folder is read-only but for the store, and the user has no rights. The programs and the Python in it are this machine's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parents[2]
CONFIG: Final = "/etc/dnsrenew"
STORE: Final = "/var/lib/dnsrenew"
HOME: Final = "/opt/dnsrenew"


@dataclass(frozen=True)
class Image:
    """The last stage of the Containerfile.

    :ivar user: the numbers of its user and group.
    """

    environment: Mapping[str, str]
    user: tuple[int, int]
    entry: Sequence[str]
    command: Sequence[str]
    health: Sequence[str]

    @classmethod
    def read(cls) -> Self:
        """Read the Containerfile."""
        text = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", "")
        instructions = re.findall(r"^([A-Z]+) (.+)$", text.rpartition("\nFROM ")[2], re.MULTILINE)
        said = dict(instructions)
        uid, gid = said["USER"].split(":")
        return cls(
            dict(rest.replace("$PATH", os.defpath).split("=", 1) for name, rest in instructions if name == "ENV"),
            (int(uid), int(gid)),
            json.loads(said["ENTRYPOINT"]),
            json.loads(said["CMD"]),
            json.loads(said["HEALTHCHECK"].partition("CMD ")[2]),
        )


@dataclass(frozen=True)
class Container:
    """One container: the image, and the folders that are mounted into it.

    :ivar root: an empty folder; mounts in it are visible only in the container.
    """

    image: Image
    root: str
    config: str
    store: str

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command; its process 1 is a child of the returned process."""
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, "-m", "tests.kit.container"]
        pipe = subprocess.PIPE
        document = json.dumps(asdict(self))
        return subprocess.Popen([*words, document, *command], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        with self.start(*command) as process:
            out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def first_process(started: subprocess.Popen[str]) -> int:
    """The number that a container's process 1 has outside."""
    (child,) = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
    return int(child)


# ── inside ──────────────────────────────────────────────────────────────────────────────


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _show(root: Path, source: str, target: str, options: str = "ro") -> None:
    """Make a folder of this machine visible in the root folder."""
    place = root / target.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    _mount("--bind", source, str(place))
    _mount("-o", f"remount,bind,{options}", str(place))


def _furnish(container: Container) -> None:
    """Mount all folders of the container."""
    root = Path(container.root)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    _show(root, "/usr", "/usr")
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
        elif Path("/", name).is_dir():
            _show(root, f"/{name}", f"/{name}")
    for folder in {str(ROOT), sys.base_prefix} - {"/usr"}:
        _show(root, folder, folder)
    _show(root, sys.prefix, HOME)
    _show(root, "/etc/ssl", "/etc/ssl")
    _show(root, "/dev", "/dev", "rw")
    _show(root, container.config, CONFIG)
    _show(root, container.store, STORE, "rw")
    (root / "proc").mkdir()
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-o", "remount,ro", str(root))


def _become(document: str, command: Sequence[str]) -> None:
    """Turn this process into the command."""
    said = json.loads(document)
    container = Container(**{**said, "image": Image(**said["image"])})
    os.umask(0o022)
    _furnish(container)
    os.chroot(container.root)
    os.chdir("/")
    uid, gid = container.image.user
    rights = shlex.split("--clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all")
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid}", *rights, *command]
    os.execvpe(words[0], words, dict(container.image.environment))  # noqa: S606  # this process becomes the command


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2:])
