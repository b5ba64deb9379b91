"""The responder of routes with ``app = true``: a web app of this process serves the responses."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
from collections.abc import Iterator
from typing import Final

from dnsrenew.base.clock import Clock
from dnsrenew.base.files import is_closed_by_unit, mount_of, other_unit
from dnsrenew.base.safe_files import ForeignLinkError, OutsideLinkError, PublicFiles
from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.server import Contents
from dnsrenew.errors import ChallengeError
from dnsrenew.store.http_responses import HttpResponses

# ── webroot ────────────────────────────────────────────────────────────────────────────

# Files for http-01 in a folder that a web server serves; they are removed afterwards.

FOLDERS: Final = (".well-known", "acme-challenge")
"""Where a web server looks for the path of a response (RFC 8555 section 8.3)."""


class Webroot:
    """One folder that a web server serves. Thread-safe; other processes may use it too.

    Other users can often write there, and dnsrenew may run as root, so a link that leads out of it is refused, and one
    of another user that leads to it.

    :ivar files: those in it.
    """

    def __init__(self, files: PublicFiles) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._contents: Contents[bytes] = Contents()

    def check(self, name: str) -> None:
        """Check whether files can be written, by writing and removing one.

        :param name: the name of that file.
        :raises ChallengeError: they cannot be written.
        """
        self.add(name, b"")
        self.remove(name, b"")

    def add(self, token: str, content: bytes) -> None:
        """Write the file for a token.

        :raises ChallengeError: it cannot be written.
        """
        with self._lock, self._translated():
            try:
                self.files.write(token, content)
            except OSError:
                with contextlib.suppress(OSError):
                    self._clear(token)
                raise
            self._contents.add(token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Undo one :meth:`add`; the last one also removes the folders that were made.

        :raises ChallengeError: the file cannot be removed.
        """
        with self._lock, self._translated():
            self._contents.remove(token, content)
            self._clear(token)

    def problem(self, token: str, content: bytes) -> str | None:
        """Read the file for a token; return what is wrong with it, as a clause, or None."""
        try:
            with self._lock:
                read = self.files.read(token)
        except OutsideLinkError as error:
            raise self._failure(error) from None
        except OSError as error:
            return texts.FILE_UNREADABLE.format(reason=error.strerror or error)
        return None if read == content else texts.FILE_CHANGED

    def _clear(self, token: str) -> None:
        """Remove the file and the folders that are no longer needed."""
        if self._contents.get(token) is None:
            self.files.remove(token)
        if not self._contents:
            self.files.remove_folders()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> ChallengeError:
        """Translate an OSError of the folder."""
        webroot, path = self.files.path, self.files.folder
        if isinstance(error, OutsideLinkError):
            return ChallengeError.of(texts.WEBROOT_LINK, webroot=webroot, path=path, leads_to=error.leads_to)
        if isinstance(error, ForeignLinkError):
            return ChallengeError.of(texts.WEBROOT_FOREIGN_LINK, webroot=webroot, **vars(error.link))
        evidence = {"webroot": webroot, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
        if not os.path.isdir(webroot) and not isinstance(error, PermissionError):
            return ChallengeError.of(texts.WEBROOT_MISSING, **evidence)
        reason = error.strerror or str(error)
        text = texts.WEBROOT_UNWRITABLE
        if error.errno == errno.EROFS:
            text = texts.WEBROOT_DISK_READ_ONLY
        if is_closed_by_unit(error):
            text = texts.WEBROOT_READ_ONLY
            if unit := other_unit():
                text, evidence = texts.WEBROOT_READ_ONLY_ELSEWHERE, {**evidence, "unit": unit}
        return ChallengeError.of(text, **evidence, path=path, reason=reason, mount=mount_of(webroot))


# ── app ────────────────────────────────────────────────────────────────────────────────

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
