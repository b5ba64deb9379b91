"""Files for http-01 in a folder that a web server serves, and no trace of them afterwards."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from dnsrenew.challenges.contents import Contents
from dnsrenew.challenges.http01.safe_folder import HANDLES, Folder
from dnsrenew.errors import ChallengeError

PLACE: Final = (".well-known", "acme-challenge")
_TRIES: Final = 3
"""Another run may remove the empty folders just as we found them."""


class Webroot:
    """One folder that a web server serves. Thread-safe; other processes may work in it as well.

    The web server's own programs can often write there, and we may be root: a link that leads out of it is refused.
    """

    def __init__(self, path: str, *, handles: bool = HANDLES) -> None:
        self.path = path
        self._handles = handles
        self._lock = threading.Lock()
        self._contents: Contents[bytes] = Contents()
        self._made: list[tuple[str, ...]] = []

    def check(self, name: str) -> None:
        """Find out whether files can be written, by writing one, and leave nothing behind.

        :param name: of that file.
        :raises ChallengeError: they cannot.
        """
        self.add(name, b"")
        self.remove(name, b"")

    def add(self, token: str, content: bytes) -> None:
        """Write the file for a token.

        :raises ChallengeError: it cannot be written.
        """
        with self._lock, self._translated():
            try:
                self._write(token, content)
            except OSError:
                with contextlib.suppress(OSError):
                    self._clear(token)
                raise
            self._contents.add(token, content)

    def remove(self, token: str, content: bytes) -> None:
        """Take back one :meth:`add`; with the last one go the folders that were made for it.

        :raises ChallengeError: the file cannot be removed.
        """
        with self._lock, self._translated():
            self._contents.remove(token, content)
            self._clear(token)

    def problem(self, token: str, content: bytes) -> str | None:
        """Read the file for a token again; return what is wrong with it, as the end of a sentence."""
        try:
            with self._lock, self._folder(self._steps()) as folder:
                read = folder.read(token)
        except OSError as error:
            return f"its file cannot be read ({error.strerror or error})"
        return None if read == content else "its file does not hold what was written"

    def _write(self, token: str, content: bytes) -> None:
        for left in reversed(range(_TRIES)):
            steps = self._steps()
            try:
                self._make(steps)
                with self._folder(steps) as folder:
                    folder.write(token, content)
                return
            except FileNotFoundError:
                if not left or not os.path.isdir(self.path):
                    raise

    def _clear(self, token: str) -> None:
        """Remove what nobody needs any more."""
        if self._contents.get(token) is None:
            with contextlib.suppress(FileNotFoundError), self._folder(self._steps()) as folder:
                folder.remove(token)
        if self._contents:
            return
        while self._made:
            *parents, name = self._made.pop()
            with contextlib.suppress(OSError), self._folder(parents) as folder:  # OSError: it is not empty
                folder.remove_folder(name)

    def _steps(self) -> Sequence[str]:
        """Return the way from the webroot to the files, with its links resolved.

        :raises ChallengeError: it leads out of the webroot.
        """
        root = os.path.realpath(self.path)
        place = os.path.realpath(os.path.join(root, *PLACE))
        if place != root and not place.startswith(os.path.join(root, "")):  # commonpath knows one drive only
            raise ChallengeError(
                "http-webroot-link",
                f"A link leads from {os.path.join(self.path, *PLACE)} out of the webroot, to {place}.",
                fix="Replace the link by a folder, or set webroot to a folder where it leads nowhere else.",
                evidence={"webroot": self.path, "leads_to": place},
            )
        return os.path.relpath(place, root).split(os.sep)

    def _make(self, steps: Sequence[str]) -> None:
        for depth, name in enumerate(steps):
            with self._folder(steps[:depth]) as parent:
                try:
                    parent.make(name)
                except FileExistsError:
                    continue
            self._made.append(tuple(steps[: depth + 1]))

    @contextlib.contextmanager
    def _folder(self, steps: Sequence[str]) -> Iterator[Folder]:
        """Go down from the webroot, step by step: a link that was put there meanwhile is an error."""
        with contextlib.ExitStack() as held:
            folder = held.enter_context(Folder.hold(os.path.realpath(self.path), handles=self._handles))
            for name in steps:
                folder = held.enter_context(folder.child(name))
            yield folder

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failure(error) from None

    def _failure(self, error: OSError) -> ChallengeError:
        """Translate: the only place that knows what a folder can have against us."""
        evidence = {"webroot": self.path, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
        if not os.path.isdir(self.path) and not isinstance(error, PermissionError):
            return ChallengeError(
                "http-webroot-missing",
                f"The webroot {self.path} is not a folder.",
                fix="Set webroot to the folder whose files the web server shows at http://NAME/.",
                evidence=evidence,
            )
        return ChallengeError(
            "http-webroot-unwritable",
            f"Files for the CA cannot be written in {os.path.join(self.path, *PLACE)}: {error.strerror or error}.",
            fix="Make that a folder in which the user that runs dnsrenew can write, or use dns-01, which needs none.",
            evidence=evidence,
        )
