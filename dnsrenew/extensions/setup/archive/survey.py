"""What an archive holds, found by reading it to its end: nothing of it is used before all of it is verified."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.config import locate
from dnsrenew.extensions.setup.archive import texts
from dnsrenew.extensions.setup.archive.archive_file import (
    CONFIG,
    FORMAT,
    HEADER,
    STORE,
    Member,
    damaged,
    digest,
    members,
)
from dnsrenew.store.json_files import DamagedFile, NewerSchema
from dnsrenew.store.paths import FILES
from dnsrenew.store.restoration import is_store_file
from dnsrenew.store.snapshot import STATE
from dnsrenew.store.state import State

if TYPE_CHECKING:
    from typing import BinaryIO

    from dnsrenew.base.runtime.context import Context
    from dnsrenew.base.secrets import Secret

_LONGEST: Final = 255
"""Characters of a name, as most file systems allow."""
_REFUSED: Final = frozenset('\\:*?"<>|')
"""Characters that no name has on Windows; a colon and a backslash can also lead to another folder there."""
_OLD_PATHS: Final = ".toml"


class ArchiveContents:
    """A verified archive.

    :ivar config: the path of the configuration when it was exported.
    :ivar main: the name of the configuration in the archive.
    :ivar main_member: its file.
    :ivar names: the names of the files of the configuration.
    :ivar masked: what was taken out of them, as JSON values.
    :ivar references: the secrets that are in no file of it, as JSON values; none in an archive of an earlier version.
    :ivar left_out: the files that the configuration uses and that are not in the archive.
    :ivar in_force: the version in force of each certificate that has its key in the archive.
    :ivar keyless: the number of certificates whose key is not in the archive.
    :ivar accounts: the number of accounts with their key.
    :ivar old_paths: the files of the configuration that name the folder in which it was.
    :ivar digests: of every file, in their order: what is read again to be used must be the same.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.config = self.main = ""
        self.main_member = Member("", b"")
        self.names: list[str] = []
        self.masked: list[dict[str, Any]] = []
        self.references: list[dict[str, Any]] = []
        self.left_out: list[str] = []
        self.in_force: dict[str, int] = {}
        self.keyless = self.accounts = 0
        self.old_paths: list[str] = []
        self.digests: list[bytes] = []
        self._file = file
        self._states: dict[str, int | None] = {}
        self._versions: dict[tuple[str, int], set[str]] = {}

    def add(self, member: Member) -> None:
        """Take note of the next file.

        :raises StoreError: ``restore-damaged``, ``restore-newer``.
        """
        self.digests.append(digest(member))
        if not self.main:
            self._header(member)
        elif member.name.startswith(CONFIG):
            self._config(member.name.removeprefix(CONFIG), member)
        elif member.name.startswith(STORE) and is_store_file(name := member.name.removeprefix(STORE)):
            self._stored(name, member.data)
        else:
            raise damaged(self._file, texts.FOREIGN_ARCHIVE)

    def finish(self) -> None:
        """Check that the files fit together.

        :raises StoreError: ``restore-damaged``.
        """
        if self.main not in self.names:
            raise damaged(self._file, texts.FOREIGN_ARCHIVE)
        for (name, number), files in self._versions.items():
            if self._states.get(name) != number or not files >= set(FILES) - {"privkey.pem"}:
                raise damaged(self._file, texts.FOREIGN_ARCHIVE)
            if "privkey.pem" in files:
                self.in_force[name] = number
        self.keyless = sum(version is not None for version in self._states.values()) - len(self.in_force)

    def store(self, target: Path) -> Path:
        """Return the store of the configuration at its new place.

        :raises StoreError: ``restore-damaged``.
        """
        try:
            named = tomllib.loads(self.main_member.data.decode("utf-8-sig")).get("store")
        except ValueError:
            raise damaged(self._file, texts.FOREIGN_ARCHIVE) from None
        folder = str(target.parent)
        if named is None:
            return Path(locate.default_store(folder, os.environ))
        if not isinstance(named, str) or not named or "\0" in named or "://" in named:
            raise damaged(self._file, texts.STORE_IN_URL)
        return Path(os.path.abspath(os.path.join(folder, os.path.expanduser(named))))

    def _header(self, member: Member) -> None:
        try:
            header = json.loads(member.data if member.name == HEADER else b"")
            number = header["format"]
            if isinstance(number, int) and number > FORMAT:
                raise damaged(self._file, texts.NEWER)
            self.config, self.main = str(header["config"]), str(header["main"])
            self.masked = [{"file": str(each["file"]), "line": each["line"], "key": str(each["key"])}
                           for each in header["masked"]]  # fmt: skip
            self.references = [{"file": str(each["file"]), "line": each["line"], "key": str(each["key"]),
                                "reference": str(each["reference"])}
                               for each in header.get("references", ())]  # fmt: skip
            self.left_out = [str(each["path"]) for each in header["left_out"]]
        except (TypeError, KeyError, ValueError, RecursionError):
            raise damaged(self._file, texts.NO_ARCHIVE) from None

    def _config(self, name: str, member: Member) -> None:
        if not all(map(_is_plain, name.split("/"))):
            raise damaged(self._file, texts.FOREIGN_ARCHIVE)
        self.names.append(name)
        if name == self.main:
            self.main_member = member
        folder = os.path.dirname(self.config)
        if name.endswith(_OLD_PATHS) and len(folder) > 1 and os.fsencode(folder) in member.data:
            self.old_paths.append(name)

    def _stored(self, name: str, data: bytes) -> None:
        kind, _, rest = name.partition("/")
        if kind == "accounts":
            self.accounts += name.endswith("/key.pem")
        elif kind == "certificates":
            certificate, _, rest = rest.partition("/")
            if rest == STATE:
                self._states[certificate] = self._state(data).version
            elif rest.startswith("versions/"):
                _, number, file = rest.split("/")
                self._versions.setdefault((certificate, int(number)), set()).add(file)

    def _state(self, data: bytes) -> State:
        try:
            return State.from_json(data)
        except NewerSchema:
            raise damaged(self._file, texts.NEWER) from None
        except DamagedFile:
            raise damaged(self._file, texts.FOREIGN_ARCHIVE) from None


def survey(file: BinaryIO, passphrase: Secret | None, context: Context) -> ArchiveContents:
    """Read an archive to its end, and verify it.

    :raises StoreError: ``restore-passphrase``, ``restore-damaged``, ``restore-newer``.
    :raises OSError: it cannot be read.
    :raises Cancelled: the caller cancelled.
    """
    found = ArchiveContents(file)
    for member in members(file, passphrase):
        context.check()
        found.add(member)
    found.finish()
    return found


def _is_plain(part: str) -> bool:
    """Tell whether a part of a path leads to nothing but a file or folder of that name, on every system."""
    if not part or part.strip(".") == "" or len(part) > _LONGEST or not part.isprintable():
        return False
    return not _REFUSED & set(part)
