"""The seal: private keys are encrypted before they reach the database, so that a copy of it reveals none.

A sealed value is ``01``, 4 bytes that name the seal, a nonce of 12 bytes, and ciphertext with tag (AES-256-GCM). It is
bound to its place, so that a role with write access to the database cannot move it to another row. An unsealed value is
``00`` and the bytes themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from dnsrenew.base.x509 import sealing
from dnsrenew.errors import StoreError
from dnsrenew.extensions.fleet.database import texts

SEALED: Final = b"\x01"
OPEN: Final = b"\x00"
UNSEALED_ID: Final = b""
"""Replaces the name of a seal for values that are stored unsealed."""
_ID: Final = 4
_PROOF: Final = b"dnsrenew"


def place(table: str, name: str, kind: object) -> str:
    """Return the place of a value: ``version:home:3``. The table is named without its prefix ``dnsrenew_``.

    Kinds: the number of a version, the kind of a document, ``key`` and ``next_key`` of an account (named by its
    directory), ``value`` of a setting.
    """
    return f"{table}:{name}:{kind}"


class Seals:
    """The seals of a fleet. The first one seals, and all can open.

    With seals, an unsealed value is always refused, because another program with write access to the database could
    have put its own key there. Only :meth:`sealed_anew` accepts one.

    :param keys: 32 bytes each; empty: values are stored unsealed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {hashlib.sha256(key).digest()[:_ID]: key for key in keys}

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The names of the seals in order; only :data:`UNSEALED_ID` without seals."""
        return tuple(self._keys) or (UNSEALED_ID,)

    @property
    def prefix(self) -> bytes:
        """The prefix of every value that is sealed now."""
        return SEALED + self.ids[0] if self._keys else OPEN

    def __bool__(self) -> bool:
        """Whether values are sealed."""
        return bool(self._keys)

    def seal(self, data: bytes, place: str) -> bytes:
        """Return the value to store.

        :param place: its future place, see :func:`place`.
        """
        if not self._keys:
            return OPEN + data
        return self.prefix + sealing.encrypt(self._keys[self.ids[0]], data, place.encode())

    def open(self, blob: bytes, place: str) -> bytes:
        """Return the data of a stored value.

        :raises StoreError: ``seal-wrong``: it was changed or moved, or has another seal. The evidence has ``sealed``
            (False) if it is not sealed at all.
        """
        if blob[:1] == OPEN:
            if self._keys:
                raise StoreError.of(texts.NOT_SEALED, place=place, sealed=False)
            return blob[1:]
        key = self._keys.get(blob[1 : 1 + _ID]) if blob[:1] == SEALED else None
        data = None if key is None else sealing.decrypt(key, blob[1 + _ID :], place.encode())
        if data is None:
            raise StoreError.of(texts.SEAL_BROKEN, place=place)
        return data

    def sealed_anew(self, blob: bytes, place: str) -> bytes:
        """Return a stored value, sealed by the first seal. An unsealed value is accepted.

        :raises StoreError: as :meth:`open`.
        """
        return self.seal(blob[1:] if blob[:1] == OPEN else self.open(blob, place), place)

    def proof(self) -> bytes:
        """Return a value that only the first seal can have made; empty without seals."""
        return self.seal(_PROOF, _place_of_proof(self.ids[0])) if self._keys else b""

    def proves(self, name: bytes, proof: bytes) -> bool:
        """Return whether a proof was made by our seal with this name."""
        try:
            return proof[1 : 1 + _ID] == name and self.open(proof, _place_of_proof(name)) == _PROOF
        except StoreError:
            return False


def _place_of_proof(name: bytes) -> str:
    return place("seal", name.hex(), "proof")
