"""Programs are run as lists, without a shell, with only the environment that they need and without secrets."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import select
import socket
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from dnsrenew.base import subprocesses, threads
from dnsrenew.base.secrets import Secret
from dnsrenew.base.subprocesses import environment, run
from dnsrenew.errors import Cancelled, SecretError
from dnsrenew.schedule import installer
from dnsrenew.schedule.host import make_plan
from docs.syntax import nodes_of
from tests.kit.config_files import load, mistake
from tests.kit.schedule_stage import DEBIAN_USER, JOB_OF_JOE, Programs, in_folder

PACKAGE = Path(__file__).parents[2] / "dnsrenew"
CANARY = "canary-environment-51b7"
TELLS_ALL = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"


@pytest.fixture(autouse=True)
def secrets_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put secrets into the environment, as users of `env:` references and proxies have them."""
    for name in ("CLOUDFLARE_TOKEN", "DNSRENEW_X", "LEXICON_CLOUDFLARE_TOKEN", "AWS_SECRET_ACCESS_KEY", "VAULT_TOKEN"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("https_proxy", f"http://joe:{CANARY}@proxy.test/")
    monkeypatch.setenv("PYTHONWARNINGS", "")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")


def environment_of(secret: Secret) -> tuple[dict[str, str], list[str]]:
    """Return the environment and the arguments that a secret's program got."""
    environ, arguments = json.loads(secret.reveal())
    return environ, arguments


def test_a_program_gets_what_it_needs_and_no_secret() -> None:
    """A program gets the search path, the home directory and the language, and no secret."""
    environ, arguments = environment_of(Secret.command([sys.executable, "-c", TELLS_ALL]))
    assert environ["PATH"] == os.environ["PATH"]
    assert environ["LC_TIME"] == "de_DE.UTF-8"
    assert environ.keys() - {"LC_CTYPE"} <= environment().keys()  # Python sets that one itself
    assert CANARY not in json.dumps([environ, arguments])


def test_a_variable_that_is_named_is_passed_on(tmp_path: Path) -> None:
    """In addition, a program gets only the variables in `env`."""
    program = json.dumps([sys.executable, "-c", TELLS_ALL])
    config = load(
        tmp_path,
        '[dns.home]\nprovider = "duckdns"\n'
        f'token = {{ command = {program}, env = ["VAULT_TOKEN", "NOT_SET"] }}\n'
        '[[certificate]]\ndomains = ["home.duckdns.org"]\n',
    )
    token = config.accounts["home"].options["token"]
    assert isinstance(token, Secret)
    environ, _ = environment_of(token)
    assert [name for name, value in environ.items() if CANARY in value] == ["VAULT_TOKEN"]
    assert "NOT_SET" not in environ


@pytest.mark.parametrize("names", ['"VAULT_TOKEN"', "[1]", '[""]', '["A=B"]', '["A\\u0000"]', "{}"])
def test_invalid_names_of_variables(tmp_path: Path, names: str) -> None:
    """An invalid variable name is a mistake in the configuration."""
    found = mistake(
        tmp_path,
        f'[dns.home]\nprovider = "duckdns"\ntoken = {{ command = ["x"], env = {names} }}\n'
        '[[certificate]]\ndomains = ["home.duckdns.org"]\n',
    )
    assert (found["key"], "environment variables" in found["expected"]) == ("dns.home.token", True)


def test_programs_of_the_schedule_get_as_little() -> None:
    """Programs of the schedule get no secret and run in English, because their output is parsed."""
    ran = installer.run_program([sys.executable, "-c", TELLS_ALL])
    environ, _ = json.loads(ran.out)
    assert environ["LC_ALL"] == "C"
    assert environ.keys() - {"LC_CTYPE"} <= {*environment(), "LC_ALL"}
    assert CANARY not in ran.out


def test_the_output_of_a_failed_program_is_hidden() -> None:
    """The output is neither in the error nor in a variable of the traceback."""
    program = "import os, sys; print(os.environ['VAULT_TOKEN']); sys.exit(3)"
    prints = Secret.command([sys.executable, "-c", program], env=["VAULT_TOKEN"])
    with pytest.raises(SecretError) as caught:
        prints.reveal()
    whole = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [line for line in whole.format() if "/dnsrenew/base/secrets/__init__.py" in line]
    assert frames
    assert not any(CANARY in line for line in frames)
    assert caught.value.__cause__ is None


# ── end of them ───────────────────────────────────────────────────────────────────────────

HOLDS = "import socket, sys; s = socket.create_connection(('127.0.0.1', {port})); s.send(b'.'); {then}"
STAYS = "s.recv(1)"  # until the test ends
STARTS_ANOTHER = "import subprocess; subprocess.Popen([sys.executable, '-c', {another!r}])"
ASKS = """
import sys, threading
from dnsrenew.base.secrets import Secret
from dnsrenew.cli.signals import SignalHandler
asked = Secret.command([sys.executable, "-c", sys.argv[1]])
threading.Thread(target=asked.reveal, daemon=True).start()
sys.stdin.read()
{end}
"""


class Witness:
    """Counts running programs: each holds a connection to it until it ends."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(30)
        self.port = self._server.getsockname()[1]
        self._seen: list[socket.socket] = []

    def program(self, then: str) -> list[str]:
        """A program that connects and then runs this code."""
        return [sys.executable, "-c", HOLDS.format(port=self.port, then=then)]

    def pair(self, then: str) -> list[str]:
        """A program that starts another one, which keeps its output open, and then runs this code."""
        return self.program(f"{STARTS_ANOTHER.format(another=self.program(STAYS)[2])}; {then}")

    def wait_for_starts(self, number: int) -> None:
        """Wait until this number of programs has connected."""
        for _ in range(number):
            came = self._server.accept()[0]
            came.settimeout(30)
            assert came.recv(1) == b"."
            self._seen.append(came)

    def wait_for_ends(self) -> None:
        """Wait until all programs have ended."""
        for one in self._seen:
            with contextlib.suppress(ConnectionError):
                assert one.recv(1) == b""

    def number_left(self) -> int:
        """The number of programs that are still running."""
        return len(self._seen) - len(select.select(self._seen, [], [], 0)[0])

    def close(self) -> None:
        """Close all connections."""
        for one in (self._server, *self._seen):
            one.close()


@pytest.fixture
def witness() -> Iterator[Witness]:
    """A witness."""
    made = Witness()
    yield made
    made.close()


def message_of(secret: Secret) -> str:
    """Return the message of a secret that cannot be read."""
    with pytest.raises(SecretError) as caught:
        secret.reveal()
    assert caught.value.code == "secret-missing"
    return caught.value.message


PAIR = 1 if sys.platform == "win32" else 2
"""The number of programs that end: on Windows, the child of a program may continue."""


def test_a_program_that_takes_too_long(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its time limit the program is ended together with its children."""
    now = [0.0]
    monkeypatch.setattr(subprocesses, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asked = threads.start(lambda: message_of(Secret.command(witness.pair(STAYS))))
    witness.wait_for_starts(PAIR)
    assert not asked.done.is_set()
    now[0] = 30.0
    assert asked.done.wait(20)
    assert "was still running after 30 s" in asked.result()
    witness.wait_for_ends()


def test_a_program_that_is_not_waited_for_any_more(witness: Witness) -> None:
    """Cancellation ends the program with its children, and no further program is started."""
    cancel = threading.Event()
    secret = Secret.command(witness.pair(STAYS))
    asked = threads.start(lambda: secret.reveal(cancel=cancel))
    witness.wait_for_starts(PAIR)
    cancel.set()
    witness.wait_for_ends()
    assert asked.done.wait(20)
    for again in (asked.result, lambda: secret.reveal(cancel=cancel)):
        with pytest.raises(Cancelled):
            again()


def test_a_program_that_prints_for_ever() -> None:
    """A program that prints too much is ended, and its output is truncated at the limit."""
    endless = "import sys\nwhile True: sys.stdout.write('secret' * 1000)"
    assert "printed more than 64 KiB" in message_of(Secret.command([sys.executable, "-c", endless]))
    ended = run([sys.executable, "-c", endless], env=environment(), seconds=30, limit=1000)
    assert ended.status != 0
    assert 1000 < len(ended.output) <= 2000


@pytest.mark.parametrize(("size", "fits"), [(1 << 16, True), ((1 << 16) + 1, False)])
def test_the_most_that_a_program_may_print(size: int, fits: bool) -> None:
    """A program may print at most 64 KiB."""
    prints = Secret.command([sys.executable, "-c", f"print('x' * {size}, end='')"])
    if fits:
        assert len(prints.reveal()) == size
    else:
        assert "printed more than 64 KiB" in message_of(prints)


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe is handed on there only on purpose")
def test_a_child_that_a_program_leaves_running(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child process that a program leaves running continues.

    It is not waited for, although it keeps the output open.
    """
    monkeypatch.setattr(subprocesses, "_LINGER", 0.2)
    leaves = witness.pair("s.close(); print('told', flush=True)")
    assert Secret.command(leaves).reveal() == "told"
    witness.wait_for_starts(2)
    assert witness.number_left() == 1


@pytest.mark.parametrize(
    "end",
    ["", "i = SignalHandler(iter((0, 1)).__next__); i._statuses = {2: 130}; i._handle(2, None); i._handle(2, None)"],
)
def test_no_program_outlives_us(witness: Witness, end: str) -> None:
    """When the process exits, normally or at once, its programs and their children end."""
    words = [sys.executable, "-c", ASKS.format(end=end), witness.pair(STAYS)[2]]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as ours:
        witness.wait_for_starts(PAIR)
        ours.communicate(timeout=30)
    assert ours.returncode == (130 if end else 0)
    witness.wait_for_ends()


@pytest.mark.skipif(sys.platform == "win32", reason="nothing watches a program there")
def test_no_program_outlives_us_after_a_kill(witness: Witness) -> None:
    """When the process is killed, its programs and their children end."""
    words = [sys.executable, "-c", ASKS.format(end=""), witness.pair(STAYS)[2]]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as ours:
        witness.wait_for_starts(PAIR)
        ours.kill()
    witness.wait_for_ends()


@pytest.mark.skipif(sys.platform == "win32", reason="nothing watches a program there")
def test_what_watches_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """What watches a program has a search path alone and ends with the program. It is not needed to run one."""
    started: list[subprocess.Popen[bytes]] = []
    given: list[object] = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]  # generic only for type checkers
        def __init__(self, arguments: list[str], **how: object) -> None:
            super().__init__(arguments, **how)  # type: ignore[call-overload]  # as given
            started.append(self)
            given.append(how["env"])

    monkeypatch.setattr(subprocess, "Popen", Popen)
    run([sys.executable, "-c", ""], env=environment(), seconds=30, limit=10)
    assert [each.returncode for each in started] == [0, 0]
    assert given[1] == {"PATH": "/bin:/usr/bin"}
    monkeypatch.setattr(subprocesses, "_SHELL", "/nonexistent/sh")
    assert run([sys.executable, "-c", "print(1)"], env=environment(), seconds=30, limit=10).output == b"1\n"


@pytest.mark.parametrize(("mask", "folder"), [(0o000, 0o755), (0o027, 0o750), (0o077, 0o700), (0o777, 0o700)])
def test_what_a_schedule_writes_is_open_to_no_other_writer(tmp_path: Path, mask: int, folder: int) -> None:
    """Under any umask only the owner can write to the created files and folders."""
    plan = make_plan("systemd", JOB_OF_JOE, in_folder(DEBIAN_USER, tmp_path))
    old = os.umask(mask)
    try:
        installer.install(plan, Programs())
    finally:
        os.umask(old)
    made = list((tmp_path / ".config").rglob("*"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".config", *made)}
    assert modes == {folder, 0o644}


# ── in the source ───────────────────────────────────────────────────────────────────────


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield every call in the package, with its file and line."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in nodes_of(path.read_text("utf-8")):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_program_is_a_list_with_an_environment_and_a_time_limit() -> None:
    """Programs are started in two places only, without a shell."""
    found: dict[str, set[str | None]] = {}
    ways = {"base/subprocesses.py": "subprocess.Popen", "schedule/installer.py": "subprocess.run"}
    for place, call in calls():
        module = call.func.value if isinstance(call.func, ast.Attribute) else None
        name = ast.unparse(call.func) if isinstance(module, ast.Name) else ""
        assert not name.startswith(("os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn", "pty.")), place
        is_quoting = name == "subprocess.list2cmdline"
        if name.startswith(("subprocess.", "asyncio.create_subprocess")) and not is_quoting:
            file = place.partition(":")[0]
            assert name == ways.get(file), place
            found[file] = {keyword.arg for keyword in call.keywords}
    assert found.keys() == ways.keys()
    for given in found.values():
        assert "env" in given
        assert "shell" not in given
    assert "timeout" in found["schedule/installer.py"]
    assert inspect.signature(run).parameters["seconds"].default is inspect.Parameter.empty


def test_no_way_round_the_verification_of_tls() -> None:
    """The package does not disable TLS verification for a CA, a DNS host or a resolver.

    Exempt is the context for connections whose certificate is compared or inspected instead.
    """
    for place, call in calls():
        for keyword in call.keywords:
            if keyword.arg in {"verify", "check_hostname", "assert_hostname"}:
                assert ast.unparse(keyword.value) not in {"False", "None", "0"}, place
            assert keyword.arg != "cert_reqs", place
    words = (
        "CERT_NONE",
        "CERT_OPTIONAL",
        "check_hostname = ",
        "_create_unverified",
        "disable_warnings",
        "PROTOCOL_TLS)",
    )
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text("utf-8")
        compares = path.parts[-3:] == ("base", "x509", "__init__.py")
        assert compares or not [word for word in words if word in text], path
