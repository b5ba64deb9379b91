"""What a CA answers to a request for its directory. Several checks need it, so it is asked for once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import dnsrenew.base.http
from dnsrenew.acme.directory import read_directory
from dnsrenew.acme.transport import Transport
from dnsrenew.base.runtime.retry import Policy
from dnsrenew.base.values import Frozen
from dnsrenew.errors import CAError, Cancelled

if TYPE_CHECKING:
    from dnsrenew.acme.directory import Directory
    from dnsrenew.base.http import Response
    from dnsrenew.base.model import CA
    from dnsrenew.base.runtime.context import Context
    from dnsrenew.extensions.doctor.facts import Facts

_SECONDS: Final = 4.0
_ONCE: Final = Policy(tries=1)


class DirectoryAnswer(Frozen):
    """The answer of a CA; without a directory and an error, there was none in time.

    :ivar seconds: until the answer, or the end of the wait.
    :ivar ahead: by how much the clock of this host was ahead of the ``Date`` of any answer, an error too; None without.
    """

    directory: Directory | None
    error: CAError | None
    seconds: float
    ahead: timedelta | None = None


def ask(facts: Facts, ca: CA) -> DirectoryAnswer:
    """Return what the CA answers; a failed request is not retried."""
    return facts.once(("directory", ca.directory), partial(_ask, ca))


def _ask(ca: CA, context: Context) -> DirectoryAnswer:
    started = context.clock.monotonic()
    directory, error, ahead = None, None, list[timedelta]()

    def note(response: Response) -> None:
        date = dnsrenew.base.http.date_of(response.headers)
        if date is not None:
            ahead.append(context.clock.now() - date)

    try:
        directory = _read(ca, context.within(_SECONDS), note)
    except CAError as refusal:
        error = refusal
    except Cancelled:
        context.check()
    seconds = round(context.clock.monotonic() - started, 3)
    return DirectoryAnswer(directory, error, seconds, ahead[-1] if ahead else None)


def _read(ca: CA, context: Context, note: Callable[[Response], object]) -> Directory:
    http = dnsrenew.base.http.HttpClient(trust=ca.trust)
    try:
        transport = Transport(ca.name or ca.directory, http, note)
        return context.call(lambda: read_directory(context, transport, ca.directory, policy=_ONCE))
    finally:
        http.close()
