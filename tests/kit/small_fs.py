"""The program on a small file system of its own that fills up or becomes read-only during the run.

``unshare --mount python -m tests.kit.small_fs`` loads the program once. For each line of JSON on its standard input
(:class:`DiskFault`) it mounts a tmpfs in place of the store, in its own mount namespace, copies ``before`` to it, forks
a process that runs the program, copies the result to ``after``, unmounts, and prints the exit status.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.events import Emitter
from dnsrenew.cli import main
from tests.kit.child import Child
from tests.kit.dying import fork, prepare_process  # loads the program too
from tests.lab.workspace import Workspace

PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_FILLER: Final = "filler"
_OPTIONS: Final = f"size={128 * PAGE},nr_inodes=256,mode=700"
_PRIVATE: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


@dataclass(frozen=True, kw_only=True)
class DiskFault:
    """A fault of the file system in one run.

    :ivar kind: what happens to the file system: a key of :data:`FAULTS`.
    :ivar at: the event at which it happens; ``start``: before the program starts.
    :ivar leave: how many blocks or inodes are left.
    """

    kind: str = "good"
    at: str = "start"
    leave: int = 0


class SmallFs(Child):
    """The process that mounts the file systems, as the tests use it."""

    def __init__(self) -> None:
        super().__init__("tests.kit.small_fs", before=_PRIVATE)

    def run(self, workspace: Workspace, fault: DiskFault, *arguments: str) -> tuple[int, Any, str]:
        """Run the program with `--json`; return the exit status, the document, and standard error.

        The files of the store are on the small file system during the run, and are copied back afterwards.
        """
        paths = {name: str(workspace.path / name) for name in ("before", "after", "out", "err")}
        store = workspace.store
        store.mkdir(exist_ok=True)
        store.rename(paths["before"])
        store.mkdir()
        more = {"store": str(store), "folder": str(workspace.path), "environ": workspace.env}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({**asdict(fault), **paths, **more, "arguments": [*arguments, "--json"]}),
            file=self._process.stdin,
            flush=True,
        )
        status = int(self._process.stdout.readline())
        store.rmdir()
        Path(paths["after"]).rename(store)
        shutil.rmtree(paths["before"])
        out, err = (Path(paths[name]).read_text() for name in ("out", "err"))
        workspace.captured += [out, err]
        return status, json.loads(out), err


# ── in the process ──────────────────────────────────────────────────────────────────────


def _fill_pages(store: str, leave: int) -> None:
    handle = os.open(f"{store}/{_FILLER}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    with contextlib.suppress(OSError):
        while True:
            os.write(handle, bytes(PAGE))
    os.ftruncate(handle, os.fstat(handle).st_size - leave * PAGE)
    os.close(handle)


def _fill_inodes(store: str, leave: int) -> None:
    made: list[str] = []
    with contextlib.suppress(OSError):
        while True:
            made.append(f"{store}/{_FILLER}-{len(made)}")
            os.close(os.open(made[-1], os.O_CREAT | os.O_WRONLY))
    for path in made[-1 - leave : -1]:
        os.unlink(path)


def _turn_read_only(store: str, _: int) -> None:
    """Make new files impossible and keep open files writable, as a failing disk does.

    A plain remount is refused while a lock file is open.
    """
    _call("mount", "--bind", store, store)
    _call("mount", "-o", "remount,bind,ro", store)


FAULTS: Final[dict[str, Callable[[str, int], None]]] = {
    "good": lambda _store, _leave: None,
    "full": _fill_pages,
    "no inodes": _fill_inodes,
    "read-only": _turn_read_only,
}


def _call(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _run(request: dict[str, Any]) -> int:
    prepare_process(request)
    emitters: Any = Emitter  # this process makes one run only
    emit = Emitter.emit

    def emits(emitter: Emitter, kind: str, *rest: Any) -> None:
        emit(emitter, kind, *rest)
        if kind == request["at"]:
            FAULTS[request["kind"]](request["store"], request["leave"])

    emitters.emit = emits
    return main(request["arguments"])


def _serve_one(request: dict[str, Any]) -> int:
    store = request["store"]
    _call("mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", store)
    shutil.copytree(request["before"], store, symlinks=True, dirs_exist_ok=True)
    if request["at"] == "start":
        FAULTS[request["kind"]](store, request["leave"])
    child = fork(partial(_run, request))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shutil.copytree(store, request["after"], symlinks=True, ignore=shutil.ignore_patterns(f"{_FILLER}*"))
    while os.path.ismount(store):
        _call("umount", store)
    return status


def _serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(f"{_serve_one(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
