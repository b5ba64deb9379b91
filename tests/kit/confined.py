"""A command under the restrictions of a systemd unit, without systemd.

``unshare`` and ``setpriv`` set what systemd would set for ``ProtectSystem=strict``, ``ReadWritePaths``,
``CapabilityBoundingSet``, ``NoNewPrivileges``, ``UMask`` and ``LimitCORE``. System calls are not filtered.
"""

from __future__ import annotations

import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

_PRIVATE: Final = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")
_WRITABLE: Final = ("/dev", "/proc", "/sys")


def confined(unit: str, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command as the unit would."""
    return [*_PRIVATE, sys.executable, "-m", "tests.kit.confined", unit, *command]


def _make_read_only(folders: Sequence[str]) -> None:
    """Make everything read-only except these folders, as ``ProtectSystem=strict`` does."""
    kept = [os.path.realpath(folder) for folder in folders]
    for folder in kept:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        places = {line.split()[4].encode().decode("unicode_escape") for line in lines}
    for place in sorted(places):
        if place not in kept and not any(place == each or place.startswith(f"{each}/") for each in _WRITABLE):
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)


def _run(unit: str, command: Sequence[str]) -> None:
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    folders = [word.removeprefix("-").replace("%%", "%") for word in shlex.split(settings["ReadWritePaths"])]
    assert settings["ProtectSystem"] == "strict"
    _make_read_only([folder for folder in folders if os.path.exists(folder)])
    capabilities = ",".join(
        f"+{name.lower().removeprefix('cap_')}" for name in settings["CapabilityBoundingSet"].split()
    )
    os.umask(int(settings["UMask"], 8))
    resource.setrlimit(resource.RLIMIT_CORE, (int(settings["LimitCORE"]),) * 2)
    assert settings["NoNewPrivileges"] == "yes"
    words = ["setpriv", f"--bounding-set=-all,{capabilities}", "--inh-caps=-all", "--no-new-privs", *command]
    os.execvp(words[0], words)  # noqa: S606  # this process becomes the command


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2:])
