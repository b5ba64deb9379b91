"""Finds what an export without secrets keeps although it could hold one: the arguments of programs, and addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from dnsrenew.base.validation.mistakes import KeyPath

_PROGRAMS: Final = frozenset({"run", "reload", "before", "after", "command", "program"})
"""Keys with a program and its arguments."""
_WITHOUT_SECRETS: Final = frozenset({"systemctl", "service", "rc-service", "nginx", "postfix", "doveadm"})
"""Programs that take none in their arguments."""
_WEBHOOK: Final = "webhook"


def with_arguments(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Give the keys in a TOML document whose arguments or addresses could hold a secret."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from with_arguments(item, (*path, index))
    elif isinstance(value, dict):
        if value.get("to") == _WEBHOOK and "url" in value:
            yield (*path, "url")
        for key, item in value.items():
            if key in _PROGRAMS and _has_arguments(item):
                yield (*path, key)
            else:
                yield from with_arguments(item, (*path, key))


def _has_arguments(value: Any) -> bool:
    if not (isinstance(value, list) and len(value) > 1 and all(isinstance(word, str) for word in value)):
        return False
    return os.path.basename(value[0]) not in _WITHOUT_SECRETS
