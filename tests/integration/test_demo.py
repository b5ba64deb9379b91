"""`make demo` works on any machine, checks what it shows, and leaves no file or process."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import secrets
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.kit.load import allowed

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0


@dataclass
class DemoStage:
    """Runs the demo in a session of its own, with temporary files only in `folder`."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Mark all descendants by a variable of the environment."""
        self.mark = f"demo-test-{secrets.token_hex(8)}"
        plain = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "TERM", "PYTHONIOENCODING"}}
        self.env = {**plain, "TMPDIR": str(self.folder), "DEMO_TEST": self.mark, "PYTHONUTF8": "1"}

    def start(
        self, *argv: str, terminal: int | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start the demo with its output in a pipe, or at a terminal."""
        output = subprocess.PIPE if terminal is None else terminal
        return subprocess.Popen(
            [sys.executable, *(argv or ("-m", "tests.lab.demo"))],
            cwd=_ROOT,
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )

    def run(self, *argv: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run the demo; return the exit status and the output."""
        with self.start(*argv, env=env) as process:
            output, _ = process.communicate(timeout=_PATIENCE)
        return process.returncode, output

    def left(self) -> list[str]:
        """The files and processes of the demo that are left."""
        found = [path.name for path in self.folder.iterdir()]
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark.encode() in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_text().replace("\0", " "))
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[DemoStage]:
    """A stage; afterwards no file and no process is left."""
    made = DemoStage(tmp_path)
    yield made
    assert made.left() == []


def test_the_demo(stage: DemoStage) -> None:
    """Without a terminal the demo prints plain lines. Every check holds, and the exit status is 0."""
    begin = time.monotonic()
    status, output = stage.run()
    assert status == 0, output
    assert time.monotonic() - begin < allowed(30)
    assert "\x1b" not in output
    assert "✗" not in output
    for wanted in (
        r"^dnsrenew: a certificate without port 80$",
        r"^  secondary  127\.0\.0\.2:\d{5}  BIND, 1 second behind$",
        r"^  ✓ another program has a TXT value at _acme-challenge\.example\.test; .* \d\.\d+ s later$",
        r'^  domains = \["example\.test", "\*\.example\.test"\]$',
        r"^\$ dnsrenew renew$",
        r"^  ✓ \d\.\d s in all\. The secondary showed the values \d\.\d+ s after the primary: .*",
        r"^\$ dnsrenew status$",
        r"^example\.test .* ✓ valid$",
        r"^\$ dnsrenew renew  # again, as a timer would$",
        r"^  ✓ \d+ ms, without a request to the CA$",
        r"^  ✓ its chain ends at Pebble Root CA [0-9a-f]{6}, and it is valid for example\.test$",
        r"^  ✓ its chain ends at Pebble Root CA [0-9a-f]{6}, and it is valid for any\.example\.test$",
        r"^  ✓ its names: DNS:example\.test, DNS:\*\.example\.test$",
        r"^  ✓ its private key belongs to it$",
        r"^  ✓ primary: the TXT values of dnsrenew are gone, that of another program is still there$",
        r"^  ✓ secondary: the TXT values of dnsrenew are gone, that of another program is still there$",
        r"^  ✓ all servers are stopped, .* is removed$",
        r"^✓ All 10 checks held, in \d+(\.\d)? s\.",
    ):
        assert re.search(wanted, output, re.MULTILINE), (wanted, output)


def test_a_narrow_terminal_without_colours_and_with_ascii_alone(stage: DemoStage) -> None:
    """With 40 columns, NO_COLOR and ASCII the output has no colour, and no line is longer than the terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    environment = {"TERM": "xterm-256color", "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    with stage.start(terminal=theirs, env=environment) as process:
        os.close(theirs)
        output = b""
        with suppress(OSError):  # EIO: the last one closed the terminal
            while part := os.read(ours, 65536):
                output += part
    os.close(ours)
    shown = output.decode("ascii").replace("\r\n", "\n")
    assert process.returncode == 0, shown
    assert "\x1b[?25l" in shown, "no live progress"
    assert not re.search(r"\x1b\[[0-9;]*m", shown)
    assert "+ All 10 checks held" in shown
    paragraphs = shown.partition("Is it true?")[2].splitlines()
    assert all(len(line) <= 40 for line in paragraphs if str(stage.folder) not in line)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("without port 80", id="starting", marks=pytest.mark.slow),
        pytest.param("(removed at the end)", id="before", marks=pytest.mark.slow),
        pytest.param("TXT values written", id="during"),
        pytest.param("Is it true?", id="after", marks=pytest.mark.slow),
    ],
)
def test_ctrl_c_leaves_nothing(stage: DemoStage, moment: str) -> None:
    """Ctrl-C at any stage of the demo ends it with exit status 130, and leaves no file or process."""
    with stage.start() as process:
        assert process.stdout is not None
        seen = ""
        while moment not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        begin = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, for the foreground processes
        rest, _ = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 130, rest
    assert time.monotonic() - begin < allowed(6)
    assert "Traceback" not in rest
    assert "Stopped half-way" in rest
    assert "all servers are stopped" in rest
    if moment == "TXT values written":
        assert "TXT values removed" in rest, "the program was not given the time to clean up"


def test_sigterm_is_passed_on(stage: DemoStage) -> None:
    """A SIGTERM for the demo stops the program, which cleans up; the exit status is 143."""
    with stage.start() as process:
        assert process.stdout is not None
        while "TXT values written" not in process.stdout.readline():
            pass
        process.terminate()
        rest, _ = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 143, rest
    assert "TXT values removed" in rest


def test_a_missing_program_is_one_sentence(stage: DemoStage) -> None:
    """Without Pebble and openssl nothing starts, and one sentence says what to install."""
    status, output = stage.run(env={"PATH": str(stage.folder / "nothing")})
    assert status == 1
    packages = "pebble openssl util-linux"
    assert output == f"✗ The demo needs pebble, openssl, setpriv, not installed here: apt-get install {packages}\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("demo.Workspace.argv = lambda *_: ['false']", "✗ dnsrenew renew ended with exit status 1"),
        pytest.param("demo._MEASURED = 50", "✗ the secondary was not later than the primary", marks=pytest.mark.slow),
        ("demo._LAG = 0", "✗ the secondary is not behind as it should be"),
    ],
    ids=["program-fails", "short-lag", "no-lag"],
)
def test_a_failed_check_is_printed(stage: DemoStage, change: str, said: str) -> None:
    """If the program fails or the secondary does not lag, the demo prints the failed check and exits with 1."""
    status, output = stage.run("-c", f"import sys\nfrom tests.lab import demo\n{change}\nsys.exit(demo.main())")
    assert status == 1
    assert said in output
    assert "did not hold" in output
    assert "all servers are stopped" in output
