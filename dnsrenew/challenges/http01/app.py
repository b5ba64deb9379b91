"""The responder of routes with ``app = true``: a web app of this process serves the responses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.http01.webroot import Webroot
from dnsrenew.errors import ChallengeError

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock
    from dnsrenew.store.http_responses import HttpResponses

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)

_LEFTOVER: Final = 24 * 3600.0
"""Seconds after which a response is a leftover: a CA asks within minutes, and other processes may be at work."""


class AppResponses(Webroot):
    """Responses for the wrapped app of a program.

    :param responses: those of the store, which other worker processes serve too.
    :param clock: tells the age of leftovers.
    :ivar is_served: whether there is an app.
    """

    def __init__(self, responses: HttpResponses, clock: Clock) -> None:
        super().__init__(responses)
        self.is_served = False
        self._responses = responses
        self._clock = clock

    def find(self, token: str) -> bytes | None:
        """Return the response for a token, or None."""
        if not TOKEN.fullmatch(token):
            return None
        try:
            return self._responses.read(token)
        except OSError:
            return None

    def check(self, name: str) -> None:
        """Check whether an app is there, and whether files can be written; remove leftovers.

        :raises ChallengeError: ``http-no-app``; they cannot be written.
        """
        if not self.is_served:
            raise ChallengeError.of(texts.NO_APP)
        self._responses.make_folder()
        self.remove_leftovers()
        super().check(name)

    def remove_leftovers(self) -> None:
        """Remove the responses that killed runs left."""
        self._responses.remove_old(self._clock.now().timestamp() - _LEFTOVER)
