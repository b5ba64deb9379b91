"""A program of the user, or a person, writes the records.

The program runs as ``hook add|remove ZONE NAME VALUE TTL``.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from typing import Final

from dnsrenew.base import names, subprocesses
from dnsrenew.base.model import TxtRecord
from dnsrenew.drivers import texts
from dnsrenew.drivers.host_api import HostError
from dnsrenew.drivers.protocol import DriverContext
from dnsrenew.errors import ProviderError, system_reason

_OUTPUT: Final = 64 << 10
"""Bytes of output that are read; a program may print more."""


def check_names(account: str, found: Iterable[str]) -> None:
    """Check that these names are safe for a program, which may be a shell script. A CNAME record can point to any name.

    :raises ProviderError: ``hook-name``: a name is not a host name of letters, digits, hyphens and underscores.
    """
    for name in found:
        if not names.is_plain(name):
            raise ProviderError.of(texts.HOOK_NAME, account=account, name=names.relative(name))


class HookDriver:
    """Runs the program without a shell; it and its children are killed at the end of the call.

    Options: ``program``, a list; ``env``, names of environment variables that it gets in addition to the ones every
    program needs. Zone and name have no final dot.
    """

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        program = context.options["program"][0]
        if shutil.which(program) is None:  # before an order, and in `check`
            reason = os.strerror(errno.EACCES if os.path.exists(program) else errno.ENOENT)
            raise ProviderError.of(texts.HOOK_MISSING, account=context.account, program=program, reason=reason)

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Run ``hook add`` for each value."""
        self._run_all("add", records)

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Run ``hook remove`` for each value."""
        self._run_all("remove", records)

    def _run_all(self, action: str, records: Sequence[TxtRecord]) -> None:
        check_names(self._context.account, [name for record in records for name in (record.zone, record.name)])
        for record in records:
            self._run(action, record)

    def _run(self, action: str, record: TxtRecord) -> None:
        self._context.check()
        program: Sequence[str] = self._context.options["program"]
        arguments = [*program, action, names.relative(record.zone), names.relative(record.name), record.value]
        try:
            done = subprocesses.run(
                [*arguments, str(record.ttl)],
                env=subprocesses.environment(self._context.options.get("env", ())),
                seconds=self._context.seconds_left(),
                limit=_OUTPUT,
                cancel=self._context.cancel,
                only_end=True,
            )
        except OSError as error:
            its = {"account": self._context.account, "program": program[0], "reason": system_reason(error)}
            raise ProviderError.of(texts.HOOK_MISSING, **its) from None
        if done.status == 0:
            return
        output = done.output.decode("utf-8", "replace")
        if done.status is None:
            raise HostError(output, code="hook-timeout")
        ended = f"{output} (status {done.status})" if output.strip() else f"it ended with status {done.status}"
        raise HostError(ended, code="hook-failed")


# ── by hand ────────────────────────────────────────────────────────────────────────────

# A person writes the records: the event ``txt-by-hand`` names them, and the run waits until DNS shows them.


class ManualDriver:
    """Writes nothing: a person does. As for every other driver, DNS shows whether a value exists."""

    def __init__(self, context: DriverContext) -> None:
        del context

    def add(self, records: Sequence[TxtRecord]) -> None:
        """Leave it to the person."""

    def remove(self, records: Sequence[TxtRecord]) -> None:
        """Leave it to the person."""
