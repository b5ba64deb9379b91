"""The programs that a configuration runs: where they are, and whether others can change them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dnsrenew.config import texts
from dnsrenew.config.fields import list_of, text

if TYPE_CHECKING:
    from dnsrenew.config.schema import FieldScope
    from dnsrenew.validation.mistakes import KeyPath


def command(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program and its arguments; the program is absolute afterwards if it has a folder, and judged."""
    return _command(value, scope, path, texts.COMMAND)


def dns_hook(value: Any, scope: FieldScope, path: KeyPath) -> tuple[str, ...]:
    """Read a program that writes TXT records, as :func:`command`."""
    return _command(value, scope, path, texts.DNS_HOOK)


def _command(value: Any, scope: FieldScope, path: KeyPath, expected: str) -> tuple[str, ...]:
    words: tuple[str, ...] = list_of(text, expected, least=1)(value, scope, path)
    return (program_path(words[0], scope), *words[1:]) if words else words


def program_path(name: str, scope: FieldScope) -> str:
    """Return the absolute path of a program, judged; a name that is not in ``PATH`` is returned as it is.

    A path with a slash is relative to its configuration file. Running the path that is returned, and not the name,
    makes sure that the program is the one that was judged.

    :raises ConfigError: ``config-untrusted``.
    """
    if has_folder(name):
        path = scope.path_of(name)
    else:
        import shutil  # needed only for a program in PATH

        found = shutil.which(name)
        if found is None:
            return name
        path = os.path.abspath(found)
    scope.checks.judge(path)
    return path


def has_folder(name: str) -> bool:
    """Tell whether a program is given as a path."""
    return os.path.basename(name) != name
