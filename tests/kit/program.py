"""For test_bad_*.py and test_ending_*.py: a home user's folder with a certificate in force, and a run of the program.

What must hold: a typed error, the contract's exit status, no traceback, no secret, the old certificate whole.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.lab.lab import Lab

_TWO_SENTENCES = re.compile(r"[.!?]\s+[A-Z]")
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ROOT = os.geteuid() == 0
PATIENCE = 30.0


@dataclass(frozen=True)
class Kept:
    """The certificate that stood before; nothing that happens may touch it."""

    folder: Path
    files: dict[str, bytes]
    version: str

    @classmethod
    def place(cls, workspace: Workspace) -> Kept:
        """Put a certificate of this lab's CA into the workspace's store, as if it had been obtained there."""
        shutil.copytree(_template(workspace.lab), workspace.store, symlinks=True)
        return cls.of(workspace.store)

    @classmethod
    def of(cls, store: Path) -> Kept:
        """What is in force in a store."""
        current = store / "certificates" / "home" / "current"
        files = {file.name: file.read_bytes() for file in current.iterdir()}
        assert {"fullchain.pem", "privkey.pem", "cert.pem", "chain.pem"} <= set(files)
        return cls(current, files, str(current.readlink()))

    def assert_whole(self) -> None:
        """Byte for byte the same, still in force, and a pair that a server can use."""
        assert str(self.folder.readlink()) == self.version
        assert {file.name: file.read_bytes() for file in self.folder.iterdir()} == self.files
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            self.folder / "fullchain.pem", self.folder / "privkey.pem"
        )


@functools.cache
def _template(lab: Lab) -> Path:
    """A store with a certificate, obtained by the program, once for each lab."""
    workspace = Workspace(lab, lab.folder / "template")
    done = workspace.run("renew")
    assert done.returncode == 0, done.stderr
    lab.flush()  # or the CA's resolver would remember these TXT values
    return workspace.store


def check_error(error: Any, code: str, words: Iterable[str]) -> None:
    """An error as the contract has it: every part is there, the message says it, the fix is one sentence."""
    assert error is not None
    assert error["code"] == code, error
    assert _KEBAB.fullmatch(code)
    assert error["evidence"], error
    if "mistakes" not in error["evidence"]:  # those are lines for editors: FILE:LINE: KEY: …
        first, last = error["message"][0], error["message"].split()[-1]
        assert first.isupper() or first.isdigit() or first in "/-$", error
        assert last.endswith((".", "!", "?")) or last in error["evidence"].values(), (
            error
        )  # an address has no full stop
    missing = [word for word in words if word not in error["message"]]
    assert not missing, f"{missing} not in {error['message']!r}"
    assert len(error["fix"]) > 10, error
    assert not _TWO_SENTENCES.search(error["fix"]), f"more than one sentence: {error['fix']!r}"
    assert "Traceback" not in str(error)


def failed(
    workspace: Workspace, *arguments: str, code: str, words: Iterable[str], exits: int = 1, again: bool = True
) -> dict[str, Any]:
    """Run the program, which must fail like this; the outcome, or the document where there is none.

    `again`: run it for people with `-vv` too, which must tell the same (and give away no secret: the workspace looks).
    """
    workspace.lab.flush()
    status, document = workspace.run_json(*arguments)
    said = workspace.captured[-1]
    assert "Traceback" not in said
    found: dict[str, Any] = document["outcomes"][0] if "outcomes" in document else document
    assert document["version"] == 1
    check_error(found["error"], code, words)
    assert status == exits, said
    if "outcomes" in document:
        assert found["status"] == "failed"
    if again:
        workspace.lab.flush()
        done = workspace.run(*arguments, "-vv")
        assert done.returncode == exits
        assert code in done.stdout + done.stderr
    assert_no_key_told(workspace)
    return found


def assert_no_key_told(workspace: Workspace) -> None:
    """No private key of the store, whose files rightly hold them, was printed."""
    told = "\n".join(workspace.captured)
    assert "PRIVATE KEY" not in told
    for path in workspace.store.rglob("*key.pem") if workspace.store.is_dir() else ():
        lines = path.read_text().splitlines()
        assert not [line for line in lines if len(line) > 20 and "-----" not in line and line in told]


def run_inside(workspace: Workspace, prefix: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program under another: `prefix` is a command line that takes one at its end."""
    done = subprocess.run(
        [*prefix, *workspace.argv(*arguments)],
        cwd=workspace.path,
        env=workspace.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    workspace.captured += [done.stdout, done.stderr]
    return done


@dataclass
class Run:
    """`dnsrenew renew` under way; what it says is read as it comes."""

    workspace: Workspace
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def start(cls, workspace: Workspace, *arguments: str) -> Iterator[Run]:
        """Start it; it is ended with the block."""
        workspace.lab.flush()
        with workspace.start(*arguments) as process:  # closes the pipes, too
            run = cls(workspace, process)
            reader = threading.Thread(target=run._read, daemon=True)
            reader.start()
            try:
                yield run
            finally:
                process.kill()
                reader.join()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def wait_for(self, words: str) -> None:
        """Until it has said so."""
        end = time.monotonic() + PATIENCE
        while not any(words in line for line in self.lines):
            assert time.monotonic() < end, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.01)

    def stop(self, number: int, within: float = 5.0) -> tuple[int, Any]:
        """Send a signal; the exit status and the document."""
        started = time.monotonic()
        self.process.send_signal(number)
        ended = self.end()
        took = time.monotonic() - started
        assert took < within, f"{took:.1f} s: {''.join(self.lines)}"
        return ended

    def end(self) -> tuple[int, Any]:
        """Wait for its end; the exit status and the document."""
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        status = self.process.wait(PATIENCE)
        self.workspace.captured += [text, "".join(self.lines)]
        assert not any("Traceback" in line for line in self.lines)
        return status, json.loads(text)
