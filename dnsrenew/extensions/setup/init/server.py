"""What is known about a server on this machine, and what helps to find it out."""

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
"""Bytes that are read of a configuration."""
_LONGEST: Final = 2_000
"""Characters of a line that is looked at: what looks for words in a longer one would take long."""


class ServerHost(Frozen, kw_only=True):
    """The machine that is looked at; the real one, or a folder in a test.

    :ivar root: the folder that stands for ``/``.
    :ivar home: the home folder of the user.
    :ivar programs: what runs.
    :ivar user: the user of this process.
    :ivar is_admin: whether that is root.
    :ivar discovery: judges what is found.
    """

    root: Path
    home: Path
    programs: tuple[RunningProgram, ...]
    user: str
    is_admin: bool
    discovery: Discovery = field(default_factory=Discovery)

    def read(self, path: str) -> str:
        """Return the text of a configuration file, without lines of any length.

        "" if it cannot be read, or others can change it.
        """
        try:
            text = self.discovery.read(self.inside(path), _LARGEST).decode("utf-8", "replace")
        except (UntrustedError, OSError, ValueError):  # ValueError: a NUL in the path
            return ""
        return "\n".join(line for line in text.splitlines() if len(line) <= _LONGEST)

    def weakness(self, path: str, *, any_entry: bool = False) -> Weakness | None:
        """Return the part of the way to a file or folder that others can change; None: nothing."""
        return self.discovery.weakness(self.inside(path), any_entry=any_entry)

    def inside(self, path: str) -> Path:
        """Return where a path of this machine is."""
        return Path(path) if os.name == "nt" else self.root / path.lstrip("/")

    def first_file(self, *paths: str) -> str:
        """Return the first path that is a file, or ""."""
        return next((path for path in paths if path and self.inside(path).is_file()), "")


class ConfiguredPair(Frozen):
    """A certificate that a server is configured to serve.

    :ivar names: the names that it serves with it; empty if they are not known.
    :ivar certificate: the file of the certificate with its chain, or of everything.
    :ivar key: the file of the key; "" if that is in the same file.
    :ivar port: where it serves TLS.
    """

    names: tuple[str, ...]
    certificate: str
    key: str = ""
    port: int | None = None


class PlainBlock(Frozen):
    """A site in a server's configuration that has no certificate.

    :ivar names: its names that a certificate can have.
    :ivar file: the file that it is in.
    :ivar port: where it has TLS already; None: nowhere.
    """

    names: tuple[str, ...]
    file: str
    port: int | None = None


class FoundServer(Frozen, kw_only=True, hidden=("secrets",)):
    """A server that runs.

    :ivar pid: the number of its process, and in ``user`` the name of its user.
    :ivar is_root_s: whether root has started it: only root can signal it.
    :ivar is_own: whether root or the running user has started it; a service of another user is not chosen by default.
    :ivar distrust: why nothing of it is believed, in which case nothing else than its names is known; "" otherwise.
    :ivar key: its name in an answer, such as ``nginx``; it and ``title``, its name for people, are those of its kind.
    :ivar config: its configuration file; "" if it is not known.
    :ivar pairs: what it serves by TLS.
    :ivar names: all the names in its configuration.
    :ivar to: the target of its deployment.
    :ivar options: the options of the entry, without files and ``verify``.
    :ivar secrets: the secret options, in plain.
    :ivar owner: the user that has to be able to read new files; "" if that is root or the running user.
    :ivar settings: the settings of its configuration that name the files, for people.
    :ivar plain: its sites without a certificate.
    :ivar where: says where the lines go that turn on TLS for a site; None: the settings are all there is to it.
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
    """Return the value of an option of a command line; "" if it is not given."""
    for word, following in zip(command, [*command[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if flag in flags:
            return value if equals else following
    return ""


def config_file(host: ServerHost, program: RunningProgram, flags: Sequence[str], *usual: str) -> str:
    """Return the configuration that a command line names, or the first usual one; "" if there is none."""
    given = argument(words(program), *flags)
    return os.path.join(program.folder or os.sep, given) if given else host.first_file(*usual)


def reload(program: RunningProgram, verb: str, *otherwise: str) -> dict[str, Any]:
    """Return the option with the command that has a server load its files: of its systemd service, or its own."""
    command = ["systemctl", verb, program.unit] if program.unit else list(otherwise)
    return {"reload": command} if command else {}
