"""The real `dnsrenew import` on a machine of its own: its `/etc` and its crontabs are folders of the test.

`/srv` is the whole machine: pytest's own folders are closed to other users.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.kit.tool_folders import OldMachine
from tests.kit.users import open_way, ordinary_user

_MOUNTED = """
machine=$1 folder=$2; shift 2
mount --bind "$machine" /srv
mount --bind /srv/etc /etc
mount -t tmpfs none /var/spool
mkdir /var/spool/cron
mount --bind /srv/var/spool/cron /var/spool/cron
cd "$folder"
exec "$@"
"""
_ACCOUNTS = ("passwd", "group", "nsswitch.conf")
_PATIENCE = 60.0


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
        self.machine = OldMachine(open_way(root) / "machine")
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
        self, *arguments: str | Path, here: Path | None = None, user: int = 0, env: Mapping[str, str] | None = None
    ) -> Imported:
        """Run the command in a folder."""
        command = [sys.executable, "-m", "dnsrenew", "import", *map(str, arguments), "--json"]
        if "--config" not in arguments and not user:
            command += ["--config", str(self.config)]
        root = Path(__file__).parents[2]
        needed = (sys.base_prefix, sys.prefix, str(root))
        inner = command if user == 0 else ordinary_user(command, needed, user)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", _MOUNTED, "sh", self.machine.root, here or self.here, *inner],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.here), "LANG": "C.UTF-8",
                 "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert "Traceback" not in done.stderr, done.stderr
        return Imported(done.returncode, json.loads(done.stdout), done.stderr, used, after.ru_maxrss / 1024)
