"""A machine whose process 1 is systemd, in namespaces: its units, users, files and processes are its own.

Its root folder is made once, from Debian's packages, into `build/`; each machine has an overlay on it, which survives a
power cut. The network is that of the tests, so that the lab can be reached. Nothing but root can make one.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from .debian import CHECKOUT, SOURCES, bootstrap, made
from .settings import to_toml

if TYPE_CHECKING:
    from .lab import Lab

_T = TypeVar("_T")
_PACKAGES: Final = "systemd,systemd-sysv,dbus,libpam-systemd,polkitd,nginx-light,procps,python3"
_MASKED: Final = (
    *("systemd-modules-load.service", "systemd-journald-audit.socket", "tmp.mount", "getty@.service"),
    *("console-getty.service", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "dpkg-db-backup.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-tmpfiles-clean.timer", "ldconfig.service"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
    *("sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "modprobe@.service", "run-lock.mount"),
    *("systemd-journal-catalog-update.service", "systemd-update-done.service"),
)
"""What a machine of a minute does not need, or what would change the kernel of this one."""
_HOLD: Final = """
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
shift
shift
while [ $# -gt 0 ]; do
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
    shift 2
done
echo ready
exec cat
"""
"""Mounts the overlay, and folders of this machine read-only; they are there as long as its input is open."""
_BOOT: Final = """
cd "$1"
mount --rbind . .
cd "$1"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for each in null zero full random urandom tty; do : >dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for each in fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -s "/proc/self/${each#*:}" "dev/${each%%:*}"; done
mkdir -p .old
pivot_root . .old
umount -l /.old
exec env -i container=manual PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""
"""The devices are files of this machine, but no disk, clock or kernel log is among them."""
_PATIENCE: Final = 60.0
RELOAD: Final = ["systemctl", "reload", "nginx"]


def _cgroups() -> Path | None:
    """Return where cgroups of version 2 are; None if they are not, or if none can be made."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(place, os.W_OK):
            return Path(place)
    return None


def _why_not() -> str:
    """Return why no such machine can be made here; "" if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "only root of Linux can start systemd as process 1"
    if not any((Path("/etc/apt") / each).exists() for each in SOURCES):
        return "no packages of Debian can be had here"
    try:
        if _cgroups() is None:
            return "no cgroup of version 2 can be made here"
        subprocess.run(["unshare", "--mount", "--pid", "--cgroup", "--fork", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no namespaces can be made here: {error}"
    return ""


def root_folder() -> Path:
    """Return the root folder; make it if it is not there, which takes a minute."""
    user = '--customize-hook=chroot "$1" useradd --create-home --home-dir /var/lib/certs --shell /bin/sh certs'
    return made("systemd", [_PACKAGES, user], lambda new: bootstrap(new, _PACKAGES, user))


class SystemdMachine:
    """A machine that can be started and cut off from its power, again and again, with what is on its disk.

    :ivar disk: its root folder, as this machine sees it; what it mounts itself, as `/run`, is not there.
    """

    def __init__(self, folder: Path, holder: int, cgroup: Path) -> None:
        """Nothing runs yet.

        `holder`: the process in whose mount namespace the overlay is.
        """
        self.disk = Path(f"/proc/{holder}/root{folder}/root")
        self._folder = folder
        self._holder = holder
        self._cgroup = cgroup
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0

    def boot(self) -> None:
        """Turn it on, and wait until systemd has started what it starts by itself."""
        self._cgroup.mkdir(exist_ok=True)
        enter = ["nsenter", f"--target={self._holder}", "--mount"]
        unshare = ["unshare", *(f"--{each}" for each in ("mount", "pid", "uts", "ipc", "cgroup", "fork", "kill-child"))]
        boot = ["sh", "-ec", _BOOT, "sh", str(self._folder / "root")]
        argv = ["setpriv", "--pdeathsig=KILL", *_inside(self._cgroup), *enter, *unshare, *boot]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = int(_eventually(lambda: children.read_text().split())[0])
        _eventually(lambda: Path(f"/proc/{self._first}/comm").read_text() == "systemd\n")
        _eventually(lambda: Path(f"/proc/{self._first}/root/run/systemd/private").exists())
        state = self.run("systemctl", "is-system-running", "--wait").stdout.strip()
        assert state == "running", (state, self.run("systemctl", "--failed").stdout)

    def cut(self) -> None:
        """Cut off its power: process 1 is killed, and all others with it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._first or self._process.pid, signal.SIGKILL)
            self._process.wait(_PATIENCE)
        self._process, self._first = None, 0
        folders = [Path(folder) for folder, _, _ in os.walk(self._cgroup, topdown=False)]
        _eventually(lambda: all(_is_removed(folder) for folder in folders))

    def argv(self, *command: str, user: str = "root") -> list[str]:
        """Return the command line that runs a command there, as if its user were logged in."""
        enter = [*_inside(self._cgroup / "init.scope"), "nsenter", f"--target={self._first}", "--all", "--root", "--wd"]
        given = ["LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", f"USER={user}"]
        if user == "root":
            return [*enter, "env", "-i", *given, "HOME=/root", *command]
        number = next(
            line.split(":")[2] for line in (self.disk / "etc/passwd").read_text().splitlines() if line.startswith(user)
        )
        known = [f"HOME=/var/lib/{user}", f"XDG_RUNTIME_DIR=/run/user/{number}", f"--chdir=/var/lib/{user}"]
        switch = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
        return [*enter, *switch, "env", "-i", *reversed(known), *given, *command]

    def run(self, *command: str, user: str = "root", timeout: float = _PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command there, for so many seconds at most; its output is one text."""
        return subprocess.run(
            self.argv(*command, user=user),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def good(self, *command: str, user: str = "root", timeout: float = _PATIENCE) -> str:
        """Run a command there that succeeds; return what it prints, as one line."""
        done = self.run(*command, user=user, timeout=timeout)
        why = "" if done.returncode == 0 else self.run("journalctl", "--quiet", "--output=cat", "--lines=50").stdout
        assert done.returncode == 0, f"{command}: {done.stdout}\n{why}"
        return " ".join(done.stdout.split())

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root there, on or off; a link is followed there, not from here."""
        into = 'mkdir -p "${0%/*}"; cat >"$0"; chmod "$1" "$0"'
        inside = ["nsenter", f"--target={self._holder}", "--mount", "chroot", str(self._folder / "root")]
        subprocess.run([*inside, "sh", "-ec", into, path, f"{mode:o}"], input=text, text=True, check=True)

    def shown(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.good("systemctl", "show", "--value", "--property", name, unit)

    def journal(self, unit: str) -> str:
        """Return what a unit has written."""
        return self.good("journalctl", "--quiet", "--output=cat", "--unit", unit)


def _inside(cgroup: Path) -> list[str]:
    """Return the first words of a command line that runs a command in a cgroup: systemd refuses those of others."""
    return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup)]


def _is_removed(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def _eventually(find: Callable[[], _T]) -> _T:
    end = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError):
            if found := find():
                return found
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def systemd_machine() -> Iterator[SystemdMachine]:
    """Make a machine, and start it; dnsrenew is in it as docs/guides/systemd.md installs it. Skip where none can be."""
    if why := _why_not():
        pytest.skip(f"systemd as process 1 was left out: {why}")
    base = root_folder()
    cgroups = _cgroups()
    assert cgroups is not None
    with tempfile.TemporaryDirectory(prefix="dnsrenew-systemd-") as name:
        folder = Path(name)
        site = Path(pytest.__file__).parents[1]
        binds = {
            str(site): "packages",
            str(CHECKOUT / "dnsrenew"): "code/dnsrenew",
            str(CHECKOUT / "providers"): "code/providers",
        }
        if sys.base_prefix != "/usr":
            binds[sys.base_prefix] = "python"
        pairs = [part for source, place in binds.items() for part in (source, f"{folder}/root/opt/dnsrenew/{place}")]
        argv = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "sh", "-ec", _HOLD, "sh", name, str(base), *pairs]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
            machine = SystemdMachine(folder, holder.pid, cgroups / folder.name)
            try:
                _put_program(machine)
                machine.boot()
                machine.good("ldconfig")  # a Python of its own has its library there
                yield machine
            finally:
                machine.cut()
                holder.kill()


def _put_program(machine: SystemdMachine) -> None:
    python = "/usr/bin/python3" if sys.base_prefix == "/usr" else "/opt/dnsrenew/python/bin/python3"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    machine.write("/opt/dnsrenew/pyvenv.cfg", f"home = {os.path.dirname(python)}\n")
    machine.write(f"/opt/dnsrenew/lib/{version}/site-packages/code.pth", "/opt/dnsrenew/code\n/opt/dnsrenew/packages\n")
    start = "#!/opt/dnsrenew/bin/python3\nimport sys\nfrom dnsrenew.cli import main\nsys.exit(main())\n"
    machine.write("/opt/dnsrenew/bin/dnsrenew", start, 0o755)
    (machine.disk / "etc/systemd/system/multi-user.target.wants/nginx.service").unlink()
    machine.write("/etc/ld.so.conf.d/python.conf", "/opt/dnsrenew/python/lib\n")
    for unit in _MASKED:
        (machine.disk / "etc/systemd/system" / unit).symlink_to("/dev/null")
    (machine.disk / "opt/dnsrenew/bin/python3").symlink_to(python)
    (machine.disk / "usr/local/bin/dnsrenew").symlink_to("/opt/dnsrenew/bin/dnsrenew")


def configure(machine: SystemdMachine, lab: Lab, user: str = "root", **changes: Any) -> None:
    """Write a configuration, as docs/guides/systemd.md and unprivileged.md place it."""
    folder = "/etc/dnsrenew" if user == "root" else f"/var/lib/{user}/certificates"
    store = "/var/lib/dnsrenew" if user == "root" else "state"
    given = {"store": store, "ca.lab.trust": f"{folder}/ca.pem", **changes}
    machine.write(f"{folder}/ca.pem", lab.ca.trust_pem.read_text())
    machine.write(f"{folder}/dnsrenew.toml", to_toml(lab.config(given)), 0o600)
    if user != "root":
        machine.good("chown", "-R", f"{user}:", folder)


def status(machine: SystemdMachine, *options: str) -> Any:
    """Return the document of `status`."""
    return json.loads(machine.run("dnsrenew", "status", "--json", "-q", *options).stdout)
