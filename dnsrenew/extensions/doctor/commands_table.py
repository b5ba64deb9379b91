"""The command ``doctor`` for ``--help``, the man page, completion and docs."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option, Runner
from dnsrenew.cli.commands import NAMES

_SERVE_PROBE: Final = "only run the outside helper on HOST:PORT, which tests the ports of other machines"
_ROWS: Final = {
    "doctor": Command(
        "find out whether your certificates can be renewed, and if not, why",
        (Argument("names", "NAME", f"certificates to examine: {NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--probe", "also write a test value to DNS with each account, then remove it"),
            Option("--markdown", "print Markdown, to post in a forum"),
            Option("--redact", "hide domains, addresses, paths and other names, for --markdown, --json and --report"),
            Option("--report", "also write a web page with all results", "FILE.html", "file"),
            Option("--record", "store the results; later runs show what has changed since"),
            Option("--serve-probe", _SERVE_PROBE, "HOST:PORT", "text"),
        ),
        (
            ("dnsrenew doctor", ""),
            ("dnsrenew doctor home --probe", "also test the DNS account"),
            ("dnsrenew doctor --markdown --redact > post.md", "to ask others for help"),
            ("dnsrenew doctor --report report.html --record", ""),
        ),
        "It checks this machine, its network, DNS, the CA and the store, for at most 15 seconds, and orders nothing. "
        "For each certificate you see the route by which it can be renewed now, or the one thing to do next.\nThe "
        "exit status is 1 if a certificate cannot be renewed. Without a configuration it checks only this machine, "
        "and the exit status is 2.",
    ),
}


def _runner(_: str) -> Runner:
    from dnsrenew.extensions.doctor.command import doctor

    return doctor


COMMANDS: Final = CommandTable(_ROWS, _runner)
