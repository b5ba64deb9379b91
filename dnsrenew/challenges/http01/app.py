"""The responder of routes with ``app = true``: a web app of this process serves the responses."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Final

from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.http01.webroot import FOLDERS, Webroot
from dnsrenew.errors import ChallengeError

if TYPE_CHECKING:
    from dnsrenew.base.clock import Clock

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)

_LEFTOVER: Final = 24 * 3600.0
"""Seconds after which a response is a leftover: a CA asks within minutes, and other processes may be at work."""


class AppResponses:
    """Responses for the wrapped app of a program. They are files, so that every worker process finds them.

    :param folder: where they are; it is made when it is needed.
    :param clock: tells the age of leftovers.
    :ivar is_served: whether there is an app.
    """

    def __init__(self, folder: str, clock: Clock) -> None:
        self.is_served = False
        self._clock = clock
        self._webroot = Webroot(folder)

    @property
    def folder(self) -> str:
        """The folder of the files."""
        return self._webroot.path

    def find(self, token: str) -> bytes | None:
        """Return the response for a token, or None."""
        if not TOKEN.fullmatch(token):
            return None
        try:
            with open(os.path.join(self.folder, *FOLDERS, token), "rb") as file:
                return file.read()
        except OSError:
            return None

    def check(self, probe: str) -> None:
        """Check whether an app is there, and whether the folder can be written; remove leftovers.

        :raises ChallengeError: ``http-no-app``; the folder cannot be written.
        """
        if not self.is_served:
            raise ChallengeError.of(texts.NO_APP)
        with contextlib.suppress(OSError):  # check() reports it
            os.makedirs(self.folder, 0o700, exist_ok=True)
        self.sweep()
        self._webroot.check(probe)

    def sweep(self) -> None:
        """Remove the responses that killed runs left; one that cannot be removed is harmless."""
        latest = self._clock.now().timestamp() - _LEFTOVER
        with contextlib.suppress(OSError), os.scandir(os.path.join(self.folder, *FOLDERS)) as found:
            for entry in found:
                if entry.stat(follow_symlinks=False).st_mtime < latest:
                    os.unlink(entry.path)

    def add(self, token: str, content: bytes) -> None:
        """Serve a response."""
        self._webroot.add(token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`."""
        self._webroot.remove(token, content)

    def problem(self, token: str, content: bytes) -> str | None:
        """Return what is wrong with the response for a token, as a clause, or None."""
        return self._webroot.problem(token, content)
