"""The ``dnsrenew`` command: the only package that prints or exits.

This module imports nothing, so that ``dnsrenew --version`` starts fast.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from dnsrenew import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param argv: the arguments without the program's name; default: the arguments of the process.
    :return: 0 success, 1 something failed, 2 wrong usage or configuration, 3 locked, 130 or 143 interrupted.
    """
    if argv is None:  # the whole process is this command
        gc.disable()  # a tenth of the time of a run with nothing due; longer work enables it again
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments in (["--version"], ["-V"]):
        return _write(f"dnsrenew {__version__}\n")
    if arguments in (["--help"], ["-h"], ["help"]):
        from dnsrenew.locale import language_of

        if language_of(os.environ) == "en":  # any other language needs the whole program
            from dnsrenew.cli.help import top_help

            return _write(top_help(_columns()))
    if arguments[:1] == ["__complete"]:  # the completion scripts call it
        from dnsrenew.cli.completion import answer

        return _write(answer(arguments[1:]))
    try:
        from dnsrenew.cli.program import run

        status = run(arguments)
    except KeyboardInterrupt:  # during the import of the program
        if "--json" in arguments:
            import json

            from dnsrenew.errors import stopped

            _write(json.dumps({"version": 1, "error": stopped().to_dict()}) + "\n")
        return 130
    if argv is None:
        gc.freeze()  # the interpreter's exit would collect everything
    return status


def _columns() -> int:
    """Return the width of the terminal; 80 without one."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):  # closed, or no terminal
        return 80


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
        return 0 if isinstance(error, BrokenPipeError) else 1  # a reader that left early is not a failure
    return 0
