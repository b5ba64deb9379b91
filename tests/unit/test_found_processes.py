"""Which processes may decide something: whose they are, what they run, and what a process can pretend."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dnsrenew.base import found
from dnsrenew.base.found import Discovery, RunningProgram, UntrustedError, running_program, running_programs, unit_of
from dnsrenew.base.values import replace
from dnsrenew.challenges.listeners import PortOwner, owner_of
from tests.kit.namespaces import run_python
from tests.kit.users import NOBODY, as_root, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes as Linux shows them")
JOE = 54321
SLEEP = shutil.which("sleep") or ""
WAITS = "import sys; print('ready', flush=True); sys.stdin.read()"
"""A program that waits until its input ends."""


@pytest.fixture
def folder(open_path: Path) -> Path:
    """A folder that every user can read."""
    return open_path


def seen(process: subprocess.Popen[str]) -> RunningProgram:
    """A process as it is found."""
    program = running_program(process.pid)
    assert program is not None
    return program


@pytest.mark.parametrize(
    ("user", "trusted"), [(0, {0}), (JOE, {0, JOE}), (NOBODY, {0, NOBODY})], ids=["root", "joe", "nobody"]
)
def test_whose_process(user: int, trusted: set[int]) -> None:
    """The processes of the running user and of root are trusted, those of others are not, whatever their name is."""
    discovery = Discovery(uid=user)
    for uid in (0, JOE, NOBODY):
        program = RunningProgram(7, "nginx", ("nginx", "-c", "/etc/nginx/nginx.conf"), uid=uid, executable=SLEEP)
        assert discovery.is_trusted_process(program) is (uid in trusted)
        assert not discovery.is_trusted_process(replace(program, is_elsewhere=True))
    assert not discovery.is_trusted_process(RunningProgram(7, "nginx", ("nginx",)))


@as_root
def test_what_it_runs_and_where_its_configuration_is(folder: Path) -> None:
    """A process of root is not trusted if others can change its program, or its configuration."""
    program, config = folder / "nginx", folder / "nginx.conf"
    for file in (program, config):
        file.touch()
    ours = RunningProgram(7, "nginx", ("nginx",), uid=0, executable=str(program))
    assert Discovery().is_trusted_process(ours, str(config))
    os.chown(config, NOBODY, NOBODY)
    assert not Discovery().is_trusted_process(ours, str(config))
    assert Discovery().is_trusted_process(ours)
    os.chown(program, NOBODY, NOBODY)
    assert not Discovery().is_trusted_process(ours)


@pytest.fixture
def systemctl(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A systemctl that says that process 7 is the main one of `caddy.service`."""
    script = folder / "systemctl"
    script.write_text('#!/bin/sh\n[ "$*" = "show --property=MainPID -- caddy.service" ] && echo MainPID=7 || exit 1\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return script


@as_root
def test_the_main_process_of_a_service(systemctl: Path) -> None:
    """Root trusts the main process of a system's service, not the others in it, but not what it says by its command."""
    main = RunningProgram(7, "caddy", ("caddy",), uid=JOE, executable=SLEEP, unit="caddy")
    assert Discovery(uid=0).is_trusted_process(main)
    assert not Discovery(uid=0).is_own_process(main)
    gone = str(systemctl.with_name("gone"))
    for changes in ({"pid": 8}, {"unit": "php-fpm"}, {"unit": ""}, {"executable": gone}, {"executable": ""}):
        assert not Discovery(uid=0).is_trusted_process(replace(main, **changes))
    assert not Discovery(uid=NOBODY).is_trusted_process(main)
    os.chown(systemctl, NOBODY, NOBODY)
    assert not Discovery(uid=0).is_trusted_process(main)


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/nginx.service", "nginx"),
        ("12:memory:/x\n1:name=systemd:/system.slice/nginx.service\n0::/system.slice/nginx.service", "nginx"),
        ("0::/web.slice/web-blue.slice/caddy@a.service", "caddy@a"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/system.slice/nginx.service", ""),
        ("0::/system.slice/jupyterhub.service/system.slice/nginx.service", ""),
        ("0::/system.slice/docker-0123.scope/system.slice/nginx.service", ""),
        ("0::/machine.slice/nginx.service", ""),
        ("0::/../system.slice/nginx.service", ""),
        ("3:cpu:/system.slice/nginx.service\n0::/", ""),
        ("0::/system.slice/nginx.service (deleted)", ""),
        *((f"0::/system.slice/{name}.service", "") for name in ("cron", "ssh@1-a", "atd", "getty@tty1", "docker")),
    ],
)
def test_the_service_of_a_process(open_path: Path, groups: str, unit: str) -> None:
    """Only a service that systemd itself made counts: users name control groups in theirs as they like."""
    (open_path / "7").mkdir()
    (open_path / "7" / "cgroup").write_text(f"{groups}\n")
    assert unit_of(7, str(open_path)) == unit
    assert unit_of(8, str(open_path)) == ""


@as_root
def test_a_name_that_was_chosen(folder: Path) -> None:
    """A process of nobody that calls itself nginx is nobody's."""
    with started(["nginx", "100"], SLEEP, folder) as process:
        program = seen(process)
    assert (program.command, program.uid, program.user) == (("nginx", "100"), NOBODY, "nobody")
    assert program.is_called("nginx")
    assert not Discovery().is_trusted_process(program)


@as_root
@pytest.mark.parametrize("uid", [NOBODY, 0])
def test_a_program_with_the_set_user_id_bit(folder: Path, uid: int) -> None:
    """A program of root that another user starts has that user's command line, even if it is all root's, as sudo."""
    lent = folder / "lent"
    shutil.copy(SLEEP, lent)
    lent.chmod(0o4755)
    with started(["nginx", "100"], str(lent), folder, uid=uid) as process:
        program = seen(process)
        assert not Discovery().is_trusted_process(program)
        assert (program.uid, program.executable) == (uid, str(lent))


def test_another_program_in_the_same_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that becomes another program while it is looked at is left out: nothing of both is mixed."""
    becomes = f"{WAITS.replace('read()', 'readline()')}; import os; os.execv({SLEEP!r}, ['nginx', '100'])"
    with started(
        [sys.executable, "-c", becomes], sys.executable, folder, uid=os.geteuid(), wait_for="ready"
    ) as process:
        before = os.readlink(f"/proc/{process.pid}/exe")

        def meanwhile(pid: int) -> str:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
            while os.readlink(f"/proc/{pid}/exe") == before:
                pass
            return unit_of(pid)

        monkeypatch.setattr(found, "unit_of", meanwhile)
        assert running_program(process.pid) is None
        monkeypatch.undo()
        assert seen(process).command == ("nginx", "100")
    assert running_program(process.pid) is None


def test_another_process_with_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ended, and whose number another one has, is left out."""
    starts = iter((1.0, 2.0))
    monkeypatch.setattr("psutil.Process.create_time", lambda _: next(starts))
    assert running_program(os.getpid()) is None


@as_root
def test_another_root_folder(folder: Path) -> None:
    """A process with other mounts and another root folder, as in a container, is elsewhere; with one of both it is not.

    systemd gives services a mount namespace, for PrivateTmp; HAProxy changes its root folder.
    """
    leaves = f"import os; os.chroot({str(folder)!r}); {WAITS}"
    env, unshare = shutil.which("env") or "", shutil.which("unshare") or ""
    for first, code, elsewhere in (
        ([unshare, "--mount"], leaves, True),
        ([unshare, "--mount"], WAITS, False),
        ([env], leaves, False),
    ):
        argv = [*first, sys.executable, "-c", code]
        with started(argv, first[0], folder, uid=0, wait_for="ready") as process:
            program = seen(process)
            assert (program.is_elsewhere, Discovery().is_trusted_process(program)) == (elsewhere, not elsewhere)


_IN_A_CONTAINER = """
import os, subprocess, sys, time
from dnsrenew.base import path_trust, users
from dnsrenew.base.found import Discovery, running_program
import psutil

root, outside = sys.argv[1], os.getppid()
os.mkdir(root + "/proc")
subprocess.run(["mount", "-t", "proc", "proc", root + "/proc"], check=True)
os.chroot(root)
os.chdir("/")
inside = os.fork()
if inside == 0:
    time.sleep(60)
programs = [running_program(inside), running_program(outside)]
print([(each.is_elsewhere, Discovery().is_trusted_process(each)) for each in programs])
os.kill(inside, 9)
"""


@as_root
def test_within_a_container(folder: Path) -> None:
    """In a container, the processes of that container are trusted, those with other root folders are not."""
    assert run_python(_IN_A_CONTAINER, str(folder), unshare=("--mount",)).strip() == "[(False, True), (True, False)]"


@as_root
def test_what_is_not_trusted_is_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link of another user is not opened: it could lead to a device that does something then. The read is bounded."""
    own = folder / "own"
    own.write_bytes(b"0123456789")
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    link = folder / "link"
    link.symlink_to(pipe)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert Discovery().read(own, 4) == b"0123"
    with pytest.raises(FileNotFoundError):
        Discovery().read(folder / "missing", 4)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda path, *_, **__: pytest.fail(f"{path} is opened"))
        with pytest.raises(UntrustedError):
            Discovery().read(link, 4)


def test_a_program_that_was_replaced(folder: Path) -> None:
    """The executable of a process is its path also after an upgrade has removed the file."""
    old = folder / "server"
    shutil.copy(SLEEP, old)
    with started(["server", "100"], str(old), folder, uid=os.geteuid()) as process:
        old.unlink()
        program = seen(process)
        assert program.executable == str(old)
        assert Discovery().is_trusted_process(program)


def test_a_port_where_only_root_sees_all_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, an ordinary user sees the ports of the user's own programs, which are trusted; of others, none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(psutil, "net_connections", raise_denied)
        programs = [program for program in running_programs() if program.pid == os.getpid()]
        assert port in programs[0].ports
        monkeypatch.setattr(sys, "platform", "darwin")
        assert Discovery().is_trusted_port(port, programs)
        assert not Discovery().is_trusted_port(port)


def raise_denied(_kind: str) -> list[object]:
    """Refuse, as macOS does."""
    raise psutil.AccessDenied


@as_root
def test_whose_port(folder: Path) -> None:
    """A port is trusted if something listens on it, and nothing but sockets of root and of the running user."""
    listens = f"s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); {WAITS}"
    for uid, trusted in ((0, True), (NOBODY, False)):
        its = f"import os, socket; os.setuid({uid}); {listens}"
        with started([sys.executable, "-c", its], sys.executable, folder, uid=0) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            assert Discovery().is_trusted_port(port) is trusted
            assert owner_of(port) == PortOwner(process.pid, seen(process).name, "root" if trusted else "nobody")
            assert Discovery(uid=NOBODY).is_trusted_port(port)
        assert not Discovery().is_trusted_port(port)
