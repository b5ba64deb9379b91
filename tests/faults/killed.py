"""One renewal that is killed at a point, the next run, and what came of it; and the page that lists all of them.

``python -m tests.faults.killed`` runs them all and writes docs/killed-runs.md, which test_killed.py holds to be true.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.broken import PATIENCE, Kept
from tests.lab import SECONDARY, Lab
from tests.lab.acmemessages import Request, Response
from tests.lab.workspace import Workspace

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "killed-runs.md"
NAME: Final = "_acme-challenge.example.test"
FOREIGN: Final = "somebody-else-wrote-this"
NEVER: Final = "never"
_ROW: Final = re.compile(r"^\| (first|renewal) \| (.+?) \| (\d+) \| (\d+) \| (.+?) \| (\d+) \| (\d+) \|$", re.MULTILINE)


class Row(NamedTuple):
    """What the page says of one point.

    :ivar kind: ``renewal`` (a certificate is in force) or ``first`` (the store is not even there).
    :ivar left: TXT values of ours in DNS when the run was dead.
    :ivar orders: orders that it had made.
    :ivar then: the status of the next run's outcome.
    :ivar swept: TXT values that the next run removed before anything else.
    :ivar more: orders that the next run made.
    """

    kind: str
    point: str
    left: int
    orders: int
    then: str
    swept: int
    more: int


class Zygote:
    """Processes of the program that die at a point: see dying.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.dying"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()

    def start(self, workspace: Workspace, point: str, *arguments: str, number: int = signal.SIGKILL) -> Run:
        """Let a process run the program in a workspace; one at a time."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=workspace.path))
        files = {what: str(folder / what) for what in ("passed", "out", "err")}
        wanted = {"point": point, "number": number, "arguments": arguments, **files}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({**wanted, "folder": str(workspace.path), "environ": workspace.env}),
            file=self._process.stdin,
            flush=True,
        )
        return Run(int(self._process.stdout.readline()), self._process.stdout, folder)


@dataclass
class Run:
    """A process under way."""

    pid: int
    _answers: IO[str]
    _folder: Path

    def end(self) -> int:
        """Wait for its end, and return its status: minus the signal's number, if one ended it."""
        return int(self._answers.readline())

    def points(self) -> list[str]:
        """The points that it came by."""
        return (self._folder / "passed").read_text().splitlines()

    def said(self) -> tuple[str, str]:
        """What it wrote to standard output and to standard error; the workspace looks for secrets there too."""
        return (self._folder / "out").read_text(), (self._folder / "err").read_text()


@dataclass
class Stage:
    """A workspace whose CA counts orders, and takes the process with it when it is asked for something."""

    workspace: Workspace
    zygote: Zygote
    kind: str
    orders: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    _deadly: str = ""
    _number: int = signal.SIGKILL
    _run: Run | None = None
    _known: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextlib.contextmanager
    def at(cls, workspace: Workspace, zygote: Zygote, kind: str) -> Iterator[Stage]:
        """A certificate that is in force and is to be replaced by one with another kind of key; or none."""
        stage = cls(workspace, zygote, kind)
        if kind == "renewal":
            Kept.place(workspace)
        with workspace.lab.acme_proxy(on_response=stage._answered) as proxy:
            changes: dict[str, Any] = {"ca.lab.directory": proxy.directory_url, "certificate.0.key": "ecdsa-p384"}
            workspace.write(changes)
            yield stage

    def _answered(self, request: Request, response: Response) -> Response:
        """The CA has done what it was asked; perhaps nobody hears its answer."""
        if response.status >= 400:  # an order that replaces a certificate which an earlier test has replaced
            return response
        self.orders += request.kind == "newOrder"
        self.asked[request.kind] += 1
        if self._deadly == f"the CA has answered {request.kind}" and self.asked[request.kind] == 1:
            assert self._known.wait(PATIENCE)
            assert self._run is not None
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._run.pid, self._number)
        return response

    def die(self, point: str, *arguments: str, number: int = signal.SIGKILL) -> list[str]:
        """Run until the point; return the points that were come by."""
        status, said, passed = self.signalled(point, *arguments, number=number)
        assert status == (0 if point == NEVER else -number), said
        return passed

    def signalled(self, point: str, *arguments: str, number: int) -> tuple[int, str, list[str]]:
        """Run, with a signal at the point; return the status, what was said, the points that were come by."""
        self._number = number
        self.asked.clear()
        self._deadly = point
        self._known.clear()
        self._run = self.zygote.start(self.workspace, point, *arguments or ("renew",), number=number)
        self._known.set()
        status = self._run.end()
        self._deadly = ""
        # The CA's wish is asked while the store writes, and nothing depends on it: no point that has its place.
        asked = [kind for kind in self.asked if kind != "renewalInfo"]
        passed = self._run.points() + [f"the CA has answered {kind}" for kind in asked]
        return status, "".join(self._run.said()), passed

    def ours(self) -> set[str]:
        """Our values, at any of the two servers, once these agree."""
        end = time.monotonic() + PATIENCE
        while (found := self.workspace.lab.txt(NAME)) != self.workspace.lab.txt(NAME, SECONDARY):
            assert time.monotonic() < end
            time.sleep(0.02)
        assert FOREIGN in found
        return found - {FOREIGN}

    def next_run(self, *, forked: bool = False) -> tuple[str, int]:
        """A plain run puts everything right; return the outcome's status, and how many values were swept.

        :param forked: of the loaded program, which is quicker; else it is started as by a timer.
        """
        self.workspace.lab.flush()  # else the CA's resolver would keep the dead run's values for their second
        swept = sum(len(json.loads(path.read_text())["values"]) for path in self.journal("*.json"))
        if forked:
            run = self.zygote.start(self.workspace, NEVER, "renew", "--json")
            status, document = run.end(), json.loads(run.said()[0])
        else:
            status, document = self.workspace.run_json("renew")
        (outcome,) = document["outcomes"]
        assert (status, outcome["error"], outcome["warnings"]) == (0, None, []), outcome
        self.assert_right(outcome)
        return outcome["status"], swept

    def assert_right(self, outcome: Any) -> None:
        """Nothing of ours in DNS or in the journal; one certificate in force, the new one, whole."""
        assert self.ours() == set()
        assert self.journal("*") == []
        Kept.of(self.workspace.store).assert_whole()
        leaf = self.leaf()
        assert is_new(leaf)
        assert f"{leaf.serial_number:x}" == outcome["serial"]
        state = json.loads((self.workspace.store / "certificates" / "home" / "state.json").read_text())
        assert state["serial"] == outcome["serial"]
        # Where several processes write, a file that was not complete is removed after an hour.
        assert list((self.workspace.store / "certificates").rglob(".tmp-*")) == []

    def leaf(self) -> x509.Certificate:
        """The certificate in force."""
        folder = self.workspace.store / "certificates" / "home" / "current"
        return x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes())

    def journal(self, pattern: str = "*") -> list[Path]:
        """What is in the journal; a file that was not complete is none, and is removed after an hour."""
        return [path for path in (self.workspace.store / "journal").glob(pattern) if not path.name.startswith(".tmp-")]


def is_new(leaf: x509.Certificate) -> bool:
    """Whether it is the one that the run was to obtain."""
    key = leaf.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1"


@contextlib.contextmanager
def foreign(lab: Lab) -> Iterator[None]:
    """A value of somebody else at our name."""
    update = [("_acme-challenge", "TXT", f'"{FOREIGN}"')]
    lab.update("example.test", add=update)
    yield
    lab.update("example.test", remove=update)


def points(workspace: Workspace, zygote: Zygote, kind: str) -> list[str]:
    """All points of a run that is left alone, in their order."""
    with Stage.at(workspace, zygote, kind) as stage:
        return stage.die(NEVER)


def killed_at(workspace: Workspace, zygote: Zygote, kind: str, point: str) -> Row:
    """Kill a run at a point, make the next one, and see that all is right."""
    with Stage.at(workspace, zygote, kind) as stage:
        before = Kept.of(workspace.store) if kind == "renewal" else None
        stage.die(point)
        left, orders = len(stage.ours()), stage.orders
        if before is not None:
            _assert_served(workspace, before)
        then, swept = stage.next_run(forked=point.startswith("disk"))
        return Row(kind, point, left, orders, then, swept, stage.orders - orders)


def _assert_served(workspace: Workspace, before: Kept) -> None:
    """A server that reads `current` now gets a whole pair: the old one, or the new one."""
    now = Kept.of(workspace.store)
    now.assert_whole()
    if now.version == before.version:
        assert now.files == before.files


def rows() -> list[Row]:
    """What the page says."""
    found = _ROW.findall(PAGE.read_text("utf-8"))
    return [
        Row(kind, point.strip("`"), int(a), int(b), then, int(c), int(d)) for kind, point, a, b, then, c, d in found
    ]


_HEAD = """\
# Killed runs

Each line is a run that was ended by SIGKILL (`kill -9`, or the kernel short of memory) at one point, and the run after
it, a plain `dnsrenew renew`, with Pebble as the CA and two BIND name servers. After that run, each time: no TXT value
of ours at either server, a foreign value at the same name untouched, nothing in the journal, and one certificate in
force that is whole. In between, a server that read `current` got a whole certificate too.

- *run*: `renewal` replaces a certificate that is in force; `first` finds an empty folder (only the points that are not
  in a renewal).
- *killed*: an `event` just before anybody heard of it; `disk` just before that operation; `add` and `remove` at the DNS
  host; at the CA, after it did what it was asked for and before its answer came. `aside` is a file with a name of its
  own, which is renamed when it is complete.
- *left*: TXT values that the dead run left in DNS. *orders*: orders that it had made.
- *next run*: its outcome. *swept*: TXT values that it found in the journal, and removed first. *more*: orders it made.

This page is written by `python -m tests.faults.killed`; a test repeats every line.

| run | killed | left | orders | next run | swept | more |
|---|---|---|---|---|---|---|
"""


def page(found: list[Row]) -> str:
    """Return the page."""
    lines = [
        f"| {row.kind} | `{row.point}` | {row.left} | {row.orders} | {row.then} | {row.swept} | {row.more} |"
        for row in found
    ]
    return _HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Run everything, and write the page."""
    with tempfile.TemporaryDirectory() as folder, Lab.start() as lab, Zygote() as zygote, foreign(lab):
        number = iter(range(10_000))

        def fresh() -> Workspace:
            lab.flush()
            return Workspace(lab, Path(folder) / str(next(number)))

        renewal = points(fresh(), zygote, "renewal")
        first = [point for point in points(fresh(), zygote, "first") if point not in renewal]
        wanted = [("renewal", point) for point in renewal] + [("first", point) for point in first]
        found = [killed_at(fresh(), zygote, kind, point) for kind, point in wanted]
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
