"""A search for secrets in outputs."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def assert_no_canary(canaries: Iterable[str], *, paths: Iterable[Path] = (), texts: Iterable[str] = ()) -> None:
    """Fail if one of the secrets is in a file, in a file below a folder, or in a text, plain or encoded."""
    needles = {needle: canary for canary in canaries for needle in _spellings(canary)}
    for where, content in (*_files(paths), *((f"text {number}", text.encode()) for number, text in enumerate(texts))):
        for needle, canary in needles.items():
            at = content.find(needle)
            if at >= 0:
                around = content[max(0, at - 60) : at].decode(errors="replace")
                message = f"the secret {canary[:4]}… is in {where}, after {around!r}"
                raise AssertionError(message)


def _files(paths: Iterable[Path]) -> Iterable[tuple[str, bytes]]:
    for path in paths:
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                yield str(file), file.read_bytes()
            yield f"the name of {file}", str(file).encode()


def _spellings(canary: str) -> set[bytes]:
    raw = canary.encode()
    found = {
        raw,
        quote(canary, safe="").encode(),
        quote_plus(canary).encode(),
        json.dumps(canary)[1:-1].encode(),
        json.dumps(canary)[1:-1].replace("/", "\\/").encode(),
        base64.b64encode(raw).rstrip(b"="),
        base64.urlsafe_b64encode(raw).rstrip(b"="),
        raw.hex().encode(),
    }
    with contextlib.suppress(ValueError):  # a TSIG secret is base64 itself: nor may the bytes behind it appear
        found.add(base64.b64decode(canary, validate=True))
    return {spelling for spelling in found if len(spelling) >= 8}
