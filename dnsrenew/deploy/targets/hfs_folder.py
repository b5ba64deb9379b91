"""The settings of HFS in its folder, where its API is closed: HFS reads ``config.yaml`` again when it changes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnsrenew.deploy import texts
from dnsrenew.deploy.file_set import TargetFile, write_file
from dnsrenew.deploy.protocol import DeployerContext
from dnsrenew.deploy.staged_file import inspect
from dnsrenew.errors import DeployError

CONFIG: Final = "config.yaml"
_SETTING: Final = re.compile(r"^([A-Za-z_][\w.-]*):(?:[ \t]+([^\n]*?))?[ \t]*\r?$", re.MULTILINE)
_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "~": None, "": None}


class HfsFolder:
    """One HFS, by its files; as :class:`dnsrenew.deploy.targets.hfs.HfsApi`.

    :ivar url: the address at which it refuses.
    :param folder: its working directory.
    """

    def __init__(self, context: DeployerContext, url: str, folder: str) -> None:
        self._context = context
        self.url = url
        self._folder = folder

    def folder(self) -> str:
        """Return its working directory."""
        return self._folder

    def settings(self, names: Sequence[str]) -> dict[str, Any]:
        """Return some settings, as far as they are numbers, words and texts of one line.

        :raises DeployError: there is no configuration that could be read and changed.
        """
        found = {match[1]: _scalar(match[2] or "") for match in _SETTING.finditer(self._read()[0])}
        return {name: found.get(name) for name in names}

    def set(self, changes: Mapping[str, Any]) -> None:
        """Change settings; all other lines stay as they are.

        :raises DeployError: ``deploy-unwritable``.
        """
        text, mode, owner, group = self._read()
        for name, value in changes.items():
            text = _changed(text, name, value)
        file = TargetFile(os.path.join(self._folder, CONFIG), text.encode(), mode, owner, group)
        write_file(self._context.saved, file)

    def _read(self) -> tuple[str, int, str | None, str | None]:
        """Return the configuration with its mode and owner."""
        path = os.path.join(self._folder, CONFIG)
        found = inspect(path)
        if found is None or found.link:
            raise DeployError.of(texts.HFS_NO_CONFIG, path=path, url=self.url)
        is_ours = not hasattr(os, "geteuid") or found.uid == os.geteuid()
        owner, group = (None, None) if is_ours else (str(found.uid), str(found.gid))
        return found.content.decode("utf-8", "surrogateescape"), found.mode, owner, group


def _scalar(text: str) -> Any:
    if text.startswith('"'):
        try:
            return json.loads(text)
        except ValueError:
            return None
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    text = text.partition(" #")[0].strip()
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if re.fullmatch(r"-?\d{1,5}", text) else text


def _changed(text: str, name: str, value: Any) -> str:
    """Return the configuration with one setting changed, added at the end, or for None removed."""
    line = "" if value is None else f"{name}: {json.dumps(value)}\n"
    match = re.search(rf"^{re.escape(name)}:[^\n]*(?:\n(?:[ \t][^\n]*|(?=\n)))*(?:\n|\Z)", text, re.MULTILINE)
    if match is not None:  # with the lines of a text of several lines
        return text[: match.start()] + line + text[match.end() :]
    return f"{text}\n{line}" if text and not text.endswith("\n") else text + line
