"""The responder of routes with ``app = true``: a web app of this process serves the responses."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Final

from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.http01.webroot import FOLDERS, Webroot
from dnsrenew.errors import ChallengeError

TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class AppResponses:
    """Responses for the wrapped app of a program. They are files, so that every worker process finds them.

    :param folder: where they are; it is made when it is needed.
    :ivar is_served: whether there is an app.
    """

    def __init__(self, folder: str) -> None:
        self.is_served = False
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
        """Check whether an app is there, and whether the folder can be written.

        :raises ChallengeError: ``http-no-app``; the folder cannot be written.
        """
        if not self.is_served:
            raise ChallengeError.of(texts.NO_APP)
        with contextlib.suppress(OSError):  # check() reports it
            os.makedirs(self.folder, 0o700, exist_ok=True)
        self._webroot.check(probe)

    def add(self, token: str, content: bytes) -> None:
        """Serve a response."""
        self._webroot.add(token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`."""
        self._webroot.remove(token, content)

    def problem(self, token: str, content: bytes) -> str | None:
        """Return what is wrong with the response for a token, as a clause, or None."""
        return self._webroot.problem(token, content)
