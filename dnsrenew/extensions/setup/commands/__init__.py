"""The commands init, import, delegate, export and restore."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dnsrenew.base.model import Notice
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.terminal import Terminal, bold, yellow
from dnsrenew.config import sources
from dnsrenew.errors import DnsRenewError


def absolute(path: str) -> Path:
    """Return a typed path as an absolute one."""
    return Path(os.path.abspath(os.path.join(sources.here(), os.path.expanduser(path))))


def warn(terminal: Terminal, about: Notice | DnsRenewError) -> None:
    """Show a doubt, and what to do about it."""
    terminal.write_marked(yellow("!"), formatting.sentences(about.message, about.fix))


def next_steps(steps: Sequence[str], columns: int | None) -> list[str]:
    """Return the remaining steps with numbers, or nothing without steps."""
    lines = ["", bold(texts.IMPORT_NEXT)] if steps else []
    for number, step in enumerate(steps, 1):
        lines += formatting.wrap(formatting.say(step), columns, f"{number:>2}. ", "    ")
    return lines
