"""Why a question got no answer, as the operating system says it and in our words."""

from __future__ import annotations

import errno
from typing import Final

NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN}
    | {errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}  # a system without that family
)
SHORTAGES: Final = {
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
    errno.ENOBUFS: "this machine has no memory left for it",
    errno.ENOMEM: "this machine has no memory left for it",
}
"""It is us who cannot ask, whoever is to be asked."""


class NoRouteError(OSError):
    """Said by the kernel at once, before a packet is sent (later it may be one host that is down)."""


def reason(error: OSError) -> str:
    """Say why there is no answer, in words that continue "the server …"."""
    if isinstance(error, NoRouteError):
        return "cannot be reached: this machine has no route to it"
    if isinstance(error, TimeoutError):
        return "did not answer"
    if isinstance(error, ConnectionRefusedError):
        return "does not listen there (connection refused)"
    if error.errno in NO_ROUTE:
        return "cannot be reached: the network says that no way leads to it"
    if error.errno in SHORTAGES:
        return f"could not be asked: {SHORTAGES[error.errno]}"
    if error.errno in {errno.EPERM, errno.EACCES}:
        return "cannot be reached: this machine forbids it (a firewall?)"
    return "broke the connection off"
