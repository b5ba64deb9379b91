"""Why a query got no answer, from the error of the operating system."""

from __future__ import annotations

import errno
from typing import Final

from dnsrenew.dns import texts

NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}
    | {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}  # a system without that address family
)
NO_RESOURCES: Final = {
    errno.EMFILE: texts.PROCESS_FILES,
    errno.ENFILE: texts.SYSTEM_FILES,
    errno.ENOBUFS: texts.NO_MEMORY,
    errno.ENOMEM: texts.NO_MEMORY,
}
"""Errors that say nothing about the server: this machine cannot send a query at all."""


class NoRouteError(OSError):
    """The kernel reports at once that there is no route; a later report may concern one host that is down."""


def reason(error: OSError) -> str:
    """Return why there is no answer, as a clause that continues "the server …"."""
    if isinstance(error, NoRouteError):
        return texts.NO_ROUTE
    if isinstance(error, TimeoutError):
        return texts.NO_REPLY
    if isinstance(error, ConnectionRefusedError):
        return texts.REFUSED
    if error.errno in NO_ROUTE:
        return texts.NO_ROUTE_ON_PATH
    if error.errno in NO_RESOURCES:
        return texts.NO_SOCKET.format(cause=NO_RESOURCES[error.errno])
    if error.errno in {errno.EPERM, errno.EACCES}:
        return texts.FORBIDDEN
    return texts.CONNECTION_LOST
