"""The ``dnsrenew`` command: the only place that prints or exits.

This module imports nothing, so that ``dnsrenew --version`` is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dnsrenew import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param argv: the arguments without the program's name; default: the process's own.
    :return: 0 all well, 1 something failed, 2 wrong usage or configuration, 3 locked, 130 or 143 interrupted.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments == ["--version"] and sys.stdout is not None:
        return _version()
    try:
        from dnsrenew.cli.program import run

        return run(arguments)
    except KeyboardInterrupt:  # while the program itself was being loaded
        return 130


def _version() -> int:
    try:
        sys.stdout.write(f"dnsrenew {__version__}\n")
        sys.stdout.flush()
    except OSError:  # the reader went away, or the disk is full: nothing more to say there
        from dnsrenew.cli.screen import abandon

        abandon(sys.stdout)
        return 1
    return 0
