"""The command doctor: what ``--help``, the man page, completion and docs show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.cli.command_types import Argument, Command, CommandTable, Option
from dnsrenew.cli.commands import NAMES

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import Runner

_COMMANDS: Final = {
    "doctor": Command(
        "find out whether certificates can be renewed, and if not, why",
        (Argument("names", "NAME", f"certificates to examine: {NAMES} (default: all)", "certificates", many=True),),
        (
            Option("--probe", "also write a test value to DNS with each account, and remove it"),
            Option("--markdown", "print Markdown, for a post in a forum"),
            Option("--redact", "hide domains, addresses, paths and other names, for --markdown, --json and --report"),
            Option("--report", "also write a page with everything that was found", "FILE.html", "file"),
            Option("--record", "keep what was found; later runs show what has changed since"),
            Option(
                "--serve-probe",
                "serve as the outside helper for other hosts on HOST:PORT; examine nothing",
                "HOST:PORT",
                "text",
            ),
        ),
        (
            ("dnsrenew doctor", ""),
            ("dnsrenew doctor home --probe", "also test the DNS account"),
            ("dnsrenew doctor --markdown --redact > post.md", "to ask others for help"),
            ("dnsrenew doctor --report report.html --record", ""),
        ),
        "Looks at this machine, its network, DNS, the CA and the store, for at most 15 seconds, and orders nothing. "
        "For each certificate it says by which route it can be renewed now, or the one thing to do next. The exit "
        "status is 1 if a certificate cannot be renewed. Without a configuration it looks at the host, and the exit "
        "status is 2.",
    )
}


def _run(_name: str) -> Runner:
    from dnsrenew.extensions.doctor.command import doctor

    return doctor


TABLE: Final = CommandTable(_COMMANDS, _run)
