"""The command as a process: signals, pipes, full disks and start-up."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dnsrenew.base.model import CertificateSpec
from dnsrenew.base.runtime import Context
from dnsrenew.cli import main, program
from dnsrenew.store import FolderStore
from tests.kit.certificates import issue
from tests.kit.load import allowed

pty = pytest.importorskip("pty", reason="signals and terminals of POSIX")

ROOT = Path(__file__).parents[2]
STAGE = [sys.executable, "-W", "error", "-m", "tests.kit.cli_stage"]
PROGRAM = [sys.executable, "-W", "error", "-m", "dnsrenew"]
HANGING = """
import sys, threading
from types import SimpleNamespace
from dnsrenew.cli import main
from tests.kit.cli_stage import FakeConfig, FakeRenewer, Script, install, outcome
def play(emitter, cancel):
    emitter.emit("run-started", None, {"certificates": ["done", "home"]})
    Script(emitter, cancel, name="done").finish(outcome("done"))
    Script(emitter, threading.Event()).begin()
    threading.Event().wait()
specs = [SimpleNamespace(name=name, domains=("example.test",)) for name in ("done", "home")]
install(FakeRenewer(play), FakeConfig(certificates=tuple(specs)))
sys.exit(main(["renew", "--json", *sys.argv[1:]]))
"""
TALKING = """
import os, sys
from dnsrenew.cli import main
from tests.kit.cli_stage import FakeRenewer, Script, install, outcome
def play(emitter, cancel):
    script = Script(emitter, cancel)
    script.begin()
    for number in range(3000):  # more than any pipe holds
        emitter.emit("warning", "home", {"code": "w", "message": f"Warning {number}.", "fix": "Look " + 40 * "!"})
    os.write(int(sys.argv[1]), b"!")
    status = "interrupted" if cancel.wait(float(sys.argv[2])) else "renewed"
    emitter.emit("txt-removed", "home", {"records": script.records})
    return [script.finish(outcome("home", status))]
install(FakeRenewer(play))
sys.exit(main(sys.argv[3:]))
"""


def started(arguments: list[str]) -> subprocess.Popen[str]:
    """A process that has written its TXT values and waits for DNS."""
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "TXT values written" in line:
            break
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_run_tidily(number: int, status: int) -> None:
    """After a signal the TXT values are removed, the document is complete, and the exit status is the signal's."""
    process = started([*STAGE, "happy", "0.2", "renew", "--json"])
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == status
    document = json.loads(out)
    assert (document["outcomes"][0]["status"], document["error"]["code"]) == ("interrupted", "cancelled")
    assert "2 TXT values removed" in err
    assert "Traceback" not in err


def test_a_second_signal_ends_at_once() -> None:
    """A second signal ends the process at once. Standard output still gets a JSON document."""
    process = started([sys.executable, "-c", HANGING])
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "interrupt again" in process.stderr.readline()
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - before < allowed(2)
    assert process.returncode == 143
    assert json.loads(out)["error"]["code"] == "cancelled"


def test_a_renewal_that_hangs_is_left_behind() -> None:
    """The process ends within five seconds, even if a renewal hangs.

    The known result of each certificate is reported.
    """
    process = started([sys.executable, "-c", HANGING])
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - before < allowed(5.5)
    assert process.returncode == 130
    document = json.loads(out)
    assert document["error"]["code"] == "cancelled"
    done, hangs = document["outcomes"]
    assert (done["name"], done["status"], done["serial"]) == ("done", "renewed", "2f" * 16)
    assert (hangs["name"], hangs["status"], hangs["error"]["code"]) == ("home", "interrupted", "cancelled")
    assert hangs["domains"] == ["example.test"]
    assert "it first removes the TXT records" in err


def test_a_signal_before_the_run_begins() -> None:
    """A signal during --jitter ends the process too. The document has an outcome of each certificate, and the error."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, "--jitter", "600"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert any("(--jitter)" in process.stderr.readline() for _ in range(2))
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 143
    document = json.loads(out)
    assert document["error"]["code"] == "cancelled"
    assert [(outcome["name"], outcome["status"]) for outcome in document["outcomes"]] == [
        ("done", "interrupted"),
        ("home", "interrupted"),
    ]


def talking(seconds: float, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a process that has written more than the pipe takes. It then works for some seconds."""
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", TALKING, str(theirs), str(seconds), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pass_fds=[theirs],
        text=True,
    )
    os.close(theirs)
    with os.fdopen(ours) as told:
        if not select.select([told], [], [], 20)[0]:
            process.kill()
        assert told.read(1) == "!"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_reader_that_does_not_read_keeps_nobody_from_stopping(number: int, status: int) -> None:
    """A blocked standard output does not prevent a stop: the run cleans up, reports and ends."""
    process = talking(60, "renew", "--json")
    before = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == status
    assert time.monotonic() - before < allowed(5)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.load(process.stdout)["outcomes"][0]["status"] == "interrupted"
    process.stdout.close()
    process.stderr.close()


def test_a_result_that_nobody_reads_keeps_nobody_from_stopping() -> None:
    """The process waits for its reader until a signal arrives, and then ends."""
    process = talking(0, "renew", stderr=subprocess.STDOUT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    before = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    assert time.monotonic() - before < allowed(5)
    assert process.stdout is not None
    process.stdout.close()


def test_a_late_reader_gets_everything() -> None:
    """A late reader gets all lines in order, with the result last."""
    out, _ = talking(0.3, "renew", stderr=subprocess.STDOUT).communicate(timeout=20)
    lines = out.splitlines()
    warnings = [line for line in lines if "Warning" in line]
    assert [line.split()[3].rstrip(".") for line in warnings] == [str(number) for number in range(3000)]
    last = lines.index(warnings[-1])
    assert "TXT values written" in "\n".join(lines[:5])
    assert "removed" in lines[last + 1]
    assert any("home obtained" in line for line in lines[last + 2 :])


def test_a_reader_that_leaves_changes_nothing() -> None:
    """`dnsrenew renew | head -1` renews, ignores the broken pipe and has the exit status of the renewal."""
    for redirect in ("2>/dev/null", "2>&1"):
        line = f"set -o pipefail; {' '.join(STAGE)} happy 0.005 renew -v {redirect} | true"
        done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk needs Linux")
def test_a_result_that_cannot_be_written() -> None:
    """A full disk is reported as an error, with exit status 1."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*STAGE, "happy", "0", "renew", "--json", "-q"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"could not be written to standard output: No space left on device" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams(closed: str) -> None:
    """A run with closed streams still renews."""
    line = f"{' '.join(STAGE)} happy 0.005 renew --json {closed}"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def on_a_terminal(part: str, pace: str) -> tuple[str, int]:
    """Return the output on a pseudo-terminal, and the exit status."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [*STAGE, part, pace], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            read = os.read(ours, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not read:
            break
        seen += read
    os.close(ours)
    return seen.decode(), process.wait(timeout=10)


def test_the_display_on_a_real_terminal() -> None:
    """On a pseudo-terminal the block is rewritten in colour, and the cursor is restored."""
    text, status = on_a_terminal("happy", "0.02")
    assert status == 0
    assert "\x1b[32m✓\x1b[0m ns1.example.test 127.0.0.1" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert "home obtained: example.test, *.example.test" in text.rpartition("\x1b[?25h")[2]


def test_a_crowd_on_a_real_terminal() -> None:
    """The block counts the finished certificates. The result lists the failed one last."""
    text, status = on_a_terminal("crowd", "0.05")
    assert status == 1
    assert "  0 of 6 certificates done" in text
    assert "  5 of 6 certificates done, 1 failed" in text
    result = text.rpartition("\x1b[?25h")[2]
    assert "certificates done" not in result
    assert result.index("site5 obtained") < result.index("site2 failed") < result.index("6 certificates: ")


def test_ctrl_z_gives_the_cursor_back() -> None:
    """A paused run restores the cursor. After SIGCONT it continues as before."""
    terminal, slave = pty.openpty()
    # A group of its own, whose parent is of this session: in an orphaned group the kernel would stop no process.
    process = subprocess.Popen(
        [*STAGE, "happy", "0.2"], cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, process_group=0
    )
    os.close(slave)
    seen = b""
    while b"\x1b[?25l" not in seen:
        seen += os.read(terminal, 65536)
    process.send_signal(signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    while b"\x1b[?25h" not in seen:
        seen += os.read(terminal, 65536)
    process.send_signal(signal.SIGCONT)
    while True:
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # the last one has closed it
            break
    assert process.wait(10) == 0
    os.close(terminal)
    assert seen.count(b"\x1b[?25l") == 2
    assert seen.rstrip().endswith(b"privkey.pem")


def test_an_ascii_terminal() -> None:
    """In an ASCII locale, all output is ASCII."""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment.pop("PYTHONIOENCODING", None)
    done = subprocess.run([*STAGE, "happy", "0"], cwd=ROOT, capture_output=True, env=environment, check=False)
    assert done.stdout.startswith(b"+ home obtained: example.test")
    assert (done.stdout + done.stderr).isascii()


@pytest.mark.parametrize(
    ("line", "heavy"),
    [
        ("-V", {"argparse", "json", "logging", "threading", "dnsrenew.errors"}),
        ("--version", {"argparse", "dataclasses", "json", "logging", "threading", "dnsrenew.errors"}),
        ("--help", {"argparse", "dataclasses", "json", "logging", "threading", "dnsrenew.errors"}),
        ("renew --help", {"dnsrenew.renewer", "dnsrenew.config", "subprocess", "ssl", "tomllib"}),
        ("providers", {"dnsrenew.renewer", "urllib3", "dns", "acme", "ssl"}),
    ],
)
def test_nothing_heavy_is_loaded(line: str, heavy: set[str]) -> None:
    """A command does not import heavy modules that it does not need."""
    program = (
        "import sys; before = set(sys.modules); from dnsrenew.cli import main; "
        f"main({line.split()!r}); print(*(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) & heavy == set()


NOTIFY = '[notify]\nto = ["literal:json://127.0.0.1:1"]\n'


@pytest.mark.parametrize(("more", "allowed"), [("", set()), (NOTIFY, {"ssl"})], ids=["alone", "with messages"])
def test_a_run_with_nothing_to_do_loads_nothing_heavy(tmp_path: Path, more: str, allowed: set[str]) -> None:
    """A run with nothing due loads no heavy library and no module that compiles classes; for messages neither."""
    domains = ("a.example.com",)
    spec = CertificateSpec(name="home", domains=domains, identifiers=domains, ca="letsencrypt")
    store = FolderStore(tmp_path / "state")
    with store.lock("home", context=Context()):
        store.prove_writable("home")
        # Of no known CA, so that no renewal information is polled.
        store.keep(spec, "", *issue(domains, datetime.now(UTC)), state=store.read_state("home"))
    certificate = '[[certificate]]\nname = "home"\ndomains = ["a.example.com"]\nroutes = [{ challenge = "http-01" }]'
    (tmp_path / "dnsrenew.toml").write_text(f'contact = ["me@example.test"]\nagree_terms = true\n{certificate}\n{more}')
    (tmp_path / "dnsrenew.toml").chmod(0o600)
    program = (
        "import sys; from dnsrenew.cli import main; "
        f"main(['renew', '--config', {str(tmp_path / 'dnsrenew.toml')!r}]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {
        "acme",
        "apprise",
        "cryptography",
        "dataclasses",
        "difflib",
        "dns",
        "inspect",
        "ssl",
        "subprocess",
        "urllib3",
    }
    assert set(done.stderr.split()) & heavy == allowed
    assert "dnsrenew.renewal.batch" in done.stderr.split()


def test_run_as_a_module() -> None:
    """`python -m dnsrenew` runs the command."""
    done = subprocess.run([*PROGRAM, "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("dnsrenew ")


def test_stopped_before_it_began(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After Ctrl-C while the program is being loaded, standard output still gets a JSON document."""

    def interrupted(_arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "run", interrupted)
    assert main(["renew", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cancelled"
