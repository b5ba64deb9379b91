"""Files for http-01 in a folder that a web server serves; they are removed afterwards."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from dnsrenew.base.files import is_closed_by_unit
from dnsrenew.challenges.contents import Contents
from dnsrenew.challenges.http01 import texts
from dnsrenew.challenges.http01.safe_folder import HANDLES, Folder
from dnsrenew.errors import ChallengeError

FOLDERS: Final = (".well-known", "acme-challenge")
_TRIES: Final = 3
"""Another run may remove the empty folders in between."""


class Webroot:
    """One folder that a web server serves. Thread-safe; other processes may use it too.

    Other users can often write there, and dnsrenew may run as root, so a link that leads out of it is refused.
    """

    def __init__(self, path: str, *, handles: bool = HANDLES) -> None:
        self.path = path
        self._handles = handles
        self._lock = threading.Lock()
        self._contents: Contents[bytes] = Contents()
        self._made: list[tuple[str, ...]] = []

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
                self._write(token, content)
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
            with self._lock, self._folder(self._steps()) as folder:
                read = folder.read(token)
        except OSError as error:
            return texts.FILE_UNREADABLE.format(reason=error.strerror or error)
        return None if read == content else texts.FILE_CHANGED

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
        """Remove the file and the folders that are no longer needed."""
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
        """Return the folders from the webroot down to the files, with links resolved.

        :raises ChallengeError: a link leads out of the webroot.
        """
        root = os.path.realpath(self.path)
        folder = os.path.realpath(os.path.join(root, *FOLDERS))
        if folder != root and not folder.startswith(os.path.join(root, "")):  # commonpath fails on two drives
            raise ChallengeError.of(
                texts.WEBROOT_LINK, webroot=self.path, path=os.path.join(self.path, *FOLDERS), leads_to=folder
            )
        return os.path.relpath(folder, root).split(os.sep)

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
        """Open a folder below the webroot step by step, so that a link that was put there meanwhile is an error."""
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
        """Translate an OSError of the folder."""
        evidence = {"webroot": self.path, "errno": error.errno, "cause": f"{type(error).__name__}: {error}"}
        if not os.path.isdir(self.path) and not isinstance(error, PermissionError):
            return ChallengeError.of(texts.WEBROOT_MISSING, **evidence)
        path, reason = os.path.join(self.path, *FOLDERS), error.strerror or str(error)
        text = texts.WEBROOT_READ_ONLY if is_closed_by_unit(error) else texts.WEBROOT_UNWRITABLE
        return ChallengeError.of(text, **evidence, path=path, reason=reason)
