"""Runs a command and writes its peak of resident memory (KiB) to a file.

Run it: `python -I -S bench/launch.py FILE COMMAND…`. It loads next to nothing, so its own peak hides no other.
"""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Start the command, wait for it, and exit with its status."""
    child = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])  # noqa: S606  # subprocess would be the larger of the two
    _, status, usage = os.wait4(child, 0)
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write(str(usage.ru_maxrss))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
