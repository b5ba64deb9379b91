"""The command ``notify`` for ``--help``, the man page, completion and docs."""

from __future__ import annotations

from typing import Final

from dnsrenew.cli.command_types import Command, CommandTable, Runner

_ROWS: Final = {
    "notify": Command("send a test message", examples=(("dnsrenew notify test", ""),)),
    "notify test": Command(
        "send a test message to every address of [notify]",
        examples=(("dnsrenew notify test", ""),),
        notes="For each address you see whether the message was sent, and if not, why. The heartbeat gets no message. "
        "The exit status is 1 if one address fails.",
    ),
}


def _runner(_: str) -> Runner:
    from dnsrenew.extensions.watch.command import notify

    return notify


COMMANDS: Final = CommandTable(_ROWS, _runner)
