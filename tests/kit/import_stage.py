"""The real `dnsrenew import` on a machine of its own: its `/etc` and its crontabs are folders of the test.

`/srv` is the whole machine: pytest's own folders are closed to other users.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.kit.tool_folders import OldMachine
from tests.kit.users import ordinary_user

_MOUNTED = """
machine=$1 folder=$2; shift 2
ulimit -t 30
mount --bind "$machine" /srv
mount --bind /srv/etc /etc
mount -t tmpfs none /var/spool
mkdir /var/spool/cron
mount --bind /srv/var/spool/cron /var/spool/cron
cd "$folder"
exec "$@"
"""
_ACCOUNTS = ("passwd", "group", "nsswitch.conf")


class Imported(NamedTuple):
    """What the command did.

    :ivar document: what it printed with `--json`.
    :ivar seconds: of processor time.
    :ivar memory: its most resident memory, MiB.
    """

    status: int
    document: Any
    stderr: str
    seconds: float
    memory: float

    @property
    def error(self) -> Any:
        """The error; it fails if there is none."""
        return self.document["error"]


class ImportStage:
    """A machine whose root, or another user, imports."""

    def __init__(self, root: Path) -> None:
        self.machine = OldMachine(root / "machine")
        for name in _ACCOUNTS:
            shutil.copy(f"/etc/{name}", self.machine.root / "etc")
        self.crontabs = self.machine.root / "var/spool/cron/crontabs"
        self.crontabs.mkdir(parents=True)
        self.crontabs.chmod(0o1730)
        self.here = self.machine.root / "root"
        self.here.mkdir(mode=0o755)

    @property
    def config(self) -> Path:
        """The configuration that root's imports write."""
        return self.machine.target

    def crontab(self, user: int, line: str) -> Path:
        """Give a user a crontab."""
        import pwd

        file = self.crontabs / pwd.getpwuid(user).pw_name
        file.write_text(f"{line}\n")
        file.chmod(0o600)
        os.chown(file, user, 0)
        return file

    def give(self, folder: Path, user: int) -> Path:
        """Give a folder with all that is in it to a user."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user, follow_symlinks=False)
        return folder

    def run(
        self,
        *arguments: str | Path,
        here: Path | None = None,
        user: int = 0,
        env: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> Imported:
        """Run the command in a folder.

        :param within: a command that runs it.
        """
        command = [*within, sys.executable, "-m", "dnsrenew", "import", *map(str, arguments), "--json"]
        if "--config" not in arguments and not user:
            command += ["--config", str(self.config)]
        root = Path(__file__).parents[2]
        needed = (sys.base_prefix, sys.prefix, str(root))
        inner = command if user == 0 else ordinary_user(command, needed, user)
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", _MOUNTED, "sh", self.machine.root, here or self.here, *inner],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.here), "LANG": "C.UTF-8",
                 "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout, process.stderr, ThreadPoolExecutor(1) as pool:
            errors = pool.submit(process.stderr.read)
            stdout, stderr = process.stdout.read(), errors.result()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert "Traceback" not in stderr, stderr
        assert process.returncode >= 0, f"killed by signal {-process.returncode}"
        seconds = usage.ru_utime + usage.ru_stime
        return Imported(process.returncode, json.loads(stdout), stderr, seconds, usage.ru_maxrss / 1024)
