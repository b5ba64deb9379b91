"""Writes new files, and only new ones: nothing that exists is touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from dnsrenew.base import files
from dnsrenew.errors import StoreError
from dnsrenew.extensions.setup.importing import texts

if TYPE_CHECKING:
    from pathlib import Path

_PRIVATE: Final = 0o600
_FOLDER: Final = 0o755
_LARGEST: Final = 1 << 16
"""Bytes of a secret."""


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, so that others can enter and not write.

    :raises StoreError: ``import-unwritable``.
    """
    try:
        for each in (*reversed(folder.parents), folder):
            if not os.path.isdir(each):
                os.mkdir(each, _FOLDER)
                os.chmod(each, _FOLDER)  # the umask may have taken too much, or too little
    except OSError as error:
        raise _unwritable(folder, error) from None


def secret_files(folder: Path) -> dict[str, str]:
    """Return the contents of the text files in a folder, by name: a secret may be there from an earlier import."""
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".txt"):
            try:
                with files.open_to_read(folder / name) as stream:
                    data = stream.read(_LARGEST + 1)
            except OSError:
                found[name] = ""  # it is there, and not ours
            else:
                found[name] = data.decode("utf-8", "replace").removesuffix("\n") if len(data) <= _LARGEST else ""
    return found


def write(path: Path, text: str) -> str | None:
    """Write a private file that does not exist yet; return its path, or None if it is there with this content.

    :raises StoreError: ``import-unwritable``: it cannot be written, or another file is there.
    """
    data = encoded(path, text)
    if os.path.lexists(path) and _content(path, len(data)) == data:
        return None
    temp = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _PRIVATE)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _put(temp, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        temp.unlink(missing_ok=True)
    return str(path)


def _put(temp: Path, path: Path) -> None:
    """Give a file its name, unless another one has it."""
    try:
        os.link(temp, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise
        os.rename(temp, path)


def encoded(path: Path, text: str) -> bytes:
    """Return the content of a text file.

    :param path: the file, for the error.
    :raises StoreError: ``import-unwritable``: it is not valid Unicode.
    """
    try:
        return (text.removesuffix("\n") + "\n").encode()
    except UnicodeEncodeError:
        raise StoreError.of(texts.UNWRITABLE, path=str(path), reason=texts.NOT_UNICODE) from None


def _content(path: Path, most: int) -> bytes | None:
    """Return the content of a file, up to one octet more than some."""
    try:
        with files.open_to_read(path) as stream:
            return stream.read(most + 1)
    except OSError:
        return None


def _unwritable(path: Path, error: OSError) -> StoreError:
    reason = (error.strerror or str(error)).lower()
    return StoreError.of(texts.UNWRITABLE, path=str(path), reason=reason)
