"""A machine with the cron of Debian and two users, in namespaces: its crontabs, processes and users are its own.

Nothing but root can make one. The network is that of the tests, so that the lab can be reached.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.kit.users import shown
from tests.lab import Lab
from tests.lab.settings import to_toml

ANNA: Final = 4711
_SET_UP: Final = """
for each in cron.d cron.daily; do mount --bind "$1/$each" "/etc/$each"; done
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount -t tmpfs none /run
mount -t tmpfs none /var/spool/cron
mount -t tmpfs none /var/spool/anacron
install -d -m 1730 -g crontab /var/spool/cron/crontabs
echo ready
exec cat
"""


@dataclass
class CronMachine:
    """The machine; its cron is installed, and does not run.

    :ivar folder: for the files of the test; the home folders of the users are in it.
    :ivar pid: of its first process.
    """

    folder: Path
    pid: int

    def argv(self, user: str, *command: str) -> list[str]:
        """Return the command line that runs a command there as `root` or as `anna`."""
        home = self.folder / user
        given = [
            f"HOME={home}",
            f"USER={user}",
            f"LOGNAME={user}",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
        ]
        number = 0 if user == "root" else ANNA
        as_user = ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]
        return [
            "nsenter",
            f"--target={self.pid}",
            "--mount",
            "--pid",
            *as_user,
            "env",
            "-i",
            f"--chdir={home}",
            *given,
            *command,
        ]

    def run(self, user: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there; its output is one text."""
        return subprocess.run(
            self.argv(user, *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def dnsrenew(self, user: str, *arguments: str) -> tuple[int, str]:
        """Run dnsrenew there; return its exit status and all that it prints, as one line."""
        done = self.run(user, program(), *arguments)
        return done.returncode, " ".join(done.stdout.split())


def program() -> str:
    """Return the path of the command dnsrenew, as a person of that machine would type it."""
    return f"{sys.prefix}/bin/dnsrenew"


@contextmanager
def cron_machine() -> Iterator[CronMachine]:
    """Start the machine, and end it with its processes.

    Its folder is none of pytest's: each session of pytest closes their parent to other users again.
    """
    with tempfile.TemporaryDirectory(prefix="dnsrenew-cron-") as folder, _started(Path(folder)) as machine:
        yield machine


@contextmanager
def _started(folder: Path) -> Iterator[CronMachine]:
    etc = folder / "etc"
    for each in ("cron.d", "cron.daily"):
        (etc / each).mkdir(parents=True)
    for user, number in (("root", 0), ("anna", ANNA)):
        (folder / user).mkdir(mode=0o700)
        os.chown(folder / user, number, number)
    folder.chmod(0o755)
    lines = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(("root:", "anna:"))]
    users = [f"root:*:0:0::{folder}/root:/bin/sh", f"anna:*:{ANNA}:{ANNA}::{folder}/anna:/bin/sh"]
    (etc / "passwd").write_text("\n".join([*users, *lines, ""]))
    (etc / "group").write_text(Path("/etc/group").read_text() + f"anna:x:{ANNA}:\n")
    unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-ec", _SET_UP, "sh"]
    with subprocess.Popen(
        shown([*unshare, str(etc)]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield CronMachine(folder, int(child))


def configure(machine: CronMachine, lab: Lab, user: str, name: str = "dnsrenew.toml", **changes: Any) -> Path:
    """Write a configuration into the home folder of a user."""
    path, trust = machine.folder / user / name, machine.folder / user / "ca.pem"
    trust.write_bytes(lab.ca.trust_pem.read_bytes())
    path.write_text(to_toml(lab.config({"store": f"{path.stem}-state", "ca.lab.trust": str(trust), **changes})))
    path.chmod(0o600)
    for each in (path, trust):
        os.chown(each, *((0, 0) if user == "root" else (ANNA, ANNA)))
    return path
