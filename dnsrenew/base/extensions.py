"""The extensions: the functions of dnsrenew beyond the certificates of one machine.

An extension is a folder of ``dnsrenew/extensions`` whose ``EXTENSION`` plugs into tables: commands, addresses of
stores, listeners of a run, checks, the diagnosis after a failure, drivers, targets, and the tools for DNS accounts. The
core finds it by its folder, and imports it only when a table is read. Without the folder, everything except the
extension itself works as before.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dnsrenew.base.values import Frozen

if TYPE_CHECKING:
    from dnsrenew.errors import ConfigError

_PACKAGE: Final = f"{__name__.partition('.')[0]}.extensions."
_FOLDER: Final = os.path.join(os.path.dirname(os.path.dirname(__file__)), "extensions")

T = TypeVar("T")


class Extension(Frozen, kw_only=True):
    """The parts of an extension. Each is a function that imports the part when it is called.

    :ivar commands: returns its :class:`dnsrenew.cli.command_types.CommandTable`.
    :ivar store: returns how it opens a store that is not a folder: a :class:`dnsrenew.operations.selection.StoreKind`.
    :ivar listener: returns the listener for the end of a run, and for a running ``dnsrenew run``: a
        :class:`dnsrenew.operations.event_log.RunListener`.
    :ivar check: returns a function that adds the mistakes and warnings of ``dnsrenew check`` to a
        :class:`dnsrenew.config.loader.Draft`.
    :ivar diagnosis: returns the object that finds out why a certificate cannot be renewed: a
        :class:`dnsrenew.operations.event_log.DiagnosisMaker`.
    :ivar account_tools: returns how an account is tested and a driver begun: a
        :class:`dnsrenew.cli.providers.AccountTools`.
    :ivar drivers: returns the module and the class of each of its drivers, by name.
    :ivar targets: the package with a module for each of its kinds of deployment targets.
    """

    commands: Callable[[], Any] | None = None
    store: Callable[[], Any] | None = None
    listener: Callable[[], Any] | None = None
    check: Callable[[], Any] | None = None
    diagnosis: Callable[[], Any] | None = None
    account_tools: Callable[[], Any] | None = None
    drivers: Callable[[], Mapping[str, tuple[str, str]]] | None = None
    targets: str = ""


@cache
def installed() -> Mapping[str, Extension]:
    """Return the installed extensions by name, sorted by name."""
    try:
        names = sorted(
            entry.name for entry in os.scandir(_FOLDER) if os.path.isfile(os.path.join(entry, "__init__.py"))
        )
    except OSError:
        names = []
    return {name: import_module(f"..extensions.{name}", __package__).EXTENSION for name in names}


def plugged(table: Callable[[Extension], Callable[[], T] | None]) -> Iterator[T]:
    """Yield the parts that the extensions plug into a table."""
    for extension in installed().values():
        make = table(extension)
        if make is not None:
            yield make()


def missing(what: str, extension: str) -> ConfigError:
    """Return the error for a command or function of a missing extension.

    :param what: a command or a function, as the reader typed it.
    :param extension: the name of the extension; the extra has the same name.
    """
    from dnsrenew.base import texts  # `--help` needs neither this nor the errors
    from dnsrenew.errors import ConfigError

    command = install_command(f"dnsrenew[{extension}]")
    return ConfigError.of(texts.EXTENSION_MISSING, what=what, extension=extension, command=command)


@contextlib.contextmanager
def needed_by(what: str) -> Iterator[None]:
    """Report an import in the block as a missing extension, if the extension is not installed.

    :raises ConfigError: ``extension-missing``.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extension = (error.name or "").removeprefix(_PACKAGE).partition(".")[0]
        if not (error.name or "").startswith(_PACKAGE) or extension in installed():
            raise
        raise missing(what, extension) from None


# ── installation ───────────────────────────────────────────────────────────────────────

# The command that installs a missing package into the environment of this process.
#
# An error names the missing package itself and not an extra of dnsrenew: outside its environment, ``pip install
# 'dnsrenew[…]'`` installs whatever the package index has under that name.

_PIPX_FILE = "pipx_metadata.json"
"""The file that pipx writes into the root of each of its environments."""


def install_command(*packages: str) -> str:
    """Return the command that installs packages for the running interpreter."""
    if os.path.exists(os.path.join(sys.prefix, _PIPX_FILE)):
        return _line(["pipx", "inject", os.path.basename(sys.prefix), *packages])
    if importlib.util.find_spec("pip") is None:  # as in the environments of uv
        return _line(["uv", "pip", "install", "--python", sys.executable, *packages])
    return _line([sys.executable, "-m", "pip", "install", *packages])


def _line(arguments: Sequence[str]) -> str:
    if sys.platform == "win32":
        import subprocess

        return subprocess.list2cmdline(arguments)
    return shlex.join(arguments)
