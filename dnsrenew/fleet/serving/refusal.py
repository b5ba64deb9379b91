"""Sends the alert of a refused handshake on event loops too.

asyncio and uvloop close a connection whose handshake fails without sending what OpenSSL has written last, the alert.
They send it if the handshake seems to need more from the client.
"""

from __future__ import annotations

import ssl


class RefusableObject(ssl.SSLObject):
    """The server's side of a connection on an event loop.

    :ivar is_refused: set in the handshake: the error is raised once the client has got the alert, and has closed.
    """

    is_refused = False
    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """See :meth:`ssl.SSLObject.do_handshake`."""
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if not self.is_refused:
                raise
            self._failure = error.with_traceback(None)  # it would keep this object alive
        if self._failure is not None:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the alert has to be sent first")
