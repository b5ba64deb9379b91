"""Runs ``ssh`` and ``sftp`` of OpenSSH without questions; a host with an unknown or a changed key gets nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnsrenew.base import subprocesses
from dnsrenew.deploy import texts
from dnsrenew.deploy.options import PROGRAM_TIMEOUT
from dnsrenew.errors import DeployError

if TYPE_CHECKING:
    from dnsrenew.base.runtime.context import Context

_OPTIONS: Final = (
    *("BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=10", "LogLevel=ERROR", "ControlPath=none"),
    *("ServerAliveInterval=5", "ServerAliveCountMax=3", "ClearAllForwardings=yes", "RequestTTY=no"),
)
_NO_CONNECTION: Final = 255
"""The status of both programs if there is no connection."""
_OUTPUT: Final = 64 << 10
_SHOWN: Final = 300
_ECHO: Final = "sftp> "
_NOISE: Final = ("Connection closed", "Host key verification failed")
_STRICT: Final = "requested strict checking"
_DENIED: Final = "Permission denied"


class OpenSsh:
    """One host, as the options of an entry describe it.

    :ivar host: its name or address.
    """

    def __init__(self, run: Context, options: Mapping[str, Any]) -> None:
        self._run = run
        self._options = options
        self.host = str(options["host"])
        self._seconds = float(options.get("timeout", PROGRAM_TIMEOUT))

    def quoted(self, path: str) -> str:
        """Return a path for a line of ``batch``; patterns in it are not expanded.

        :raises DeployError: it has control characters, which end a line.
        """
        if not path.isprintable():
            raise DeployError.of(texts.SSH_PATH, path=repr(path), host=self.host)
        escaped = path.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def batch(self, lines: Sequence[str], folder: str, *, largest: int | None = None) -> list[str]:
        """Run commands of sftp, and return the lines that it printed; a line with ``-`` before it may fail.

        :param folder: where the file with the commands is made meanwhile.
        :param largest: the bytes of a file that it may fetch.
        :raises DeployError: ``deploy-unwritable``: a command failed, and those after it were not run.
        """
        commands = os.path.join(folder, "batch")
        Path(commands).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        host = f"[{self.host}]" if ":" in self.host else self.host
        done = self._start("sftp", ["-b", commands, *self._arguments(), "--", host], largest)
        printed = [line for line in self._lines(done.output) if not line.startswith(_ECHO)]
        if done.status != 0:
            reason = printed[-1] if printed else "sftp gives no reason"
            raise DeployError.of(texts.SSH_UNWRITABLE, host=self.host, reason=reason.rstrip("."))
        return printed

    def run(self, command: Sequence[str]) -> None:
        """Run a program on the host.

        :raises DeployError: ``deploy-refused``: its status is not 0.
        """
        done = self._start("ssh", [*self._arguments(), "--", self.host, shlex.join(command)])
        if done.status != 0:
            reason = " ".join(self._lines(done.output))[-_SHOWN:].strip().rstrip(".") or "it printed nothing"
            fields = {"program": command[0], "host": self.host, "status": done.status, "reason": reason}
            raise DeployError.of(texts.SSH_PROGRAM, certificate=self._run.certificate or "", **fields)

    def _arguments(self) -> list[str]:
        options, found = self._options, list(_OPTIONS)
        if "user" in options:
            found.append(f"User={options['user']}")
        if "port" in options:
            found.append(f"Port={options['port']}")
        if "identity" in options:
            found += [f"IdentityFile={_escaped(options['identity'])}", "IdentitiesOnly=yes"]
        if "known_hosts" in options:
            found += [f"UserKnownHostsFile={_escaped(options['known_hosts'])}", "GlobalKnownHostsFile=none"]
        return [part for option in found for part in ("-o", option)]

    def _start(self, program: str, arguments: Sequence[str], largest: int | None = None) -> subprocesses.Completed:
        try:
            done = subprocesses.run(
                [self._options.get(program, program), *arguments],
                env=subprocesses.environment(),
                seconds=self._seconds,
                limit=_OUTPUT,
                cancel=self._run.cancel,
                only_end=True,
                largest=largest,
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DeployError.of(texts.SSH_MISSING, program=program, reason=reason) from None
        if done.status is None:
            raise DeployError.of(texts.SSH_LATE, host=self.host, seconds=round(self._seconds))
        if done.status == _NO_CONNECTION:
            raise self._no_connection(self._lines(done.output))
        return done

    def _no_connection(self, lines: Sequence[str]) -> DeployError:
        for mark, text in ((_STRICT, texts.SSH_HOST_KEY), (_DENIED, texts.SSH_LOGIN)):
            for line in lines:
                if mark in line:
                    known = str(self._options.get("known_hosts", "known_hosts"))
                    return DeployError.of(text, host=self.host, reason=line.rstrip("."), known_hosts=known)
        reasons = [line for line in lines if not line.startswith(_NOISE)] or [*lines, "ssh gives no reason"]
        return DeployError.of(texts.SSH_SILENT, host=self.host, reason=reasons[-1].rstrip("."))

    def _lines(self, output: bytes) -> list[str]:
        text = self._run.redactor.redact(output.decode("utf-8", "replace"))
        lines = ("".join(character for character in line if character.isprintable()) for line in text.splitlines())
        return [line.strip()[:_SHOWN] for line in lines if line.strip()]


def _escaped(path: str) -> str:
    """Return a path for an option of ssh, which expands ``%`` and splits at blanks."""
    escaped = path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
