"""The user namespace of this process, as Linux shows it; needed only where a path looks untrusted."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_IDENTITY: Final = ["0", "0", "4294967295"]
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # mountinfo writes a blank as \040


def overflow_uid() -> int | None:
    """Return the user id that stands for all unmapped users; None where every user is mapped."""
    try:
        if Path("/proc/self/uid_map").read_text(encoding="ascii").split() == _IDENTITY:
            return None
        return int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def is_above_mount(path: str) -> bool:
    """Tell whether something is mounted below a folder."""
    below = os.path.join(path, "")
    return any(point.startswith(below) and point != path for point in _mount_points())


def _mount_points() -> list[str]:
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [_ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines]
