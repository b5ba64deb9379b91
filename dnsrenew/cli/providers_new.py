"""``dnsrenew providers --new NAME``: a driver and its test, in the current folder."""

from __future__ import annotations

import keyword
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnsrenew.cli import texts
from dnsrenew.cli.arguments import usage

if TYPE_CHECKING:
    from dnsrenew.cli.invocation import Invocation

_COMMAND: Final = "dnsrenew providers"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_LONGEST: Final = 63


def new(invocation: Invocation, folders: Sequence[Path]) -> int:
    """Write both files, and return the exit status.

    :param folders: the user's folders of provider files.
    :raises ConfigError: ``usage``: the name cannot be used, or a file exists.
    """
    from dnsrenew.drivers.catalogue import provider_names
    from dnsrenew.testing.new_driver import new_driver

    name = invocation.options.new
    module = name.replace("-", "_")
    is_name = _NAME.fullmatch(name) is not None and len(name) <= _LONGEST
    if not is_name or keyword.iskeyword(module) or module in sys.stdlib_module_names or module == "dnsrenew":
        raise usage(texts.NEW_NAME, _COMMAND, name=name)
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


def _write(path: str, text: str) -> None:
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:  # written meanwhile
        raise usage(texts.NEW_FILE_EXISTS, _COMMAND, path=path) from None
    except OSError as error:
        raise usage(texts.NEW_UNWRITABLE, _COMMAND, path=path, reason=error.strerror or type(error).__name__) from None
