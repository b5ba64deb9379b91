"""Finds out whether a certificate can be renewed, by which route, and if not, why.

Start in ``table``, which lists every check with the cause that it finds. A check is a function that gets the facts and
returns a :class:`~dnsrenew.base.model.Check`. ``examine`` runs them at once and draws the conclusion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.operations.event_log import DiagnosisMaker


def _commands() -> CommandTable:
    from dnsrenew.extensions.doctor.commands_table import COMMANDS

    return COMMANDS


def _diagnosis() -> DiagnosisMaker:
    from dnsrenew.extensions.doctor import after_failure

    return after_failure


EXTENSION = Extension(commands=_commands, diagnosis=_diagnosis)
