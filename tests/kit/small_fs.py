"""The program on a small file system of its own that fills up, or turns read-only, while it runs.

``unshare --mount python -m tests.kit.small_fs`` loads the program once. For each line of JSON on its standard input
(:class:`Wish`) it mounts a tmpfs in the store's place, where nobody else sees it, puts there what is in ``before``,
forks a process that runs the program, copies what is left to ``after``, unmounts, and answers with the status.
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
from pathlib import Path
from typing import Any, Final

import dnsrenew.ca.client
import dnsrenew.challenges.dns01.leftovers
import dnsrenew.cli.renew
import dnsrenew.http.client
import dnsrenew.renewal.services
import dnsrenew.x509  # noqa: F401  # all of these are loaded here, once, and not in each process
from dnsrenew.cli import main
from dnsrenew.events import Emitter
from tests.kit.child import Child
from tests.lab.workspace import Workspace

PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_FILLER: Final = "filler"
_OPTIONS: Final = f"size={128 * PAGE},nr_inodes=256,mode=700"
_PRIVATE: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One run.

    :ivar fate: what happens to the file system: a key of :data:`FATES`.
    :ivar at: the event at which it happens; ``start``: before the program is started.
    :ivar leave: how much of what is used up is left.
    """

    fate: str = "good"
    at: str = "start"
    leave: int = 0


class SmallFs(Child):
    """The process that has the file systems, seen from the tests."""

    def __init__(self) -> None:
        super().__init__("tests.kit.small_fs", before=_PRIVATE)

    def run(self, workspace: Workspace, wish: Wish, *arguments: str) -> tuple[int, Any, str]:
        """Run the program with `--json`; return the status, the document, and what it said.

        What is in the store is on the small file system, and what is there in the end is in the store.
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
            json.dumps({**asdict(wish), **paths, **more, "arguments": [*arguments, "--json"]}),
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


# ── inside ──────────────────────────────────────────────────────────────────────────────


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
    """As a failing disk does: what is open stays open. A plain remount is refused while the file of a lock is."""
    _call("mount", "--bind", store, store)
    _call("mount", "-o", "remount,bind,ro", store)


FATES: Final[dict[str, Callable[[str, int], None]]] = {
    "good": lambda _store, _leave: None,
    "full": _fill_pages,
    "no inodes": _fill_inodes,
    "read-only": _turn_read_only,
}


def _call(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _run(wanted: dict[str, Any]) -> int:
    """Run the program in this process, which was made for it."""
    os.environ.clear()
    os.environ.update(wanted["environ"])
    os.chdir(wanted["folder"])
    for descriptor, stream in ((1, "out"), (2, "err")):
        os.dup2(os.open(wanted[stream], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    emitters: Any = Emitter  # of a process that is made for one run
    emit = Emitter.emit

    def emits(emitter: Emitter, kind: str, *rest: Any) -> None:
        emit(emitter, kind, *rest)
        if kind == wanted["at"]:
            FATES[wanted["fate"]](wanted["store"], wanted["leave"])

    emitters.emit = emits
    return main(wanted["arguments"])


def _answer(wanted: dict[str, Any]) -> int:
    store = wanted["store"]
    _call("mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", store)
    shutil.copytree(wanted["before"], store, symlinks=True, dirs_exist_ok=True)
    if wanted["at"] == "start":
        FATES[wanted["fate"]](store, wanted["leave"])
    child = os.fork()
    if not child:
        status = 70
        try:
            status = _run(wanted)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shutil.copytree(store, wanted["after"], symlinks=True, ignore=shutil.ignore_patterns(f"{_FILLER}*"))
    while os.path.ismount(store):
        _call("umount", store)
    return status


def _serve() -> None:
    for line in sys.stdin:
        sys.stdout.write(f"{_answer(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
