"""The parts of an address that is a secret, such as ``ntfy://user:password@host/topic``.

Any part may be the secret: the host of ``tgram://TOKEN/CHAT`` is one.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
_KEY: Final = re.compile(r"[?&][^=&]*=")
"""The name of a parameter; it is no secret."""
_SEPARATORS: Final = re.compile(r"[/?&#:@,;\s]+")


def scheme_of(address: str) -> str | None:
    """Return the scheme in lower case, or None if the text has none."""
    found = _SCHEME.match(address)
    return found[1].lower() if found else None


def secret_parts(address: str) -> set[str]:
    """Return each part after the scheme, as it is written and decoded, and user and password together."""
    rest = _SCHEME.sub("", address, count=1)
    authority, _, path = rest.partition("/")
    credentials = authority.rpartition("@")[0]
    parts = {rest, credentials, f"/{path}", *_SEPARATORS.split(_KEY.sub("/", rest))}
    return {each for part in parts if part.strip("/") for each in (part, unquote(part))}
