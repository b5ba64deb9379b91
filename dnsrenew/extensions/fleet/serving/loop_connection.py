"""The server's side of a connection on an event loop, which has no socket; and the address of a client.

asyncio and uvloop close a connection whose handshake fails without sending what OpenSSL has written last, the alert.
They send it if the handshake seems to need more from the client.
"""

from __future__ import annotations

import ssl
import sys
from typing import Any


class LoopConnection(ssl.SSLObject):
    """A connection on an event loop.

    :ivar is_refused: set in the handshake: the error is raised once the client has got the alert, and has closed.
    :ivar client: the address of the client; empty if it is not known.
    """

    is_refused = False
    client = ""
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """See :meth:`ssl.SSLObject.do_handshake`."""
        if self._failure is not None:
            raise self._failure
        # asyncio tells it to nothing that TLS calls, but the caller is its protocol; that of uvloop has no frame.
        self.client = self.client or _address(getattr(sys._getframe(1).f_locals.get("self"), "_transport", None))  # noqa: SLF001  # CPython has it
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if not self.is_refused:
                raise
            self._failure = error.with_traceback(None)  # it would keep this object alive
        if self._failure is not None:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert has to be sent first")


def _address(transport: Any) -> str:
    """Return the address of the peer of a transport."""
    try:
        return str(transport.get_extra_info("peername")[0])
    except (AttributeError, LookupError, TypeError):
        return ""


def address_of(connection: Any) -> str:
    """Return the address of the client of a connection in its handshake; empty if it is not known."""
    if isinstance(connection, LoopConnection):
        return connection.client
    try:
        return str(connection.getpeername()[0])
    except (AttributeError, LookupError, OSError):  # no connection; a Unix socket
        return ""
