"""Runs a program of the user's that puts a certificate to work: a reload command, or a hook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dnsrenew.base import subprocesses
from dnsrenew.deploy import texts
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_OUTPUT: Final = 64 << 10
"""Bytes of output that are read; a program may print more."""
_SHOWN: Final = 400
"""Characters of the end of the output in an error."""


def run(
    context: Context,
    arguments: Sequence[str],
    *,
    seconds: float,
    env: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run a program without a shell; its standard input is empty.

    :param seconds: the time limit; then it is killed with its children.
    :param env: names of environment variables that it gets, besides those that every program needs.
    :param variables: more variables, with their values.
    :raises DeployError: ``deploy-refused``: it cannot be run, or its status is not 0; ``deploy-timeout``.
    :raises Cancelled: the run was cancelled; the program and its children are killed.
    """
    program, certificate = arguments[0], context.certificate or ""
    environment = {**subprocesses.environment(env), **(variables or {})}
    try:
        done = subprocesses.run(
            arguments, env=environment, seconds=seconds, limit=_OUTPUT, cancel=context.cancel, only_end=True
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DeployError.of(texts.PROGRAM_MISSING, program=program, reason=reason) from None
    if done.status == 0:
        return
    if done.status is None:
        raise DeployError.of(texts.PROGRAM_LATE, program=program, seconds=round(seconds), output=_end(context, done))
    fields = {"program": program, "status": done.status, "certificate": certificate}
    output = _end(context, done)
    if output:
        raise DeployError.of(texts.PROGRAM_FAILED, output=output, **fields)
    raise DeployError.of(texts.PROGRAM_FAILED_SILENTLY, **fields)


def _end(context: Context, done: subprocesses.Completed) -> str:
    """Return the end of the output as one printable line, without secrets."""
    text = " ".join(done.output.decode("utf-8", "replace").split())
    printable = "".join(character for character in context.redactor.redact(text) if character.isprintable())
    return f"…{printable[-_SHOWN:]}" if len(printable) > _SHOWN else printable
