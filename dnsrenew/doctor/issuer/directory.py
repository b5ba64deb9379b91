"""What a CA answers to a request for its directory. Several checks need it, so it is asked for once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import dnsrenew.http
from dnsrenew.base.values import Frozen
from dnsrenew.ca.directory import read_directory
from dnsrenew.ca.transport import Transport
from dnsrenew.errors import CAError, Cancelled
from dnsrenew.runtime.retry import Policy

if TYPE_CHECKING:
    from dnsrenew.ca.directory import Directory
    from dnsrenew.doctor.facts import Facts
    from dnsrenew.model import CA
    from dnsrenew.runtime.context import Context

_SECONDS: Final = 4.0
_ONCE: Final = Policy(tries=1)


class DirectoryAnswer(Frozen):
    """The answer of a CA; without a directory and an error, there was none in time.

    :ivar seconds: until the answer, or the end of the wait.
    """

    directory: Directory | None
    error: CAError | None
    seconds: float


def ask(facts: Facts, ca: CA) -> DirectoryAnswer:
    """Return what the CA answers; a failed request is not retried."""
    return facts.once(("directory", ca.directory), partial(_ask, ca))


def _ask(ca: CA, context: Context) -> DirectoryAnswer:
    started = context.clock.monotonic()
    directory, error = None, None
    try:
        directory = _read(ca, context.within(_SECONDS))
    except CAError as refusal:
        error = refusal
    except Cancelled:
        context.check()
    return DirectoryAnswer(directory, error, round(context.clock.monotonic() - started, 3))


def _read(ca: CA, context: Context) -> Directory:
    http = dnsrenew.http.HttpClient(trust=ca.trust)
    try:
        transport = Transport(ca.name or ca.directory, http)
        return context.call(lambda: read_directory(context, transport, ca.directory, policy=_ONCE))
    finally:
        http.close()
