"""What the targets with files on this machine share: the files are replaced as one set, then activated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from dnsrenew.deploy import programs, texts
from dnsrenew.deploy.file_set import TargetFile, is_in_place, replace_files, restore_files
from dnsrenew.deploy.options import PROGRAM_TIMEOUT
from dnsrenew.errors import DeployError, as_clause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnsrenew.base.model import Certificate
    from dnsrenew.deploy.protocol import DeployerContext


class FileDeployer(ABC):
    """Replaces files and activates them; puts them back and activates them again.

    :ivar has_changed: whether it has written or activated anything.
    """

    def __init__(self, context: DeployerContext) -> None:
        self._context = context
        self._options = context.options
        self._files: list[TargetFile] = []
        self._is_activated = False
        self.has_changed = False

    @abstractmethod
    def make(self, certificate: Certificate) -> list[TargetFile]:
        """Return the files for a certificate."""

    @abstractmethod
    def activate(self) -> None:
        """Have the server use the files that are there now.

        :raises DeployError: it does not.
        """

    def file(self, path: str, content: bytes, mode: Literal["mode", "key_mode"] = "key_mode") -> TargetFile:
        """Return a file with the mode, owner and group of the options.

        :param mode: the option with its mode: for a file with a key, or without one.
        """
        options = self._options
        number = int(options.get(mode, "0644" if mode == "mode" else "0600"), 8)
        given = any(name in options for name in (mode, "owner", "group"))
        return TargetFile(path, content, number, options.get("owner"), options.get("group"), is_strict=given)

    def kept(self) -> Mapping[str, bytes]:
        """Return what is kept with the old files."""
        return {}

    def check(self, certificate: Certificate) -> bool:
        """Return whether all files have this content."""
        self._files = self.make(certificate)
        return is_in_place(self._files)

    def deploy(self, certificate: Certificate) -> None:
        """Replace the files that differ, and activate them."""
        self._files = self.make(certificate)
        is_there = is_in_place(self._files)
        replace_files(self._context.saved, self._files, more={} if is_there else self.kept())
        self.has_changed = not is_there
        self.activate()
        self._is_activated = True

    def restore(self) -> bool:
        """Put the old files back, and activate them.

        Where the new ones could not be activated, the old ones are in use still, and another failure tells nothing new.
        """
        if not restore_files(self._context.saved, self._files):
            return False
        try:
            self.activate()
        except DeployError as error:
            if self._is_activated:
                run = self._context.run
                fields = {"target": self._files[0].path, "reason": as_clause(error.message)}
                run.warn(*texts.NOT_ACTIVATED.fill(**fields, certificate=run.certificate or ""))
                return False
        return True


class ReloadedFiles(FileDeployer):
    """Files that the ``reload`` command of the entry activates."""

    def activate(self) -> None:
        """Run the command, if there is one."""
        command = self._options.get("reload")
        if command:
            seconds = self._options.get("timeout", PROGRAM_TIMEOUT)
            programs.run(self._context.run, command, seconds=seconds, env=self._options.get("env", ()))
