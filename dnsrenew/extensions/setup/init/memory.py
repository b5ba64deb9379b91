"""What was answered before Ctrl-C, so that it is offered again; secrets are never kept."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dnsrenew.base.found import Discovery, UntrustedError
from dnsrenew.base.safe_files import replace_file
from dnsrenew.base.values import replace
from dnsrenew.extensions.setup.init import texts
from dnsrenew.extensions.setup.init.draft import Prompt

_LARGEST: Final = 1 << 16
_FILE: Final = "init-answers.json"


def memory_file(environ: Mapping[str, str]) -> Path | None:
    """Return the file with the answers, in the folder for what a user can do without; None if he has none."""
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    elif os.name == "nt":
        base = environ.get("LOCALAPPDATA", "")
    else:
        named = environ.get("XDG_CACHE_HOME", "")
        base = named if os.path.isabs(named) else os.path.join(home, ".cache")
    return Path(base, "dnsrenew", _FILE) if os.path.isabs(base) else None


class AnswerMemory:
    """The answers to the questions of one configuration, by the question.

    :param file: where they are kept; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._config = ""
        self._before: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self._last = ""

    def read(self, config: str) -> bool:
        """Read what was kept; return whether anything was. A file that others could have written is none.

        :param config: the path of the configuration; the answers for another one are not offered.
        """
        self._config = config
        with contextlib.suppress(OSError, UntrustedError, ValueError, AttributeError):
            found = json.loads(Discovery().read(str(self._file), _LARGEST)) if self._file is not None else {}
            if found.get("config") == self._config:
                answers = found.get("answers", {})
                self._before = {str(key): each for key, each in answers.items() if isinstance(each, str)}
        return bool(self._before)

    def offered(self, prompt: Prompt) -> Prompt:
        """Return the question with the answer of the last time as its default."""
        answer = None if prompt.is_secret or prompt.is_corrected else self._before.get(str(prompt.text))
        return prompt if answer is None else replace(prompt.with_default(answer), source=texts.FROM_LAST_TIME)

    def keep(self, prompt: Prompt, answer: str) -> None:
        """Keep an answer, unless it is a secret."""
        self._last = "" if prompt.is_secret else str(prompt.text)
        if self._last:
            self._given[self._last] = answer

    def drop(self) -> None:
        """Forget the last answer: it was not taken. One of the last time stays, unless it is the same."""
        if self._given.pop(self._last, None) == self._before.get(self._last):
            self._before.pop(self._last, None)

    def write(self) -> bool:
        """Write the answers, as far as possible; only this user can read them. Return whether they are kept."""
        answers = {**self._before, **self._given}
        if self._file is None or not answers:
            return False
        with contextlib.suppress(OSError):
            if Discovery().weakness(_existing(self._file.parent), any_entry=True) is not None:
                return False  # with sudo, the home of another user
            self._file.parent.mkdir(0o700, parents=True, exist_ok=True)
            document = {"config": self._config, "answers": answers}
            replace_file(str(self._file), json.dumps(document, ensure_ascii=False).encode(), 0o600)
            return True
        return False

    def forget(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.unlink(missing_ok=True)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return folder if folder.is_dir() or folder.parent == folder else _existing(folder.parent)
