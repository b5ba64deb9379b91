"""The command notify: what ``--help``, the man page, completion and docs show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dnsrenew.cli.command_types import Command, CommandTable

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import Runner

_COMMANDS: Final = {
    "notify": Command(
        "send a test message to the addresses of [notify]",
        examples=(("dnsrenew notify test", "a test message to every address of [notify]"),),
        notes="Without a command, it sends a test message.",
    ),
    "notify test": Command(
        "send a test message to every address of [notify]",
        examples=(("dnsrenew notify test", ""),),
        notes="Shows for each address whether the message was sent, and if not, why. The heartbeat gets no message. "
        "The exit status is 1 if one address fails.",
    ),
}


def _run(_name: str) -> Runner:
    """Return the function that runs the command."""
    from dnsrenew.extensions.watch.command import notify

    return notify


TABLE: Final = CommandTable(_COMMANDS, _run)
