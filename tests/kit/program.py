"""For test_bad_*.py and test_ending_*.py: a folder with a certificate in force, and runs of the program.

After every run: an error with a code, the documented exit status, no traceback, no secret, the old certificate whole.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from dnsrenew.cli import program
from tests.kit.load import allowed
from tests.lab.workspace import Workspace, forget_account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.lab.lab import Lab

_TWO_SENTENCES = re.compile(r"[.!?]\s+[A-Z]")
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ROOT = sys.platform != "win32" and os.geteuid() == 0
PATIENCE = 60.0


class WorkspaceHere(Workspace):
    """A workspace whose commands run in this process: an interpreter takes longer to start than most commands.

    A test file asks for it with ``WORKSPACE = WorkspaceHere``. In another language a command has a process of its own,
    in which the texts of the program are translated.
    """

    def run(
        self, *arguments: str, timeout: float = 60.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``dnsrenew ARGUMENTS`` in this folder."""
        if "--lang" in arguments or "LANG" in (env or {}):
            return super().run(*arguments, timeout=timeout, env=env)
        if "renew" in arguments:
            self.lab.flush()  # as a workspace does
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch.dict(os.environ, {**self.env, **(env or {})}, clear=True),
        ):
            status = program.run(arguments)
        self.captured += [out.getvalue(), err.getvalue()]
        return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class Case:
    """A fault, and the code, the words and the number of orders of the error that follows.

    :ivar again: whether the program is run with `-vv` too.
    """

    name: str
    breaking: Any
    code: str
    words: tuple[str, ...]
    orders: int = 0
    again: bool = True


@dataclass(frozen=True)
class Kept:
    """The certificate that was in force before; no failure may change it."""

    folder: Path
    files: dict[str, bytes]
    version: str

    @classmethod
    def place(cls, workspace: Workspace) -> Kept:
        """Put a certificate of this lab's CA into the workspace's store, as if the program had obtained it there."""
        kind = type(workspace)
        template = _template(workspace.lab, kind)  # type: ignore[arg-type]  # a class can be hashed
        shutil.copytree(template, workspace.store, symlinks=True)
        return cls.of(workspace.store)

    @classmethod
    def of(cls, store: Path) -> Kept:
        """Read the current certificate of a store."""
        current = store / "certificates" / "home" / "current"
        files = {file.name: file.read_bytes() for file in current.iterdir()}
        assert {"fullchain.pem", "privkey.pem", "cert.pem", "chain.pem"} <= set(files)
        return cls(current, files, str(current.readlink()))

    def assert_whole(self) -> None:
        """Check that the files are unchanged and in force, and that a server can use the pair."""
        assert str(self.folder.readlink()) == self.version
        assert {file.name: file.read_bytes() for file in self.folder.iterdir()} == self.files
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            self.folder / "fullchain.pem", self.folder / "privkey.pem"
        )


@functools.cache
def _template(lab: Lab, kind: type[Workspace]) -> Path:
    """A store with a certificate and no account, obtained by the program once for each lab and kind of workspace."""
    workspace = kind(lab, lab.folder / f"template-{kind.__name__}")
    done = workspace.run("renew")
    assert done.returncode == 0, done.stderr
    forget_account(workspace.store)
    lab.flush()  # or the CA's resolver would remember these TXT values
    return workspace.store


def check_error(error: Any, code: str, words: Iterable[str]) -> None:
    """Check an error: it has every part, the message has these words, the fix is one sentence."""
    assert error is not None
    assert error["code"] == code, error
    assert _KEBAB.fullmatch(code)
    assert error["evidence"], error
    if "mistakes" not in error["evidence"]:  # its message has lines for editors: FILE:LINE: KEY: …
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


def named_in(said: str, form: str) -> str:
    """Return the command that a message names, without the name of the program, to be typed as it stands.

    :param form: the command as the catalogue of texts has it, such as ``deploy {name} --force``.
    """
    pattern = re.sub(r"\\\{\w+\\\}", r"[\\w/.*:-]*\\w", re.escape(form))
    found = re.search(rf"(?<![\w.-])dnsrenew ({pattern}(?: --config [\w/.-]*\w)?)(?![\w-])", " ".join(said.split()))
    assert found is not None, said
    return found[1]


def failed(
    workspace: Workspace, *arguments: str, code: str, words: Iterable[str], exits: int = 1, again: bool = True
) -> dict[str, Any]:
    """Run the program, which must fail with this code; return the outcome, or the document if there is none.

    `again`: run it with `-vv` too, which must fail in the same way and print no secret.
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
    assert_no_key_printed(workspace)
    return found


def assert_no_key_printed(workspace: Workspace) -> None:
    """Check that no private key of the store was printed."""
    printed = "\n".join(workspace.captured)
    assert "PRIVATE KEY" not in printed
    for path in workspace.store.rglob("*key.pem") if workspace.store.is_dir() else ():
        lines = path.read_text().splitlines()
        assert not [line for line in lines if len(line) > 20 and "-----" not in line and line in printed]


def run_inside(workspace: Workspace, prefix: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program inside another program; `prefix` is a command line that takes one at its end."""
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
    """A running `dnsrenew renew`, whose standard error is read as it is written."""

    workspace: Workspace
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def start(cls, workspace: Workspace, *arguments: str) -> Iterator[Run]:
        """Start the program, and end it with the block."""
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
        """Wait until standard error has these words."""
        end = time.monotonic() + PATIENCE
        while not any(words in line for line in self.lines):
            assert time.monotonic() < end, self.lines
            assert self.process.poll() is None, self.lines
            time.sleep(0.01)

    def stop(self, number: int, within: float = 5.0) -> tuple[int, Any]:
        """Send a signal; return the exit status and the document."""
        started = time.monotonic()
        self.process.send_signal(number)
        ended = self.end()
        took = time.monotonic() - started
        assert took < allowed(within), f"{took:.1f} s: {''.join(self.lines)}"
        return ended

    def end(self) -> tuple[int, Any]:
        """Wait for the end; return the exit status and the document."""
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        status = self.process.wait(PATIENCE)
        self.workspace.captured += [text, "".join(self.lines)]
        assert not any("Traceback" in line for line in self.lines)
        return status, json.loads(text)
