"""``dnsrenew providers --new NAME``: a driver and its test, in the current folder."""

from __future__ import annotations

import keyword
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import texts
from dnsrenew.cli.arguments import usage

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation
    from dnsrenew.errors import Phrase

_COMMAND: Final = "dnsrenew providers"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST: Final = 63
_DEVICE: Final = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names that Windows gives to no file, whatever its suffix."""
_OF_PYTEST: Final = re.compile(r"conftest|test.*|.*_test")


def new(invocation: Invocation, folders: Sequence[Path]) -> int:
    """Write both files, and return the exit status.

    :param folders: the user's folders of provider files.
    :raises ConfigError: ``usage``: the name cannot be used, or a file exists.
    """
    from dnsrenew.drivers.catalogue import provider_names
    from dnsrenew.testing.new_driver import new_driver

    name = invocation.options.new
    module = name.replace("-", "_")
    if len(name) > _LONGEST:
        raise usage(texts.NEW_LONG, _COMMAND, length=len(name), most=_LONGEST)
    if _NAME.fullmatch(name) is None:
        raise usage(texts.NEW_NAME, _COMMAND, name=name)
    reason = _reserved(module)
    if reason is not None:
        raise usage(texts.NEW_RESERVED, _COMMAND, name=name, reason=reason)
    if name in provider_names(folders) or module in provider_names(folders):
        raise usage(texts.NEW_TAKEN, _COMMAND, name=name)
    files = new_driver(name)
    for file in files:
        if os.path.lexists(file):
            raise usage(texts.NEW_FILE_EXISTS, _COMMAND, path=file)
    for file, text in files.items():
        _write(file, text)
    terminal = invocation.terminal
    terminal.write_document({"written": [str(Path(file).absolute()) for file in files]})
    terminal.write_result(texts.NEW_WRITTEN.format(files=", ".join(files)))
    terminal.write_info(texts.NEW_NEXT.format(test=list(files)[-1]))
    return 0


def _reserved(module: str) -> Phrase | None:
    """Return why a module cannot have this name; None: it can."""
    if keyword.iskeyword(module):
        return texts.NEW_IS_KEYWORD
    if _DEVICE.fullmatch(module):
        return texts.NEW_IS_DEVICE
    if _OF_PYTEST.fullmatch(module):
        return texts.NEW_IS_TEST
    return texts.NEW_IS_MODULE if _is_importable(module) else None


def _is_importable(module: str) -> bool:
    """Tell whether a module of this name is installed; a file in the current folder is refused as an existing file."""
    if module in sys.stdlib_module_names:
        return True
    here = Path.cwd()
    spec = PathFinder.find_spec(module, [entry for entry in sys.path if entry and Path(entry) != here])
    return spec is not None and spec.origin is not None  # without an origin it is a folder that holds no module


def _write(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:  # written meanwhile
        raise usage(texts.NEW_FILE_EXISTS, _COMMAND, path=path) from None
    except OSError as error:
        raise usage(texts.NEW_UNWRITABLE, _COMMAND, path=path, reason=error.strerror or type(error).__name__) from None
