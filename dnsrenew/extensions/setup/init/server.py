"""The known facts about a server on this machine, and helpers to find them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dnsrenew.base.found import Discovery, RunningProgram, UntrustedError
from dnsrenew.base.path_trust import Weakness
from dnsrenew.base.values import Frozen, field
from dnsrenew.errors import Phrase

_LARGEST: Final = 1 << 18
"""The number of bytes that are read of a configuration."""
_LONGEST: Final = 2_000
"""The maximum number of characters of a line that is checked, because searching for words in a longer one would take
long.
"""


class ServerHost(Frozen, kw_only=True):
    """The examined machine, which is a folder in a test.

    :ivar root: the folder that stands for ``/``.
    :ivar home: the home folder of the user.
    :ivar programs: the running programs.
    :ivar user: the user of this process.
    :ivar is_admin: whether the user is root.
    :ivar discovery: checks found files and processes.
    """

    root: Path
    home: Path
    programs: tuple[RunningProgram, ...]
    user: str
    is_admin: bool
    discovery: Discovery = field(default_factory=Discovery)

    def read(self, path: str) -> str:
        """Return the text of a configuration file, without overlong lines.

        It is "" if the file cannot be read, or others can change it.
        """
        try:
            text = self.discovery.read(self.inside(path), _LARGEST).decode("utf-8", "replace")
        except (UntrustedError, OSError, ValueError):  # ValueError: a NUL in the path
            return ""
        return "\n".join(line for line in text.splitlines() if len(line) <= _LONGEST)

    def weakness(self, path: str, *, any_entry: bool = False) -> Weakness | None:
        """Return the part of a file's or folder's path that others can change, or None."""
        return self.discovery.weakness(self.inside(path), any_entry=any_entry)

    def inside(self, path: str) -> Path:
        """Return the real path of a path on this machine."""
        return Path(path) if os.name == "nt" else self.root / path.lstrip("/")

    def first_file(self, *paths: str) -> str:
        """Return the first existing file, or ""."""
        return next((path for path in paths if path and self.inside(path).is_file()), "")


class ConfiguredPair(Frozen):
    """A certificate that a server is configured to serve.

    :ivar names: the names that it serves with it; empty if unknown.
    :ivar certificate: the file of the certificate with its chain, or of everything.
    :ivar key: the file of the key; "" if it is in the same file.
    :ivar port: the port where it serves TLS.
    """

    names: tuple[str, ...]
    certificate: str
    key: str = ""
    port: int | None = None


class PlainBlock(Frozen):
    """A site in a server's configuration that has no certificate.

    :ivar names: its names that a certificate can have.
    :ivar file: the file that it is in.
    :ivar port: the port where it already has TLS, or None.
    """

    names: tuple[str, ...]
    file: str
    port: int | None = None


class FoundServer(Frozen, kw_only=True, hidden=("secrets",)):
    """A running server.

    :ivar pid: the number of its process, and in ``user`` the name of its user.
    :ivar is_root_s: whether root has started it, so that only root can signal it.
    :ivar is_own: whether root or the running user has started it; a service of another user is not chosen by default.
    :ivar distrust: why it is not trusted, in which case only its names are known; "" if it is trusted.
    :ivar key: its name in an answer, such as ``nginx``; it and ``title``, its name for people, come from its kind.
    :ivar config: its configuration file; "" if unknown.
    :ivar pairs: the certificates that it serves.
    :ivar names: all the names in its configuration.
    :ivar to: the target of its deployment.
    :ivar options: the options of the entry, without files and ``verify``.
    :ivar secrets: the secret options in plain text.
    :ivar owner: the user that must be able to read new files; "" for root or the running user.
    :ivar settings: the settings of its configuration that name the files, for people.
    :ivar plain: its sites without a certificate.
    :ivar where: returns where the lines go that turn on TLS for a site; None if the settings are enough.
    :ivar lines: these lines, with fields.
    """

    key: str = ""
    title: str = ""
    config: str = ""
    pairs: tuple[ConfiguredPair, ...] = ()
    names: tuple[str, ...] = ()
    to: str = "files"
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""
    settings: tuple[str, ...] = ()
    plain: tuple[PlainBlock, ...] = ()
    where: Phrase | None = None
    lines: tuple[str, ...] = ()
    is_root_s: bool = False
    is_own: bool = True
    pid: int = 0
    user: str = ""
    distrust: str = ""


def words(program: RunningProgram) -> list[str]:
    """Return the words of a command line. nginx replaces its own by ``nginx: master process COMMAND``."""
    title, found, line = " ".join(program.command).partition(" process ")
    if found and title.partition(" ")[0].endswith(":"):
        return line.split()
    return list(program.command) or [program.name]


def argument(command: Sequence[str], *flags: str) -> str:
    """Return the value of an option of a command line, or ""."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag in flags:
            return value if equals else following
    return ""


def config_file(host: ServerHost, program: RunningProgram, flags: Sequence[str], *usual: str) -> str:
    """Return the configuration that a command line names, or the first usual one, or ""."""
    given = argument(words(program), *flags)
    return os.path.join(program.folder or os.sep, given) if given else host.first_file(*usual)


def reload(program: RunningProgram, verb: str, *otherwise: str) -> dict[str, Any]:
    """Return the option with the command that makes a server load its files, through systemd or by itself."""
    command = ["systemctl", verb, program.unit] if program.unit else list(otherwise)
    return {"reload": command} if command else {}
