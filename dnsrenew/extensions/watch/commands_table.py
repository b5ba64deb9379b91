"""The command notify: what ``--help``, the man page, completion and docs show of them."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Command

COMMANDS: Final = {
    "notify": Command("send a test message", "", examples=(("dnsrenew notify test", ""),)),
    "notify test": Command(
        "send a test message to every address of [notify]",
        "dnsrenew.extensions.watch.command.notify",
        examples=(("dnsrenew notify test", ""),),
        notes="For each address you see whether the message was sent, and if not, why. The heartbeat gets no message. "
        "The exit status is 1 if one address fails.",
    ),
}
