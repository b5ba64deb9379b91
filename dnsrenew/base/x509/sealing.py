r"""A stream that a passphrase seals: scrypt (RFC 7914), then AES-256-GCM in chunks.

::

    16 bytes  "dnsrenew sealed\n"
     4 bytes  version, log2 of scrypt's N, r, p
    16 bytes  salt, random for each file
    16 bytes  check: tells a wrong passphrase from a damaged file
    chunks    64 KiB of the content and a tag of 16 bytes each; the last chunk is shorter or equal

The nonce of a chunk is its number and whether it is the last one, and each tag covers everything before the chunks. So
no chunk can be changed, moved, left out or added (the STREAM construction, as in age and Tink).
"""

from __future__ import annotations

import hmac
import io
import os
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC: Final = b"dnsrenew sealed\n"
CHUNK: Final = 64 << 10
"""The number of content bytes in a chunk."""
_VERSION: Final = 1
_COST: Final = 17
"""The log2 of scrypt's N: 128 MiB and about 0.4 s for each guess."""
_COSTS: Final = range(14, 19)
"""The values that a file may request: up to 256 MiB."""
_BLOCK_SIZE: Final = 8
_PARALLEL: Final = 1
_SALT: Final = 16
_CHECK: Final = 16
_KEY: Final = 32
_TAG: Final = 16
_HEAD: Final = len(MAGIC) + 4 + _SALT


class WrongPassphraseError(ValueError):
    """The passphrase does not open the file."""


class BrokenSealError(ValueError):
    """The file is cut off, or was changed after it was sealed."""


class UnknownSealError(ValueError):
    """This version does not support the way in which the file was sealed."""


class SealedWriter(io.RawIOBase):
    """Seals the bytes that are written to it. :meth:`finish` writes the last chunk, which completes the file.

    :param out: gets the sealed bytes; it stays open.
    :param cost: log2 of scrypt's N.
    """

    def __init__(self, out: BinaryIO, passphrase: str, *, cost: int = _COST) -> None:
        super().__init__()
        self._out = out
        head = MAGIC + bytes((_VERSION, cost, _BLOCK_SIZE, _PARALLEL)) + os.urandom(_SALT)
        key, check = _derive(passphrase, head)
        self._head = head + check
        self._cipher = AESGCM(key)
        self._buffer = bytearray()
        self._number = 0
        out.write(self._head)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer
        """Take bytes, and write full chunks."""
        self._buffer += data
        while len(self._buffer) > CHUNK:  # the last chunk is not empty, unless there is no content
            self._put(bytes(self._buffer[:CHUNK]), last=False)
            del self._buffer[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _put(self, content: bytes, *, last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, last=last), content, self._head))
        self._number += 1


class SealedReader(io.RawIOBase):
    """Reads a stream of a :class:`SealedWriter`, and returns only verified content.

    :param source: the sealed bytes, from the magic on.
    :raises WrongPassphraseError: the passphrase does not open it.
    :raises BrokenSealError: the stream is cut off.
    :raises UnknownSealError: the stream was sealed in another way.
    """

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        super().__init__()
        self._source = source
        head = source.read(_HEAD)
        stored = source.read(_CHECK)
        if not head.startswith(MAGIC) or len(stored) != _CHECK:
            raise BrokenSealError
        version, cost, block_size, parallel = head[len(MAGIC) : len(MAGIC) + 4]
        if version != _VERSION or cost not in _COSTS or (block_size, parallel) != (_BLOCK_SIZE, _PARALLEL):
            raise UnknownSealError
        key, check = _derive(passphrase, head)
        if not hmac.compare_digest(check, stored):
            raise WrongPassphraseError
        self._head = head + check
        self._cipher = AESGCM(key)
        self._number = 0
        self._ahead = source.read(CHUNK + _TAG)
        self._content = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer
        """Read up to the end of a chunk.

        :raises BrokenSealError: the chunk was changed, or the file is cut off.
        """
        while not self._content and not self._ended:
            self._content = memoryview(self._next())
        size = min(len(buffer), len(self._content))
        buffer[:size] = self._content[:size]
        self._content = self._content[size:]
        return size

    def _next(self) -> bytes:
        chunk, self._ahead = self._ahead, self._source.read(CHUNK + _TAG)
        self._ended = not self._ahead
        try:
            content = self._cipher.decrypt(_nonce(self._number, last=self._ended), chunk, self._head)
        except (InvalidTag, ValueError):
            raise BrokenSealError from None
        self._number += 1
        return content


def _derive(passphrase: str, head: bytes) -> tuple[bytes, bytes]:
    """Return the key and the check of a passphrase."""
    salt, cost = head[-_SALT:], head[len(MAGIC) + 1]
    kdf = Scrypt(salt=salt, length=_KEY + _CHECK, n=1 << cost, r=_BLOCK_SIZE, p=_PARALLEL)
    derived = kdf.derive(passphrase.encode("utf-8", "surrogateescape"))
    return derived[:_KEY], derived[_KEY:]


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


# ── aead ───────────────────────────────────────────────────────────────────────────────

# AES-256-GCM for small values that are stored sealed in a database.

_NONCE: Final = 12


def encrypt(key: bytes, data: bytes, bound_to: bytes) -> bytes:
    """Return a random nonce of 12 bytes and the ciphertext with its tag.

    :param key: 32 bytes.
    :param bound_to: bytes that :func:`decrypt` needs too. They are not a part of the result.
    """
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, data, bound_to)


def decrypt(key: bytes, sealed: bytes, bound_to: bytes) -> bytes | None:
    """Return the input of :func:`encrypt`; None if the key, the bytes or ``bound_to`` differ."""
    if len(sealed) < _NONCE:
        return None
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
    except InvalidTag:
        return None
