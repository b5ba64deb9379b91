"""The http-01 responses that the app of a program serves: files, so that every worker process finds them."""

from __future__ import annotations

import contextlib
import os

from dnsrenew.base.safe_files import PublicFiles


class HttpResponses(PublicFiles):
    """The responses of a store, named by their tokens, where a web server would find them in a webroot.

    :param path: their folder in the store; only its owner can open it. A temporary one may be removed by the system,
        and made again by another user, who would answer for every name: it is refused.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, (".well-known", "acme-challenge"), own=os.name != "nt")

    def make_folder(self) -> None:
        """Make the folder in the store; it is made only when it is needed."""
        with contextlib.suppress(OSError):  # write() reports it
            os.makedirs(self.path, 0o700, exist_ok=True)

    def remove_old(self, before: float) -> None:
        """Remove what was written before a time; one that cannot be removed is harmless.

        :param before: seconds since 1970.
        """
        with contextlib.suppress(OSError), self._opened(self._steps()) as folder:
            for name in folder.names():
                if os.stat(folder.at(name), dir_fd=folder.handle, follow_symlinks=False).st_mtime < before:
                    folder.remove(name)
