"""The format of an archive: tar (POSIX.1-1988, ustar) in gzip (RFC 1952), sealed if it contains secrets.

::

    archive.json         what it is: format, dnsrenew version, time, the path of the configuration …
    config/…             the configuration and the files that it uses, relative to its folder
    store/…              files of the store
    SHA256SUMS           the hash of each file above, as ``sha256sum`` writes it

``SHA256SUMS`` comes last, so that it shows a reader that nothing is missing, and a writer needs only one pass. Headers
are read strictly: only regular files with short names, as they are written; no link, device or extension of tar.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

from dnsrenew.base.safe_files import OpenFolder, open_folder
from dnsrenew.base.secrets import Secret
from dnsrenew.base.values import Frozen
from dnsrenew.base.x509 import sealing
from dnsrenew.errors import StoreError, Text
from dnsrenew.extensions.setup.archive import texts

FORMAT: Final = 1
HEADER: Final = "archive.json"
SUMS: Final = "SHA256SUMS"
CONFIG: Final = "config/"
STORE: Final = "store/"
LARGEST: Final = 32 << 20
"""The size in bytes of the largest file."""
_BLOCK: Final = tarfile.BLOCKSIZE
_LEVEL: Final = 3
PRIVATE: Final = 0o600
PROGRAM: Final = 0o700
_LATEST: Final = 8**11 - 1
"""The latest time that a header can have."""
_RATIO: Final = 200
_SMALL: Final = 64 << 20
"""A content of more bytes than this must not be more than ``_RATIO`` times as large as the file."""


class Member(Frozen, hidden=("data",)):
    """One file of an archive. Its content may be a secret, so no variable holds it alone, as debuggers show variables.

    :ivar time: the time of the file, in seconds since 1970; None for the time of the archive.
    """

    name: str
    data: bytes
    executable: bool = False
    time: int | None = None


class ArchiveWriter:
    """Writes an archive in one pass.

    :param out: gets the bytes; it stays open.
    :param passphrase: seals the archive; None if it is not sealed.
    :param now: the time of all files in it.
    """

    def __init__(self, out: BinaryIO, passphrase: Secret | None, now: datetime) -> None:
        self._sealed = None if passphrase is None else sealing.SealedWriter(out, passphrase.reveal())
        self._time = int(now.timestamp())
        self._gzip = gzip.GzipFile("", "wb", _LEVEL, self._sealed or out, mtime=self._time)
        self._sums = bytearray()
        self.files = 0

    def add(self, member: Member) -> bool:
        """Add a file; return False if its name is too long for the format.

        :raises OSError: the archive cannot be written.
        """
        mode = PROGRAM if member.executable else PRIVATE
        header = self._header(member.name, len(member.data), mode, member.time)
        if header is None:
            return False
        self._put(header, member)
        self._sums += _sum_line(member)
        self.files += 1
        return True

    def finish(self) -> None:
        """Write the sums and the end.

        :raises OSError: the archive cannot be written.
        """
        self._put(self._header(SUMS, len(self._sums), PRIVATE) or b"", Member(SUMS, bytes(self._sums)))
        self._gzip.write(bytes(2 * _BLOCK))
        self._gzip.close()
        if self._sealed is not None:
            self._sealed.finish()

    def _header(self, name: str, size: int, mode: int, time: int | None = None) -> bytes | None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, mode, self._time if time is None else min(max(time, 0), _LATEST)
        with contextlib.suppress(ValueError):  # a name that is too long, or that is not valid Unicode
            return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
        return None

    def _put(self, header: bytes, member: Member) -> None:
        self._gzip.write(header)
        self._gzip.write(member.data)
        self._gzip.write(bytes(-len(member.data) % _BLOCK))


def is_sealed(file: BinaryIO) -> bool:
    """Return whether an archive is sealed by a passphrase.

    :raises StoreError: ``restore-damaged``: the file is not an archive.
    :raises OSError: the file cannot be read.
    """
    file.seek(0)
    start = file.read(16)
    if start == b"dnsrenew sealed\n":
        return True
    if not start.startswith(b"\x1f\x8b"):
        raise damaged(file, texts.NO_ARCHIVE)
    return False


def members(file: BinaryIO, passphrase: Secret | None) -> Iterator[Member]:
    """Yield the files of an archive, header first. Reaching the end proves that all are unchanged.

    :param file: a regular file.
    :raises StoreError: ``restore-passphrase``, ``restore-damaged``, ``restore-newer``.
    """
    try:
        yield from _ArchiveReader(file, passphrase).members()
    except (EOFError, zlib.error, gzip.BadGzipFile, sealing.BrokenSealError):
        raise damaged(file, texts.DAMAGED) from None


def damaged(file: BinaryIO, text: Text) -> StoreError:
    """Return the error for an unusable archive."""
    return StoreError.of(text, file=file.name)


class _ArchiveReader:
    def __init__(self, file: BinaryIO, passphrase: Secret | None) -> None:
        self._file = file
        file.seek(0, io.SEEK_END)
        self._limit = max(_SMALL, file.tell() * _RATIO)
        file.seek(0)
        self._gzip = gzip.GzipFile(fileobj=file if passphrase is None else self._unsealed(passphrase), mode="rb")
        self._read_bytes = 0
        self._sums = hashlib.sha256()
        self._sums_size = 0

    def _unsealed(self, passphrase: Secret) -> BinaryIO:
        try:
            return io.BufferedReader(sealing.SealedReader(self._file, passphrase.reveal()))
        except sealing.WrongPassphraseError:
            text = texts.WRONG_PASSPHRASE
        except sealing.UnknownSealError:
            text = texts.NEWER
        except sealing.BrokenSealError:
            text = texts.DAMAGED
        raise damaged(self._file, text)  # here: the traceback of the error above has the passphrase in its variables

    def members(self) -> Iterator[Member]:
        seen: set[str] = set()
        while True:
            info = self._header()
            if info.name == SUMS:
                self._check_sums(info.size)
                return
            if info.size > LARGEST or info.name in seen:
                raise damaged(self._file, texts.DAMAGED)
            seen.add(info.name)
            member = Member(info.name, self._take(info.size), bool(info.mode & 0o100), int(info.mtime))
            self._take(-info.size % _BLOCK)
            line = _sum_line(member)
            self._sums.update(line)
            self._sums_size += len(line)
            yield member

    def _header(self) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(self._take(_BLOCK), "utf-8", "strict")
        except (tarfile.HeaderError, ValueError):  # cut off before SHA256SUMS, or damaged
            raise damaged(self._file, texts.DAMAGED) from None
        if info.type != tarfile.REGTYPE or info.size < 0 or info.linkname:
            raise damaged(self._file, texts.FOREIGN_ARCHIVE)
        return info

    def _check_sums(self, size: int) -> None:
        """Compare the sums, and read to the end, where gzip compares its own sum."""
        found, left = hashlib.sha256(), size
        while left:
            part = self._take(min(left, LARGEST))
            found.update(part)
            left -= len(part)
        rest = self._take(-size % _BLOCK) + self._take(2 * _BLOCK)
        same = size == self._sums_size and found.digest() == self._sums.digest()
        if not same or rest.strip(b"\0") or self._gzip.read(1):
            raise damaged(self._file, texts.DAMAGED)

    def _take(self, size: int) -> bytes:
        """Return exactly this many bytes of the content.

        :raises EOFError: the content ends before that.
        """
        self._read_bytes += size
        if self._read_bytes > self._limit:
            raise damaged(self._file, texts.DAMAGED)
        data = self._gzip.read(size)
        if len(data) != size:
            del data  # see Member
            raise EOFError
        return data


def digest(member: Member) -> bytes:
    """Return a hash of all used parts of a file: its name, its content, its mode and its time."""
    return hashlib.sha256(b"%d %d %s" % (member.executable, member.time or 0, _sum_line(member))).digest()


def _sum_line(member: Member) -> bytes:
    return f"{hashlib.sha256(member.data).hexdigest()}  {member.name}\n".encode()


# ── new files ──────────────────────────────────────────────────────────────────────────

# New files, all or none, never over an existing file, and never through a link of another user.


class NewFiles:
    """New private files. Each is written under another name in its folder until :meth:`commit`.

    Use it in a ``with`` block. After an exception, none of the files and folders stay.
    """

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self._open: dict[str, OpenFolder] = {}
        self._staged: list[tuple[OpenFolder, str, str]] = []
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _traceback: object) -> None:
        with self._held, self._undo:
            if kind is None:
                self._undo.pop_all()

    def open(self, path: Path, mode: int = PRIVATE) -> BinaryIO:
        """Open a new file for writing, which gets its name with :meth:`commit`.

        :raises OSError: the file cannot be created (``ForeignLinkError``: another user's link is in the path).
        """
        folder = self._folder(str(path.parent))
        temp = f".{path.name[:100]}.{os.getpid()}-{len(self._staged)}.tmp"
        handle = folder.create(temp, mode)
        self._undo.callback(folder.discard, temp)
        self._staged.append((folder, temp, path.name))
        return os.fdopen(handle, "wb")

    def write(self, path: Path, member: Member) -> None:
        """Write a new file with the content of a member, and create missing folders above it.

        :raises OSError: the file cannot be written.
        """
        self._make_folders(path.parent)
        with self.open(path, PROGRAM if member.executable else PRIVATE) as file:
            file.write(member.data)
            sync(file)

    def commit(self) -> None:
        """Rename all files to their names, in the order in which they were written.

        :raises FileExistsError: a file with that name exists by now; ``filename2`` is its path.
        :raises OSError: a file cannot be written.
        """
        for folder, temp, name in self._staged:
            try:
                folder.claim(temp, name)
            except FileExistsError as error:
                path = os.path.join(folder.path, name)
                raise FileExistsError(error.errno, error.strerror, temp, None, path) from None
            self._undo.callback(folder.discard, name)
        self._staged.clear()
        for folder in self._open.values():
            folder.sync()

    def _folder(self, path: str) -> OpenFolder:
        if path not in self._open:
            self._open[path] = self._held.enter_context(open_folder(path))
        return self._open[path]

    def _make_folders(self, path: Path) -> None:
        missing = [each for each in (path, *path.parents) if not os.path.isdir(each)]
        for each in reversed(missing):
            above = self._folder(str(each.parent))
            above.make(each.name, 0o700)
            self._undo.callback(_remove_folder, above, each.name)


def _remove_folder(above: OpenFolder, name: str) -> None:
    with contextlib.suppress(OSError):  # another process has put a file there
        above.remove_folder(name)


def sync(file: BinaryIO) -> None:
    """Make the content of a file durable.

    :raises OSError: the file cannot be written.
    """
    file.flush()
    os.fsync(file.fileno())
