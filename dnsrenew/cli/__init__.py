"""The ``dnsrenew`` command: the only place that prints or exits.

This module imports nothing, so that ``dnsrenew --version`` is there at once.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from dnsrenew import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param argv: the arguments without the program's name; default: the process's own.
    :return: 0 all well, 1 something failed, 2 wrong usage or configuration, 3 locked, 130 or 143 interrupted.
    """
    if argv is None:  # the process is ours: what it holds lives to its end, and is no garbage
        gc.disable()  # looking for some is a tenth of a run with nothing to do; what works for longer does so again
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments == ["--version"]:
        return _write(f"dnsrenew {__version__}\n")
    if arguments in (["--help"], ["-h"], ["help"]):
        from dnsrenew.cli.help import top_help

        return _write(top_help())
    try:
        from dnsrenew.cli.program import run

        status = run(arguments)
    except KeyboardInterrupt:  # while the program itself was being loaded
        if "--json" in arguments:
            import json

            from dnsrenew.errors import stopped

            _write(json.dumps({"version": 1, "error": stopped().to_dict()}) + "\n")
        return 130
    if argv is None:
        gc.freeze()  # nor is it at the end, where it would be looked for in all that there is
    return status


def _write(text: str) -> int:
    """Write plain ASCII to standard output."""
    if sys.stdout is None:  # closed
        return 0
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        from dnsrenew.cli.terminal import abandon

        abandon(sys.stdout)
        return 0 if isinstance(error, BrokenPipeError) else 1  # a reader that left early is content
    return 0
