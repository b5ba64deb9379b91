"""Reports about the certificates: messages, a heartbeat and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnsrenew.base.extensions import Extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from dnsrenew.cli.command_types import CommandTable
    from dnsrenew.config.loader import Draft
    from dnsrenew.operations.event_log import RunListener


def _commands() -> CommandTable:
    from dnsrenew.extensions.watch.commands_table import COMMANDS

    return COMMANDS


def _listener() -> RunListener:
    from dnsrenew.extensions.watch.listener import LISTENER

    return LISTENER


def _check() -> Callable[[Draft], None]:
    from dnsrenew.extensions.watch.config_check import check_notify

    return check_notify


EXTENSION = Extension(commands=_commands, listener=_listener, check=_check)
