"""The seals of ``[fleet]``: the keys under which private keys lie in the database."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from dnsrenew.base import files
from dnsrenew.base.validation.mistakes import Mistake, config_error, shown_key
from dnsrenew.base.validation.texts import EMPTY_TEXT
from dnsrenew.config import texts

if TYPE_CHECKING:
    from dnsrenew.config.schema import SecretUse

SEAL: Final = ("fleet", "seal")
"""The key of the seal, or of the list of them."""
_BYTES: Final = 32


def read_seals(secrets: Iterable[SecretUse]) -> tuple[bytes, ...]:
    """Return the keys, in the order of the configuration; for errors see :meth:`Config.seals`."""
    keys = []
    for use in secrets:
        if use.path[:2] != SEAL:
            continue
        text = use.secret.reveal()
        key = _key(text)
        if key is None:
            line = _line(use)
            del text  # tools show the variables of a traceback
            raise config_error([Mistake(use.file, line, shown_key(use.path), texts.NO_SEAL, texts.SEAL)])
        keys.append(key)
    return tuple(keys)


def seal_fault(text: str) -> str | None:
    """Return why a text is no seal, or None; never a part of the text."""
    if not text.strip():
        return EMPTY_TEXT
    return texts.NO_SEAL if _key(text) is None else None


def _key(text: str) -> bytes | None:
    """Return the key in a text in base64 (RFC 4648 sections 4 and 5); None if it is not 32 bytes."""
    text = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _BYTES else None


def _line(use: SecretUse) -> int | None:
    """Return the line of a secret in its file, which can have changed meanwhile."""
    from dnsrenew.base.validation.toml_positions import key_lines, line_of

    if not use.file:
        return None
    with contextlib.suppress(OSError, ValueError):
        return line_of(use.path, key_lines(files.read(use.file).decode("utf-8-sig")))
    return None
