"""Runs a program of the user that activates a certificate: a reload command, or a hook."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from dnsrenew.base import subprocesses
from dnsrenew.base.path_trust import Ground
from dnsrenew.base.runtime import Context
from dnsrenew.deploy import texts
from dnsrenew.deploy.protocol import late
from dnsrenew.errors import DeployError, printable, system_reason

_OUTPUT: Final = 64 << 10
"""The number of bytes of output that are read; a program may print more."""
_VERBS: Final = {"start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart"}
_PLAIN: Final = ("--output=cat", "--quiet", "--no-pager")
_SHOWN: Final = 400
"""The number of characters at the end of the output that an error shows."""


def run(context: Context, arguments: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None) -> None:
    """Run a program without a shell; its standard input is empty.

    :param seconds: the time limit, after which it is killed with its children.
    :param env: its environment; None for the variables that every program needs.
    :raises DeployError: ``deploy-refused``: it cannot be run, or its status is not 0; ``deploy-timeout``.
    :raises Cancelled: the run was cancelled; the program and its children are killed.
    """
    program, certificate, begin = arguments[0], context.certificate or "", context.clock.now()
    try:
        done = _completed(context, arguments, seconds, env)
    except OSError as error:
        raise DeployError.of(texts.PROGRAM_MISSING, program=program, reason=system_reason(error)) from None
    if done.status == 0:
        return
    if done.status is None:
        raise DeployError.of(texts.PROGRAM_LATE, program=program, output=_end(context, done), **late(seconds))
    command = context.redactor.redact(shlex.join(arguments))
    fields = {"program": program, "status": done.status, "certificate": certificate, "command": command}
    output = _end(context, done)
    unit, journal = _journal(context, arguments, int(begin.timestamp()))
    if journal:
        raise DeployError.of(texts.PROGRAM_FAILED_UNIT, output=output, unit=unit, journal=journal, **fields)
    if output:
        raise DeployError.of(texts.PROGRAM_FAILED, output=output, **fields)
    raise DeployError.of(texts.PROGRAM_FAILED_SILENTLY, **fields)


def _completed(
    context: Context, arguments: Sequence[str], seconds: float, env: Mapping[str, str] | None = None
) -> subprocesses.Completed:
    env = subprocesses.environment() if env is None else env
    return subprocesses.run(arguments, env=env, seconds=seconds, limit=_OUTPUT, cancel=context.cancel, only_end=True)


def _journal(context: Context, arguments: Sequence[str], begin: int) -> tuple[str, str]:
    """Return the unit of a ``systemctl`` command and the end of the unit's journal since then; "" without a unit.

    ``systemctl`` itself only says that the journal has the cause. ``journalctl`` is taken from the same folder.

    :param begin: the time of the call, in seconds since 1970.
    """
    words = [word for word in arguments[1:] if not word.startswith("-")]
    reader = os.path.join(os.path.dirname(arguments[0]), "journalctl")
    if os.path.basename(arguments[0]) != "systemctl" or len(words) != 2 or words[0] not in _VERBS:
        return "", ""
    if not os.path.isabs(reader) or not os.path.isfile(reader) or Ground().weakness(reader) is not None:
        return words[1], ""
    whose = ["--user"] if "--user" in arguments else []
    command = [reader, *whose, f"--unit={words[1]}", f"--since=@{begin}", f"--lines={5}", *_PLAIN]
    try:
        done = _completed(context, command, 5.0)
    except OSError:
        return words[1], ""
    return words[1], _end(context, done) if done.status == 0 else ""


def _end(context: Context, done: subprocesses.Completed) -> str:
    """Return the end of the output as one printable line without secrets, with a stroke between its lines."""
    lines = map(printable, context.redactor.redact(done.output.decode("utf-8", "replace")).splitlines())
    text = " / ".join(filter(None, lines))
    return f"…{text[-_SHOWN:]}" if len(text) > _SHOWN else text
