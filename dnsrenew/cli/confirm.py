"""Asks before what cannot be undone."""

from __future__ import annotations

import os
import sys
from typing import Final

from dnsrenew.base.validation import half_width
from dnsrenew.cli import formatting, texts
from dnsrenew.cli.arguments import usage
from dnsrenew.cli.invocation import Invocation
from dnsrenew.cli.terminal import yellow
from dnsrenew.errors import DnsRenewError
from dnsrenew.operations.revoke import StoredCertificate

_LONGEST: Final = 1000


def confirm(invocation: Invocation, question: str, command: str) -> None:
    """Return if the user is sure: by ``--yes``, or by an answer at the terminal.

    :param command: the command as it is typed, for the error.
    :raises ConfigError: ``usage``: there is no terminal to ask at.
    :raises DnsRenewError: ``declined``.
    """
    terminal = invocation.terminal
    if invocation.options.yes:
        return
    if not terminal.is_attended:
        raise usage(texts.UNCONFIRMED, command)
    lines = formatting.wrap(f"{question} {texts.YES_OR_NO}", terminal.err.size()[0], f"{yellow('?')} ", "  ")
    terminal.err.write(terminal.err.render(terminal.err.encodable("\n".join(lines))) + " ")
    terminal.drain()
    answer = ""
    try:
        answer = invocation.signals.run(_answer)
    finally:
        if not answer.endswith("\n"):
            terminal.err.write("\n")  # the cursor is still behind the question
    if half_width(answer.strip()).lower() not in texts.YES:
        raise DnsRenewError.of(texts.DECLINED)


def described(found: StoredCertificate) -> str:
    """Return the name of a certificate, and its domains if they say more."""
    domains = formatting.listed(found.domains)
    if domains in ("", found.name):
        return found.name
    return texts.CERTIFICATE_AND_DOMAINS.format(name=found.name, domains=domains)


def _answer() -> str:
    """Read a line. Not with ``input``: after Ctrl-C its lock would stop the interpreter's exit."""
    return os.read(sys.stdin.fileno(), _LONGEST).decode("utf-8", "replace")
