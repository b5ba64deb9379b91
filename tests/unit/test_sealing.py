"""A sealed stream opens with its passphrase only, and a change anywhere in it is found."""

from __future__ import annotations

import io

import pytest

from dnsrenew.base.x509 import sealing
from dnsrenew.base.x509.sealing import (
    CHUNK,
    BrokenSealError,
    SealedReader,
    SealedWriter,
    UnknownSealError,
    WrongPassphraseError,
)

COST = 14
"""The least that is read: a test needs no strong key."""


def sealed(content: bytes, passphrase: str = "correct horse") -> bytes:
    """Seal, in one write."""
    out = io.BytesIO()
    writer = SealedWriter(out, passphrase, cost=COST)
    writer.write(content)
    writer.finish()
    return out.getvalue()


def opened(data: bytes, passphrase: str = "correct horse") -> bytes:
    """Read to the end."""
    return SealedReader(io.BytesIO(data), passphrase).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_what_was_sealed_is_read(size: int) -> None:
    """Content of any length can be opened again. Sealing the same content twice gives different bytes."""
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert opened(sealed(content)) == content
    assert sealed(content) != sealed(content)


def test_pieces_of_any_size_are_the_same_stream() -> None:
    """Small writes are combined into chunks."""
    out = io.BytesIO()
    writer = SealedWriter(out, "correct horse", cost=COST)
    for _ in range(1000):
        writer.write(b"x" * 137)
    writer.finish()
    assert opened(out.getvalue()) == b"x" * 137_000


def test_a_wrong_passphrase_is_told_from_damage() -> None:
    """A wrong passphrase and a damaged file raise different errors."""
    data = sealed(b"secret")
    with pytest.raises(WrongPassphraseError):
        opened(data, "correct horsf")
    with pytest.raises(BrokenSealError):
        opened(data[:-1] + bytes((data[-1] ^ 1,)))


def test_every_changed_bit_is_found() -> None:
    """A changed bit in any byte of the head or the content is detected."""
    data = sealed(b"a short content")
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        with pytest.raises((BrokenSealError, WrongPassphraseError, UnknownSealError)):
            opened(bytes(broken))


def test_chunks_cannot_be_cut_off_swapped_or_repeated() -> None:
    """A missing, swapped or repeated chunk is detected, although each chunk is intact."""
    data = sealed(bytes(3 * CHUNK))
    head, size = data[: sealing._HEAD + 16], CHUNK + 16
    chunks = [data[len(head) + at : len(head) + at + size] for at in range(0, len(data) - len(head), size)]
    first, second, third = chunks
    for order in ([first], [first, second], [second, first, third], [first, second, third, third], []):
        with pytest.raises(BrokenSealError):
            opened(head + b"".join(order))


def test_a_file_cannot_ask_for_any_memory() -> None:
    """A scrypt cost far above the written one is refused before it is used."""
    data = bytearray(sealed(b""))
    data[len(sealing.MAGIC) + 1] = 30
    with pytest.raises(UnknownSealError):
        opened(bytes(data))
