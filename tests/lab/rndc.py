"""BIND's control channel, spoken by this process: tests send a thousand commands, and each start of rndc takes 30 ms.

A message is a table of binary values and tables, signed with HMAC-SHA256. `null` is answered with a nonce, which the
command must have.
"""

from __future__ import annotations

import base64
import hmac
import io
import secrets
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .zones import TsigKey

_VERSION: Final = 1
_BINARY, _TABLE = 1, 2
_HMAC_SHA256: Final = 163
_HEAD: Final = struct.Struct(">BI")
"""The type of a value and its length."""


def control(port: int, key: TsigKey, command: str) -> str:
    """Do what ``rndc COMMAND`` does at the server on 127.0.0.1; return its error, or an empty text."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, connection.makefile("rwb") as stream:
        nonce = _ask(stream, key, "null", b"")["_ctrl"]["_nonce"]
        said = _ask(stream, key, command, nonce)["_data"]
        return "" if said["result"] == b"0" else f"{said.get('err', said)!r}"


def _ask(stream: io.BufferedRWPair[Any, Any], key: TsigKey, command: str, nonce: bytes) -> dict[str, Any]:
    now = int(time.time())  # a number may not come twice within a minute, from whichever process
    times = {"_ser": b"%d" % secrets.randbits(31), "_tim": b"%d" % now, "_exp": b"%d" % (now + 60)}
    body = _written({"_ctrl": times | ({"_nonce": nonce} if nonce else {}), "_data": {"type": command.encode()}})
    signature = base64.b64encode(hmac.digest(base64.b64decode(key.secret), body, "sha256"))
    signed = _written({"_auth": {"hsha": struct.pack("B88s", _HMAC_SHA256, signature)}}) + body
    stream.write(struct.pack(">II", len(signed) + 4, _VERSION) + signed)
    stream.flush()
    length = int.from_bytes(stream.read(4), "big")
    if not length:
        raise EOFError
    return _read(stream.read(length)[4:])


def _written(table: dict[str, Any]) -> bytes:
    text = b""
    for name, value in table.items():
        data = value if isinstance(value, bytes) else _written(value)
        kind = _BINARY if isinstance(value, bytes) else _TABLE
        text += bytes([len(name)]) + name.encode() + _HEAD.pack(kind, len(data)) + data
    return text


def _read(text: bytes) -> dict[str, Any]:
    table: dict[str, Any] = {}
    while text:
        name, text = text[1 : text[0] + 1].decode(), text[text[0] + 1 :]
        kind, length = _HEAD.unpack_from(text)
        data, text = text[_HEAD.size : _HEAD.size + length], text[_HEAD.size + length :]
        table[name] = _read(data) if kind == _TABLE else data
    return table
