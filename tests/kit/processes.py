"""The program in processes that end or stop at a point, and the renewal that they make."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from dnsrenew.base.model import rfc3339
from dnsrenew.store.journal import LATEST
from tests.kit.child import Child
from tests.kit.program import PATIENCE, Kept
from tests.lab import SECONDARY, Lab
from tests.lab.acmemessages import DROP, Request, Response
from tests.lab.workspace import Workspace

NAME: Final = "_acme-challenge.example.test"
FOREIGN: Final = "somebody-else-wrote-this"
NEVER: Final = "never"


class Zygote(Child):
    """Starts processes of the program that die at a point: see dying.py."""

    def __init__(self, module: str = "tests.kit.dying") -> None:
        super().__init__(module)

    def start(self, workspace: Workspace, point: str, *arguments: str, number: int = signal.SIGKILL) -> Run:
        """Start the program in a workspace."""
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=workspace.path))
        files = {what: str(folder / what) for what in ("passed", "heard", "out", "err")}
        wanted = {"point": point, "number": number, "arguments": arguments, **files}
        return Run(self._ask({**wanted, "folder": str(workspace.path), "environ": workspace.env}), self, folder)

    def wait(self, pid: int) -> int:
        """Wait for the end of a process; return its exit status."""
        return self._ask({"wait": pid})

    def _ask(self, wanted: Mapping[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(wanted), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


class End(NamedTuple):
    """The end of a process.

    :ivar status: minus the number of the signal that ended it, or the exit status.
    :ivar out: what it wrote to standard output, and in ``err`` to standard error.
    :ivar passed: the points that it passed.
    :ivar seconds: from the signal handler to the end; None: no signal was handled.
    """

    status: int
    out: str
    err: str
    passed: list[str]
    seconds: float | None


@dataclass
class Run:
    """A process that is running."""

    pid: int
    _zygote: Zygote
    _folder: Path

    def signal(self, number: int) -> None:
        """Send a signal, and wait until it is handled, unless it is SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        if number != signal.SIGKILL:
            wait_until((self._folder / "heard").exists)

    def has_passed(self, point: str) -> bool:
        """Tell whether the process has passed a point."""
        return point in self._read("passed").splitlines()

    def has_printed(self, words: str) -> bool:
        """Tell whether these words are on its standard output or standard error."""
        return words in self._read("out") + self._read("err")

    def _read(self, what: str) -> str:
        path = self._folder / what
        return path.read_text() if path.exists() else ""

    def end(self) -> int:
        """Wait for the end; return the exit status, or minus the number of the signal."""
        return self._zygote.wait(self.pid)

    def ended(self) -> End:
        """Wait for the end; return everything about it."""
        status, now = self.end(), time.time()
        out, err, passed = (self._read(what) for what in ("out", "err", "passed"))
        heard = self._folder / "heard"
        return End(status, out, err, passed.splitlines(), now - heard.stat().st_mtime if heard.exists() else None)


@dataclass
class ProcessStage:
    """A workspace whose CA counts its requests, and can kill the process at one of them.

    :ivar asked: the requests of the latest run that the CA has answered, by kind.
    """

    workspace: Workspace
    zygote: Zygote
    kind: str
    asked: Counter[str] = field(default_factory=Counter)
    _all: Counter[str] = field(default_factory=Counter)
    _sent: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _log_from: int = 0
    _deadly: str = ""
    _number: int = getattr(signal, "SIGKILL", 9)  # not on Windows
    _run: Run | None = None
    _known: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def orders(self) -> int:
        """The number of orders of all runs."""
        return self._all["newOrder"]

    @property
    def issued(self) -> int:
        """The number of certificates that the CA has issued."""
        return self._all["finalize"]

    @classmethod
    @contextlib.contextmanager
    def at(cls, workspace: Workspace, zygote: Zygote, kind: str) -> Iterator[ProcessStage]:
        """Make a stage: with a certificate in force that needs another kind of key, or with an empty store."""
        stage = cls(workspace, zygote, kind)
        stage._log_from = workspace.lab.pebble.process.log_path.stat().st_size
        if kind == "renewal":
            Kept.place(workspace)
        with workspace.lab.acme_proxy(stage._ask, stage._answered) as proxy:
            changes: dict[str, Any] = {"ca.lab.directory": proxy.directory_url, "certificate.0.key": "ecdsa-p384"}
            workspace.write(changes)
            yield stage

    def _ask(self, request: Request) -> Response | None:
        """Pass a request on; drop the second of two simultaneous challenges if the point is between them."""
        with self._lock:
            self._sent[request.kind] += 1
            late = request.kind == "challenge" and self._sent[request.kind] > 1
        return DROP if late and self._deadly == "the CA has answered challenge" else None

    def _answered(self, request: Request, response: Response) -> Response:
        """Record the CA's answer; at the point the answer is lost.

        What would depend on chance is fixed here: a validation is finished before its answer is sent, and renewal
        information is sent late.
        """
        if request.kind == "renewalInfo":
            self._wait_for_the_state()
        if response.status >= 400:  # `replaces` is refused: an earlier test has replaced this certificate
            return response
        with self._lock:
            self._all[request.kind] += 1
            self.asked[request.kind] += 1
            first = self.asked[request.kind] == 1
        if request.kind == "challenge":
            wait_until(lambda: self._validations() >= self._all["challenge"])
        if first and self._deadly == f"the CA has answered {request.kind}":
            assert self._known.wait(PATIENCE)
            assert self._run is not None
            self._run.signal(self._number)
            assert self._over.wait(PATIENCE)
        return response

    def _validations(self) -> int:
        """Return the number of validations that the CA has finished."""
        with self.workspace.lab.pebble.process.log_path.open("rb") as log:
            log.seek(self._log_from)
            return len(re.findall(rb"set (?:IN)?VALID by", log.read()))

    def _wait_for_the_state(self) -> None:
        """Delay the renewal information until the run has written its state, so that the number of writes is fixed."""
        run = self._run
        if run is not None:
            wait_until(lambda: self._over.is_set() or run.has_passed("disk: rename certificates/home/state.json"))

    def die(self, point: str, *arguments: str) -> list[str]:
        """Kill a run at the point; return the points that it passed."""
        end = self.signalled(point, *arguments or ("renew",), number=signal.SIGKILL)
        assert end.status == (0 if point == NEVER else -signal.SIGKILL), end
        return end.passed

    def signalled(self, point: str, *arguments: str, number: int) -> End:
        """Make a run that gets a signal at the point."""
        self._number = number
        self.asked.clear()
        self._sent.clear()
        self._deadly = point
        self._known.clear()
        self._over.clear()
        self._run = self.zygote.start(self.workspace, point, *arguments, number=number)
        self._known.set()
        end = self._run.ended()
        self._over.set()
        self._deadly = ""
        # Renewal information is requested while the store writes, so it has no fixed place among the points.
        asked = [f"the CA has answered {kind}" for kind in self.asked if kind != "renewalInfo"]
        return end._replace(passed=end.passed + asked)

    def ours(self) -> set[str]:
        """Our TXT values at both servers, once these agree."""
        lab = self.workspace.lab
        wait_until(lambda: lab.txt(NAME) == lab.txt(NAME, SECONDARY))
        found = lab.txt(NAME)
        assert FOREIGN in found
        return found - {FOREIGN}

    def next_run(self, *, forked: bool = False) -> tuple[str, int]:
        """Make a plain run, which must repair everything; return the outcome's status and the number of removed values.

        :param forked: fork the loaded program, which is faster; else start it as a timer does.
        """
        self.workspace.lab.flush()  # or the CA's resolver would still have the values of the killed run
        swept = sum(len(json.loads(path.read_text())["values"]) for path in self.journal("*.json"))
        if forked:
            end = self.zygote.start(self.workspace, NEVER, "renew", "--json").ended()
            status, document = end.status, json.loads(end.out)
        else:
            status, document = self.workspace.run_json("renew")
        (outcome,) = document["outcomes"]
        assert (status, outcome["error"], outcome["warnings"]) == (0, None, []), outcome
        self.assert_right(outcome)
        return outcome["status"], swept

    def assert_right(self, outcome: Any) -> None:
        """Check that no value of ours is in DNS or the journal, and that the new certificate is in force, complete."""
        assert self.ours() == set()
        settle(self.workspace)
        assert self.journal("*") == []
        Kept.of(self.workspace.store).assert_whole()
        leaf = self.leaf()
        assert is_new(leaf)
        assert f"{leaf.serial_number:x}" == outcome["serial"]
        state = json.loads((self.workspace.store / "certificates" / "home" / "state.json").read_text())
        assert state["serial"] == outcome["serial"]
        if outcome["status"] == "renewed":  # a run that is not due removes no temporary files
            assert list((self.workspace.store / "certificates").rglob(".tmp-*")) == []

    def leaf(self) -> x509.Certificate:
        """The certificate in force."""
        folder = self.workspace.store / "certificates" / "home" / "current"
        return x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes())

    def journal(self, pattern: str = "*") -> list[Path]:
        """The files in the journal, without incomplete ones, which are removed after an hour."""
        return [path for path in (self.workspace.store / "journal").glob(pattern) if not path.name.startswith(".tmp-")]


def settle(workspace: Workspace) -> None:
    """Let ten minutes pass for values whose removal a host has not confirmed, and remove them once more."""
    marks = list((workspace.store / "journal").glob("*.asked"))
    for mark in marks:
        path = mark.with_suffix(".json")
        page = json.loads(path.read_text())
        since = datetime.fromisoformat(page["since"]) - LATEST
        path.write_text(json.dumps({**page, "since": rfc3339(since)}))
    if marks:
        status, document = workspace.run_json("cleanup")
        assert (status, document["kept"]) == (0, [])


def wait_until(true: Callable[[], object]) -> None:
    """Wait until a condition is true; fail after PATIENCE. One that is costly to look at is looked at less often."""
    began = time.monotonic()
    end = began + PATIENCE
    while not true():
        now = time.monotonic()
        assert now < end
        time.sleep(max(0.01, min(2 * (now - began), 0.5)))
        began = time.monotonic()


def is_new(leaf: x509.Certificate) -> bool:
    """Tell whether the certificate is the one that the run was to obtain."""
    key = leaf.public_key()
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp384r1"


@contextlib.contextmanager
def foreign(lab: Lab) -> Iterator[None]:
    """Put a foreign value at our name during the block."""
    update = [("_acme-challenge", "TXT", f'"{FOREIGN}"')]
    lab.update("example.test", add=update)
    yield
    lab.update("example.test", remove=update)
